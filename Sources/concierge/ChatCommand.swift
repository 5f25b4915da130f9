import Glibc
import Postgres

/// `concierge chat`: question after question in one conversation.
let chatCommands = [
    Command(
        words: ["chat"],
        summary: "Asks question after question in one conversation, a line of input each.",
        options: dialogueOptions
    ) { invocation in
        let isAttended = isatty(STDIN_FILENO) == 1 && Terminal.isInteractive
        var chat = try Chat(Dialogue(invocation, showsDrafts: isAttended), isAttended: isAttended)
        return try chat.run()
    }
]

/// A line of a chat, as it is meant.
enum ChatLine: Equatable {
    case nothing
    case question(String)
    /// What one thinks of the last answer, 1 or -1, and why.
    case rating(Int, String?)
    case history
    case help
    case quit
    /// A word after a slash that means nothing.
    case unknown(String)

    static let commands = """
        /good [WHY]  the last answer helped
        /bad [WHY]   it did not
        /history     what was asked and answered so far
        /help        this
        /quit        leaves, as the end of input and Ctrl-C do
        While an answer is awaited, Ctrl-C takes the question back.
        """

    init(_ line: String) {
        let words = line.split(maxSplits: 1, whereSeparator: \.isWhitespace)
        guard let first = words.first else {
            self = .nothing
            return
        }
        let rest = words.count == 2 ? String(words[1]).inOneLine : ""
        self =
            switch first {
            case "/good": .rating(1, rest.isEmpty ? nil : rest)
            case "/bad": .rating(-1, rest.isEmpty ? nil : rest)
            case "/history": .history
            case "/help": .help
            case "/quit": .quit
            case _ where first.hasPrefix("/"): .unknown(String(first))
            default: .question(line)
            }
    }
}

/// Reads lines and does what they ask for, until there are no more.
private struct Chat {
    private let dialogue: Dialogue
    /// Whether somebody types: then there is a prompt, and what went wrong is over once it was said.
    private let isAttended: Bool
    private var lines = LineReader()
    private var lastAnswer: Answer?
    private var hasFailed = false

    init(_ dialogue: Dialogue, isAttended: Bool) {
        self.dialogue = dialogue
        self.isAttended = isAttended
    }

    /// Returns the exit code: who reads from a pipe is told that some line failed.
    mutating func run() throws -> Int32 {
        if isAttended { Terminal.say("Ask, or say /help.") }
        while let line = read(), line != .quit {
            do {
                try perform(line)
            } catch let error as PostgresError where dialogue.conversation.isOpen && !error.isConnectionLoss {
                Terminal.complain("concierge: \(error)")
                hasFailed = true
            }
        }
        return hasFailed && !isAttended ? 1 : 0
    }

    /// The next line; nil when there is none, or nobody wants to type one.
    private mutating func read() -> ChatLine? {
        if isAttended { Terminal.say("> ", terminator: "") }
        let event = lines.next()
        if case .line(let text) = event { return ChatLine(text) }
        if isAttended { Terminal.say("") }
        if event == .interrupted { hasFailed = true }
        return nil
    }

    private mutating func perform(_ line: ChatLine) throws {
        switch line {
        case .nothing, .quit: break
        case .question(let text):
            // Pressed when there was nothing to take back any more, Ctrl-C was not meant for the prompt.
            defer { _ = Interruption.take() }
            let answer = try dialogue.ask(text)
            lastAnswer = answer
            hasFailed = hasFailed || answer.failed
            Terminal.say("")
        case .rating(let rating, let comment):
            guard let lastAnswer else { return refuse("nothing has been answered yet") }
            try dialogue.conversation.rate(lastAnswer, rating, comment)
            Terminal.say("noted")
        case .history:
            for answer in try dialogue.conversation.history() {
                Terminal.say("> \(answer.question)")
                try dialogue.say(answer)
                Terminal.say("")
            }
        case .help: Terminal.say(ChatLine.commands)
        case .unknown(let word): refuse("there is no \(word); /help has what there is")
        }
    }

    private mutating func refuse(_ reason: String) {
        Terminal.complain("concierge: \(reason)")
        hasFailed = true
    }
}
