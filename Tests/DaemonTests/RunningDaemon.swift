import Foundation
import Synchronization

@testable import Daemon

/// The daemon's loop on a thread of its own; a byte into its pipe is a signal.
final class RunningDaemon: Sendable {
    private let pipe = Pipe()
    private let lines = Mutex<[String]>([])
    private let over = Mutex(false)

    init(_ configuration: Configuration) {
        let descriptor = pipe.fileHandleForReading.fileDescriptor
        Thread.detachNewThread { [self] in
            do {
                let effects = try Effects(EffectSettings(configuration))
                try Runtime(
                    configuration: configuration, effects: effects, signals: descriptor,
                    reread: { configuration }
                ) { [self] line in
                    lines.withLock { $0.append(line.text) }
                }.run()
            } catch {
                lines.withLock { $0.append("event=unstarted reason=\(error)") }
            }
            over.withLock { $0 = true }
        }
    }

    func signal(_ number: Int32 = SIGTERM) {
        pipe.fileHandleForWriting.write(Data([UInt8(number)]))
    }

    var hasLeft: Bool { over.withLock { $0 } }

    /// How many lines say that this happened.
    func count(_ event: String) -> Int {
        lines.withLock { $0.count { $0.hasPrefix("event=\(event) ") || $0 == "event=\(event)" } }
    }

    var log: String { lines.withLock { $0.joined(separator: "\n") } }
}

/// Waits until the condition holds; false when it does not within the time.
func eventually(within limit: Duration = .seconds(10), _ condition: () throws -> Bool) rethrows -> Bool {
    let start = ContinuousClock.now
    while ContinuousClock.now - start < limit {
        if try condition() { return true }
        Thread.sleep(forTimeInterval: 0.002)
    }
    return try condition()
}
