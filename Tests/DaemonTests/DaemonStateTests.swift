import Postgres
import Testing

@testable import Daemon

@Suite("Connecting")
struct ConnectingTests {
    @Test("The listening line connects first, takes its role, listens, and only then looks")
    func order() {
        var daemon = Rehearsal()
        #expect(daemon.tell(.started(worker: "w")) == [.connect(.listening)])
        #expect(daemon.tell(.connected(.listening)) == [.send(.listening, .assumeRole)])
        #expect(daemon.answer(.listening, .done) == [.send(.listening, .limitStatements(.seconds(4)))])
        #expect(daemon.answer(.listening, .done) == [.send(.listening, .channels)])
        #expect(daemon.answer(.listening, .channels(["a", "b"])) == [.send(.listening, .listen(channel: "a"))])
        #expect(daemon.answer(.listening, .done) == [.send(.listening, .listen(channel: "b"))])
        #expect(daemon.answer(.listening, .done) == [.connect(.working), .send(.listening, .look)])
    }

    @Test("Without channels it looks at once and lives by polling")
    func noChannels() {
        var daemon = Rehearsal()
        daemon.tell(.started(worker: "w"))
        #expect(daemon.listen(channels: []) == [.connect(.working), .send(.listening, .look)])
    }

    @Test("The working line takes its role, and then there is another look")
    func working() {
        var daemon = Rehearsal()
        daemon.tell(.started(worker: "w"))
        daemon.listen()
        #expect(daemon.tell(.connected(.working)) == [.send(.working, .assumeRole)])
        #expect(daemon.answer(.working, .done) == [.send(.working, .limitStatements(.seconds(300)))])
        #expect(daemon.answer(.working, .done) == [])
        #expect(daemon.answer(.listening, .found(Found())) == [.send(.listening, .look)])
    }

    @Test("Attempts come less and less often, never more than five seconds apart")
    func backOff() {
        var daemon = Rehearsal()
        daemon.tell(.started(worker: "w"))
        var waits: [Duration] = []
        for _ in 1...9 {
            #expect(daemon.tell(.lost(.listening, reason: "refused")) == [])
            let wake = daemon.state.nextWake ?? .zero
            waits.append(wake - daemon.now)
            daemon.now = wake
            #expect(daemon.tell(.woken) == [.connect(.listening)])
        }
        #expect(waits.map(\.milliseconds) == [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000])
    }

    @Test("The dice move each wait between half and the whole")
    func jitter() {
        let backOff = BackOff()
        #expect(backOff.delay(failures: 1, random: 0) == .milliseconds(50))
        #expect(backOff.delay(failures: 3, random: 0.5) == .milliseconds(300))
        #expect(backOff.delay(failures: 1_000_000, random: 0) == .milliseconds(2500))
        #expect(backOff.delay(failures: 0, random: 0) == .milliseconds(50))
    }

    @Test("An outage is logged once for each reason, and once when it is over")
    func quietLog() {
        var daemon = Rehearsal.atRest()
        daemon.lines = []
        daemon.tell(.lost(.listening, reason: "terminated"))
        for _ in 1...20 {
            daemon.pass(.seconds(5))
            daemon.tell(.lost(.listening, reason: "connection refused"))
        }
        daemon.pass(.seconds(5))
        daemon.tell(.lost(.listening, reason: "starting up"))
        daemon.pass(.seconds(5))
        daemon.listen()
        #expect(daemon.lines.map(\.event) == ["lost", "unready", "unready", "ready"])
    }

    @Test("A connection that does not come about in time is given up")
    func connectLimit() {
        var daemon = Rehearsal()
        daemon.tell(.started(worker: "w"))
        #expect(daemon.pass(.milliseconds(29_999)) == [])
        #expect(daemon.pass(.milliseconds(1)) == [.disconnect(.listening)])
        #expect(daemon.pass(.milliseconds(100)) == [.connect(.listening)])
    }

    @Test("A server that falls silent while the line is prepared is given up")
    func prepareLimit() {
        var daemon = Rehearsal()
        daemon.tell(.started(worker: "w"))
        daemon.tell(.connected(.listening))
        #expect(daemon.pass(.seconds(5)) == [.disconnect(.listening)])
    }

