/// One line of `sql/manifest` that names a file.
public struct ManifestEntry: Hashable, Sendable {
    /// Where and when the file runs.
    public enum Role: String, Hashable, Sendable {
        /// With its changed neighbours, in one transaction.
        case object
        /// First in every such transaction: role, search path.
        case always
        /// In the database where pg_cron lives.
        case cron
    }
    public let role: Role
    /// Relative to `sql/`.
    public let path: String
    public let line: Int
}

/// The table of contents of `sql/`: one path a line in the order they are applied. Blank lines and `#`
/// comments are headings; `always PATH` and `cron PATH` say that a file runs at another time or place.
public enum Manifest {
    public static func parse(_ bytes: [UInt8]) throws -> [ManifestEntry] {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Refusal(Problem(file: "sql/manifest", "not UTF-8"))
        }
        var entries: [ManifestEntry] = []
        var problems: [Problem] = []
        for (index, content) in lines(of: text).enumerated() {
            let line = index + 1
            let words = content.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            guard let path = words.last.map(String.init) else { continue }
            let role = words.count == 1 ? .object : ManifestEntry.Role(rawValue: String(words[0]))
            guard let role, words.count == 1 || words.count == 2 && role != .object else {
                problems.append(
                    Problem(
                        file: "sql/manifest", line: line, "not a line of a manifest",
                        hint: "Write one of: PATH, always PATH, cron PATH."))
                continue
            }
            if !path.hasSuffix(".sql") || path.hasPrefix("/") || path.split(separator: "/").contains("..") {
                problems.append(
                    Problem(
                        file: "sql/manifest", line: line, "\(path) is not the path of an .sql file below sql/"
                    ))
            } else if let twin = entries.first(where: { $0.path == path }) {
                problems.append(
                    Problem(
                        file: "sql/manifest", line: line, "\(path) is named already on line \(twin.line)"))
            } else {
                entries.append(ManifestEntry(role: role, path: path, line: line))
            }
        }
        guard problems.isEmpty else { throw Refusal(problems) }
        return entries
    }
}
