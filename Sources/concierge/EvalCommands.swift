import Migrations
import Postgres

/// `concierge eval …`: how good what is found is, as figures.
let evalCommands = [
    Command(
        words: ["eval", "load"], operands: "DIR",
        summary: "Loads texts, questions and judgements in BEIR's form.",
        options: [
            OptionRule("workspace", "SLUG", "where the texts go; made with knowledge.create_workspace"),
            OptionRule("collection", "SLUG", "its short name; the directory's unless given"),
        ] + whose,
        run: loadCollection),
    Command(
        words: ["eval", "retrieval"],
        summary: "Measures a workspace by a collection's questions: nDCG, recall, MRR.",
        options: [
            OptionRule("collection", "SLUG", "which questions; loaded with `concierge eval load`"),
            OptionRule("workspace", "SLUG", "which workspace is asked"),
            OptionRule("k", "N", "the rank up to which nDCG and precision look; 10 unless given"),
            OptionRule("depth", "N", "passages asked for, and the rank recall looks up to; 100 unless given"),
            OptionRule("label", "TEXT", "what is tried, to know the run by later"),
            OptionRule("with", "RUN", "the run to compare with; this workspace's last one unless given"),
            jsonOption,
        ] + whose,
        run: evaluateRetrieval),
]

private let whose = [
    OptionRule("tenant", "SLUG", "whose workspace it is; not needed while there is one tenant"),
    OptionRule("as", "PERSON", "the organizer who does it; not needed while there is one"),
]

private let textsAtOnce = 200

@Sendable private func loadCollection(_ invocation: Invocation) throws -> Int32 {
    guard invocation.operands.count == 1 else {
        throw UsageError(message: "one directory with corpus, queries and qrels", command: invocation.command)
    }
    let workspace = try invocation.required("workspace")
    let files = try CollectionFiles(directory: invocation.operands[0])
    let slug = invocation["collection"] ?? files.name
    let connection = try target(invocation).connect(as: "concierge eval load")
    let organizer = try PersonalSession.find(
        connection, tenant: invocation["tenant"], subject: invocation["as"], role: "organizer")

    let began = ContinuousClock.now
    var first = 0
    while first < files.texts.count {
        let batch = Array(files.texts[first..<min(first + textsAtOnce, files.texts.count)])
        do {
            try organizer.run(connection) {
                try connection.query(
                    """
                    select count(*)
                    from knowledge.add_texts($1, (
                        select jsonb_agg(jsonb_build_object('key', t.text ->> '_id',
                            'title', coalesce(t.text ->> 'title', ''), 'content', t.text ->> 'text')
                            order by t.n)
                        from unnest($2::jsonb[]) with ordinality as t (text, n)))
                    """, [Parameter(workspace), Parameter(batch)])
            }
        } catch let error as PostgresError {
            throw Failure("\(files.corpus), lines \(first + 1) to \(first + batch.count): \(error)")
        }
        first += batch.count
    }
    let verdict = "\(files.texts.count), \(began.duration(to: .now).brief)"
    Terminal.say(Terminal.row("texts in workspace \(workspace)", verdict))

    try organizer.run(connection) {
        try connection.query(
            """
            select evaluation.load_collection($1, $1, (
                select coalesce(jsonb_agg(jsonb_build_object('key', q ->> '_id', 'text', q ->> 'text')), '[]')
                from unnest($2::jsonb[]) as q), (
                select coalesce(jsonb_agg(jsonb_build_object('query', j.query, 'document', j.document,
                    'grade', j.grade)), '[]')
                from unnest($3::text[], $4::text[], $5::int[]) as j (query, document, grade)))
            """,
            [
                Parameter(slug), Parameter(files.queries), Parameter(files.judgements.map(\.query)),
                Parameter(files.judgements.map(\.document)), Parameter(files.judgements.map(\.grade)),
            ])
    }
    Terminal.say(
        Terminal.row(
            "collection \(slug)", "\(files.queries.count) queries, \(files.judgements.count) judgements"))
    return 0
}