    @Test("What is missing is said once, with the next step, and asked for again",
        arguments: [
            ("22023", "run `concierge migrate` on this database"),
            ("42501", "grant the role to the daemon's login: grant concierge_worker to ..."),
        ])
    func missingRole(sqlState: String, hint: String) {
        var daemon = Rehearsal()
        daemon.tell(.started(worker: "w"))
        for _ in 1...5 {
            daemon.tell(.connected(.listening))
            #expect(daemon.refuse(.listening, sqlState) == [.disconnect(.listening)])
            #expect(daemon.pass(.seconds(5)) == [.connect(.listening)])
        }
        #expect(daemon.logged("unready").count == 1)
        #expect(daemon.logged("unready").first?.text.contains(hint) == true)
    }

    @Test("A schema that is not there yet is waited for", arguments: ["3F000", "42P01", "42883", "42704"])
    func missingSchema(sqlState: String) {
        var daemon = Rehearsal()
        daemon.tell(.started(worker: "w"))
        daemon.tell(.connected(.listening))
        daemon.answer(.listening, .done)
        daemon.answer(.listening, .done)
        #expect(daemon.refuse(.listening, sqlState) == [.disconnect(.listening)])
        #expect(daemon.logged("unready").first?.text.contains("concierge migrate") == true)
        #expect(daemon.pass(.milliseconds(100)) == [.connect(.listening)])
    }

    @Test("A standby is waited for until it takes writes")
    func standby() {
        var daemon = Rehearsal()
        daemon.tell(.started(worker: "w"))
        daemon.tell(.connected(.listening))
        daemon.answer(.listening, .done)
        daemon.answer(.listening, .done)
        daemon.answer(.listening, .channels(["queue"]))
        #expect(daemon.refuse(.listening, "25006") == [.disconnect(.listening)])
        #expect(daemon.pass(.milliseconds(100)) == [.connect(.listening)])
    }

    @Test("After a loss the line listens again, and looks although nobody notified")
    func recovery() {
        var daemon = Rehearsal.atRest()
        #expect(daemon.tell(.lost(.listening, reason: "gone")) == [])
        #expect(daemon.pass(.milliseconds(100)) == [.connect(.listening)])
        #expect(looks(daemon.listen()) == 1)
    }

    @Test("The working line waits with its next attempt until the listening line is back")
    func oneAtATime() {
        var daemon = Rehearsal.atRest()
        daemon.tell(.lost(.working, reason: "gone"))
        daemon.tell(.lost(.listening, reason: "gone"))
        #expect(daemon.pass(.milliseconds(100)) == [.connect(.listening)])
        #expect(daemon.pass(.seconds(1)) == [])
        #expect(daemon.listen() == [.connect(.working), .send(.listening, .look)])
    }
}

@Suite("Looking")
struct LookingTests {
    @Test("With nothing to do it looks once a poll interval")
    func poll() {
        var daemon = Rehearsal.atRest()
        for _ in 1...3 {
            #expect(daemon.pass(.milliseconds(999)) == [])
            #expect(daemon.pass(.milliseconds(1)) == [.send(.listening, .look)])
            daemon.answer(.listening, .found(Found()))
        }
    }

    @Test("It wakes earlier for what is planned, but not for what is overdue and was not taken",
        arguments: [(300, 300), (5, 20), (0, 1000), (5000, 1000)])
    func nextDue(dueIn: Int, expected: Int64) {
        var daemon = Rehearsal.atRest()
        daemon.pass(.seconds(1))
        daemon.answer(.listening, .found(Found(nextDueIn: .milliseconds(dueIn))))
        #expect(daemon.state.nextWake.map { ($0 - daemon.now).milliseconds } == expected)
    }

    @Test("One notification is looked at after twenty milliseconds of quiet")
    func quiet() {
        var daemon = Rehearsal.atRest()
        #expect(daemon.tell(.notified) == [])
        #expect(daemon.pass(.milliseconds(19)) == [])
        #expect(daemon.pass(.milliseconds(1)) == [.send(.listening, .look)])
    }

    @Test("A storm gives one look per fifty milliseconds, however dense")
    func storm() {
        var daemon = Rehearsal.atRest()
        var count = 0
        for _ in 1...500 {
            var actions = daemon.tell(.notified)
            actions += daemon.pass(.milliseconds(1))
            guard looks(actions) > 0 else { continue }
            count += looks(actions)
            daemon.answer(.listening, .found(Found()))
        }
        #expect(count == 10)
    }

