import Migrations
import Postgres

/// What `concierge ask` and `concierge chat` let one say about whom to ask, and as whom.
let dialogueOptions = [
    OptionRule("event", "SLUG", "the event; not needed while there is one"),
    OptionRule("workspace", "SLUG", "documents to look into, too; alone, without an event"),
    OptionRule("agent", "NAME", "who answers; without one, nobody but the database"),
    OptionRule("as", "PERSON", "who asks; not needed while there is one"),
    OptionRule("tenant", "SLUG", "whose event it is; not needed while there is one tenant"),
    OptionRule("at", "TIME", "asks as if it were this time, such as 2027-03-11T10:10-07:00"),
    OptionRule("verbose", nil, "the steps a turn took, too, with times, calls of models and what they cost"),
    jsonOption,
]

/// A conversation, and whoever follows it on standard output: on a terminal what a model says shows while it
/// says it.
struct Dialogue {
    let conversation: Conversation
    private let isJSON: Bool
    private let isVerbose: Bool
    private let showsDrafts: Bool

    /// Opens it as the options say. From here on Ctrl-C takes back what was asked.
    init(_ invocation: Invocation, showsDrafts: Bool) throws {
        let words = ["concierge"] + invocation.command
        let connection = try target(invocation).connect(as: words.joined(separator: " "))
        let person = try PersonalSession.find(
            connection, tenant: invocation["tenant"], subject: invocation["as"])
        conversation = try Conversation(
            connection, person, at: invocation["at"], event: invocation["event"],
            workspace: invocation["workspace"], agent: invocation["agent"])
        isJSON = invocation.has("json")
        isVerbose = invocation.has("verbose")
        self.showsDrafts = showsDrafts && Terminal.canDraw && !invocation.has("json")
        Interruption.catchIt()
    }

    /// Asks, and says the answer; what was shown before it is gone then.
    func ask(_ question: String) throws -> Answer {
        let answer = try showsDrafts ? askAndShow(question) : conversation.ask(question)
        try say(answer)
        if isVerbose { try conversation.report(on: answer).lines.forEach { Terminal.say($0) } }
        return answer
    }

    /// Says an answer, and what it cites.
    func say(_ answer: Answer) throws {
        guard !isJSON else { return Terminal.draw(answer.json.printableJSON + "\n") }
        let emphasis = Terminal.canDraw ? Style.bold : Style.plain
        for line in answer.lines(emphasis: emphasis) { Terminal.draw(line + "\n") }
    }

    private func askAndShow(_ question: String) throws -> Answer {
        var view = DraftView()
        var draft = ""
        defer { Terminal.draw(view.erase(Terminal.size)) }
        return try Terminal.withoutEcho {
            try conversation.ask(question) { progress in
                // Between two models nobody speaks; what one said stays until the other begins.
                if let more = progress.draft, !more.isEmpty { draft = more }
                Terminal.draw(view.show(draft.isEmpty ? "\(progress.state) …" : draft, Terminal.size))
            }
        }
    }
}
