import Postgres

/// Everything the daemon decides, and nothing it does: events go in with the time, actions come out.
///
/// No input or output, no clock and no randomness inside, so every decision can be tested without a database.
/// Times are monotonic and count from the daemon's start.
///
/// The course of things: the listening line connects, listens, then looks. A look finds refreshes for the
/// working line, and jobs to claim; a job performed goes to the working line to be ended. Every event ends in
/// `advance`, which gives each line that is free whatever is due.
struct DaemonState {
    enum Phase: Equatable {
        case running
        /// Claims nothing more; the work in hand has until then.
        case stopping(until: Duration)
        /// The work in hand was told to stop; its answer has until then.
        case cancelling(until: Duration)
        case over
    }

    let configuration: Configuration
    private(set) var phase = Phase.running
    private var listening = Line()
    private var working = Line()
    private var schedule: ScanSchedule
    private var heartbeatAt = Duration.zero
    /// How many looks in a row found work: the step of `configuration.linger` to take next.
    private var finds = 0
    /// How many looks or claims in a row failed.
    private var failedScans = 0
    /// There are jobs due, and a claim is to be made as soon as the listening line is free.
    private var wantsClaim = false
    /// The last claim brought all it asked for, so there are probably more.
    private var expectsMore = false
    private var refreshes = RefreshQueue()
    private(set) var hand: [HeldJob] = []
    private var endsSinceRefresh = 0

    // The event being handled: when it happened, a number in 0..<1 drawn for it, and what it leads to.
    private var now = Duration.zero
    private var random = 0.0
    private var actions: [Action] = []

    init(configuration: Configuration) {
        self.configuration = configuration
        schedule = ScanSchedule(quiet: configuration.quiet, longest: configuration.longestBurst)
    }

    // MARK: Events in, actions out

    mutating func handle(_ event: Event, at now: Duration, random: Double) -> [Action] {
        guard phase != .over else { return [] }
        self.now = now
        self.random = random
        actions = []
        switch event {
        case .started(let worker): log(.notice, "started", ["worker": worker])
        case .connected(let link): connected(link)
        case .lost(let link, let reason): lost(link, reason)
        case .notified: schedule.notified(at: now)
        case .answered(let link, let answer): answered(link, answer)
        case .refused(let link, let error): refused(link, error)
        case .performed(let job, let outcome): performed(job, outcome)
        case .signalled: signalled()
        case .woken: break
        }
        expire()
        advance()
        return actions
    }

    /// When to come back with `woken` if nothing else happens; nil: only another event can change anything.
    var nextWake: Duration? {
        var moments = [listening.deadline, working.deadline]
        switch phase {
        case .running: break
        case .stopping(let until), .cancelling(let until): moments.append(until)
        case .over: return nil
        }
        for link in Link.allCases where wants(link) {
            if case .down(let retryAt) = self[link].state { moments.append(retryAt) }
        }
        if listening.state == .idle {
            moments += hand.map(\.extendAt)
            if phase == .running { moments += [schedule.moment, heartbeatAt] }
        }
        if working.state == .idle {
            for case .ended(_, let notBefore, _) in hand.map(\.stage) { moments.append(notBefore) }
        }
        return moments.compactMap(\.self).min()
    }

    // MARK: Connections

    private subscript(link: Link) -> Line {
        get {
            switch link {
            case .listening: listening
            case .working: working
            }
        }
        set {
            switch link {
            case .listening: listening = newValue
            case .working: working = newValue
            }
        }
    }

    /// Whether a lost connection is to be made again. The working one follows the listening one, so that an
    /// absent server is asked once, not twice; but an ended job is told to the database even while the daemon
    /// stops.
    private func wants(_ link: Link) -> Bool {
        switch (phase, link) {
        case (.running, .listening): true
        case (.running, .working): listening.isUp
        case (.stopping, .working): !hand.isEmpty
        case (.stopping, .listening), (.cancelling, _), (.over, _): false
        }
    }

