import Migrations

/// The PostgreSQL server programs of one major version, as Debian installs them.
struct ServerInstallation {
    static let oldestMajor = 15

    let major: Int
    private var root: String { "/usr/lib/postgresql/\(major)" }

    /// The newest one on this machine.
    static func newest() throws -> ServerInstallation {
        let root = "/usr/lib/postgresql"
        let majors = ((try? listFolder(root)) ?? []).compactMap { Int($0) }
            .filter { $0 >= oldestMajor && fileKind("\(root)/\($0)/bin/postgres") == .file }
        guard let newest = majors.max() else {
            throw Failure(
                "no PostgreSQL \(oldestMajor) or newer in \(root)",
                hint: "Run extensions/install.sh, or apt-get install postgresql.")
        }
        return ServerInstallation(major: newest)
    }

    func binary(_ name: String) -> String { "\(root)/bin/\(name)" }

    func hasLibrary(_ name: String) -> Bool { fileKind("\(root)/lib/\(name).so") == .file }

    /// The version `create extension` would install, from its control file; nil when it is not there.
    func extensionVersion(_ name: String) -> String? {
        var folder = "/usr/share/postgresql/\(major)"
        if let result = try? runChild([binary("pg_config"), "--sharedir"]), result.status == 0 {
            folder = String(result.text.prefix { !$0.isNewline })
        }
        guard let bytes = try? readFile("\(folder)/extension/\(name).control") else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        return lines.first { $0.hasPrefix("default_version") }
            .flatMap { $0.split(separator: "'").dropFirst().first.map(String.init) }
    }

    /// Whether this machine's pgvector must not build an HNSW index in parallel (CVE-2026-3172, mended in
    /// 0.8.2).
    var hasUnsafeParallelVectorBuild: Bool {
        extensionVersion("vector").map { isVersion($0, before: "0.8.2") } ?? false
    }
}

/// Compares dotted version numbers: 0.8.1 comes before 0.8.2 and before 0.10.
func isVersion(_ version: String, before other: String) -> Bool {
    func numbers(_ text: String) -> [Int] {
        text.split(separator: ".").map { Int($0.prefix { $0.isNumber }) ?? 0 }
    }
    return numbers(version).lexicographicallyPrecedes(numbers(other))
}
