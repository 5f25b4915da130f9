import Migrations
import Postgres

/// A command could not do its work: one sentence, and the next step where there is one.
struct Failure: Error, CustomStringConvertible {
    let message: String
    let hint: String?

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    var description: String { message + (hint.map { "\nHINT: " + $0 } ?? "") }
}

/// The command was used wrongly. Shown with where to read more; exit code 2.
struct UsageError: Error, Hashable {
    let message: String
    /// The command's words, for `concierge help …`.
    let command: [String]
}
