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

    @discardableResult
    mutating func startWorking() -> [Action] {
        tell(.connected(.working))
        answer(.working, .done)
        return answer(.working, .done)
    }

    /// Both lines up, the looks after connecting answered with nothing to do.
    static func atRest(_ change: (inout Configuration) -> Void = { _ in }) -> Rehearsal {
        var rehearsal = Rehearsal(change)
        rehearsal.tell(.started(worker: "test"))
        rehearsal.listen()
        rehearsal.startWorking()
        rehearsal.answer(.listening, .found(Found())) // the look on listening
        rehearsal.answer(.listening, .found(Found())) // the look on having both
        return rehearsal
    }

    static let job = Job(id: "1", token: "a", kind: "deliver", payload: "{}")
    static let result = Outcome.finished(result: "{}")

    /// At rest, then one job claimed and being performed.
    static func withJob(_ change: (inout Configuration) -> Void = { _ in }) -> Rehearsal {
        var rehearsal = atRest(change)
        rehearsal.tell(.notified)
        rehearsal.pass(.milliseconds(20))
        rehearsal.answer(.listening, .found(Found(jobsDue: 1)))
        rehearsal.answer(.listening, .claimed([job]))
        return rehearsal
    }

    /// At rest, then a refresh on its way.
    static func refreshing(_ change: (inout Configuration) -> Void = { _ in }) -> Rehearsal {
        var rehearsal = atRest(change)
        rehearsal.tell(.notified)
        rehearsal.pass(.milliseconds(20))
        rehearsal.answer(.listening, .found(Found(refreshCalls: ["call event.refresh()"])))
        return rehearsal
    }
}

/// How many looks are among the actions.
func looks(_ actions: [Action]) -> Int { actions.count { $0 == .send(.listening, .look) } }