    @Test("Notifications that arrive during a look are looked at after it")
    func duringLook() {
        var daemon = Rehearsal.atRest()
        daemon.tell(.notified)
        daemon.pass(.milliseconds(20))
        for _ in 1...30 { #expect(daemon.tell(.notified) == []) }
        #expect(daemon.answer(.listening, .found(Found())) == [])
        #expect(daemon.pass(.milliseconds(20)) == [.send(.listening, .look)])
    }

    @Test("A reason to look that arises while a look is on its way is not lost with its answer")
    func reasonDuringLook() {
        var daemon = Rehearsal.refreshing()
        #expect(daemon.pass(.milliseconds(25)) == [.send(.listening, .look)])
        daemon.answer(.working, .done) // the refresh is done, but the look was too early to see what came meanwhile
        #expect(daemon.answer(.listening, .found(Found())) == [])
        #expect(daemon.pass(.milliseconds(100)) == [.send(.listening, .look)])
    }

    @Test("After work it lingers: 25, 50, then 100 ms, until a look finds nothing")
    func linger() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.seconds(1))
        var waits: [Int64] = []
        for _ in 1...5 {
            daemon.answer(.listening, .found(Found(refreshCalls: ["call r()"])))
            waits.append(((daemon.state.nextWake ?? .zero) - daemon.now).milliseconds)
            #expect(daemon.answer(.working, .done) == [])
            #expect(daemon.pass(.milliseconds(100)).contains(.send(.listening, .look)))
        }
        #expect(waits == [25, 50, 100, 100, 100])
        daemon.answer(.listening, .found(Found()))
        #expect(daemon.pass(.milliseconds(999)) == [])
        #expect(daemon.pass(.milliseconds(1)) == [.send(.listening, .look)])
        daemon.answer(.listening, .found(Found(refreshCalls: ["call r()"])))
        #expect(daemon.state.nextWake == daemon.now + .milliseconds(25))
    }

    @Test("A look that fails is repeated less and less often, and no notification makes it more often")
    func failing() {
        var daemon = Rehearsal.atRest { $0.heartbeat = .seconds(600) }
        daemon.pass(.seconds(1))
        var count = 0
        daemon.refuse(.listening, "42883", "function queue.look(text[]) does not exist")
        for _ in 1...10_000 {
            daemon.tell(.notified)
            for action in daemon.pass(.milliseconds(1)) where action == .send(.listening, .look) {
                count += 1
                daemon.refuse(.listening, "42883", "function queue.look(text[]) does not exist")
            }
        }
        #expect((6...8).contains(count))
        #expect(daemon.logged("blind").count == 1)
        #expect(daemon.logged("blind").first?.text.contains("concierge migrate") == true)
        daemon.pass(.seconds(5))
        daemon.answer(.listening, .found(Found()))
        #expect(daemon.logged("recovered").count == 1)
    }

    @Test("A look that is not answered within five seconds means the connection is dead")
    func unanswered() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.seconds(1))
        #expect(daemon.pass(.milliseconds(4999)) == [])
        #expect(daemon.pass(.milliseconds(1)) == [.disconnect(.listening)])
        #expect(daemon.pass(.milliseconds(100)) == [.connect(.listening)])
    }

    @Test("The server's own farewell means reconnect", arguments: ["57P01", "57P02", "57P03", "08006"])
    func farewell(sqlState: String) {
        var daemon = Rehearsal.atRest()
        daemon.pass(.seconds(1))
        #expect(daemon.refuse(.listening, sqlState) == [.disconnect(.listening)])
    }
}

@Suite("Heartbeat")
struct HeartbeatTests {
    /// Far apart polls, so that the heartbeat stands alone.
    func resting() -> Rehearsal { .atRest { $0.poll = .seconds(60) } }

    @Test("Every ten seconds the listening line asks whether it still listens")
    func every10Seconds() {
        var daemon = resting()
        #expect(daemon.pass(.milliseconds(9999)) == [])
        #expect(daemon.pass(.milliseconds(1)) == [.send(.listening, .heartbeat)])
        #expect(daemon.answer(.listening, .channels([])) == [])
        #expect(daemon.pass(.seconds(10)) == [.send(.listening, .heartbeat)])
    }

