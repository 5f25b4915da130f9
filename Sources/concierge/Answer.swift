import Migrations
import Postgres

/// A turn that has ended, as `chat.turn` tells it.
struct Answer {
    let turn: String
    /// The function's result as it came.
    let json: String
    let question: String
    /// What a person reads: the answer, or why there is none, and a note where it is another's than was hoped
    /// for.
    let text: String
    /// What it cites, in the order it names it.
    let footnotes: [Footnote]
    /// Whether it ended without an answer.
    let failed: Bool

    /// Reads a turn of the signed-in person.
    init(_ turn: String, _ connection: Connection) throws {
        self.turn = turn
        json = try connection.query("select chat.turn($1)", [Parameter(turn)]).scalar ?? "{}"
        let told = try connection.query(
            """
            select t ->> 'question' as question, t ->> 'answer' as answer, t ->> 'error' as error,
                t ->> 'note' as note, t ->> 'state' as state
            from (select $1::jsonb as t) as t
            """, [Parameter(json)]
        ).first
        question = told?["question"] ?? ""
        failed = told?["answer"] == nil
        text =
            (told?["answer"] ?? "\(told?["state"] ?? "failed"): \(told?["error"] ?? "no reason is known")")
            + (told?["note"].map { "\n(\($0))" } ?? "")
        footnotes = try connection.query(
            """
            select c.id, c.kind, c.title, c.url, c.before, c.text, c.after
            from jsonb_to_recordset($1::jsonb -> 'citations') as c (id text, kind text, title text, url text,
                before text, text text, after text)
            """, [Parameter(json)]
        ).map { Footnote($0) }
    }

    /// The text, then what it cites; what is cited word for word is drawn so.
    func lines(emphasis: (String) -> String = Style.plain) -> [String] {
        [text.printable] + (footnotes.isEmpty ? [] : [""])
            + footnotes.flatMap { $0.lines(emphasis: emphasis) }
    }
}

/// What an answer cites, as it stands below it.
struct Footnote {
    /// As the answer has it in brackets.
    let id: String
    let kind: String
    let title: String
    let url: String?
    /// Of a document the sentence that is cited, and what stands around it.
    let passage: (before: String, text: String, after: String)?

    init(
        id: String, kind: String, title: String, url: String? = nil,
        passage: (before: String, text: String, after: String)? = nil
    ) {
        self.id = id
        self.kind = kind
        self.title = title
        self.url = url
        self.passage = passage
    }

    fileprivate init(_ row: Row) {
        let kind = row["kind"] ?? ""
        self.init(
            id: row["id"] ?? "", kind: kind, title: row["title"] ?? "", url: row["url"],
            passage: kind == "document" ? (row["before"] ?? "", row["text"] ?? "", row["after"] ?? "") : nil)
    }

    /// Id, kind and title; the passage in its place; the address.
    func lines(emphasis: (String) -> String) -> [String] {
        let indent = "\n      "
        var note = "  [\(id)] \(kind): \(title.inOneLine)".printable
        if let passage {
            let words = [passage.before, passage.text, passage.after].map { $0.inOneLine.printable }
            note += "\(indent)…\(words[0]) »\(emphasis(words[1]))« \(words[2])…"
        }
        if let url { note += indent + url.inOneLine.printable }
        return note.split(separator: "\n").map(String.init)
    }
}
