import Migrations
import Postgres

/// The whole command line: words in, lines out, an exit code.
enum CommandLineTool {
    /// In the order of the overview.
    static let commands: [Command] =
        devCommands + migrateCommands + lintCommands + testCommands + daemonCommands + loadCommands
        + askCommands + chatCommands + searchCommands + evalCommands + doctorCommands + demoCommands

    /// Parses and runs; says what went wrong; returns 0 done, 1 failed, 2 used wrongly.
    static func run(_ arguments: [String]) -> Int32 {
        do {
            if let text = helpText(arguments) {
                Terminal.say(text)
                return 0
            }
            let (command, invocation) = try parse(arguments, commands)
            return try command.run(invocation)
        } catch let error as UsageError {
            let more = (["help"] + error.command).joined(separator: " ")
            Terminal.complain("concierge: \(error.message)\nTry: concierge \(more)")
            return 2
        } catch {
            Terminal.complain("concierge: \(error)")
            return 1
        }
    }

    /// The help that was asked for with `help`, `--help` or `-h`; nil when it was not.
    static func helpText(_ arguments: [String]) -> String? {
        let options = arguments.prefix { $0 != "--" }
        guard options.first == "help" || options.contains("--help") || options.contains("-h") else {
            return nil
        }
        let words = options.filter { $0 != "help" && !$0.hasPrefix("-") }
        let exact = commands.filter { words.starts(with: $0.words) }.max { $0.words.count < $1.words.count }
        if let exact { return help(exact) }
        let group = commands.filter { !words.isEmpty && $0.words.starts(with: words.prefix(1)) }
        return group.isEmpty ? overview(commands) : group.map(help).joined(separator: "\n\n")
    }
}
