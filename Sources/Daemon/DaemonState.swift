import Postgres

/// Everything the daemon decides, and nothing it does: events go in with the time, actions come out.
///
/// No input or output, no clock and no randomness inside, so every decision can be tested without a database.
/// Times are monotonic and count from the daemon's start.
///
/// The course of things: the listening line connects, listens, then looks. A look finds refreshes for their
/// line, and jobs to claim; a job performed goes to an ending line. Every event ends in `advance`, which gives
/// each line that is free whatever is due.
struct DaemonState {
    enum Phase: Equatable {
        case running
        /// Claims nothing more; the work in hand has until then.
        case stopping(until: Duration)
        /// The work in hand was told to stop; its answer has until then.
        case cancelling(until: Duration)
        /// What is still in hand is given back.
        case releasing(until: Duration)
        case over
    }

    private(set) var configuration: Configuration
    private(set) var phase = Phase.running
    private var lines: [Link: Line]
    private let links: [Link]
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
    /// When the last claim was sent.
    private var claimedAt: Duration?
    /// Looks and claims take turns, so that neither starves the other.
    private var lastWasClaim = false
    private var refreshes = RefreshQueue()
    private(set) var hand = Hand()
    private var flow = TextFlow()
    /// Nil while there is no lease: before the first claim, and after the lease was lost.
    private var extendAt: Duration?
    private var figuresAt = Duration.zero

    // The event being handled: when it happened, a number in 0..<1 drawn for it, and what it leads to.
    private var now = Duration.zero
    private var random = 0.0
    private var actions: [Action] = []

