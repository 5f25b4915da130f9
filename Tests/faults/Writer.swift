import Foundation
import Postgres
import Synchronization

/// Writes units as applications do: a row and its job in one transaction, some of them rolled back, through
/// whatever happens to the server. A COMMIT without an answer is not repeated: the database knows.
final class Writer: Sendable {
    private let state = Mutex(State())

    private struct State {
        var acknowledged: [String] = []
        var unknown = 0
        var isStopping = false
        var isOver = false
    }

    /// - Parameters:
    ///   - ways: as fault.add has them; drawn from.
    ///   - rest: milliseconds between transactions.
    ///   - seconds: how long a delivery may take.
    init(
        _ name: String, conninfo: String, url: String, ways: [String], rest: ClosedRange<Int>, limit: Int,
        seconds: Int
    ) {
        Thread.detachNewThread { [self] in
            var dice = Dice(name)
            var connection: Connection?
            var count = 0
            while count < limit, !state.withLock({ $0.isStopping }) {
                if connection?.isOpen != true { connection = try? Connection.connect(conninfo) }
                guard let open = connection else {
                    pause(.milliseconds(50))
                    continue
                }
                let tags = (0..<Int.random(in: 1...4, using: &dice)).map { "\(name)-\(count + $0)" }
                count += tags.count
                write(tags, ways, url, seconds, on: open, &dice)
                pause(dice.milliseconds(rest))
            }
            state.withLock { $0.isOver = true }
        }
    }

    private func write(
        _ tags: [String], _ ways: [String], _ url: String, _ seconds: Int, on open: Connection,
        _ dice: inout Dice
    ) {
        let isMeant = !dice.oneIn(10)
        let chosen = tags.map { _ in ways.randomElement(using: &dice) ?? "call" }
        var isEnding = false
        do {
            try open.execute(script: "begin")
            for (tag, way) in zip(tags, chosen) {
                try open.query(
                    "select fault.add($1, $2, $3, 1000, $4)",
                    [Parameter(tag), Parameter(way), Parameter(url), Parameter(seconds)])
            }
            isEnding = true
            try open.execute(script: isMeant ? "commit" : "rollback")
            if isMeant { state.withLock { $0.acknowledged += tags } }
        } catch {
            if isEnding && isMeant { state.withLock { $0.unknown += tags.count } }
            if open.isOpen { _ = try? open.execute(script: "rollback") }
        }
    }

    /// Ends it; returns what the server said is committed.
    func stop() -> [String] {
        state.withLock { $0.isStopping = true }
        return end()
    }

    /// Waits until its limit is reached; returns what the server said is committed.
    func end() -> [String] {
        _ = eventually { state.withLock { $0.isOver } }
        return state.withLock { $0.acknowledged }
    }

    var acknowledged: Int { state.withLock { $0.acknowledged.count } }
    var unknown: Int { state.withLock { $0.unknown } }
}