    @Test("No answer for five seconds: reconnect, listen, look")
    func silent() {
        var daemon = resting()
        daemon.pass(.seconds(10))
        #expect(daemon.pass(.seconds(5)) == [.disconnect(.listening)])
        #expect(daemon.pass(.milliseconds(100)) == [.connect(.listening)])
        #expect(looks(daemon.listen()) == 1)
    }

    @Test("A channel it should hear and does not is listened to, and then looked at")
    func deaf() {
        var daemon = resting()
        daemon.pass(.seconds(10))
        #expect(daemon.answer(.listening, .channels(["new"])) == [.send(.listening, .listen(channel: "new"))])
        #expect(daemon.answer(.listening, .done) == [.send(.listening, .look)])
        #expect(daemon.logged("deaf").count == 1)
    }

    @Test("A heartbeat that is refused is no heartbeat")
    func refused() {
        var daemon = resting()
        daemon.pass(.seconds(10))
        #expect(daemon.refuse(.listening, "57014") == [.disconnect(.listening)])
    }
}

@Suite("Refreshing")
struct RefreshingTests {
    let call = "call event.refresh()"

    @Test("Refreshes go to the working line one at a time, each once however often it is found")
    func oneAtATime() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.seconds(1))
        let first = daemon.answer(.listening, .found(Found(refreshCalls: ["call a()", "call b()", "call a()"])))
        #expect(first == [.send(.working, .refresh(call: "call a()"))])
        #expect(daemon.pass(.milliseconds(25)) == [.send(.listening, .look)])
        #expect(daemon.answer(.listening, .found(Found(refreshCalls: ["call a()", "call b()"]))) == [])
        #expect(daemon.answer(.working, .done) == [.send(.working, .refresh(call: "call b()"))])
        #expect(daemon.answer(.working, .done) == [])
    }

    @Test("When a refresh is done there is another look: a writer may have stayed silent meanwhile")
    func lookAfter() {
        var daemon = Rehearsal.refreshing()
        daemon.pass(.milliseconds(25))
        daemon.answer(.listening, .found(Found(refreshCalls: [call])))
        #expect(daemon.pass(.milliseconds(500)) == [])
        daemon.answer(.working, .done)
        #expect(daemon.pass(.milliseconds(50)) == [.send(.listening, .look)])
        let found = daemon.answer(.listening, .found(Found(refreshCalls: [call])))
        #expect(found == [.send(.working, .refresh(call: call))])
    }

    @Test("A refresh that fails gives its lock back, is complained of once, and rests longer each time")
    func failing() {
        var daemon = Rehearsal.refreshing()
        var attempts = 0
        #expect(daemon.refuse(.working, "P0001", "no") == [.send(.working, .unlock)])
        daemon.answer(.working, .done)
        for _ in 1...60_000 / 25 {
            for action in daemon.pass(.milliseconds(25)) {
                switch action {
                case .send(.listening, .look):
                    let found = daemon.answer(.listening, .found(Found(refreshCalls: [call])))
                    for case .send(.working, .refresh) in found {
                        attempts += 1
                        daemon.refuse(.working, "P0001", "no")
                        daemon.answer(.working, .done)
                    }
                case .send(.listening, .heartbeat):
                    daemon.answer(.listening, .channels([]))
                default:
                    break
                }
            }
        }
        #expect((10...16).contains(attempts))
        #expect(daemon.logged("unrefreshed").count <= 2)
    }

    @Test("A lost connection forgets the refresh; the look after reconnecting finds it")
    func lost() {
        var daemon = Rehearsal.refreshing()
        daemon.tell(.lost(.working, reason: "gone"))
        #expect(daemon.pass(.milliseconds(25)) == [.send(.listening, .look)])
        #expect(daemon.answer(.listening, .found(Found(refreshCalls: [call]))) == [])
        #expect(daemon.pass(.milliseconds(75)).contains(.connect(.working)))
        #expect(daemon.startWorking() == [.send(.working, .refresh(call: call))])
    }

    @Test("A refresh may take its time, but not for ever")
    func limit() {
        var daemon = Rehearsal.refreshing { $0.refreshLimit = .seconds(60); $0.poll = .seconds(600) }
        daemon.tell(.lost(.listening, reason: "out of the way"))
        #expect(!daemon.pass(.seconds(64)).contains(.disconnect(.working)))
        #expect(daemon.pass(.seconds(1)).contains(.disconnect(.working)))
    }
}