    init(configuration: Configuration) {
        self.configuration = configuration
        schedule = ScanSchedule(quiet: configuration.quiet, longest: configuration.longestBurst)
        links = [.listening, .refreshing, .emitting] + (0..<configuration.endings).map { .ending($0) }
        lines = Dictionary(uniqueKeysWithValues: links.map { ($0, Line()) })
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
        case .enqueued: enqueued()
        case .answered(let link, let answer): answered(link, answer)
        case .refused(let link, let error): refused(link, error)
        case .performed(let job, let outcome): performed(job, outcome)
        case .said(let said): said.forEach { hear($0) }
        case .signalled: signalled()
        case .reloaded(let new): reload(new)
        case .woken: break
        }
        if phase == .over { return actions }
        expire()
        advance()
        return actions
    }

    /// When to come back with `woken` if nothing else happens; nil: only another event can change anything.
    var nextWake: Duration? {
        var moments = links.map { self[$0].deadline }
        switch phase {
        case .running: break
        case .stopping(let until), .cancelling(let until), .releasing(let until): moments.append(until)
        case .over: return nil
        }
        for link in links where wants(link) {
            if case .down(let retryAt) = self[link].state { moments.append(retryAt) }
        }
        if self[.listening].state == .idle {
            if phase == .running { moments += [schedule.moment, heartbeatAt, extendAt] }
            if phase == .running, configuration.metrics != nil { moments.append(figuresAt) }
            if !hand.isEmpty { moments.append(extendAt) }
        }
        if tellsEnds, endings.contains(where: { self[$0].state == .idle }) { moments.append(hand.nextEnd) }
        if tellsEnds, self[.emitting].state == .idle { moments.append(flow.due) }
        return moments.compactMap(\.self).min()
    }

    // MARK: Connections

    private subscript(link: Link) -> Line {
        get { lines[link] ?? Line() }
        set { lines[link] = newValue }
    }

    private var endings: ArraySlice<Link> { links.dropFirst(3) }

    /// Whether a lost connection is to be made again. The others follow the listening one, so that an absent
    /// server is asked once, not many times; but an ended job is told to the database even while the daemon
    /// stops.
    private func wants(_ link: Link) -> Bool {
        switch (phase, link) {
        case (.running, .listening): true
        case (.running, .refreshing), (.running, .ending(0)): self[.listening].isUp
        case (.running, .emitting): self[.listening].isUp && flow.isWanted
        // One more when all that are there are busy.
        case (.running, .ending(let number)):
            self[.listening].isUp && hand.nextEnd.map { $0 <= now } ?? false
                && endings.prefix(number).allSatisfy { self[$0].request != nil }
        case (.stopping, .ending(0)): !hand.isEmpty
        case (.stopping, _), (.cancelling, _), (.releasing, _), (.over, _): false
        }
    }

    private mutating func connected(_ link: Link) {
        guard case .connecting = self[link].state else { return }
        // The role comes first: from here on the session may do no more than the daemon needs.
        switch link {
        case .listening:
            prepare(link, [.assumeRole, .limitStatements(configuration.answerLimit * 4 / 5), .channels])
        case .refreshing:
            prepare(link, [.assumeRole, .limitStatements(configuration.refreshLimit)])
        case .ending:
            prepare(link, [.assumeRole, .limitStatements(configuration.endLimit * 4 / 5)])
        case .emitting:
            prepare(link, [.assumeRole, .limitStatements(configuration.answerLimit * 4 / 5)])
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
        switch link {
        case .listening: heartbeatAt = now + configuration.heartbeat
        // The first claim makes the worker known.
        case .ending(0): if phase == .running && extendAt == nil { wantsClaim = true }
        case .refreshing, .ending, .emitting: break
        }
        log(.notice, "ready", ["link": link.description])
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
            complain(upSince == nil ? "unready" : "lost", ["link": link.description], reason, sqlState, hint)
        }

        switch link {
        case .listening: wantsClaim = false
        case .refreshing: refreshes.forget()
        case .ending: lostEnds(request)
        case .emitting: end(flow.lost(retryAt: now))
        }
    }

    /// Ends whose fate is unknown are told once more; the token sees to it that each counts once.
    private mutating func lostEnds(_ request: Request?) {
        for job in request?.ending ?? [] {
            guard case .telling(let outcome, let tries) = hand[job]?.stage else { continue }
            if tries < maximumTries {
                hand.end(job, outcome, notBefore: now, tries: tries)
            } else {
                // A continuation that takes the server down with it must not do so for ever.
                let reason = "every attempt to end it lost the connection"
                log(.error, "abandoned", ["job": job.id, "kind": job.kind, "reason": reason])
                hand.drop(job)
            }
        }
    }

    private mutating func drop(_ link: Link, _ reason: String, hint: String? = nil, sqlState: SQLState? = nil) {
        actions.append(.disconnect(link))
        lost(link, reason, hint: hint, sqlState: sqlState)
    }

    /// What has not answered in time counts as gone.
    private mutating func expire() {
        for link in links {
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
            answered(link, request, answer, took: now - since)
        case .down, .connecting, .idle:
            break // of a connection already given up
        }
    }

    private mutating func answered(_ link: Link, _ request: Request, _ answer: Answer, took: Duration) {
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
        case (.extend, .extended(let stop)):
            extended(stop)
        case (.release, _):
            leave()
        case (.refresh(let call), _):
            self[link].failures = 0
            refreshes.succeeded()
            log(.info, "refreshed", ["call": call, "ms": "\(took.milliseconds)"])
            lookSoon()
        case (.finish, .accepted(let good)), (.fail, .accepted(let good)):
            self[link].failures = 0
            ended(request, Set(good))
        case (.emit(let pieces), .emitted(let stop)):
            self[link].failures = 0
            emitted(pieces, stop: Set(stop))
        default:
            break // unlocked
        }
    }

    private mutating func looked(_ found: Found) {
        self[.listening].failures = 0
        // One who has no lease takes it by a claim, whatever was found.
        if canClaim, found.hasJobs && room > 0 || extendAt == nil { wantsClaim = true }
        // When claims fail, a look that does not is no recovery.
        if !wantsClaim { scanSucceeded() }
        let isFresh = phase == .running && refreshes.add(found.refreshCalls, at: now)
        schedule.looked()
        schedule.plan(noLaterThan: now + rest(found.nextDueIn))
        if isFresh { foundWork() } else if !wantsClaim { foundNothing() }
        stop(found.toStop)
    }

    /// After a rest, jobs are claimed at once: a look would only say that there are some. When they come one
    /// after another, the look that follows a burst gathers them, so that each costs less than a commit.
    private mutating func enqueued() {
        if let claimedAt, now - claimedAt < configuration.quiet { return }
        if canClaim, extendAt != nil, failedScans == 0 { wantsClaim = true }
    }

    private mutating func claimed(_ jobs: [Job], of limit: Int) {
        scanSucceeded()
        extendAt = extendAt ?? now + configuration.extend
        guard tellsEnds else { return } // too late: it is given back with the rest
        expectsMore = jobs.count == limit
        for job in jobs {
            if job.kind == "generate" { flow.isWanted = true }
            // With another token: somebody else had it meanwhile, and gave it up.
            if let old = hand[job.id] { stop(old) }
            hand.take(job)
            log(.debug, "claimed", ["job": job.id, "kind": job.kind, "trace": job.traceID])
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
        self[.listening].complaints = []
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
        case .finish, .fail:
            endFailed(request, error, remedy)
        case .emit:
            emitFailed(error, remedy)
        case .figures:
            complain("unmeasured", [:], error.message, error.sqlState, error.hint)
        case .extend:
            complain("unextended", [:], error.message, error.sqlState, error.hint)
        case .release:
            complain("unreleased", [:], error.message, error.sqlState, error.hint)
            leave()
        case .heartbeat, .unlock, .assumeRole, .limitStatements, .channels, .listen:
            drop(link, error.message, hint: remedy.hint ?? error.hint, sqlState: error.sqlState)
        }
    }

    /// The connection is good, the question is not: keep listening, and ask less and less often.
    private mutating func scanFailed(_ error: PostgresError, _ remedy: Remedy) {
        failedScans += 1
        wantsClaim = false
        schedule.hold(until: now + delay(failedScans))
        guard self[.listening].complain(error.sqlState.rawValue) else { return }
        complain("blind", [:], error.message, error.sqlState, remedy.hint ?? error.hint)
    }

    private mutating func refreshFailed(_ call: String, _ error: PostgresError, _ remedy: Remedy) {
        let (now, random, backOff) = (now, random, configuration.backOff)
        let times = refreshes.failed { now + backOff.delay(failures: $0, random: random) }
        // A refresh takes a session lock first and cannot give it back when it fails.
        ask(.refreshing, .unlock)
        let isNew = self[.refreshing].complain(call + error.sqlState.rawValue)
        if times == 1 || isNew {
            complain("unrefreshed", ["call": call], error.message, error.sqlState, remedy.hint ?? error.hint)
        }
    }

    /// The end of a job met an error. Collisions are tried again, each job alone; what a continuation refuses
    /// becomes the job's failure; and when not even the failure can be told, the job is in hand no more, the
    /// next extension says so, and the database decides. What we cancelled ourselves is given back.
    ///
    /// The error's text may quote the job, so it is written there and not in the log.
    private mutating func endFailed(_ request: Request, _ error: PostgresError, _ remedy: Remedy) {
        let jobs = request.ending
        for job in jobs {
            guard case .telling(let outcome, let tries) = hand[job]?.stage else { continue }
            if !tellsEnds {
                hand.end(job, outcome, notBefore: now, tries: tries)
            } else if remedy == .retry && tries < maximumTries || jobs.count > 1 {
                hand.end(job, outcome, notBefore: now + (jobs.count > 1 ? .zero : delay(tries)), tries: tries)
            } else if case .finished = outcome {
                log(.warning, "unfinished", ["job": job.id, "sqlstate": "\(error.sqlState)"])
                let failure = Failure(error: "the continuation failed: \(error.message) [\(error.sqlState)]")
                hand.end(job, .failed(failure), notBefore: now, tries: 0)
            } else {
                log(.error, "abandoned", ["job": job.id, "sqlstate": "\(error.sqlState)"])
                hand.drop(job)
            }
        }
    }

    // MARK: Jobs in hand

    /// How often the end of a job is told before the job counts as lost.
    private var maximumTries: Int { 5 }

    private var room: Int { configuration.capacity - hand.count }

    private var canClaim: Bool { phase == .running && self[.ending(0)].isUp }

    /// Once the daemon has no more time, what is in hand is given back, not ended.
    private var tellsEnds: Bool {
        switch phase {
        case .running, .stopping: true
        case .cancelling, .releasing, .over: false
        }
    }

    private mutating func performed(_ job: Job, _ outcome: Outcome) {
        // Many answers that end together wait for each other; what they said last need not.
        let hasTime = self[.emitting].isUp && !endings.contains { self[$0].state == .idle }
        guard hand[job]?.stage == .performing, let outcome = flow.end(job, outcome, hasTime: hasTime) else { return }
        hand.end(job, outcome, notBefore: now, tries: 0)
    }

    /// Ends whose jobs' text was under way, and is no longer.
    private mutating func end(_ ends: [(job: Job, outcome: Outcome)]) {
        for (job, outcome) in ends where hand[job]?.stage == .performing {
            hand.end(job, outcome, notBefore: now, tries: 0)
        }
    }

    // MARK: Text of answers

    private mutating func hear(_ said: Said) {
        guard let held = hand[said.job], held.stage == .performing, !held.isStopping else { return }
        flow.add(said)
    }

    private mutating func emitted(_ pieces: [Emission], stop: Set<String>) {
        end(flow.told())
        // Not one of the same id that has come to us since.
        self.stop(pieces.map(\.job).filter { stop.contains($0.id) && hand[$0] != nil }.map(\.id))
    }

    /// The error's text may quote the answer's. Nothing is lost: the result has all of the text.
    private mutating func emitFailed(_ error: PostgresError, _ remedy: Remedy) {
        self[.emitting].failures += 1
        let retryAt = now + delay(self[.emitting].failures)
        end(remedy == .retry ? flow.lost(retryAt: retryAt) : flow.refused(retryAt: retryAt))
        if self[.emitting].complain(error.sqlState.rawValue) {
            let hint = remedy.hint.map { [("hint", $0)] } ?? []
            let fields = [("sqlstate", error.sqlState.rawValue)] + hint
            actions.append(.log(LogLine(level: .warning, event: "unemitted", fields: fields)))
        }
    }

    private mutating func ended(_ request: Request, _ good: Set<String>) {
        for job in request.ending {
            hand.drop(job)
            switch (good.contains(job.id), request) {
            case (false, _):
                // Somebody else's now, or ended by our own first attempt whose answer was lost.
                log(.notice, "stale", ["job": job.id, "kind": job.kind, "trace": job.traceID])
            case (true, .fail(_, let failure)):
                // Why is written in the job: the sentence may quote its payload, which no log should.
                let fault = failure.fault.rawValue
                var fields = [("job", job.id), ("kind", job.kind), ("fault", fault), ("trace", job.traceID)]
                if let reason = failure.reason { fields.insert(("reason", reason), at: 3) }
                actions.append(.log(LogLine(level: .warning, event: "failed", fields: fields)))
            case (true, _):
                // Thousands a second; history has them all.
                log(.debug, "finished", ["job": job.id, "kind": job.kind, "trace": job.traceID])
            }
        }
        if expectsMore, canClaim, room * 2 >= configuration.capacity { wantsClaim = true }
        if hand.isEmpty { lookSoon() }
    }

    /// What the lease said: jobs to be stopped; nil when it had ended, and all that is in hand is somebody
    /// else's: whatever we make of it would be refused.
    private mutating func extended(_ stop: [String]?) {
        if let stop { return self.stop(stop) }
        extendAt = nil
        var lost = 0
        for held in hand.all {
            if case .telling = held.stage { continue } // the answer will say the same
            self.stop(held)
            hand.drop(held.job)
            lost += 1
        }
        if lost > 0 { log(.warning, "lease.lost", ["jobs": "\(lost)"]) }
    }

    private mutating func stop(_ ids: [String]) {
        for id in ids {
            guard let held = hand[id], self.stop(held) else { continue }
            log(.notice, "cancelled", ["job": id, "kind": held.job.kind, "trace": held.job.traceID])
        }
    }

    /// Has an effect end, unless it has ended or was asked to; says whether it was asked now.
    @discardableResult
    private mutating func stop(_ held: HeldJob) -> Bool {
        guard held.stage == .performing, !held.isStopping else { return false }
        flow.forget(held.job)
        hand.stop(held.job)
        actions.append(.stop(held.job))
        return true
    }

    // MARK: Reloading and stopping

    /// The number of connections stays as it is.
    private mutating func reload(_ new: Configuration) {
        let (endings, metrics) = (configuration.endings, configuration.metrics)
        configuration = new
        (configuration.endings, configuration.metrics) = (endings, metrics)
        schedule.plan(noLaterThan: now)
        log(.notice, "reloaded")
    }

    private mutating func signalled() {
        switch phase {
        case .running:
            phase = .stopping(until: now + configuration.stopLimit)
            refreshes.clear()
            wantsClaim = false
            log(.notice, "stopping", inHand)
        case .stopping, .cancelling:
            log(.notice, "stopping.now", inHand)
            release()
        case .releasing:
            leave()
        case .over:
            break
        }
    }

    private var inHand: KeyValuePairs<String, String> {
        ["jobs": "\(hand.count)", "refreshing": refreshes.running ?? "nothing"]
    }

    private var asking: [Link] { links.filter { $0 != .listening && self[$0].request != nil } }

    /// Whether there is still something to wait for. A claim under way is: what it brings is in hand.
    private var isBusy: Bool {
        if case .claim = self[.listening].request { return true }
        return !hand.isEmpty || !asking.isEmpty
    }

    private mutating func stop() {
        switch phase {
        case .running, .over:
            break
        case .stopping(let until):
            guard isBusy else { return release() }
            guard until <= now else { return }
            log(.warning, "stopping.late", inHand)
            for held in hand.all { stop(held) }
            guard !asking.isEmpty else { return release() }
            actions += asking.map { .cancel($0) }
            phase = .cancelling(until: now + .seconds(1))
        case .cancelling(let until):
            if asking.isEmpty || until <= now { release() }
        case .releasing(let until):
            if until <= now || !self[.listening].isUp { leave() }
        }
    }

    /// What is still in hand goes back to the queue at once, instead of when the lease ends.
    private mutating func release() {
        for held in hand.all { stop(held) }
        if case .cancelling = phase {} else { actions += asking.map { .cancel($0) } }
        guard self[.listening].isUp else { return leave() }
        phase = .releasing(until: now + .seconds(2))
    }

    private mutating func leave() {
        for link in links {
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
        for link in links where wants(link) {
            guard case .down(let retryAt) = self[link].state, retryAt <= now else { continue }
            self[link].state = .connecting(until: now + configuration.connectLimit)
            actions.append(.connect(link))
        }
        if phase == .over { return }
        if self[.listening].state == .idle, let request = nextQuestion() { ask(.listening, request) }
        guard tellsEnds else { return }
        if self[.refreshing].state == .idle, phase == .running, let call = refreshes.start() {
            ask(.refreshing, .refresh(call: call))
        }
        for link in endings where self[link].state == .idle {
            guard let request = hand.tell(at: now, atMost: configuration.capacity) else { break }
            ask(link, request)
        }
        if self[.emitting].state == .idle, let pieces = flow.next(at: now) { ask(.emitting, .emit(pieces)) }
    }

    private mutating func ask(_ link: Link, _ request: Request) {
        let limit = switch request {
        case .refresh: configuration.refreshLimit + configuration.answerLimit // the server's own limit comes first
        case .finish, .fail: configuration.endLimit
        default: configuration.answerLimit
        }
        self[link].state = .asking(request, since: now, until: now + limit)
        actions.append(.send(link, request))
    }

    private mutating func nextQuestion() -> Request? {
        if case .releasing = phase { return .release }
        if let due = extendAt, due <= now, phase == .running || !hand.isEmpty {
            extendAt = now + configuration.extend
            return .extend
        }
        guard phase == .running else { return nil }
        if heartbeatAt <= now { return .heartbeat }
        if configuration.metrics != nil, figuresAt <= now {
            figuresAt = now + configuration.figures
            return .figures
        }
        let wantsLook = schedule.moment.map { $0 <= now } ?? false
        lastWasClaim = wantsClaim && room > 0 && !(lastWasClaim && wantsLook)
        if lastWasClaim {
            wantsClaim = false
            claimedAt = now
            return .claim(limit: room)
        }
        guard wantsLook else { return nil }
        schedule.looking(at: now)
        return .look
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
