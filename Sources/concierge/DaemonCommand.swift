import Daemon
import Glibc
import Migrations

/// `concierge daemon`: performs what the database asks for.
let daemonCommands = [
    Command(
        words: ["daemon"],
        summary: "Performs the work the database asks for, until SIGTERM; logs to stderr.",
        options: [OptionRule("config", "FILE", "settings; else \(Configuration.defaultPath), if it is there")]
    ) { invocation in
        let environment = wholeEnvironment()
        let conninfo = try target(invocation).conninfo
        let path = invocation["config"] ?? Configuration.defaultPath
        let isRequired = invocation["config"] != nil
        return try Daemon.run(environment: environment) {
            do {
                let text = try daemonSettings(path, isRequired: isRequired)
                return try Configuration(conninfo: conninfo, file: text, environment: environment)
            } catch let error as ConfigurationError {
                throw UsageError(message: "\(path): \(error)", command: invocation.command)
            }
        }
    }
]

/// The text of the settings; empty where the usual place has none.
private func daemonSettings(_ path: String, isRequired: Bool) throws -> String {
    guard isRequired || access(path, F_OK) == 0 else { return "" }
    return String(decoding: try readFile(path), as: UTF8.self)
}

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
