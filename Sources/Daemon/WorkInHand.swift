/// The refreshes to be made: each call at most once, in the order found, and none too soon after it failed.
struct RefreshQueue {
    private(set) var waiting: [String] = []
    private(set) var running: String?
    private var failed: [String: (times: Int, retryAt: Duration)] = [:]

    /// Takes up the calls that are neither waiting, running nor resting after a failure; says whether there
    /// were any.
    mutating func add(_ calls: [String], at now: Duration) -> Bool {
        let before = waiting.count
        for call in calls where !waiting.contains(call) && running != call {
            if let failure = failed[call], failure.retryAt > now { continue }
            waiting.append(call)
        }
        return waiting.count > before
    }

    mutating func start() -> String? {
        running = waiting.isEmpty ? nil : waiting.removeFirst()
        return running
    }

    /// The running call is done, or its fate is unknown: if it is still needed, the next look finds it again.
    mutating func forget() { running = nil }

    mutating func succeeded() {
        if let running { failed[running] = nil }
        running = nil
    }

    /// - Returns: how often it has failed in a row.
    mutating func failed(retryAt: (_ times: Int) -> Duration) -> Int {
        guard let call = running else { return 0 }
        let times = (failed[call]?.times ?? 0) + 1
        failed[call] = (times, retryAt(times))
        running = nil
        return times
    }

    mutating func clear() { waiting = [] }
}

/// A job in hand, from its claim to the database's word on its end.
struct HeldJob: Equatable {
    enum Stage: Equatable {
        case performing
        /// Performed; its end is to be told to the database, not before this moment.
        case ended(Outcome, notBefore: Duration, tries: Int)
        /// Its end is on its way.
        case telling(Outcome, tries: Int)
    }

    let job: Job
    var stage = Stage.performing
    var extendAt: Duration
}