    private mutating func connected(_ link: Link) {
        guard case .connecting = self[link].state else { return }
        // The role comes first: from here on the session may do no more than the daemon needs.
        switch link {
        case .listening:
            prepare(link, [.assumeRole, .limitStatements(configuration.answerLimit * 4 / 5), .channels])
        case .working:
            prepare(link, [.assumeRole, .limitStatements(configuration.refreshLimit)])
        }
    }

    private mutating func prepare(_ link: Link, _ requests: [Request]) {
        guard let first = requests.first else { return ready(link) }
        self[link].state = .preparing(
            first, then: Array(requests.dropFirst()), until: now + configuration.answerLimit)
        actions.append(.send(link, first))
    }

    private mutating func prepared(_ link: Link, _ answer: Answer, _ rest: [Request]) {
        var rest = rest
        // One LISTEN a statement, each committed by itself, all before the first look.
        if case .channels(let channels) = answer { rest += channels.map { .listen(channel: $0) } }
        prepare(link, rest)
    }

    /// The line has all it needs. Whatever happened while it was away is found by looking.
    private mutating func ready(_ link: Link) {
        self[link].state = .idle
        self[link].upSince = now
        self[link].complaints = []
        schedule.plan(noLaterThan: now)
        if link == .listening { heartbeatAt = now + configuration.heartbeat }
        log(.notice, "ready", ["link": link.rawValue])
    }

    private mutating func lost(_ link: Link, _ reason: String, hint: String? = nil, sqlState: SQLState? = nil) {
        if case .down = self[link].state { return }
        let request = self[link].request
        let upSince = self[link].upSince

        // A connection that was good for a while has earned a quick first attempt.
        if let upSince, now - upSince >= configuration.heartbeat { self[link].failures = 0 }
        self[link].failures += 1
        self[link].upSince = nil
        self[link].state = .down(retryAt: now + delay(self[link].failures))
        if self[link].complain(sqlState?.rawValue ?? reason) {
            complain(upSince == nil ? "unready" : "lost", ["link": link.rawValue], reason, sqlState, hint)
        }

        if link == .working { lostWork(request) }
        if link == .listening { wantsClaim = false }
    }

    /// Work whose fate is unknown: a refresh is found again if it is still needed; a job's end is told once
    /// more, and the token sees to it that it counts once.
    private mutating func lostWork(_ request: Request?) {
        refreshes.forget()
        guard case .end(let job, _) = request, let index = index(of: job),
            case .telling(let outcome, let tries) = hand[index].stage
        else { return }
        if tries < maximumTries {
            hand[index].stage = .ended(outcome, notBefore: now, tries: tries)
        } else {
            // A continuation that takes the server down with it must not do so for ever.
            let reason = "every attempt to end it lost the connection"
            log(.error, "abandoned", ["job": job.id, "kind": job.kind, "reason": reason])
            hand.remove(at: index)
        }
    }

    private mutating func drop(_ link: Link, _ reason: String, hint: String? = nil, sqlState: SQLState? = nil) {
        actions.append(.disconnect(link))
        lost(link, reason, hint: hint, sqlState: sqlState)
    }

    /// What has not answered in time counts as gone.
    private mutating func expire() {
        for link in Link.allCases {
            guard let deadline = self[link].deadline, deadline <= now else { continue }
            drop(link, "no answer in time")
        }
    }

    // MARK: Answers

    private mutating func answered(_ link: Link, _ answer: Answer) {
        switch self[link].state {
        case .preparing(_, let rest, _):
            prepared(link, answer, rest)
        case .asking(let request, let since, _):
            self[link].state = .idle
            answered(request, answer, took: now - since)
        case .down, .connecting, .idle:
            break // of a connection already given up
        }
    }

