import Postgres

/// The database of a test that failed, kept for whoever wants to look at what the failing statement saw.
///
/// Tests roll back, so the database they leave is of no use. The file is run once more in a new clone, up to
/// the first statement that failed and without it, and what is open then is committed: a `select` there sees
/// what the assertion saw, or what stood before the error. Of a file of several sessions, what its sessions
/// had committed at the end.
struct KeptDatabase {
    /// Each project has its own on a server, and drops no other's.
    private var prefix: String {
        "concierge_kept_" + sha256(Array(options.projectFolder.utf8)).prefix(6) + "_"
    }

    let target: Target
    let template: String
    let options: TestRunner.Options
    let admin: Connection

    /// Drops those of earlier runs.
    func dropEarlier() throws {
        let earlier = try admin.query(
            "select datname from pg_catalog.pg_database where pg_catalog.starts_with(datname, $1)",
            [Parameter(prefix)])
        for name in earlier.compactMap({ $0[0] }) {
            try admin.execute(script: "drop database if exists \(admin.escapeIdentifier(name)) with (force)")
        }
    }

    /// Makes one for a file that failed first at a line; returns the command that opens it.
    func keep(_ file: TestFile, failedAt line: Int) throws -> String {
        let words = file.name.dropLast(4).map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
        let name = String((prefix + String(words).lowercased()).prefix(63))
        try admin.execute(script: "drop database if exists \(name) with (force)")
        try admin.execute(script: "create database \(name) template \(template)")
        if let script = file.script {
            let play = try SessionPlay(script, target.inDatabase(name), options) {
                try options.prepare($0, for: file)
            }
            while try !play.advance() {}
            play.close()
        } else {
            try replay(file, in: name, until: line)
        }
        return "psql \"\(admin.address) dbname=\(name)\""
    }

    private func replay(_ file: TestFile, in database: String, until line: Int) throws {
        let session = try target.inDatabase(database).connect(as: "concierge test")
        try options.prepare(session, for: file)
        for statement in file.source.statements where statement.line < line {
            // An error would come from the statement after this one's end: the failing line may be within it.
            if statement.line(at: statement.text.unicodeScalars.count) >= line { break }
            try session.execute(script: statement.text)
        }
        if session.transactionStatus == .inTransaction { try session.execute(script: "commit") }
        session.close()
    }
}