@Suite("Jobs")
struct JobTests {
    let job = Rehearsal.job
    let result = Rehearsal.result

    @Test("Due jobs are claimed, performed, and ended on the working line")
    func course() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.seconds(1))
        #expect(daemon.answer(.listening, .found(Found(jobsDue: 1))) == [.send(.listening, .claim(limit: 16))])
        #expect(daemon.answer(.listening, .claimed([job])) == [.perform(job)])
        #expect(daemon.tell(.performed(job, result)) == [.send(.working, .end(job, result))])
        #expect(daemon.answer(.working, .accepted(true)) == [])
        #expect(daemon.state.hand.isEmpty)
        #expect(daemon.logged("finished").count == 1)
    }

    @Test("No more are claimed than there is room for, and the rest as soon as half the room is free")
    func capacity() {
        var daemon = Rehearsal.atRest { $0.capacity = 2 }
        let jobs = ["1", "2"].map { Job(id: $0, token: "t", kind: "deliver", payload: "{}") }
        daemon.pass(.seconds(1))
        #expect(daemon.answer(.listening, .found(Found(jobsDue: 9))) == [.send(.listening, .claim(limit: 2))])
        daemon.answer(.listening, .claimed(jobs))
        #expect(daemon.pass(.milliseconds(25)) == [.send(.listening, .look)])
        #expect(daemon.answer(.listening, .found(Found(jobsDue: 7))) == [])
        daemon.tell(.performed(jobs[0], result))
        #expect(daemon.answer(.working, .accepted(true)) == [.send(.listening, .claim(limit: 1))])
    }

    @Test("Nothing is claimed while there is no line to end it on")
    func noWorkingLine() {
        var daemon = Rehearsal.atRest()
        daemon.tell(.lost(.working, reason: "gone"))
        daemon.pass(.seconds(1))
        #expect(daemon.answer(.listening, .found(Found(jobsDue: 1))) == [])
    }

    @Test("A stale token is logged and forgotten")
    func stale() {
        var daemon = Rehearsal.withJob()
        daemon.tell(.performed(job, result))
        daemon.answer(.working, .accepted(false))
        #expect(daemon.state.hand.isEmpty)
        #expect(daemon.logged("stale").count == 1)
        #expect(daemon.logged("finished").isEmpty)
    }

    @Test("The lease of a job in hand is extended every five seconds; when it is lost, so is the job")
    func extend() {
        var daemon = Rehearsal.withJob { $0.poll = .seconds(60); $0.heartbeat = .seconds(60); $0.linger = [] }
        #expect(daemon.pass(.milliseconds(4999)) == [])
        #expect(daemon.pass(.milliseconds(1)) == [.send(.listening, .extend(job))])
        #expect(daemon.answer(.listening, .accepted(true)) == [])
        #expect(daemon.pass(.seconds(5)).first == .send(.listening, .extend(job)))
        daemon.answer(.listening, .accepted(false))
        #expect(daemon.state.hand.isEmpty)
        #expect(daemon.tell(.performed(job, result)) == [])
    }

    @Test("The end of a job whose connection broke is told again on the next one")
    func retold() {
        var daemon = Rehearsal.withJob()
        daemon.tell(.performed(job, result))
        daemon.tell(.lost(.working, reason: "gone"))
        #expect(daemon.pass(.milliseconds(100)).contains(.connect(.working)))
        #expect(daemon.startWorking() == [.send(.working, .end(job, result))])
    }

    @Test("An end that breaks the connection every time is given up after five attempts")
    func poison() {
        var daemon = Rehearsal.withJob()
        daemon.tell(.performed(job, result))
        for _ in 1...4 {
            daemon.tell(.lost(.working, reason: "crash"))
            daemon.pass(.seconds(4))
            daemon.answer(.listening, .found(Found()))
            #expect(daemon.startWorking().contains(.send(.working, .end(job, result))))
        }
        daemon.tell(.lost(.working, reason: "crash"))
        #expect(daemon.state.hand.isEmpty)
        #expect(daemon.logged("abandoned").count == 1)
    }

    @Test("A collision is tried again after a wait", arguments: ["40001", "40P01", "55P03"])
    func collision(sqlState: String) {
        var daemon = Rehearsal.withJob { $0.linger = [] }
        daemon.tell(.performed(job, result))
        #expect(daemon.refuse(.working, sqlState) == [])
        #expect(daemon.pass(.milliseconds(99)) == [])
        #expect(daemon.pass(.milliseconds(1)) == [.send(.working, .end(job, result))])
    }

    @Test("What a continuation refuses becomes the job's failure; a failure nobody takes is left to the lease")
    func refused() {
        var daemon = Rehearsal.withJob()
        daemon.tell(.performed(job, result))
        let failure = Outcome.failed(error: "the continuation failed: no such person [QC201]")
        #expect(daemon.refuse(.working, "QC201", "no such person") == [.send(.working, .end(job, failure))])
        #expect(daemon.refuse(.working, "XX000") == [])
        #expect(daemon.state.hand.isEmpty)
        #expect(daemon.lines.map(\.event).suffix(2) == ["unfinished", "abandoned"])
    }

    @Test("Neither payload, token, result nor failure is ever in the log")
    func secrets() {
        var daemon = Rehearsal.withJob()
        let secret = Job(id: "7", token: "hush", kind: "deliver", payload: #"{"secret":1}"#)
        daemon.pass(.milliseconds(25))
        daemon.answer(.listening, .found(Found(jobsDue: 1)))
        daemon.answer(.listening, .claimed([secret]))
        daemon.tell(.performed(secret, .finished(result: #"{"secret":2}"#)))
        daemon.answer(.working, .accepted(true))
        daemon.tell(.performed(Rehearsal.job, .failed(error: "secret is not a channel")))
        daemon.answer(.working, .accepted(true))
        #expect(daemon.lines.map(\.event).suffix(2) == ["finished", "failed"])
        #expect(!daemon.lines.isEmpty)
        #expect(!daemon.lines.contains { $0.text.contains("secret") || $0.text.contains("hush") })
    }

    @Test("A refresh gets its turn although jobs never end")
    func fairness() {
        var daemon = Rehearsal.atRest { $0.capacity = 2 }
        daemon.pass(.seconds(1))
        daemon.answer(.listening, .found(Found(jobsDue: 99)))
        var number = 0
        var ends = 0
        func more(_ count: Int) -> [Job] {
            (0..<count).map { Job(id: "\(number + $0)", token: "t", kind: "deliver", payload: "{}") }
        }
        var pending = daemon.answer(.listening, .claimed(more(2)))
        number = 2
        var refreshed = false
        for _ in 1...100 where !refreshed {
            let next = pending
            pending = []
            for action in next {
                switch action {
                case .perform(let job): pending += daemon.tell(.performed(job, result))
                case .send(.working, .end): ends += 1; pending += daemon.answer(.working, .accepted(true))
                case .send(.listening, .claim(let limit)):
                    pending += daemon.answer(.listening, .claimed(more(limit)))
                    number += limit
                    pending += daemon.pass(.milliseconds(25))
                case .send(.listening, .look):
                    pending += daemon.answer(.listening, .found(Found(refreshCalls: ["call r()"], jobsDue: 99)))
                case .send(.working, .refresh): refreshed = true
                default: break
                }
            }
        }
        #expect(refreshed)
        #expect(ends < 12)
    }
}

@Suite("Stopping")
struct StoppingTests {
    let leaveBoth: [Action] = [.disconnect(.listening), .disconnect(.working), .leave]

    @Test("With nothing in hand it leaves at once, whatever the lines are doing")
    func idle() {
        var unconnected = Rehearsal()
        unconnected.tell(.started(worker: "w"))
        #expect(unconnected.tell(.signalled) == [.disconnect(.listening), .leave])

        var preparing = Rehearsal()
        preparing.tell(.started(worker: "w"))
        preparing.tell(.connected(.listening))
        #expect(preparing.tell(.signalled) == [.disconnect(.listening), .leave])

        var down = Rehearsal()
        down.tell(.started(worker: "w"))
        down.tell(.lost(.listening, reason: "gone"))
        #expect(down.tell(.signalled) == [.leave])

        var resting = Rehearsal.atRest()
        #expect(resting.tell(.signalled) == leaveBoth)

        var gathering = Rehearsal.atRest()
        gathering.tell(.notified)
        #expect(gathering.tell(.signalled) == leaveBoth)

        var looking = Rehearsal.atRest()
        looking.pass(.seconds(1))
        #expect(looking.tell(.signalled) == leaveBoth)

        var beating = Rehearsal.atRest { $0.poll = .seconds(60) }
        beating.pass(.seconds(10))
        #expect(beating.tell(.signalled) == leaveBoth)
    }

    @Test("A job in hand is performed and ended first; nothing new is claimed")
    func job() {
        var daemon = Rehearsal.withJob()
        #expect(daemon.tell(.signalled) == [])
        #expect(daemon.tell(.notified) == [])
        #expect(looks(daemon.pass(.seconds(3))) == 0)
        let ended = daemon.tell(.performed(Rehearsal.job, Rehearsal.result))
        #expect(ended == [.send(.working, .end(Rehearsal.job, Rehearsal.result))])
        #expect(daemon.answer(.working, .accepted(true)) == leaveBoth)
    }

    @Test("A claim under way is waited for: what it brings is in hand")
    func claiming() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.seconds(1))
        daemon.answer(.listening, .found(Found(jobsDue: 1)))
        #expect(daemon.tell(.signalled) == [])
        #expect(daemon.answer(.listening, .claimed([Rehearsal.job])) == [.perform(Rehearsal.job)])
        daemon.tell(.performed(Rehearsal.job, Rehearsal.result))
        #expect(daemon.answer(.working, .accepted(true)) == leaveBoth)
    }

    @Test("A look under way leads to nothing more")
    func looking() {
        var daemon = Rehearsal.withJob()
        daemon.pass(.milliseconds(25))
        #expect(daemon.tell(.signalled) == [])
        #expect(daemon.answer(.listening, .found(Found(refreshCalls: ["call r()"], jobsDue: 5))) == [])
    }

    @Test("A refresh under way is waited for, the waiting ones are not made")
    func refresh() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.seconds(1))
        daemon.answer(.listening, .found(Found(refreshCalls: ["call a()", "call b()"])))
        #expect(daemon.tell(.signalled) == [])
        #expect(daemon.answer(.working, .done) == leaveBoth)
    }

    @Test("After ten seconds the statement under way is cancelled, and a second later it leaves in any case")
    func limit() {
        var daemon = Rehearsal.refreshing()
        daemon.tell(.signalled)
        #expect(daemon.pass(.milliseconds(9999)).filter { $0 != .disconnect(.listening) } == [])
        #expect(daemon.pass(.milliseconds(1)) == [.cancel(.working)])
        #expect(daemon.pass(.milliseconds(999)) == [])
        #expect(daemon.pass(.milliseconds(1)).last == .leave)
    }

    @Test("The answer to the cancel ends the wait")
    func cancelled() {
        var daemon = Rehearsal.refreshing()
        daemon.tell(.signalled)
        daemon.pass(.seconds(10))
        #expect(daemon.refuse(.working, "57014") == [.send(.working, .unlock)])
        #expect(daemon.answer(.working, .done).last == .leave)
    }

    @Test("A job that is still being performed at the limit is left to its lease")
    func performing() {
        var daemon = Rehearsal.withJob()
        daemon.tell(.signalled)
        #expect(daemon.pass(.seconds(10)).last == .leave)
    }

    @Test("A second signal means now")
    func second() {
        var daemon = Rehearsal.refreshing()
        daemon.tell(.signalled)
        #expect(daemon.tell(.signalled) == [.cancel(.working)] + leaveBoth)
        #expect(daemon.tell(.signalled) == [])
        #expect(daemon.state.nextWake == nil)
    }

    @Test("A job's end is still told when the connection breaks while stopping")
    func lostWhileStopping() {
        var daemon = Rehearsal.withJob()
        daemon.tell(.performed(Rehearsal.job, Rehearsal.result))
        daemon.tell(.signalled)
        daemon.tell(.lost(.listening, reason: "gone"))
        daemon.tell(.lost(.working, reason: "gone"))
        #expect(daemon.pass(.milliseconds(100)) == [.connect(.working)])
        #expect(daemon.startWorking() == [.send(.working, .end(Rehearsal.job, Rehearsal.result))])
        #expect(daemon.answer(.working, .accepted(true)) == [.disconnect(.working), .leave])
    }

    @Test("A refresh whose connection breaks while stopping is not waited for")
    func refreshLost() {
        var daemon = Rehearsal.refreshing()
        daemon.tell(.signalled)
        #expect(daemon.tell(.lost(.working, reason: "gone")).last == .leave)
    }
}
