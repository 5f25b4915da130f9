import Glibc
import Migrations
import Postgres

/// The project a command works on: the nearest folder, from here upwards, with a `sql/manifest`; else this
/// folder.
func projectRoot() throws -> String {
    guard let here = realpath(".", nil) else { throw FileError.current(".") }
    defer { free(here) }
    var folder = String(cString: here)
    let start = folder
    while !folder.isEmpty {
        if fileKind(folder + "/sql/manifest") == .file { return folder }
        folder = folder.lastIndex(of: "/").map { String(folder[..<$0]) } ?? ""
    }
    return start
}

/// The value of an environment variable; nil when it is unset or empty.
func environment(_ name: String) -> String? {
    guard let value = getenv(name), value[0] != 0 else { return nil }
    return String(cString: value)
}

/// The database a command works on: `--database`, or the service of `--env`, else what libpq's environment names, else the dev cluster.
func target(_ invocation: Invocation) throws -> Target {
    if let name = invocation["env"] {
        guard invocation["database"] == nil else {
            throw UsageError(
                message: "--env and --database are two ways to say where", command: invocation.command)
        }
        guard !name.isEmpty, name.utf8.allSatisfy({ isWordPart($0) || $0 == UInt8(ascii: "-") }) else {
            throw UsageError(message: "\"\(name)\" is no name of a service", command: invocation.command)
        }
        return Target("service=\(name)")
    }
    if let uri = invocation["database"] { return Target(uri) }
    if ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE"].contains(where: {
        environment($0) != nil
    }) {
        return Target("")
    }
    let cluster = try Cluster(project: projectRoot())
    guard cluster.isRunning else {
        throw Failure(
            "no database: nothing names one, and the dev cluster is not running",
            hint:
                "Start it with `concierge dev up`, or name one with --database URI, PGHOST or PGSERVICE."
        )
    }
    return Target(cluster.url())
}

/// A path as the whole file system names it; as it was where there is no such thing (realpath(3)).
func absolutePath(_ path: String) -> String {
    guard let found = realpath(path, nil) else { return path }
    defer { free(found) }
    return String(cString: found)
}
