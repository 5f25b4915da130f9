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
        /// Performed; its end is to be told to the database, not before this moment. After an error it is told
        /// without neighbours, for one of them may have been the cause.
        case ended(Outcome, notBefore: Duration, tries: Int)
        /// Its end is on its way.
        case telling(Outcome, tries: Int)
    }

    let job: Job
    var stage = Stage.performing
    /// It was asked to stop, and need not be asked again.
    var isStopping = false
}

/// The jobs in hand, by id, in the order they came.
struct Hand {
    private var jobs: [String: HeldJob] = [:]
    /// Ended and not told yet, by id, in the order they ended. Their moment has come.
    private var fresh: ArraySlice<String> = []
    /// To be told again, by id. These are few.
    private var again: [String] = []

    /// All that are to be told, by id.
    var waiting: [String] { fresh + again }
    var count: Int { jobs.count }
    var isEmpty: Bool { jobs.isEmpty }
    var ids: [String] { Array(jobs.keys) }
    var all: [HeldJob] { jobs.values.sorted { ($0.job.id.count, $0.job.id) < ($1.job.id.count, $1.job.id) } }

    /// The held job this is; not one of the same id with another token.
    subscript(job: Job) -> HeldJob? { jobs[job.id].flatMap { $0.job.token == job.token ? $0 : nil } }
    subscript(id: String) -> HeldJob? { jobs[id] }

    mutating func take(_ job: Job) {
        // Its own lost attempt, perhaps, which had ended and was not told.
        if let old = jobs.updateValue(HeldJob(job: job), forKey: job.id) { forget(old) }
    }

    mutating func drop(_ job: Job) {
        guard self[job] != nil, let held = jobs.removeValue(forKey: job.id) else { return }
        forget(held)
    }

    private mutating func forget(_ held: HeldJob) {
        guard case .ended = held.stage else { return }
        fresh.removeAll { $0 == held.job.id }
        again.removeAll { $0 == held.job.id }
    }

    mutating func stop(_ job: Job) { jobs[job.id]?.isStopping = true }

    mutating func end(_ job: Job, _ outcome: Outcome, notBefore: Duration, tries: Int) {
        guard let held = self[job] else { return }
        if case .ended = held.stage {} else if tries == 0 { fresh.append(job.id) } else { again.append(job.id) }
        jobs[job.id]?.stage = .ended(outcome, notBefore: notBefore, tries: tries)
    }

    /// When the next end may be told.
    var nextEnd: Duration? { (fresh.prefix(1) + again).compactMap(moment).min() }

    private func moment(_ id: String) -> Duration? {
        if case .ended(_, let notBefore, _) = jobs[id]?.stage { notBefore } else { nil }
    }

    /// The next end to be told: one that was told before, alone; else the first, with as many like it as may go
    /// along.
    mutating func tell(at now: Duration, atMost limit: Int) -> Request? {
        if let place = again.firstIndex(where: { moment($0).map { $0 <= now } ?? false }) {
            return tell(again.remove(at: place)).map { job, outcome in
                switch outcome {
                case .finished(let result): .finish([Request.Result(job: job, result: result)])
                case .failed(let failure): .fail(job, failure)
                }
            }
        }
        var results: [Request.Result] = []
        var passed: [String] = []
        defer { fresh = passed.isEmpty ? fresh : passed + fresh }
        while results.count < limit, let id = fresh.popFirst() {
            if case .ended(.failed, _, _) = jobs[id]?.stage, !results.isEmpty {
                passed.append(id)
                continue
            }
            switch tell(id) {
            case (let job, .finished(let result))?: results.append(Request.Result(job: job, result: result))
            case (let job, .failed(let failure))?: return .fail(job, failure)
            case nil: continue
            }
        }
        return results.isEmpty ? nil : .finish(results)
    }

    /// Marks an end as being told.
    private mutating func tell(_ id: String) -> (Job, Outcome)? {
        guard let job = jobs[id]?.job, case .ended(let outcome, _, let tries) = jobs[id]?.stage else { return nil }
        jobs[id]?.stage = .telling(outcome, tries: tries + 1)
        return (job, outcome)
    }
}
