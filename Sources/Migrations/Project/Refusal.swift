public import Postgres

/// One reason why nothing was done: where, what clashes, and what to do.
public struct Problem: Hashable, Sendable, CustomStringConvertible {
    /// Relative to the project's root.
    public let file: String
    public let line: Int?
    public let message: String
    public let detail: String?
    public let hint: String?

    public init(file: String, line: Int? = nil, _ message: String, detail: String? = nil, hint: String? = nil)
    {
        self.file = file
        self.line = line
        self.message = message
        self.detail = detail
        self.hint = hint
    }

    public var description: String {
        var lines = [file + (line.map { ":\($0)" } ?? "") + ": " + message]
        if let detail { lines.append("DETAIL: " + detail) }
        if let hint { lines.append("HINT: " + hint) }
        return lines.joined(separator: "\n")
    }
}

/// The project and the database do not fit together, or a file is not what it must be. Nothing was changed.
public struct Refusal: Error, Sendable, CustomStringConvertible {
    public let problems: [Problem]

    public init(_ problems: [Problem]) { self.problems = problems }
    public init(_ problem: Problem) { self.problems = [problem] }

    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// A statement of a file failed. The transaction it stood in is rolled back.
public struct ScriptError: Error, Sendable, CustomStringConvertible {
    public let file: String
    public let line: Int
    /// The statement's first line.
    public let statement: String
    public let error: PostgresError

    public var description: String { "\(file):\(line): \(error)\nSTATEMENT: \(statement)" }
}