    private mutating func answered(_ request: Request, _ answer: Answer, took: Duration) {
        switch (request, answer) {
        case (.look, .found(let found)):
            looked(found)
        case (.claim(let limit), .claimed(let jobs)):
            claimed(jobs, of: limit)
        case (.heartbeat, .channels(let missing)):
            heartbeatAt = now + configuration.heartbeat
            guard !missing.isEmpty else { return }
            log(.warning, "deaf", ["channels": missing.joined(separator: ",")])
            prepare(.listening, missing.map { .listen(channel: $0) })
        case (.extend(let job), .accepted(false)):
            leaseLost(job)
        case (.refresh(let call), _):
            working.failures = 0
            refreshes.succeeded()
            log(.info, "refreshed", ["call": call, "ms": "\(took.milliseconds)"])
            lookSoon()
        case (.end(let job, let outcome), .accepted(let current)):
            working.failures = 0
            ended(job, outcome, current: current)
        default:
            break // extended, unlocked
        }
    }

    private mutating func looked(_ found: Found) {
        listening.failures = 0
        scanSucceeded()
        wantsClaim = phase == .running && found.jobsDue > 0 && working.isUp && room > 0
        let isFresh = phase == .running && refreshes.add(found.refreshCalls, at: now)
        schedule.looked()
        schedule.plan(noLaterThan: now + rest(found.nextDueIn))
        if isFresh { foundWork() } else if !wantsClaim { foundNothing() }
    }

    private mutating func claimed(_ jobs: [Job], of limit: Int) {
        scanSucceeded()
        expectsMore = jobs.count == limit
        for job in jobs {
            hand.append(HeldJob(job: job, extendAt: now + configuration.extend))
            log(.debug, "claimed", ["job": job.id, "kind": job.kind])
            actions.append(.perform(job))
        }
        if jobs.isEmpty { foundNothing() } else { foundWork() }
    }

    /// How long to sleep when there is nothing to do. What is overdue and was not taken will not be taken any
    /// sooner by asking all the time.
    private func rest(_ nextDueIn: Duration?) -> Duration {
        guard let nextDueIn, nextDueIn > .zero else { return configuration.poll }
        return min(configuration.poll, max(nextDueIn, configuration.quiet))
    }

    /// Look again soon, and each time a little later, until a look finds nothing.
    private mutating func foundWork() {
        lookSoon()
        finds += 1
    }

    /// The lingering is over, unless work in hand will lead to another look.
    private mutating func foundNothing() {
        if hand.isEmpty && refreshes.running == nil { finds = 0 }
    }

    private mutating func lookSoon() {
        let steps = configuration.linger
        guard !steps.isEmpty else { return }
        schedule.plan(noLaterThan: now + steps[min(finds, steps.count - 1)])
    }

    private mutating func scanSucceeded() {
        if failedScans > 0 { log(.notice, "recovered", ["after": "\(failedScans) failures"]) }
        failedScans = 0
        listening.complaints = []
    }

    // MARK: Errors

    private mutating func refused(_ link: Link, _ error: PostgresError) {
        switch self[link].state {
        case .preparing(let request, _, _):
            let hint = Remedy(for: error, to: request).hint ?? error.hint
            drop(link, error.message, hint: hint, sqlState: error.sqlState)
        case .asking(let request, _, _):
            self[link].state = .idle
            refused(link, request, error, Remedy(for: error, to: request))
        case .down, .connecting, .idle:
            break // of a connection already given up
        }
    }

    private mutating func refused(_ link: Link, _ request: Request, _ error: PostgresError, _ remedy: Remedy) {
        if remedy == .reconnect || remedy == .waitForPrimary {
            // The request is still on the line when the line goes down, so that its work is not forgotten.
            self[link].state = .asking(request, since: now, until: now)
            return drop(link, error.message, hint: remedy.hint, sqlState: error.sqlState)
        }
        switch request {
        case .look, .claim:
            scanFailed(error, remedy)
        case .refresh(let call):
            refreshFailed(call, error, remedy)
        case .end(let job, let outcome):
            endFailed(job, outcome, error, remedy)
        case .extend(let job):
            complain("unextended", ["job": job.id], error.message, error.sqlState, error.hint)
        case .heartbeat, .unlock, .assumeRole, .limitStatements, .channels, .listen:
            drop(link, error.message, hint: remedy.hint ?? error.hint, sqlState: error.sqlState)
        }
    }

