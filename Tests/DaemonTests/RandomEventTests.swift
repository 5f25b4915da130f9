import Postgres
import Testing

@testable import Daemon

/// The same numbers every time for the same seed (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// What went wrong, in words.
private final class Complaints {
    var texts: [String] = []
}

/// A world that does to the daemon whatever may be done to it, in any order, and watches what it does.
///
/// It keeps books of its own: which connections are up and what was asked on them, which jobs were claimed
/// under which token, what is being performed, which ends are on their way.
private struct World {
    var state: DaemonState
    var numbers: SeededNumbers
    var now = Duration.zero
    let complaints = Complaints()

    enum Connection: Equatable {
        case connecting
        case up(Request?)
    }
    var connections: [Link: Connection] = [:]
    var nextID = 1
    /// What the database has as ours: tokens by id.
    var tokens: [String: Int] = [:]
    var performing: [Job] = []
    var stopped: [Job] = []
    /// Performed, and the database has not yet had the last word.
    var owed: [Job] = []
    /// The last piece of text that was sent of each job and token, and those of whose text the fate is unknown.
    var pieces: [String: Int] = [:]
    var gaps: Set<String> = []
    var underWay: [Emission] = []
    var signals = 0
    var hasReleased = false
    var hasLeft = false
    var isHostile = true
    let capacity: Int

