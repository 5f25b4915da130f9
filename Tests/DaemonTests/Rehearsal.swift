import Postgres

@testable import Daemon

/// A daemon's decisions in a bottle: the test is the clock, the server and the dice.
struct Rehearsal {
    var state: DaemonState
    var now = Duration.zero
    var random = 1.0 // the whole of each nominal wait
    /// Every line logged so far.
    var lines: [LogLine] = []

    init(_ change: (inout Configuration) -> Void = { _ in }) {
        var configuration = Configuration()
        change(&configuration)
        state = DaemonState(configuration: configuration)
    }

    /// Tells one event; gives back what is to be done, without the log lines.
    @discardableResult
    mutating func tell(_ event: Event) -> [Action] {
        state.handle(event, at: now, random: random).filter { action in
            guard case .log(let line) = action else { return true }
            lines.append(line)
            return false
        }
    }

    @discardableResult
    mutating func answer(_ link: Link, _ answer: Answer) -> [Action] { tell(.answered(link, answer)) }

    @discardableResult
    mutating func refuse(_ link: Link, _ sqlState: String, _ message: String = "no") -> [Action] {
        tell(.refused(link, PostgresError(sqlState: SQLState(sqlState), message: message)))
    }

    @discardableResult
    mutating func perform(_ job: Job, _ outcome: Outcome = result) -> [Action] {
        tell(.performed(job, outcome))
    }

    /// Lets time pass, waking the daemon whenever it asked for it; gives back what it did meanwhile.
    @discardableResult
    mutating func pass(_ time: Duration) -> [Action] {
        let end = now + time
        var actions: [Action] = []
        var wakes = 0
        while let wake = state.nextWake, wake <= end {
            now = max(now, wake)
            actions += tell(.woken)
            wakes += 1
            precondition(wakes < 10_000, "the daemon spins")
        }
        now = end
        return actions
    }

    func logged(_ event: String) -> [LogLine] { lines.filter { $0.event == event } }

    /// Connects the listening line as far as its first look.
    @discardableResult
    mutating func listen(channels: [String] = ["queue"]) -> [Action] {
        tell(.connected(.listening))
        answer(.listening, .done)
        answer(.listening, .done)
        var actions = answer(.listening, .channels(channels))
        for _ in channels { actions = answer(.listening, .done) }
        return actions
    }

    /// Connects another line: its role, its limit.
    @discardableResult
    mutating func start(_ link: Link) -> [Action] {
        tell(.connected(link))
        answer(link, .done)
        return answer(link, .done)
    }

    /// All lines up, what is asked after connecting answered with nothing to do.
    static func atRest(_ change: (inout Configuration) -> Void = { _ in }) -> Rehearsal {
        var rehearsal = Rehearsal(change)
        rehearsal.tell(.started(worker: "test"))
        rehearsal.listen()
        rehearsal.start(.refreshing)
        rehearsal.start(.ending(0))
        rehearsal.answer(.listening, .found(Found())) // the look on listening
        rehearsal.answer(.listening, .claimed([])) // the claim that makes the worker known
        rehearsal.answer(.listening, .found(Found())) // the look on having all
        return rehearsal
    }

    static let job = numbered(1)
    static let result = Outcome.finished(result: "{}")

    static func numbered(_ number: Int, token: String = "a") -> Job {
        Job(id: "\(number)", token: token, kind: "call", payload: "{}")
    }

    /// At rest, then these jobs claimed and being performed; nothing else disturbs: the next look, heartbeat
    /// and extension are minutes away.
    static func with(_ jobs: [Job], _ change: (inout Configuration) -> Void = { _ in }) -> Rehearsal {
        var rehearsal = atRest { configuration in
            configuration.poll = .seconds(600)
            configuration.heartbeat = .seconds(600)
            configuration.extend = .seconds(600)
            configuration.linger = []
            change(&configuration)
        }
        rehearsal.claim(jobs)
        return rehearsal
    }

    static func withJob(_ change: (inout Configuration) -> Void = { _ in }) -> Rehearsal {
        with([job], change)
    }

    /// A notification, a look that finds jobs, and a claim that brings these.
    @discardableResult
    mutating func claim(_ jobs: [Job]) -> [Action] {
        now += .milliseconds(50)
        tell(.notified)
        answer(.listening, .found(Found(hasJobs: true)))
        return answer(.listening, .claimed(jobs))
    }

    /// At rest, then a refresh on its way.
    static func refreshing(_ change: (inout Configuration) -> Void = { _ in }) -> Rehearsal {
        var rehearsal = atRest(change)
        rehearsal.now += .milliseconds(50)
        rehearsal.tell(.notified)
        rehearsal.answer(.listening, .found(Found(refreshCalls: ["call event.refresh()"])))
        return rehearsal
    }
}

/// How many looks are among the actions.
func looks(_ actions: [Action]) -> Int { actions.count { $0 == .send(.listening, .look) } }

/// Results for these jobs, as one request.
func finish(_ jobs: Job...) -> Request { .finish(jobs.map { Request.Result(job: $0, result: "{}") }) }