    /// The connection is good, the question is not: keep listening, and ask less and less often.
    private mutating func scanFailed(_ error: PostgresError, _ remedy: Remedy) {
        failedScans += 1
        wantsClaim = false
        schedule.hold(until: now + delay(failedScans))
        guard listening.complain(error.sqlState.rawValue) else { return }
        complain("blind", [:], error.message, error.sqlState, remedy.hint ?? error.hint)
    }

    private mutating func refreshFailed(_ call: String, _ error: PostgresError, _ remedy: Remedy) {
        let (now, random, backOff) = (now, random, configuration.backOff)
        let times = refreshes.failed { now + backOff.delay(failures: $0, random: random) }
        // A refresh takes a session lock first and cannot give it back when it fails.
        ask(.working, .unlock)
        let isNew = working.complain(call + error.sqlState.rawValue)
        if times == 1 || isNew {
            complain("unrefreshed", ["call": call], error.message, error.sqlState, remedy.hint ?? error.hint)
        }
    }

    /// The end of a job met an error. Collisions are tried again; what a continuation refuses becomes the
    /// job's failure; and when not even the failure can be told, the lease runs out and the database decides.
    private mutating func endFailed(_ job: Job, _ outcome: Outcome, _ error: PostgresError, _ remedy: Remedy) {
        guard let index = index(of: job), case .telling(_, let tries) = hand[index].stage else { return }
        if remedy == .retry && tries < maximumTries {
            hand[index].stage = .ended(outcome, notBefore: now + delay(tries), tries: tries)
        } else if case .finished = outcome {
            complain("unfinished", ["job": job.id], error.message, error.sqlState, error.hint)
            let sentence = "the continuation failed: \(error.message) [\(error.sqlState)]"
            hand[index].stage = .ended(.failed(error: sentence), notBefore: now, tries: 0)
        } else {
            complain("abandoned", ["job": job.id], error.message, error.sqlState, error.hint)
            hand.remove(at: index)
        }
    }

    // MARK: Jobs in hand

    /// How often the end of a job is told before it is left to its lease.
    private var maximumTries: Int { 5 }

    private var room: Int { configuration.capacity - hand.count }

    private func index(of job: Job) -> Int? {
        hand.firstIndex { $0.job.id == job.id && $0.job.token == job.token }
    }

    private mutating func performed(_ job: Job, _ outcome: Outcome) {
        guard let index = index(of: job), hand[index].stage == .performing else { return }
        hand[index].stage = .ended(outcome, notBefore: now, tries: 0)
    }

    private mutating func ended(_ job: Job, _ outcome: Outcome, current: Bool) {
        hand.removeAll { $0.job.id == job.id && $0.job.token == job.token }
        switch (current, outcome) {
        case (false, _):
            // Somebody else's now, or ended by our own first attempt whose answer was lost.
            log(.notice, "stale", ["job": job.id, "kind": job.kind])
        case (true, .finished):
            log(.info, "finished", ["job": job.id, "kind": job.kind])
        case (true, .failed):
            // Why is written in the job: the sentence may quote its payload, which no log should.
            log(.warning, "failed", ["job": job.id, "kind": job.kind])
        }
        if phase == .running, expectsMore, working.isUp, room * 2 >= configuration.capacity { wantsClaim = true }
        if hand.isEmpty { lookSoon() }
    }

    /// Another worker has the job, or will: whatever we make of it would be refused.
    private mutating func leaseLost(_ job: Job) {
        guard let index = index(of: job) else { return }
        if case .telling = hand[index].stage { return } // the answer will say the same
        hand.remove(at: index)
        log(.warning, "lease.lost", ["job": job.id, "kind": job.kind])
    }

    // MARK: Stopping

    private mutating func signalled() {
        switch phase {
        case .running:
            phase = .stopping(until: now + configuration.stopLimit)
            refreshes.clear()
            wantsClaim = false
            log(.notice, "stopping", inHand)
        case .stopping, .cancelling:
            log(.notice, "stopping.now", inHand)
            if working.request != nil { actions.append(.cancel(.working)) }
            leave()
        case .over:
            break
        }
    }

