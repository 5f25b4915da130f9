import Glibc
import Migrations
import Postgres

/// The private PostgreSQL cluster of one project: where it lies, and how it is started and stopped.
///
/// It listens on a unix socket only, in a folder that nobody but its owner (and root) can enter; that folder
/// is its password. As root, which PostgreSQL refuses to run as, everything belongs to the system user
/// `postgres`.
package struct Cluster {
    static let port = 5432
    package static let databaseName = "concierge"
    static let serverUser = "postgres"

    let project: String
    /// Holds data, socket and log: `.concierge/cluster`, or elsewhere when the server's user cannot get
    /// there.
    let home: String
    /// Short enough for a socket's address, which is at most 107 bytes.
    let socketFolder: String
    let server: ServerInstallation

    var data: String { home + "/data" }
    var log: String { home + "/server.log" }

    package init(project: String) throws {
        self.project = project
        server = try ServerInstallation.newest()
        let tag = sha256(Array(project.utf8)).prefix(12)
        let near = project + "/.concierge/cluster"
        // Decided by what can be reached, not by what exists, so that the answer stays the same over time.
        let reachable =
            geteuid() != 0 || Cluster.isReachable(project, uid: Cluster.serverIdentity()?.uid ?? 0)
        home = reachable ? near : "/var/lib/postgresql/concierge-\(tag)"
        let socket = home + "/socket"
        socketFolder =
            "\(socket)/.s.PGSQL.\(Cluster.port)".utf8.count <= 107 ? socket : "/tmp/concierge-\(tag)"
    }

    /// How libpq reaches a database of the cluster. Complete, so that no PG… variable changes it.
    package func url(database: String = databaseName) -> String {
        let host = socketFolder.utf8.map { byte in
            let character = Character(Unicode.Scalar(byte))
            let hex = String(byte, radix: 16, uppercase: true)
            return byte < 0x80 && (character.isLetter || character.isNumber || "-_.~".contains(character))
                ? String(character) : "%" + (hex.count == 1 ? "0" : "") + hex
        }
        return "postgresql://postgres@/\(database)?host=\(host.joined())&port=\(Cluster.port)"
    }

    func connect(database: String = "postgres") throws -> Connection {
        try Connection.connect(url(database: database), applicationName: "concierge dev")
    }

    package var isRunning: Bool { (try? connect()) != nil }

    // MARK: Up and down

    /// Makes what is missing, starts what is stopped; harmless when all is well.
    package func up() throws {
        try makeFolders()
        if fileKind(data) == nil {
            // Made under another name first: an initdb that was killed must not look like a cluster.
            let unfinished = data + ".unfinished"
            try runOrFail(["rm", "-rf", "--", unfinished])
            try asServer([
                server.binary("initdb"), "-D", unfinished, "--data-checksums", "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--username=postgres", "--auth=trust",
            ])
            guard rename(unfinished, data) == 0 else { throw FileError.current(data) }
        }
        let changed = try configure()
        if changed, isRunning { try down() }
        if !isRunning { try start() }
        let connection = try connect()
        if server.hasLibrary("pg_cron") {
            try connection.execute(script: "create extension if not exists pg_cron")
        }
        let exists = try connection.query(
            "select 1 from pg_database where datname = $1", [Parameter(Cluster.databaseName)])
        if exists.isEmpty {
            try connection.execute(
                script: "create database \(connection.escapeIdentifier(Cluster.databaseName))")
        }
    }

    func down() throws {
        guard fileKind(data + "/postmaster.pid") != nil, serverProcess() != nil else { return }
        try asServer([server.binary("pg_ctl"), "-D", data, "-m", "fast", "-w", "-t", "60", "stop"])
    }

    /// Stops the server and deletes everything it held.
    func remove() throws {
        if fileKind(data) != nil { try down() }
        try runOrFail(["rm", "-rf", "--", home, socketFolder])
    }

    private func start() throws {
        // A killed server leaves its pid file behind, and by now that number may be another process.
        if fileKind(data + "/postmaster.pid") != nil, serverProcess() == nil {
            unlink(data + "/postmaster.pid")
            unlink(socketFolder + "/.s.PGSQL.\(Cluster.port).lock")
        }
        // The children of a killed server need a moment to notice; until then its memory is still in use.
        var attempt = 1
        while true {
            let result = try runChild(
                asServerArguments([server.binary("pg_ctl"), "-D", data, "-l", log, "-w", "-t", "60", "start"])
            )
            if result.status == 0 { return }
            guard attempt < 5 else {
                let tail = (try? readFile(log)).map { String(decoding: $0.suffix(2000), as: UTF8.self) } ?? ""
                throw Failure("the server does not start\n\(result.text)\(tail)", hint: "Its log is \(log).")
            }
            attempt += 1
            sleep(1)
        }
    }

    /// The process of this cluster's server, if the pid file names a living one that is really ours.
    private func serverProcess() -> Int32? {
        guard let content = try? readFile(data + "/postmaster.pid"),
            let pid = Int32(String(decoding: content.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)),
            let command = try? readFile("/proc/\(pid)/cmdline"),
            String(decoding: command, as: UTF8.self).contains(data)
        else { return nil }
        return pid
    }

    // MARK: Files and rights

    private func makeFolders() throws {
        try makeFolder(project + "/.concierge", mode: 0o755, owner: nil)
        try makeFolder(home, mode: 0o700, owner: Cluster.owner())
        try makeFolder(socketFolder, mode: 0o700, owner: Cluster.owner())
    }

    private func makeFolder(_ path: String, mode: mode_t, owner: Identity?) throws {
        if mkdir(path, mode) == 0 {
            chmod(path, mode)
            if let owner, chown(path, owner.uid, owner.gid) != 0 { throw FileError.current(path) }
        } else if errno != EEXIST {
            throw FileError.current(path)
        }
        // In /tmp anyone may have been here first.
        var info = stat()
        guard lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR,
            owner == nil || info.st_uid == owner?.uid && info.st_mode & 0o077 == 0
        else {
            throw Failure("\(path) is not a folder that only the server's user can enter", hint: "Remove it.")
        }
    }

    /// Writes the settings; true when they changed and a running server must be started again.
    private func configure() throws -> Bool {
        let settings = settings()
        let path = data + "/concierge.conf"
        if let current = try? readFile(path), current == Array(settings.utf8) { return false }
        try writeFile(path, settings)
        if let owner = Cluster.owner() { chown(path, owner.uid, owner.gid) }
        let main = String(decoding: try readFile(data + "/postgresql.conf"), as: UTF8.self)
        if !main.contains("include = 'concierge.conf'") {
            try writeFile(data + "/postgresql.conf", main + "\ninclude = 'concierge.conf'\n")
        }
        return true
    }

    private func settings() -> String {
        var lines = [
            "# Written by `concierge dev up`; your own settings go to postgresql.auto.conf (alter system).",
            "listen_addresses = ''",
            "port = \(Cluster.port)",
            "unix_socket_directories = '\(socketFolder)'",
            "max_connections = 200",
            "max_worker_processes = 16",
            "shared_buffers = '256MB'",
            "max_wal_size = '2GB'",
        ]
        if server.hasLibrary("pg_cron") {
            lines += [
                "shared_preload_libraries = 'pg_cron'",
                "cron.database_name = 'postgres'",
                "cron.use_background_workers = on",
            ]
        }
        if server.hasUnsafeParallelVectorBuild {
            lines += [
                "# CVE-2026-3172: a parallel HNSW build of pgvector before 0.8.2 overruns its buffer.",
                "max_parallel_maintenance_workers = 0",
            ]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    // MARK: The server's user

    struct Identity { let uid: uid_t, gid: gid_t }

    /// Who owns the cluster when that is not whoever runs this command.
    private static func owner() -> Identity? { geteuid() == 0 ? serverIdentity() : nil }

    static func serverIdentity() -> Identity? {
        getpwnam(serverUser).map { Identity(uid: $0.pointee.pw_uid, gid: $0.pointee.pw_gid) }
    }

    /// Whether a user without special rights can enter a folder: every folder above must let others through.
    static func isReachable(_ path: String, uid: uid_t) -> Bool {
        var folder = path
        while !folder.isEmpty {
            var info = stat()
            guard stat(folder, &info) == 0 else { return false }
            let isOpen = info.st_mode & S_IXOTH != 0 || info.st_uid == uid && info.st_mode & S_IXUSR != 0
            guard isOpen else { return false }
            folder = folder.lastIndex(of: "/").map { String(folder[..<$0]) } ?? ""
        }
        return true
    }

    /// The words that run a program as the server's user, in a folder that user can enter.
    private func asServerArguments(_ arguments: [String]) -> [String] {
        geteuid() == 0
            ? ["env", "-C", "/", "runuser", "-u", Cluster.serverUser, "--"] + arguments : arguments
    }

    @discardableResult
    private func asServer(_ arguments: [String]) throws -> String {
        try runOrFail(asServerArguments(arguments))
    }
}

/// Replaces the content of a file.
func writeFile(_ path: String, mode: mode_t = 0o600, _ content: String) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    guard file >= 0 else { throw FileError.current(path) }
    defer { close(file) }
    var bytes = Array(content.utf8)[...]
    while !bytes.isEmpty {
        let count = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        guard count > 0 else { throw FileError.current(path) }
        bytes = bytes.dropFirst(count)
    }
}
