import Glibc
import Postgres

/// Runs statements on one session, and looks on from another while one takes long: who is in the way, and how
/// far an index is built.
final class Execution {
    let connection: Connection
    private let target: Target
    private let report: (Runner.Progress) -> Void
    private var observer: Connection?
    private var isBlind = false
    private var shownBlockers: [LockHolder] = []
    private var shownProgress = ""

    init(_ connection: Connection, _ target: Target, _ report: @escaping (Runner.Progress) -> Void) {
        self.connection = connection
        self.target = target
        self.report = report
    }

    /// Runs a file statement by statement, so that an error has the line of its own statement.
    func run(_ source: Source) throws {
        for statement in source.statements { try run(statement, of: source) }
    }

    func run(_ statement: Statement, of source: Source) throws { _ = try results(of: statement, in: source) }

    /// Runs a statement and returns what it said.
    func results(of statement: Statement, in source: Source) throws -> [Rows] {
        let results: [Rows]
        do {
            results = try run(script: statement.text, of: source.path)
        } catch let error as PostgresError {
            throw ScriptError(
                file: source.path, line: statement.line(at: error.position), statement: statement.headline,
                error: error)
        }
        report(.ran(source.path, statement))
        return results
    }

    /// Runs a statement for a file that does not have it in its text.
    @discardableResult
    func run(script: String, of name: String) throws -> [Rows] {
        shownBlockers = []
        shownProgress = ""
        return try connection.execute(script: script, every: .milliseconds(300)) { self.look(name) }
    }

    /// Tries the body again, with growing pauses, while a lock is not to be had in time. Whatever the body
    /// did must be undone when it throws.
    func retrying(_ name: String, _ header: Header, _ backOff: BackOff, _ body: () throws -> Void) throws {
        var failures = 0
        while true {
            do {
                return try body()
            } catch let error where isLockTrouble(error) && failures < header.retries {
                failures += 1
                let pause = backOff.delay(failures: failures, random: Double.random(in: 0..<1))
                report(.retrying(name, reason: lockReason(error), pause: pause))
                usleep(UInt32(pause / .microseconds(1)))
            }
        }
    }

    /// What the server said, be it of a statement of a file or of one of ours.
    private func serverError(_ error: any Error) -> PostgresError? {
        (error as? ScriptError)?.error ?? error as? PostgresError
    }

    private func isLockTrouble(_ error: any Error) -> Bool {
        let state = serverError(error)?.sqlState
        return state == .lockNotAvailable || state == .deadlockDetected
    }

    private func lockReason(_ error: any Error) -> String {
        let what = serverError(error)?.message ?? "\(error)"
        return shownBlockers.isEmpty
            ? what : what + "; in the way: " + shownBlockers.map(\.description).joined(separator: ", ")
    }

    private func look(_ name: String) {
        guard !isBlind else { return }
        do {
            if observer == nil { observer = try target.inDatabase(connection.database).connect() }
            guard let observer else { return }
            let blockers = try LockHolder.blocking(connection.backendPID, observer)
            if !blockers.isEmpty, blockers != shownBlockers {
                shownBlockers = blockers
                report(.blocked(name, by: blockers))
            }
            let progress = try observer.query(
                """
                select phase
                    || case when blocks_total > 0 then ' ' || 100 * blocks_done / blocks_total || ' %'
                            else '' end
                from pg_catalog.pg_stat_progress_create_index where pid = $1
                """, [Parameter(Int(connection.backendPID))]
            ).scalar
            if let progress, progress != shownProgress {
                shownProgress = progress
                report(.building(name, progress))
            }
        } catch {
            // Looking on is a courtesy: a server without a free connection still migrates.
            isBlind = true
        }
    }
}