    private var inHand: KeyValuePairs<String, String> {
        ["jobs": "\(hand.count)", "refreshing": refreshes.running ?? "nothing"]
    }

    /// Whether there is still something to wait for. A claim under way is: what it brings is in hand.
    private var isBusy: Bool {
        if case .claim = listening.request { return true }
        return !hand.isEmpty || working.request != nil
    }

    private mutating func stop() {
        switch phase {
        case .running, .over:
            break
        case .stopping(let until):
            guard isBusy else { return leave() }
            guard until <= now else { return }
            log(.warning, "stopping.late", inHand)
            guard working.request != nil else { return leave() }
            actions.append(.cancel(.working))
            phase = .cancelling(until: now + .seconds(1))
        case .cancelling(let until):
            if working.request == nil || until <= now { leave() }
        }
    }

    private mutating func leave() {
        for link in Link.allCases {
            if case .down = self[link].state { continue }
            actions.append(.disconnect(link))
        }
        log(.notice, "stopped")
        actions.append(.leave)
        phase = .over
    }

    // MARK: What is due

    private mutating func advance() {
        stop()
        for link in Link.allCases where wants(link) {
            guard case .down(let retryAt) = self[link].state, retryAt <= now else { continue }
            self[link].state = .connecting(until: now + configuration.connectLimit)
            actions.append(.connect(link))
        }
        if phase == .over { return }
        if listening.state == .idle, let request = nextQuestion() { ask(.listening, request) }
        if working.state == .idle, let request = nextWork() { ask(.working, request) }
    }

    private mutating func ask(_ link: Link, _ request: Request) {
        let limit = switch request {
        case .refresh: configuration.refreshLimit + configuration.answerLimit // the server's own limit comes first
        case .end: configuration.endLimit
        default: configuration.answerLimit
        }
        self[link].state = .asking(request, since: now, until: now + limit)
        actions.append(.send(link, request))
    }

    private mutating func nextQuestion() -> Request? {
        if let index = hand.firstIndex(where: { $0.extendAt <= now }) {
            hand[index].extendAt = now + configuration.extend
            return .extend(hand[index].job)
        }
        guard phase == .running else { return nil }
        if wantsClaim {
            wantsClaim = false
            return .claim(limit: room)
        }
        if let moment = schedule.moment, moment <= now {
            schedule.looking()
            return .look
        }
        return heartbeatAt <= now ? .heartbeat : nil
    }

    /// Ends before refreshes, for they are short; but a full hand of them at most: neither starves the other.
    private mutating func nextWork() -> Request? {
        if endsSinceRefresh < configuration.capacity || refreshes.waiting.isEmpty, let request = nextEnd() {
            endsSinceRefresh += 1
            return request
        }
        guard phase == .running, let call = refreshes.start() else { return nil }
        endsSinceRefresh = 0
        return .refresh(call: call)
    }

    private mutating func nextEnd() -> Request? {
        for (index, held) in hand.enumerated() {
            guard case .ended(let outcome, let notBefore, let tries) = held.stage, notBefore <= now
            else { continue }
            hand[index].stage = .telling(outcome, tries: tries + 1)
            return .end(held.job, outcome)
        }
        return nil
    }

    // MARK: Small words

    private func delay(_ failures: Int) -> Duration {
        configuration.backOff.delay(failures: failures, random: random)
    }

    private mutating func log(_ level: LogLevel, _ event: String, _ fields: KeyValuePairs<String, String> = [:]) {
        actions.append(.log(LogLine(level: level, event: event, fields: Array(fields))))
    }

    private mutating func complain(
        _ event: String, _ fields: KeyValuePairs<String, String>, _ reason: String, _ sqlState: SQLState?,
        _ hint: String?
    ) {
        var fields = Array(fields)
        if let sqlState { fields.append(("sqlstate", sqlState.rawValue)) }
        fields.append(("reason", reason))
        if let hint { fields.append(("hint", hint)) }
        actions.append(.log(LogLine(level: .warning, event: event, fields: fields)))
    }
}
