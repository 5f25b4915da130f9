/// An option of a command: `--name` or `--name VALUE`.
struct OptionRule: Hashable, Sendable {
    let name: String
    /// What the value is called in the help; nil for a switch.
    let value: String?
    let help: String

    init(_ name: String, _ value: String? = nil, _ help: String) {
        self.name = name
        self.value = value
        self.help = help
    }
}

/// One command: what is typed, what the help says, what it does.
struct Command: Sendable {
    /// `["migrate", "plan"]`.
    let words: [String]
    /// The operands as the usage line shows them: `[PATH ...]`, or empty when there are none.
    var operands = ""
    let summary: String
    var options: [OptionRule] = []
    /// Returns the exit code: 0 done, 1 failed.
    let run: @Sendable (Invocation) throws -> Int32

    var name: String { words.joined(separator: " ") }
}

/// What was typed, taken apart.
struct Invocation {
    var command: [String] = []
    var operands: [String] = []
    private(set) var values: [String: [String]] = [:]

    mutating func set(_ option: String, _ value: String) { values[option, default: []].append(value) }

    /// The value of an option, the last one when it was given more than once.
    subscript(option: String) -> String? { values[option]?.last }
    func has(_ option: String) -> Bool { values[option] != nil }

    /// The value of an option that must be a number above zero.
    func count(_ option: String) throws -> Int? {
        guard let text = self[option] else { return nil }
        guard let number = Int(text), number > 0 else {
            throw UsageError(
                message: "--\(option) takes a number above zero, not \"\(text)\"", command: command)
        }
        return number
    }

    /// The value of an option that must be there.
    func required(_ option: String) throws -> String {
        guard let value = self[option] else {
            throw UsageError(message: "--\(option) is missing", command: command)
        }
        return value
    }
}

/// Options every command understands.
let commonOptions = [
    OptionRule("database", "URI", "as libpq understands it; else PGHOST, PGSERVICE, …; else the dev cluster"),
    OptionRule("env", "NAME", "a service of libpq's pg_service.conf: dev, test, prod, …"),
    OptionRule("help", nil, "show this help"),
]

/// Finds the command and sorts its words; throws `UsageError`.
func parse(_ arguments: [String], _ commands: [Command]) throws -> (Command, Invocation) {
    let leading = Array(arguments.prefix { !$0.hasPrefix("-") })
    let matches = commands.filter { leading.starts(with: $0.words) }
    guard let command = matches.max(by: { $0.words.count < $1.words.count }) else {
        throw unknownCommand(leading, commands)
    }
    var invocation = Invocation(command: command.words)
    var rest = arguments.dropFirst(command.words.count)
    while let word = rest.popFirst() {
        guard word.hasPrefix("--"), word != "--" else {
            if word == "--" {
                invocation.operands += rest
                break
            }
            guard !word.hasPrefix("-") || word == "-" else {
                throw UsageError(message: "there is no option \(word)", command: command.words)
            }
            invocation.operands.append(word)
            continue
        }
        let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let rule = (command.options + commonOptions).first(where: { $0.name == name }) else {
            throw UsageError(message: "there is no option --\(name)", command: command.words)
        }
        guard let placeholder = rule.value else {
            guard parts.count == 1 else {
                throw UsageError(message: "--\(name) takes no value", command: command.words)
            }
            invocation.set(name, "")
            continue
        }
        guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
            throw UsageError(message: "--\(name) needs a value: \(placeholder)", command: command.words)
        }
        invocation.set(name, value)
    }
    guard !command.operands.isEmpty || invocation.operands.isEmpty else {
        throw UsageError(message: "unexpected \"\(invocation.operands[0])\"", command: command.words)
    }
    return (command, invocation)
}

/// What is wrong with words that name no command.
private func unknownCommand(_ words: [String], _ commands: [Command]) -> UsageError {
    guard let first = words.first else { return UsageError(message: "what shall be done?", command: []) }
    guard commands.contains(where: { $0.words[0] == first }) else {
        return UsageError(message: "there is no command \"\(first)\"", command: [])
    }
    guard words.count > 1 else {
        return UsageError(message: "\(first) needs another word", command: [first])
    }
    return UsageError(message: "there is no command \"\(first) \(words[1])\"", command: [first])
}

/// All commands, one a line.
func overview(_ commands: [Command]) -> String {
    let usages = commands.map { ($0.name + ($0.operands.isEmpty ? "" : " " + $0.operands), $0.summary) }
    return """
        concierge: an assistant that lives in PostgreSQL

        \(columns(usages))

        Every command takes --database URI, or --env NAME for a service of libpq. Without them: PGHOST, PGPORT,
        PGDATABASE or PGSERVICE where one of them is set, else the private cluster of `concierge dev up`.
        Exit codes: 0 done, 1 failed, 2 used wrongly.
        More about one of them: concierge COMMAND --help
        """
}

/// The help of one command.
func help(_ command: Command) -> String {
    let options = (command.options + commonOptions).map { rule in
        ("--" + rule.name + (rule.value.map { " " + $0 } ?? ""), rule.help)
    }
    let operands = command.operands.isEmpty ? "" : " " + command.operands
    return """
        concierge \(command.name)\(operands)

        \(command.summary)

        \(columns(options))
        """
}

private func columns(_ rows: [(String, String)]) -> String {
    let width = rows.map(\.0.count).filter { $0 <= 34 }.max() ?? 0
    return rows.map { left, right in
        left.count > width
            ? "  \(left)\n  " + String(repeating: " ", count: width + 2) + right
            : "  " + left + String(repeating: " ", count: width - left.count + 2) + right
    }.joined(separator: "\n")
}
