import Daemon
import Glibc
import Migrations

/// `concierge daemon`: performs what the database asks for.
let daemonCommands = [
    Command(
        words: ["daemon"],
        summary: "Performs the work the database asks for, until SIGTERM; logs to stderr."
    ) { invocation in
        let configuration: Configuration
        do {
            configuration = try Configuration(
                conninfo: target(invocation).conninfo, environment: wholeEnvironment())
        } catch let error as ConfigurationError {
            throw UsageError(message: error.description, command: invocation.command)
        }
        return try Daemon.run(configuration)
    }
]

/// Every environment variable.
func wholeEnvironment() -> [String: String] {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
        let words = String(cString: entry).split(
            separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if words.count == 2 { variables[String(words[0])] = String(words[1]) }
        next += 1
    }
    return variables
}