/// A directory in BEIR's form: `corpus.jsonl` and `queries.jsonl`, either may be gzipped, and `qrels.tsv` or
/// `qrels/test.tsv`, whose first line is a header. JSON is left to the server.
struct CollectionFiles {
    let name: String
    let corpus: String
    let texts: [String]
    let queries: [String]
    let judgements: [(query: String, document: String, grade: String)]

    init(directory: String) throws {
        let directory = directory.hasSuffix("/") ? String(directory.dropLast()) : directory
        name = directory.split(separator: "/").last.map(String.init) ?? directory
        func read(_ names: String...) throws -> (path: String, lines: [String]) {
            for name in names {
                let path = directory + "/" + name
                if let text = try readText(path) { return (path, lines(of: text)) }
            }
            throw Failure(
                "there is no \(names[0]) in \(directory)",
                hint: "A collection in BEIR's form has corpus.jsonl, queries.jsonl and qrels.tsv.")
        }
        (corpus, texts) = try read("corpus.jsonl", "corpus.jsonl.gz")
        queries = try read("queries.jsonl", "queries.jsonl.gz").lines
        let (path, rows) = try read("qrels.tsv", "qrels/test.tsv")
        judgements = try rows.enumerated().dropFirst().map { number, line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 3, Int(fields[2]) != nil else {
                throw Failure("\(path):\(number + 1): not a query, a document and a grade, with tabs between")
            }
            return (fields[0], fields[1], fields[2])
        }
    }
}

/// Lines that are not empty. A line ends with LF or CR LF; JSON may have other separators inside.
private func lines(of text: String) -> [String] {
    text.utf8.split(separator: UInt8(ascii: "\n")).compactMap { line in
        let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
    }
}

@Sendable private func evaluateRetrieval(_ invocation: Invocation) throws -> Int32 {
    let collection = try invocation.required("collection")
    let workspace = try invocation.required("workspace")
    let k = try invocation.count("k") ?? 10
    let depth = try invocation.count("depth") ?? 100
    let other = try invocation.count("with")
    let connection = try target(invocation).connect(as: "concierge eval retrieval")
    let organizer = try PersonalSession.find(
        connection, tenant: invocation["tenant"], subject: invocation["as"], role: "organizer")

    let began = ContinuousClock.now
    let lines: [String] = try organizer.run(connection) {
        let run =
            try connection.query(
                "select evaluation.run_retrieval($1, $2, $3, $4::int)",
                [
                    Parameter(collection), Parameter(workspace), Parameter(invocation["label"] ?? ""),
                    Parameter(depth),
                ]
            ).scalar ?? ""
        let seconds = began.duration(to: .now).brief
        let earlier =
            try other.map { String($0) }
            ?? connection.query(
                """
                select b.run_id
                from evaluation.runs as r
                join evaluation.runs as b using (collection_id, workspace_id)
                where r.run_id = $1 and b.run_id < r.run_id and b.finished_at is not null
                order by b.run_id desc limit 1
                """, [Parameter(run)]
            ).scalar
        let figures = try RetrievalFigures.read(run: run, k: k, depth: depth, earlier: earlier, connection)
        if invocation.has("json") { return [figures.json] }
        let facts = try connection.query(
            """
            select case r.config ->> 'model' when 'offline' then 'words and offline vectors'
                else 'words alone' end || coalesce(', ' || nullif(r.label, ''), '')
            from evaluation.runs as r where r.run_id = $1
            """, [Parameter(run)]
        ).scalar
        let heading = "run \(run): \(collection) in \(workspace), \(facts ?? ""), \(seconds)"
        return [heading, ""] + figures.table + ["", figures.footnote]
    }
    lines.forEach { Terminal.say($0) }
    return 0
}

