import Foundation

/// The seed of every choice the faults make, from CONCIERGE_SEED or drawn; every line they print names it.
///
/// It repeats what is chosen, not when the machine gets round to it.
let seed: UInt64 =
    ProcessInfo.processInfo.environment["CONCIERGE_SEED"].flatMap(UInt64.init) ?? .random(in: 1...999_999)

/// Whether all of it is asked for (`make faults`), not a sample.
let isWhole = ProcessInfo.processInfo.environment["CONCIERGE_FAULTS"] == "all"

/// Random numbers that a seed repeats (SplitMix64). Each part of a test draws from its own.
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(_ name: String) {
        state = name.utf8.reduce(seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// True once in so many times.
    mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }

    mutating func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .milliseconds(Int.random(in: range, using: &self))
    }
}

func pause(_ time: Duration) { usleep(UInt32(max(time / .microseconds(1), 0))) }

/// Waits until the condition holds; false when it does not within the time.
func eventually(within limit: Duration = .seconds(60), _ condition: () throws -> Bool) rethrows -> Bool {
    let start = ContinuousClock.now
    while ContinuousClock.now - start < limit {
        if try condition() { return true }
        pause(.milliseconds(10))
    }
    return try condition()
}

/// Runs the body on a thread of its own: it waits a lot, and the tests' own threads are few.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}
