import Postgres

/// Drops the databases of finished files while other files run.
///
/// Not at once: a session takes a moment to end after it was closed, and DROP DATABASE would wait a tenth of
/// a second for it, ten times what it needs.
final class TestSweeper {
    private static let settling = Duration.milliseconds(50)

    private let connection: Connection
    private var waiting: [(name: String, since: ContinuousClock.Instant)] = []
    private var isBusy = false

    init(_ connection: Connection) { self.connection = connection }

    func take(_ database: String) { waiting.append((database, .now)) }

    /// The socket to read while a drop is under way.
    var socket: Int32? { isBusy ? connection.socket : nil }

    /// Reads the answer of the last drop and begins the next one when its time has come.
    func advance() throws {
        if isBusy {
            try connection.consumeInput()
            while !connection.isBusy {
                if try connection.nextResult() == nil {
                    isBusy = false
                    break
                }
            }
        }
        guard !isBusy, let next = waiting.first, next.since.duration(to: .now) > TestSweeper.settling else {
            return
        }
        waiting.removeFirst()
        try connection.send(script: "drop database if exists \(next.name) with (force)")
        isBusy = true
    }

    /// Drops what is left, and waits for it.
    func finish() throws {
        while isBusy, try connection.nextResult() != nil {}
        isBusy = false
        for (name, _) in waiting {
            try connection.execute(script: "drop database if exists \(name) with (force)")
        }
        waiting = []
    }
}