    init(seed: UInt64) {
        numbers = SeededNumbers(state: seed)
        var configuration = Configuration()
        capacity = Int.random(in: 1...6, using: &numbers)
        configuration.capacity = capacity
        configuration.endings = Int.random(in: 1...4, using: &numbers)
        state = DaemonState(configuration: configuration)
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &numbers) < percent }

    func expect(_ condition: Bool, _ complaint: @autoclosure () -> String) {
        if !condition { complaints.texts.append(complaint()) }
    }

    // MARK: What the daemon does

    mutating func tell(_ event: Event) {
        let actions = state.handle(event, at: now, random: .random(in: 0..<1, using: &numbers))
        for action in actions { take(action, after: event) }
        // What somebody else has under a newer token is owed no more, once it is not on its way.
        let told = told
        owed.removeAll { tokens[$0.id].map(String.init) != $0.token && !told.contains($0) }
        expect(state.hand.count <= capacity, "\(state.hand.count) jobs in hand after \(event)")
        guard let wake = state.nextWake, !hasLeft else { return }
        // A moment that has come: the daemon may ask for it once, and then has to move on.
        guard wake <= now else { return }
        let more = state.handle(.woken, at: now, random: 0.5)
        for action in more { take(action, after: .woken) }
        expect(!more.isEmpty || state.nextWake.map { $0 > now } ?? true, "it spins after \(event)")
    }

    mutating func take(_ action: Action, after event: Event) {
        expect(!hasLeft, "\(action) after it left")
        switch action {
        case .connect(let link):
            expect(connections[link] == nil, "\(link) is connected twice")
            connections[link] = .connecting
        case .disconnect(let link):
            expect(connections[link] != nil, "\(link) is down and disconnected")
            forget(link)
            connections[link] = nil
        case .send(let link, let request):
            expect(connections[link] == .up(nil), "\(request) is sent where it cannot be: \(link)")
            connections[link] = .up(request)
            send(request, on: link)
        case .cancel(let link):
            expect(connections[link] != .up(nil) && connections[link] != nil, "nothing to cancel on \(link)")
        case .perform(let job):
            expect(!hasReleased, "a job is begun after all was given back")
            performing.append(job)
        case .stop(let job):
            expect(performing.contains(job), "a job is stopped that is not performed")
            expect(!stopped.contains(job), "a job is stopped twice")
            stopped.append(job)
        case .log(let line):
            if line.event == "abandoned" { owed.removeAll { $0.id == line.fields[0].value } }
            let told = told
            if line.event == "lease.lost" { owed.removeAll { !told.contains($0) } }
        case .leave:
            hasLeft = true
            expect(connections.isEmpty, "it leaves \(connections.keys) behind")
        }
    }

    /// What was asked on a line may have been done, or not.
    mutating func forget(_ link: Link) {
        guard link == .emitting else { return }
        gaps.formUnion(underWay.map { $0.job.id + "/" + $0.job.token })
        underWay = []
    }

    /// Jobs whose ends are on their way.
    var told: [Job] {
        connections.values.flatMap { connection -> [Job] in
            if case .up(let request?) = connection { request.ending } else { [] }
        }
    }

    mutating func send(_ request: Request, on link: Link) {
        switch request {
        case .claim(let limit):
            expect(signals == 0, "a claim after the signal")
            expect((1...capacity).contains(limit), "a claim of \(limit)")
            expect(link == .listening, "a claim on \(link)")
        case .release:
            expect(signals > 0 && !hasReleased, "given back without reason")
            hasReleased = true
        case .finish, .fail:
            expect(!hasReleased, "an end is told after all was given back")
            expect(Set(told.map(\.id)).count == told.count, "an end is told twice at the same time")
            for job in request.ending {
                expect(owed.contains(job), "an end is told that nobody owes")
                expect(!underWay.contains { $0.job == job }, "an end is told beside text of its job")
            }
        case .emit(let new):
            expect(link == .emitting && underWay.isEmpty, "text is sent beside text")
            expect(Set(new.map(\.job.id)).count == new.count && !new.isEmpty, "\(new.count) pieces of few jobs")
            for piece in new {
                let name = piece.job.id + "/" + piece.job.token
                let follows = [pieces[name, default: 0] + 1] + (gaps.contains(name) ? [pieces[name, default: 0]] : [])
                expect(follows.contains(piece.number), "piece \(piece.number) after \(follows)")
                expect(!piece.text.isEmpty && !hasReleased, "text that nobody needs")
                pieces[name] = piece.number
            }
            underWay = new
        case .refresh:
            expect(signals == 0 && link == .refreshing, "a refresh on \(link)")
        default:
            expect(!hasReleased || link != .listening, "\(request) after all was given back")
        }
    }

    // MARK: What is done to it

    mutating func step() {
        // Nobody wakes a process exactly when it wants.
        if chance(10) { now += .milliseconds(.random(in: 0...3000, using: &numbers)) }
        switch Int.random(in: 0..<1000, using: &numbers) {
        case 0..<450: answerSomething()
        case 450..<650: performSomething()
        case 650..<750: tell(.notified)
        case 750..<800: loseSomething()
        case 800..<820: tell(.performed(Job(id: "1", token: "0", kind: "call", payload: ""), outcome()))
        case 820..<823:
            signals += 1
            tell(.signalled)
        default:
            let wake = state.nextWake ?? now
            now = chance(70) ? max(now, wake) : now + .milliseconds(.random(in: 0...300, using: &numbers))
            tell(.woken)
        }
    }

    /// From now on the world means well, until all that was begun has its end.
    mutating func settle() {
        isHostile = false
        for _ in 0..<1000 where !hasLeft && !(state.hand.isEmpty && performing.isEmpty) {
            if connections.values.contains(where: { $0 != .up(nil) }) {
                answerSomething()
            } else if !performing.isEmpty {
                performSomething()
            } else {
                now = max(now, state.nextWake ?? now)
                tell(.woken)
            }
        }
    }

    mutating func outcome() -> Outcome {
        chance(80) ? .finished(result: "{}") : .failed(Failure(error: "no"))
    }

    mutating func performSomething() {
        guard let index = performing.indices.randomElement(using: &numbers) else { return }
        if chance(50) {
            return tell(.said(performing.filter { _ in chance(60) }.map { Said(job: $0, text: "x") }))
        }
        let job = performing.remove(at: index)
        // One that is still ours is owed to the database, unless there is no time for it.
        if state.hand[job]?.stage == .performing { owed.append(job) }
        tell(.performed(job, outcome()))
    }

    mutating func loseSomething() {
        let links = connections.keys.sorted { "\($0)" < "\($1)" }
        guard let link = links.randomElement(using: &numbers) else { return }
        connections[link] = nil
        forget(link)
        tell(.lost(link, reason: "gone"))
    }

    mutating func answerSomething() {
        let links = connections.keys.sorted { "\($0)" < "\($1)" }
        guard let link = links.randomElement(using: &numbers), let connection = connections[link] else {
            return
        }
        switch connection {
        case .connecting:
            connections[link] = .up(nil)
            tell(.connected(link))
        case .up(nil):
            break
        case .up(let request?):
            connections[link] = .up(nil)
            if case .emit = request { underWay = [] }
            if isHostile, chance(8) {
                if case .emit(let pieces) = request { gaps.formUnion(pieces.map { $0.job.id + "/" + $0.job.token }) }
                let states = ["40P01", "P0001", "57P01", "25006", "57014", "53100"]
                let state = states.randomElement(using: &numbers) ?? ""
                tell(.refused(link, PostgresError(sqlState: SQLState(state), message: "no")))
            } else {
                tell(.answered(link, answer(request)))
            }
        }
    }

    mutating func answer(_ request: Request) -> Answer {
        switch request {
        case .channels: return .channels(["queue"])
        case .heartbeat: return .channels(isHostile && chance(20) ? ["queue"] : [])
        case .look:
            let ids = tokens.keys.sorted()
            return .found(
                Found(
                    refreshCalls: chance(30) ? ["call a()", "call b()"] : [], hasJobs: isHostile && chance(70),
                    nextDueIn: chance(30) ? .milliseconds(.random(in: 0...500, using: &numbers)) : nil,
                    toStop: isHostile ? ids.filter { _ in chance(10) } : []))
        case .claim(let limit):
            guard isHostile else { return .claimed([]) }
            return .claimed(claimed(atMost: limit))
        case .extend:
            if isHostile && chance(10) { return .extended(stop: nil) }
            return .extended(stop: tokens.keys.sorted().filter { _ in chance(5) })
        case .finish, .fail:
            let jobs = request.ending
            owed.removeAll { jobs.contains($0) }
            return .accepted(jobs.map(\.id).filter { _ in chance(90) })
        case .emit(let pieces): return .emitted(stop: pieces.map(\.job.id).filter { _ in chance(5) })
        default: return .done
        }
    }

    /// New jobs, and some that we had, with the next token.
    mutating func claimed(atMost limit: Int) -> [Job] {
        var ids = tokens.keys.sorted().filter { _ in chance(5) }.prefix(limit)
        while ids.count < limit, chance(70) {
            ids.append("\(nextID)")
            nextID += 1
        }
        return ids.map { id in
            tokens[id, default: 0] += 1
            return Job(id: id, token: "\(tokens[id, default: 0])", kind: Int(id)?.isMultiple(of: 3) == true ? "generate" : "call", payload: "{}")
        }
    }
}

@Suite("Whatever happens, in whatever order")
struct RandomEventTests {
    @Test("A job performed is told until the database has its word; nothing is told twice or nowhere, nothing spins",
        arguments: 0..<12)
    func invariants(batch: Int) {
        for seed in UInt64(batch * 200)..<UInt64((batch + 1) * 200) {
            var world = World(seed: seed)
            world.tell(.started(worker: "test"))
            for _ in 0..<200 where !world.hasLeft { world.step() }
            world.settle()
            world.expect(world.signals > 0 || world.owed.isEmpty, "never told: \(world.owed.map(\.id))")
            let hand = world.state.hand
            world.expect(world.hasLeft || hand.isEmpty, "in hand: \(hand.all.map(\.job.id))")
            #expect(world.complaints.texts.prefix(3) == [], "seed \(seed)")
            guard world.complaints.texts.isEmpty else { return }
        }
    }
}