/// The means of a run with their intervals, beside those of an earlier one.
struct RetrievalFigures {
    /// A mean, or a difference of two, and between which values it lies; the server has written the numbers.
    struct Estimate {
        let value, low, high: String

        var text: String { "\(value)  (\(low) to \(high))" }
        var json: String { jsonObject([("value", value), ("low", low), ("high", high)]) }
    }
    struct Line {
        let title: String
        let mean: Estimate?
        var earlier: String?
        var difference: Estimate?
    }
    let run: String
    let earlier: String?
    let lines: [Line]
    let judged: String
    let unjudged: String

    /// The figure, its mean and where that lies; then the earlier run's mean, and the difference.
    var table: [String] {
        var rows = [["", "mean (95 %)"]] + lines.map { [$0.title, $0.mean?.text ?? "none"] }
        if let earlier {
            rows[0] += ["run \(earlier)", "difference (95 %)"]
            for (index, line) in lines.enumerated() {
                rows[index + 1] += [line.earlier ?? "", line.difference?.text ?? ""]
            }
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
                .joined(separator: "   ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    var footnote: String {
        "means of \(judged) judged queries"
            + (unjudged == "0" ? "" : "; \(unjudged) without judgements left out")
    }

    var json: String {
        let figures = lines.map { line in
            jsonObject([
                ("figure", jsonString(line.title)), ("mean", line.mean?.json ?? "null"),
                ("earlier", line.earlier ?? "null"), ("difference", line.difference?.json ?? "null"),
            ])
        }
        return jsonObject([
            ("run", run), ("earlier_run", earlier ?? "null"), ("judged", judged), ("unjudged", unjudged),
            ("figures", "[" + figures.joined(separator: ", ") + "]"),
        ])
    }
}

extension RetrievalFigures {
    private static let wanted = """
        from (values (1, 'nDCG@' || $2, 'ndcg', $2::int), (2, 'Recall@' || $3, 'recall', $3::int),
            (3, 'P@' || $2, 'precision', $2::int), (4, 'MRR', 'reciprocal_rank', $2::int))
            as w (place, title, metric, k)
        """

    /// As `evaluation.summary` and `evaluation.compare` have them.
    static func read(
        run: String, k: Int, depth: Int, earlier: String?, _ connection: Connection
    ) throws -> Self {
        let parameters = [Parameter(run), Parameter(String(k)), Parameter(String(depth))]
        let means = try connection.query(
            """
            select w.title, to_char(s.mean, 'FM0.0000') as value, to_char(s.low, 'FM0.000') as low,
                to_char(s.high, 'FM0.000') as high, s.judged, s.unjudged
            \(wanted)
            join lateral evaluation.summary($1::bigint, w.k) as s on s.metric = w.metric
            order by w.place
            """, parameters)
        let differences = try earlier.map {
            try connection.query(
                """
                select to_char(c.a, 'FM0.0000') as earlier, to_char(c.difference, 'FM0.0000') as value,
                    to_char(c.low, 'FM0.000') as low, to_char(c.high, 'FM0.000') as high
                \(wanted)
                join lateral evaluation.compare($4::bigint, $1::bigint, w.k) as c on c.metric = w.metric
                order by w.place
                """, parameters + [Parameter($0)])
        }
        let lines = means.enumerated().map { index, row in
            // Without a judged query there is nothing to compare.
            let other = differences.flatMap { index < $0.count ? $0[index] : nil }
            return Line(
                title: row["title"] ?? "", mean: estimate(row), earlier: other?["earlier"],
                difference: other.flatMap(estimate))
        }
        return Self(
            run: run, earlier: earlier, lines: lines, judged: means.first?["judged"] ?? "0",
            unjudged: means.first?["unjudged"] ?? "0")
    }

    private static func estimate(_ row: Row) -> Estimate? {
        guard let value = row["value"], let low = row["low"], let high = row["high"] else { return nil }
        return Estimate(value: value, low: low, high: high)
    }
}
