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
        let ready = daemon.answer(.listening, .done)
        #expect(ready == [.connect(.refreshing), .connect(.ending(0)), .send(.listening, .look)])
    }

    @Test("Without channels it looks at once and lives by polling")
    func noChannels() {
        var daemon = Rehearsal()
        daemon.tell(.started(worker: "w"))
        let ready = daemon.listen(channels: [])
        #expect(ready == [.connect(.refreshing), .connect(.ending(0)), .send(.listening, .look)])
    }

    @Test("The other lines take their role and their limit, and then there is another look",
        arguments: [(Link.refreshing, Duration.seconds(300)), (.ending(0), .seconds(24))])
    func others(link: Link, limit: Duration) {
        var daemon = Rehearsal()
        daemon.tell(.started(worker: "w"))
        daemon.listen()
        #expect(daemon.tell(.connected(link)) == [.send(link, .assumeRole)])
        #expect(daemon.answer(link, .done) == [.send(link, .limitStatements(limit))])
        #expect(daemon.answer(link, .done) == [])
        var actions = daemon.answer(.listening, .found(Found()))
        actions += daemon.answer(.listening, .claimed([]))
        #expect(looks(actions) == 1)
    }

    @Test("The first claim is made although nothing is due: it makes the worker known")
    func firstClaim() {
        var daemon = Rehearsal()
        daemon.tell(.started(worker: "w"))
        daemon.listen()
        daemon.answer(.listening, .found(Found()))
        #expect(daemon.start(.ending(0)) == [.send(.listening, .claim(limit: 500))])
        #expect(daemon.answer(.listening, .claimed([])) == [.send(.listening, .look)])
    }

    @Test("Neither the answer to a look nor an error of one prevents the first claim")
    func firstClaimAfterLook() {
        var looking = Rehearsal()
        looking.tell(.started(worker: "w"))
        looking.listen()
        #expect(looking.start(.ending(0)) == [])
        #expect(looking.answer(.listening, .found(Found())) == [.send(.listening, .claim(limit: 500))])

        var failing = Rehearsal()
        failing.tell(.started(worker: "w"))
        failing.listen()
        failing.start(.ending(0))
        failing.refuse(.listening, "42883")
        #expect(failing.pass(.milliseconds(100)) == [.send(.listening, .look)])
        #expect(failing.answer(.listening, .found(Found())) == [.send(.listening, .claim(limit: 500))])

        var lost = Rehearsal()
        lost.tell(.started(worker: "w"))
        lost.listen()
        lost.start(.ending(0))
        lost.tell(.lost(.listening, reason: "gone"))
        #expect(lost.pass(.milliseconds(100)) == [.connect(.listening)])
        lost.listen()
        #expect(lost.answer(.listening, .found(Found())) == [.send(.listening, .claim(limit: 500))])
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

    @Test("The other lines wait with their next attempt until the listening line is back")
    func oneAtATime() {
        var daemon = Rehearsal.atRest()
        daemon.tell(.lost(.refreshing, reason: "gone"))
        daemon.tell(.lost(.ending(0), reason: "gone"))
        daemon.tell(.lost(.listening, reason: "gone"))
        #expect(daemon.pass(.milliseconds(100)) == [.connect(.listening)])
        #expect(daemon.pass(.seconds(1)) == [])
        let ready = daemon.listen()
        #expect(ready == [.connect(.refreshing), .connect(.ending(0)), .send(.listening, .look)])
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

    @Test("After a rest a notification is looked at at once")
    func atOnce() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.milliseconds(50))
        #expect(daemon.tell(.notified) == [.send(.listening, .look)])
    }

    @Test("After a rest, announced jobs are claimed without a look before")
    func claimedAtOnce() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.milliseconds(20))
        #expect(daemon.tell(.enqueued) == [.send(.listening, .claim(limit: daemon.state.configuration.capacity))])
        #expect(daemon.tell(.notified) == [])
        #expect(looks(daemon.answer(.listening, .claimed([]))) == 0)
        #expect(daemon.pass(.milliseconds(20)) == [.send(.listening, .look)])
    }

    @Test("A storm of announced jobs gives a claim per twenty milliseconds, however dense")
    func claimStorm() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.milliseconds(20))
        var count = 0
        for _ in 1...500 {
            var actions = daemon.tell(.enqueued) + daemon.tell(.notified)
            actions += daemon.pass(.milliseconds(1))
            for action in actions {
                guard case .send(.listening, let request) = action else { continue }
                if case .claim = request { count += 1 }
                daemon.answer(.listening, request == .look ? .found(Found()) : .claimed([]))
            }
        }
        #expect(15...25 ~= count)
    }

    @Test("Soon after a look one is looked at after twenty milliseconds of quiet")
    func quiet() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.milliseconds(49))
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
        daemon.answer(.refreshing, .done) // the refresh is done, but the look was too early to see what came meanwhile
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
            #expect(daemon.answer(.refreshing, .done) == [])
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
        var daemon = Rehearsal.atRest { $0.heartbeat = .seconds(600); $0.extend = .seconds(600) }
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

    @Test("Claims that fail are made less and less often too, although the looks between them do not fail")
    func failingClaims() {
        var daemon = Rehearsal.atRest { $0.heartbeat = .seconds(600); $0.extend = .seconds(600) }
        var claims = 0
        for _ in 1...10_000 {
            daemon.tell(.notified)
            for action in daemon.pass(.milliseconds(1)) where action == .send(.listening, .look) {
                guard daemon.answer(.listening, .found(Found(hasJobs: true))) != [] else { continue }
                claims += 1
                daemon.refuse(.listening, "42501")
            }
        }
        #expect((6...9).contains(claims))
        #expect(daemon.logged("blind").count == 1)
        #expect(daemon.logged("recovered").isEmpty)
        daemon.pass(.seconds(5))
        daemon.answer(.listening, .found(Found(hasJobs: true)))
        daemon.answer(.listening, .claimed([]))
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
    /// Polls and extensions far apart, so that the heartbeat stands alone.
    func resting() -> Rehearsal { .atRest { $0.poll = .seconds(60); $0.extend = .seconds(600) } }

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

    @Test("Work does not keep it waiting")
    func underLoad() {
        var daemon = resting()
        daemon.pass(.milliseconds(9999))
        daemon.tell(.notified)
        daemon.pass(.milliseconds(1))
        #expect(daemon.answer(.listening, .found(Found(hasJobs: true))) == [.send(.listening, .heartbeat)])
        #expect(daemon.answer(.listening, .channels([])) == [.send(.listening, .claim(limit: 500))])
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

    @Test("Refreshes go to their line one at a time, each once however often it is found")
    func oneAtATime() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.seconds(1))
        let first = daemon.answer(.listening, .found(Found(refreshCalls: ["call a()", "call b()", "call a()"])))
        #expect(first == [.send(.refreshing, .refresh(call: "call a()"))])
        #expect(daemon.pass(.milliseconds(25)) == [.send(.listening, .look)])
        #expect(daemon.answer(.listening, .found(Found(refreshCalls: ["call a()", "call b()"]))) == [])
        #expect(daemon.answer(.refreshing, .done) == [.send(.refreshing, .refresh(call: "call b()"))])
        #expect(daemon.answer(.refreshing, .done) == [])
    }

    @Test("When a refresh is done there is another look: a writer may have stayed silent meanwhile")
    func lookAfter() {
        var daemon = Rehearsal.refreshing()
        daemon.pass(.milliseconds(25))
        daemon.answer(.listening, .found(Found(refreshCalls: [call])))
        #expect(daemon.pass(.milliseconds(500)) == [])
        daemon.answer(.refreshing, .done)
        #expect(daemon.pass(.milliseconds(50)) == [.send(.listening, .look)])
        let found = daemon.answer(.listening, .found(Found(refreshCalls: [call])))
        #expect(found == [.send(.refreshing, .refresh(call: call))])
    }

    @Test("A refresh that fails gives its lock back, is complained of once, and rests longer each time")
    func failing() {
        var daemon = Rehearsal.refreshing { $0.extend = .seconds(600) }
        var attempts = 0
        #expect(daemon.refuse(.refreshing, "P0001", "no") == [.send(.refreshing, .unlock)])
        daemon.answer(.refreshing, .done)
        for _ in 1...60_000 / 25 {
            for action in daemon.pass(.milliseconds(25)) {
                switch action {
                case .send(.listening, .look):
                    let found = daemon.answer(.listening, .found(Found(refreshCalls: [call])))
                    for case .send(.refreshing, .refresh) in found {
                        attempts += 1
                        daemon.refuse(.refreshing, "P0001", "no")
                        daemon.answer(.refreshing, .done)
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
        daemon.tell(.lost(.refreshing, reason: "gone"))
        #expect(daemon.pass(.milliseconds(25)) == [.send(.listening, .look)])
        #expect(daemon.answer(.listening, .found(Found(refreshCalls: [call]))) == [])
        #expect(daemon.pass(.milliseconds(75)).contains(.connect(.refreshing)))
        #expect(daemon.start(.refreshing) == [.send(.refreshing, .refresh(call: call))])
    }

    @Test("A refresh may take its time, but not for ever")
    func limit() {
        var daemon = Rehearsal.refreshing { $0.refreshLimit = .seconds(60); $0.poll = .seconds(600) }
        daemon.tell(.lost(.listening, reason: "out of the way"))
        #expect(!daemon.pass(.seconds(64)).contains(.disconnect(.refreshing)))
        #expect(daemon.pass(.seconds(1)).contains(.disconnect(.refreshing)))
    }
}

@Suite("Jobs")
struct JobTests {
    let job = Rehearsal.job

    @Test("Due jobs are claimed, performed, and ended on an ending line")
    func course() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.seconds(1))
        let found = daemon.answer(.listening, .found(Found(hasJobs: true)))
        #expect(found == [.send(.listening, .claim(limit: 500))])
        #expect(daemon.answer(.listening, .claimed([job])) == [.perform(job)])
        #expect(daemon.perform(job) == [.send(.ending(0), finish(job))])
        #expect(daemon.answer(.ending(0), .accepted(["1"])) == [])
        #expect(daemon.state.hand.isEmpty)
        #expect(daemon.logged("finished").count == 1)
    }

    @Test("A failure is told with its fault")
    func failure() {
        var daemon = Rehearsal.withJob()
        let failure = Failure(error: "busy", fault: .rate, retryAfter: .seconds(30))
        #expect(daemon.perform(job, .failed(failure)) == [.send(.ending(0), .fail(job, failure))])
        daemon.answer(.ending(0), .accepted(["1"]))
        #expect(daemon.state.hand.isEmpty)
        #expect(daemon.logged("failed").map(\.text) == ["event=failed job=1 kind=call fault=rate trace=\"\""])
    }

    @Test("No more are claimed than there is room for, and the rest as soon as half the room is free")
    func capacity() {
        var daemon = Rehearsal.atRest { $0.capacity = 2 }
        let jobs = [Rehearsal.numbered(1), Rehearsal.numbered(2)]
        daemon.pass(.seconds(1))
        let found = daemon.answer(.listening, .found(Found(hasJobs: true)))
        #expect(found == [.send(.listening, .claim(limit: 2))])
        daemon.answer(.listening, .claimed(jobs))
        #expect(daemon.pass(.milliseconds(25)) == [.send(.listening, .look)])
        #expect(daemon.answer(.listening, .found(Found(hasJobs: true))) == [])
        daemon.perform(jobs[0])
        #expect(daemon.answer(.ending(0), .accepted(["1"])) == [.send(.listening, .claim(limit: 1))])
    }

    @Test("Nothing is claimed while there is no line to end it on")
    func noEndingLine() {
        var daemon = Rehearsal.atRest()
        daemon.tell(.lost(.ending(0), reason: "gone"))
        daemon.pass(.seconds(1))
        #expect(daemon.answer(.listening, .found(Found(hasJobs: true))) == [])
    }

    @Test("With the hand full no claim is made, not even when the ending line comes back")
    func noRoom() {
        var daemon = Rehearsal.withJob { $0.capacity = 1; $0.poll = .seconds(1) }
        daemon.tell(.lost(.ending(0), reason: "gone"))
        #expect(daemon.pass(.milliseconds(100)) == [.connect(.ending(0))])
        #expect(daemon.start(.ending(0)) == [.send(.listening, .look)])
        #expect(daemon.answer(.listening, .found(Found(hasJobs: true))) == [])
    }

    @Test("A stale token is logged and forgotten")
    func stale() {
        var daemon = Rehearsal.withJob()
        daemon.perform(job)
        daemon.answer(.ending(0), .accepted([]))
        #expect(daemon.state.hand.isEmpty)
        #expect(daemon.logged("stale").count == 1)
        #expect(daemon.logged("finished").isEmpty)
    }

    @Test("Neither payload, token, result nor failure is ever in the log, whatever becomes of the job")
    func secrets() {
        func secret(_ number: Int) -> Job {
            Job(id: "\(number)", token: "hush", kind: "call", payload: #"{"secret":1}"#)
        }
        let result = Outcome.finished(result: #"{"secret":2}"#)
        let failed = Outcome.failed(Failure(error: "secret is not a channel"))
        var daemon = Rehearsal.with((1...9).map(secret)) { $0.extend = .seconds(100) }

        daemon.perform(secret(1), result)
        daemon.answer(.ending(0), .accepted(["1"]))
        daemon.perform(secret(2), failed)
        daemon.answer(.ending(0), .accepted(["2"]))
        daemon.perform(secret(3), result)
        daemon.answer(.ending(0), .accepted([]))
        daemon.perform(secret(4), result)
        daemon.refuse(.ending(0), "P0001", "no such secret")
        daemon.refuse(.ending(0), "P0001", "no such secret")
        daemon.perform(secret(5), result)
        for _ in 1...5 {
            daemon.tell(.lost(.ending(0), reason: "gone"))
            daemon.pass(.milliseconds(1600))
            daemon.start(.ending(0))
            daemon.answer(.listening, .found(Found(toStop: ["6"])))
        }
        daemon.perform(secret(7), result)
        daemon.refuse(.ending(0), "40P01", "deadlock over a secret")
        daemon.now = .seconds(100)
        #expect(daemon.tell(.woken).first == .send(.listening, .extend))
        daemon.answer(.listening, .extended(stop: nil))
        daemon.answer(.ending(0), .accepted([]))
        daemon.claim([secret(10)])
        daemon.tell(.signalled)
        daemon.pass(.seconds(60))

        let events = Set(daemon.lines.map(\.event))
        #expect(events.isSuperset(of: [
            "claimed", "finished", "failed", "stale", "unfinished", "abandoned", "cancelled", "lease.lost",
            "stopping", "stopping.late", "stopped",
        ]))
        #expect(!daemon.lines.contains { $0.text.contains("secret") || $0.text.contains("hush") })
    }

    @Test("A look that is due comes before the next claim, also when that is always wanted")
    func lookBetweenClaims() {
        var daemon = Rehearsal.with([Rehearsal.numbered(1), Rehearsal.numbered(2)]) { configuration in
            configuration.capacity = 2
            configuration.linger = [.milliseconds(25)]
        }
        daemon.perform(Rehearsal.numbered(1))
        #expect(daemon.answer(.ending(0), .accepted(["1"])) == [.send(.listening, .claim(limit: 1))])
        daemon.perform(Rehearsal.numbered(2))
        daemon.answer(.ending(0), .accepted(["2"])) // half the room is free again
        daemon.now += .milliseconds(25)
        let claimed = daemon.answer(.listening, .claimed([Rehearsal.numbered(3)]))
        #expect(claimed == [.perform(Rehearsal.numbered(3)), .send(.listening, .look)])
        let found = daemon.answer(.listening, .found(Found(hasJobs: true)))
        #expect(found == [.send(.listening, .claim(limit: 1))])
    }

    @Test("Refreshes, looks and extensions get their turn although jobs never end")
    func fairness() {
        var daemon = Rehearsal.atRest { $0.capacity = 4 }
        var number = 0
        func more(_ count: Int) -> [Job] {
            defer { number += count }
            return (0..<count).map { Rehearsal.numbered(number + $0) }
        }
        var counts: [String: Int] = [:]
        daemon.now += .milliseconds(50)
        var pending = daemon.tell(.notified)
        for _ in 1...1000 {
            daemon.now += .milliseconds(10)
            let next = pending
            pending = []
            // The ends first: when the claim is answered, the next one is already wanted.
            for case .send(.ending(let number), let end) in next {
                pending += daemon.answer(.ending(number), .accepted(end.ending.map(\.id)))
            }
            for action in next {
                switch action {
                case .perform(let job): pending += daemon.perform(job)
                case .connect(let link): pending += daemon.start(link)
                case .send(.listening, let question):
                    switch question {
                    case .claim(let limit):
                        counts["claim", default: 0] += 1
                        pending += daemon.answer(.listening, .claimed(more(limit)))
                    case .look:
                        counts["look", default: 0] += 1
                        let found = Found(refreshCalls: ["call r()"], hasJobs: true)
                        pending += daemon.answer(.listening, .found(found))
                    case .extend:
                        counts["extend", default: 0] += 1
                        pending += daemon.answer(.listening, .extended(stop: []))
                    default: pending += daemon.answer(.listening, .channels([]))
                    }
                case .send(.refreshing, _):
                    counts["refresh", default: 0] += 1
                    pending += daemon.answer(.refreshing, .done)
                default: break
                }
            }
            pending += daemon.tell(.woken)
        }
        #expect(counts["claim", default: 0] > 50)
        #expect(counts["look", default: 0] > 50)
        #expect(counts["refresh", default: 0] > 50)
        #expect(counts["extend"] == 2)
    }
}

@Suite("Ends of jobs")
struct EndTests {
    let job = Rehearsal.job
    let jobs = (1...6).map { Rehearsal.numbered($0) }

    @Test("While one end is told the others gather, and go together in the order they came")
    func together() {
        var daemon = Rehearsal.with(jobs) { $0.endings = 1 }
        #expect(daemon.perform(jobs[3]) == [.send(.ending(0), finish(jobs[3]))])
        for number in [5, 0, 2] { #expect(daemon.perform(jobs[number]) == []) }
        let batch = daemon.answer(.ending(0), .accepted(["4"]))
        #expect(batch == [.send(.ending(0), finish(jobs[5], jobs[0], jobs[2]))])
        #expect(daemon.answer(.ending(0), .accepted(["1", "3", "6"])) == [])
        #expect(daemon.state.hand.all.map(\.job.id) == ["2", "5"])
    }

    @Test("Of a batch each job has its own answer")
    func partlyStale() {
        var daemon = Rehearsal.with(jobs) { $0.endings = 1 }
        for job in jobs { daemon.perform(job) }
        daemon.answer(.ending(0), .accepted(["1"]))
        daemon.answer(.ending(0), .accepted(["6", "3", "2"]))
        #expect(daemon.state.hand.isEmpty)
        #expect(daemon.logged("finished").map { $0.fields[0].value } == ["1", "2", "3", "6"])
        #expect(daemon.logged("stale").map { $0.fields[0].value } == ["4", "5"])
    }

    @Test("A batch is no larger than the hand")
    func largest() {
        var hand = Hand()
        for job in jobs {
            hand.take(job)
            hand.end(job, Rehearsal.result, notBefore: .zero, tries: 0)
        }
        #expect(hand.tell(at: .zero, atMost: 4) == finish(jobs[0], jobs[1], jobs[2], jobs[3]))
        #expect(hand.tell(at: .zero, atMost: 4) == finish(jobs[4], jobs[5]))
        #expect(hand.tell(at: .zero, atMost: 4) == nil)
        #expect(hand.count == 6 && hand.waiting.isEmpty)
    }

    @Test("A failure is told alone, in its turn")
    func failures() {
        var daemon = Rehearsal.with(jobs) { $0.endings = 1 }
        let failure = Failure(error: "no")
        daemon.perform(jobs[0])
        daemon.perform(jobs[1])
        daemon.perform(jobs[2], .failed(failure))
        daemon.perform(jobs[3])
        let batch = daemon.answer(.ending(0), .accepted(["1"]))
        #expect(batch == [.send(.ending(0), finish(jobs[1], jobs[3]))])
        let told = daemon.answer(.ending(0), .accepted(["2", "4"]))
        #expect(told == [.send(.ending(0), .fail(jobs[2], failure))])
    }

    @Test("Another line is made when ends wait and all lines are busy, and only then")
    func pool() {
        var daemon = Rehearsal.with(jobs)
        #expect(daemon.perform(jobs[0]) == [.send(.ending(0), finish(jobs[0]))])
        #expect(daemon.pass(.seconds(20)) == [])
        #expect(daemon.perform(jobs[1]) + daemon.pass(.zero) == [.connect(.ending(1))])
        // One at a time: it is not busy before it is there.
        #expect(daemon.perform(jobs[2]) + daemon.pass(.zero) == [])
        let ready: [Action] = [.send(.listening, .look), .send(.ending(1), finish(jobs[1], jobs[2]))]
        #expect(daemon.start(.ending(1)) == ready)
        daemon.answer(.listening, .found(Found()))
        #expect(daemon.perform(jobs[3]) + daemon.pass(.zero) == [.connect(.ending(2))])
        // The first one is quicker.
        #expect(daemon.answer(.ending(0), .accepted(["1"])) == [.send(.ending(0), finish(jobs[3]))])
        #expect(daemon.start(.ending(2)) == [.send(.listening, .look)])
        #expect(daemon.perform(jobs[4]) == [.send(.ending(2), finish(jobs[4]))])
    }

    @Test("There are no more lines than configured")
    func poolLimit() {
        var daemon = Rehearsal.with(jobs) { $0.endings = 2 }
        daemon.perform(jobs[0])
        #expect(daemon.perform(jobs[1]) + daemon.pass(.zero) == [.connect(.ending(1))])
        daemon.start(.ending(1))
        daemon.answer(.listening, .found(Found()))
        #expect(daemon.perform(jobs[2]) + daemon.pass(.seconds(20)) == [])
    }

    @Test("An additional line that is lost comes back when it is needed, the first one always")
    func poolLost() {
        var daemon = Rehearsal.with(jobs)
        daemon.perform(jobs[0])
        daemon.perform(jobs[1])
        daemon.pass(.zero)
        daemon.start(.ending(1))
        daemon.answer(.listening, .found(Found()))
        daemon.answer(.ending(0), .accepted(["1"]))
        daemon.answer(.ending(1), .accepted(["2"]))
        daemon.tell(.lost(.ending(1), reason: "gone"))
        #expect(daemon.pass(.seconds(10)) == [])
        daemon.tell(.lost(.ending(0), reason: "gone"))
        #expect(daemon.pass(.seconds(10)) == [.connect(.ending(0))])
    }

    @Test("An end that waits for its time is no reason for another line")
    func poolRests() {
        var daemon = Rehearsal.with(jobs)
        daemon.perform(jobs[0])
        daemon.refuse(.ending(0), "40001")
        daemon.perform(jobs[1])
        #expect(daemon.pass(.milliseconds(99)) == [])
    }

    @Test("The end of a job whose connection broke is told again on the next one")
    func retold() {
        var daemon = Rehearsal.withJob()
        daemon.perform(job)
        daemon.tell(.lost(.ending(0), reason: "gone"))
        #expect(daemon.pass(.milliseconds(100)) == [.connect(.ending(0))])
        #expect(daemon.start(.ending(0)).contains(.send(.ending(0), finish(job))))
    }

    @Test("Of a batch whose connection broke each is told again, alone")
    func batchRetold() {
        var daemon = Rehearsal.with(jobs) { $0.endings = 1 }
        for job in jobs.prefix(3) { daemon.perform(job) }
        daemon.answer(.ending(0), .accepted(["1"])) // two go together
        daemon.tell(.lost(.ending(0), reason: "gone"))
        daemon.perform(jobs[3])
        daemon.pass(.milliseconds(100))
        #expect(daemon.start(.ending(0)).last == .send(.ending(0), finish(jobs[1])))
        #expect(daemon.answer(.ending(0), .accepted(["2"])) == [.send(.ending(0), finish(jobs[2]))])
        #expect(daemon.answer(.ending(0), .accepted(["3"])) == [.send(.ending(0), finish(jobs[3]))])
    }

    @Test("An end that is not answered in time counts as one whose connection broke")
    func unanswered() {
        var daemon = Rehearsal.withJob()
        daemon.perform(job)
        #expect(daemon.pass(.milliseconds(29_999)) == [])
        #expect(daemon.pass(.milliseconds(1)) == [.disconnect(.ending(0))])
        #expect(daemon.pass(.milliseconds(100)) == [.connect(.ending(0))])
        #expect(daemon.start(.ending(0)).contains(.send(.ending(0), finish(job))))
    }

    @Test("An end that breaks the connection every time is given up after five attempts")
    func poison() {
        var daemon = Rehearsal.withJob()
        daemon.perform(job)
        for _ in 1...4 {
            daemon.tell(.lost(.ending(0), reason: "crash"))
            daemon.pass(.seconds(4))
            #expect(daemon.start(.ending(0)).contains(.send(.ending(0), finish(job))))
            daemon.answer(.listening, .found(Found()))
        }
        daemon.tell(.lost(.ending(0), reason: "crash"))
        #expect(daemon.state.hand.isEmpty)
        #expect(daemon.logged("abandoned").count == 1)
    }

    @Test("One that breaks the connection takes no neighbour with it: they end, it is given up")
    func poisonInBatch() {
        var daemon = Rehearsal.with(jobs) { $0.endings = 1 }
        for job in jobs { daemon.perform(job) }
        var ends: [String] = []
        var pending = daemon.answer(.ending(0), .accepted(["1"]))
        for _ in 1...40 {
            let told = pending.compactMap { action -> [Job]? in
                if case .send(.ending(0), let end) = action { end.ending } else { nil }
            }
            pending = daemon.pass(.seconds(5))
            for jobs in told {
                if jobs.contains(self.jobs[3]) {
                    pending += daemon.tell(.lost(.ending(0), reason: "crash"))
                } else {
                    ends += jobs.map(\.id)
                    pending += daemon.answer(.ending(0), .accepted(jobs.map(\.id)))
                }
            }
            guard pending.contains(.connect(.ending(0))) else { continue }
            pending = daemon.start(.ending(0))
            daemon.answer(.listening, .found(Found()))
        }
        #expect(ends.sorted() == ["2", "3", "5", "6"])
        #expect(daemon.logged("abandoned").map { $0.fields[0].value } == ["4"])
        #expect(daemon.state.hand.isEmpty)
    }

    @Test("A collision, or a server short of something, is tried again after a wait",
        arguments: ["40001", "40P01", "55P03", "53100", "58030"])
    func collision(sqlState: String) {
        var daemon = Rehearsal.withJob()
        daemon.perform(job)
        #expect(daemon.refuse(.ending(0), sqlState) == [])
        #expect(daemon.pass(.milliseconds(99)) == [])
        #expect(daemon.pass(.milliseconds(1)) == [.send(.ending(0), finish(job))])
    }

    @Test("A batch that is refused is told again one by one, and only the guilty one fails",
        arguments: ["22P02", "40001"])
    func guilty(sqlState: String) {
        var daemon = Rehearsal.with(jobs) { $0.endings = 1 }
        for job in jobs.prefix(4) { daemon.perform(job) }
        let batch = daemon.answer(.ending(0), .accepted(["1"]))
        #expect(batch == [.send(.ending(0), finish(jobs[1], jobs[2], jobs[3]))])
        #expect(daemon.refuse(.ending(0), sqlState) == [.send(.ending(0), finish(jobs[1]))])
        #expect(daemon.answer(.ending(0), .accepted(["2"])) == [.send(.ending(0), finish(jobs[2]))])
        let failure = Failure(error: "the continuation failed: no such person [QC201]")
        #expect(daemon.refuse(.ending(0), "QC201", "no such person") == [.send(.ending(0), finish(jobs[3]))])
        #expect(daemon.answer(.ending(0), .accepted(["4"])) == [.send(.ending(0), .fail(jobs[2], failure))])
        daemon.answer(.ending(0), .accepted(["3"]))
        #expect(daemon.logged("finished").map { $0.fields[0].value } == ["1", "2", "4"])
        #expect(daemon.logged("failed").map { $0.fields[0].value } == ["3"])
    }

    @Test("What a continuation refuses is the job's failure; a failure nobody takes is left to the database")
    func refused() {
        var daemon = Rehearsal.withJob()
        daemon.perform(job)
        let failure = Failure(error: "the continuation failed: no such person [QC201]")
        let told = daemon.refuse(.ending(0), "QC201", "no such person")
        #expect(told == [.send(.ending(0), .fail(job, failure))])
        #expect(daemon.refuse(.ending(0), "XX000") == [])
        #expect(daemon.state.hand.isEmpty)
        #expect(daemon.lines.map(\.event).suffix(2) == ["unfinished", "abandoned"])
    }

    @Test("A collision that does not pass becomes the job's failure after five attempts")
    func collisions() {
        var daemon = Rehearsal.withJob()
        daemon.perform(job)
        for _ in 1...4 {
            #expect(daemon.refuse(.ending(0), "40P01", "deadlock detected") == [])
            #expect(daemon.pass(.seconds(5)) == [.send(.ending(0), finish(job))])
        }
        let failure = Failure(error: "the continuation failed: deadlock detected [40P01]")
        let told = daemon.refuse(.ending(0), "40P01", "deadlock detected")
        #expect(told == [.send(.ending(0), .fail(job, failure))])
    }
}

@Suite("The lease")
struct LeaseTests {
    let job = Rehearsal.job
    let again = Rehearsal.numbered(1, token: "b")

    @Test("It is extended every five seconds, whether or not there is work")
    func extend() {
        for jobs in [[], [Rehearsal.job]] {
            var daemon = Rehearsal.with(jobs) { $0.extend = .seconds(5) }
            daemon.pass(.seconds(5) - daemon.now - .milliseconds(1))
            #expect(daemon.pass(.milliseconds(1)) == [.send(.listening, .extend)])
            #expect(daemon.answer(.listening, .extended(stop: [])) == [])
            #expect(daemon.pass(.milliseconds(4999)) == [])
            #expect(daemon.pass(.milliseconds(1)) == [.send(.listening, .extend)])
        }
    }

    @Test("It is extended before anything else when the connection is back")
    func afterLoss() {
        var daemon = Rehearsal.withJob { $0.extend = .seconds(5) }
        daemon.tell(.lost(.listening, reason: "gone"))
        daemon.pass(.seconds(6))
        #expect(daemon.listen() == [.send(.listening, .extend)])
        #expect(daemon.answer(.listening, .extended(stop: [])) == [.send(.listening, .look)])
    }

    @Test("An extension that is refused is complained of, and tried again in its turn")
    func refused() {
        var daemon = Rehearsal.withJob { $0.extend = .seconds(5) }
        daemon.pass(.seconds(5))
        #expect(daemon.refuse(.listening, "55P03") == [])
        #expect(daemon.logged("unextended").count == 1)
        #expect(!daemon.state.hand.isEmpty)
        #expect(daemon.pass(.seconds(5)) == [.send(.listening, .extend)])
    }

    @Test("With the lease all jobs are lost: what is performed is stopped, what has ended is forgotten")
    func lost() {
        let jobs = (1...4).map { Rehearsal.numbered($0) }
        var daemon = Rehearsal.with(jobs) { $0.extend = .seconds(5); $0.endings = 1 }
        daemon.perform(jobs[0]) // is told
        daemon.perform(jobs[1]) // waits
        daemon.pass(.seconds(5))
        let stopped: [Action] = [.stop(jobs[2]), .stop(jobs[3])]
        #expect(daemon.answer(.listening, .extended(stop: nil)) == stopped)
        #expect(daemon.logged("lease.lost").map(\.text) == ["event=lease.lost jobs=3"])
        #expect(daemon.state.hand.all.map(\.job) == [jobs[0]])
        // Outcomes come too late; the end under way has its answer.
        #expect(daemon.perform(jobs[2]) == [])
        #expect(daemon.perform(jobs[3], .failed(Failure(error: "stopped"))) == [])
        #expect(daemon.answer(.ending(0), .accepted([])) == [])
        #expect(daemon.state.hand.isEmpty)
        #expect(daemon.logged("stale").count == 1)
    }

    @Test("A lost lease is taken anew after the next look, though nothing is due")
    func takenAnew() {
        var daemon = Rehearsal.with([]) { $0.extend = .seconds(5); $0.poll = .seconds(1) }
        daemon.pass(.milliseconds(900))
        for _ in 1...4 {
            #expect(daemon.pass(.seconds(1)) == [.send(.listening, .look)])
            #expect(daemon.answer(.listening, .found(Found())) == [])
        }
        daemon.now = .seconds(5)
        #expect(daemon.tell(.woken) == [.send(.listening, .extend)])
        daemon.answer(.listening, .extended(stop: nil))
        #expect(daemon.logged("lease.lost").isEmpty)
        #expect(daemon.pass(.seconds(1)) == [.send(.listening, .look)])
        #expect(daemon.answer(.listening, .found(Found())) == [.send(.listening, .claim(limit: 500))])
        daemon.answer(.listening, .claimed([]))
        #expect(daemon.pass(.seconds(1)) == [.send(.listening, .look)])
        #expect(daemon.answer(.listening, .found(Found())) == [])
    }

    @Test("A job to be stopped is asked once, by a look or by an extension, and its end is told")
    func toStop() {
        var looking = Rehearsal.withJob()
        looking.now += .seconds(1)
        looking.tell(.notified)
        #expect(looking.answer(.listening, .found(Found(toStop: ["1", "99"]))) == [.stop(job)])
        looking.now += .seconds(1)
        looking.tell(.notified)
        #expect(looking.answer(.listening, .found(Found(toStop: ["1"]))) == [])
        #expect(looking.logged("cancelled").count == 1)
        let stopped = Failure(error: "stopped")
        #expect(looking.perform(job, .failed(stopped)) == [.send(.ending(0), .fail(job, stopped))])

        var extending = Rehearsal.withJob { $0.extend = .seconds(5) }
        extending.pass(.seconds(5))
        #expect(extending.answer(.listening, .extended(stop: ["1"])) == [.stop(job)])
        extending.pass(.seconds(5))
        #expect(extending.answer(.listening, .extended(stop: ["1"])) == [])
    }

    @Test("A job that has ended is not stopped any more")
    func toStopTooLate() {
        var daemon = Rehearsal.with([job, Rehearsal.numbered(2)]) { $0.extend = .seconds(5); $0.endings = 1 }
        daemon.perform(job) // is told
        daemon.perform(Rehearsal.numbered(2)) // waits
        daemon.pass(.seconds(5))
        #expect(daemon.answer(.listening, .extended(stop: ["1", "2"])) == [])
        #expect(daemon.logged("cancelled").isEmpty)
    }

    @Test("A job claimed again is another one: the outcome of the old one does not end it")
    func claimedAgain() {
        var daemon = Rehearsal.withJob { $0.extend = .seconds(5) }
        daemon.pass(.seconds(5))
        #expect(daemon.answer(.listening, .extended(stop: nil)) == [.stop(job)])
        #expect(daemon.claim([again]) == [.perform(again)])
        #expect(daemon.perform(job) == [])
        #expect(daemon.state.hand[job] == nil)
        #expect(daemon.state.hand[again]?.stage == .performing)
        #expect(daemon.perform(again) == [.send(.ending(0), finish(again))])
    }

    @Test("Claimed again before the loss was noticed, the old one is stopped")
    func claimedAgainUnnoticed() {
        var daemon = Rehearsal.withJob()
        #expect(daemon.claim([again]) == [.stop(job), .perform(again)])
        #expect(daemon.perform(job) == [])
        #expect(daemon.state.hand.count == 1)
        #expect(daemon.perform(again) == [.send(.ending(0), finish(again))])
    }

    @Test("Claimed again while the end of the old one is told, its answer does not end the new one")
    func claimedAgainWhileTelling() {
        var accepted = Rehearsal.withJob()
        accepted.perform(job)
        accepted.claim([again])
        accepted.answer(.ending(0), .accepted([]))
        #expect(accepted.state.hand[again]?.stage == .performing)

        var lost = Rehearsal.withJob()
        lost.perform(job)
        lost.claim([again])
        lost.tell(.lost(.ending(0), reason: "gone"))
        #expect(lost.state.hand[again]?.stage == .performing)
        #expect(lost.state.hand.waiting.isEmpty)
    }

    @Test("Claimed again while the end of the old one waits, that is not told")
    func claimedAgainWhileWaiting() {
        var daemon = Rehearsal.with([job, Rehearsal.numbered(2)]) { $0.endings = 1 }
        daemon.perform(Rehearsal.numbered(2))
        daemon.perform(job)
        daemon.claim([again])
        #expect(daemon.answer(.ending(0), .accepted(["2"])) == [])
    }
}

@Suite("Reloading, and figures for the metrics")
struct ReloadTests {
    @Test("What was read again counts from the next decision on; work in hand goes on")
    func reloaded() {
        var daemon = Rehearsal.with([Rehearsal.numbered(1), Rehearsal.numbered(2)])
        var configuration = daemon.state.configuration
        configuration.capacity = 3
        configuration.poll = .seconds(1)
        #expect(daemon.tell(.reloaded(configuration)) == [.send(.listening, .look)])
        let found = daemon.answer(.listening, .found(Found(hasJobs: true)))
        #expect(found == [.send(.listening, .claim(limit: 1))])
        daemon.answer(.listening, .claimed([]))
        #expect(daemon.pass(.seconds(1)) == [.send(.listening, .look)])
    }

    @Test("With more in hand than there is room for now, nothing is claimed until there is room")
    func smaller() {
        var daemon = Rehearsal.with([Rehearsal.numbered(1), Rehearsal.numbered(2)])
        var configuration = daemon.state.configuration
        configuration.capacity = 1
        daemon.tell(.reloaded(configuration))
        #expect(daemon.answer(.listening, .found(Found(hasJobs: true))) == [])
        daemon.perform(Rehearsal.numbered(1))
        #expect(daemon.answer(.ending(0), .accepted(["1"])) == [])
    }

    @Test("Figures are asked for where metrics are served; an error of theirs is no more than a line")
    func figures() {
        var without = Rehearsal.with([]) { $0.figures = .seconds(15) }
        #expect(without.pass(.seconds(60)) == [])

        var daemon = Rehearsal { configuration in
            configuration.metrics = MetricsAddress("127.0.0.1:9187")
            configuration.heartbeat = .seconds(600)
        }
        daemon.tell(.started(worker: "w"))
        #expect(daemon.listen().last == .send(.listening, .figures))
        #expect(daemon.answer(.listening, .figures([])) == [.send(.listening, .look)])
        daemon.answer(.listening, .found(Found()))
        daemon.now = .seconds(15)
        #expect(daemon.tell(.woken).first == .send(.listening, .figures))
        #expect(!daemon.refuse(.listening, "42501").contains(.disconnect(.listening)))
        #expect(daemon.logged("unmeasured").count == 1)
    }
}

@Suite("Stopping")
struct StoppingTests {
    let job = Rehearsal.job
    let disconnectAll: [Action] = [
        .disconnect(.listening), .disconnect(.refreshing), .disconnect(.ending(0)),
    ]
    var leaveAll: [Action] { disconnectAll + [.leave] }

    @Test("With nothing in hand and no connection it leaves at once")
    func unconnected() {
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
    }

    @Test("With nothing in hand it gives its lease back and leaves, whatever the listening line is doing")
    func idle() {
        var resting = Rehearsal.atRest()
        #expect(resting.tell(.signalled) == [.send(.listening, .release)])
        #expect(resting.answer(.listening, .done) == leaveAll)

        var gathering = Rehearsal.atRest()
        gathering.tell(.notified)
        #expect(gathering.tell(.signalled) == [.send(.listening, .release)])
        #expect(gathering.answer(.listening, .done) == leaveAll)

        var looking = Rehearsal.atRest()
        looking.pass(.seconds(1))
        #expect(looking.tell(.signalled) == [])
        #expect(looking.answer(.listening, .found(Found(hasJobs: true))) == [.send(.listening, .release)])
        #expect(looking.answer(.listening, .done) == leaveAll)

        var beating = Rehearsal.atRest { $0.poll = .seconds(60); $0.extend = .seconds(60) }
        beating.pass(.seconds(10))
        #expect(beating.tell(.signalled) == [])
        #expect(beating.answer(.listening, .channels([])) == [.send(.listening, .release)])
        #expect(beating.answer(.listening, .done) == leaveAll)
    }

    @Test("When giving back is refused, not answered, or the connection breaks, it leaves anyway")
    func unreleased() {
        var refused = Rehearsal.atRest()
        refused.tell(.signalled)
        #expect(refused.refuse(.listening, "42883") == leaveAll)
        #expect(refused.logged("unreleased").count == 1)

        var dying = Rehearsal.atRest()
        dying.tell(.signalled)
        #expect(dying.refuse(.listening, "57P01").last == .leave)

        var silent = Rehearsal.atRest()
        silent.tell(.signalled)
        #expect(silent.pass(.milliseconds(1999)) == [])
        #expect(silent.pass(.milliseconds(1)) == leaveAll)

        var lost = Rehearsal.atRest()
        lost.tell(.signalled)
        #expect(lost.tell(.lost(.listening, reason: "gone")) == [
            .disconnect(.refreshing), .disconnect(.ending(0)), .leave,
        ])
    }

    @Test("A job in hand is performed and ended first; nothing new is claimed; giving back comes last")
    func workInHand() {
        var daemon = Rehearsal.withJob()
        #expect(daemon.tell(.signalled) == [])
        #expect(daemon.tell(.notified) == [])
        #expect(looks(daemon.pass(.seconds(3))) == 0)
        #expect(daemon.perform(job) == [.send(.ending(0), finish(job))])
        #expect(daemon.answer(.ending(0), .accepted(["1"])) == [.send(.listening, .release)])
        #expect(daemon.answer(.listening, .done) == leaveAll)
    }

    @Test("Ends are told and the lease is extended while work is in hand, however long it takes")
    func extended() {
        let jobs = [job, Rehearsal.numbered(2)]
        var daemon = Rehearsal.with(jobs) { $0.extend = .seconds(5); $0.stopLimit = .seconds(60) }
        daemon.tell(.signalled)
        #expect(daemon.pass(.seconds(5)) == [.send(.listening, .extend)])
        #expect(daemon.answer(.listening, .extended(stop: [])) == [])
        #expect(daemon.perform(job) == [.send(.ending(0), finish(job))])
        #expect(daemon.answer(.ending(0), .accepted(["1"])) == [])
        #expect(daemon.pass(.seconds(5)) == [.send(.listening, .extend)])
    }

    @Test("A claim under way is waited for: what it brings is in hand")
    func claiming() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.seconds(1))
        daemon.answer(.listening, .found(Found(hasJobs: true)))
        #expect(daemon.tell(.signalled) == [])
        #expect(daemon.answer(.listening, .claimed([job])) == [.perform(job)])
        daemon.perform(job)
        #expect(daemon.answer(.ending(0), .accepted(["1"])) == [.send(.listening, .release)])
        #expect(daemon.answer(.listening, .done) == leaveAll)
    }

    @Test("After the second signal what a claim brings is not begun any more, but given back")
    func claimingTwice() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.seconds(1))
        daemon.answer(.listening, .found(Found(hasJobs: true)))
        daemon.tell(.signalled)
        #expect(daemon.tell(.signalled) == [])
        #expect(daemon.answer(.listening, .claimed([job])) == [.send(.listening, .release)])
        #expect(daemon.answer(.listening, .done) == leaveAll)
    }

    @Test("A look under way leads to nothing more")
    func looking() {
        var daemon = Rehearsal.withJob()
        daemon.pass(.seconds(1))
        daemon.tell(.notified)
        #expect(daemon.tell(.signalled) == [])
        let found = Found(refreshCalls: ["call r()"], hasJobs: true)
        #expect(daemon.answer(.listening, .found(found)) == [])
    }

    @Test("A refresh under way is waited for, the waiting ones are not made")
    func refresh() {
        var daemon = Rehearsal.atRest()
        daemon.pass(.seconds(1))
        daemon.answer(.listening, .found(Found(refreshCalls: ["call a()", "call b()"])))
        #expect(daemon.tell(.signalled) == [])
        #expect(daemon.answer(.refreshing, .done) == [.send(.listening, .release)])
        #expect(daemon.answer(.listening, .done) == leaveAll)
    }

    @Test("After ten seconds the statements under way are cancelled, and a second later all is given back")
    func limit() {
        var daemon = Rehearsal.refreshing { $0.extend = .seconds(600) }
        daemon.claim([job])
        daemon.perform(job)
        daemon.tell(.signalled)
        #expect(daemon.pass(.milliseconds(9999)) == [])
        #expect(daemon.pass(.milliseconds(1)) == [.cancel(.refreshing), .cancel(.ending(0))])
        #expect(daemon.logged("stopping.late").count == 1)
        #expect(daemon.pass(.milliseconds(999)) == [])
        #expect(daemon.pass(.milliseconds(1)) == [.send(.listening, .release)])
        #expect(daemon.pass(.seconds(2)).last == .leave)
    }

    @Test("The answer to the cancel ends the wait")
    func cancelled() {
        var daemon = Rehearsal.refreshing { $0.extend = .seconds(600) }
        daemon.tell(.signalled)
        daemon.pass(.seconds(10))
        #expect(daemon.refuse(.refreshing, "57014") == [.send(.refreshing, .unlock)])
        #expect(daemon.answer(.refreshing, .done) == [.send(.listening, .release)])
    }

    @Test("An end that was cancelled is given back, not told as a failure of its job")
    func cancelledEnd() {
        let jobs = [job, Rehearsal.numbered(2)]
        var daemon = Rehearsal.with(jobs)
        daemon.perform(jobs[0])
        daemon.perform(jobs[1])
        daemon.pass(.zero)
        daemon.start(.ending(1))
        daemon.answer(.listening, .found(Found()))
        daemon.tell(.signalled)
        #expect(daemon.pass(.seconds(10)) == [.cancel(.ending(0)), .cancel(.ending(1))])
        #expect(daemon.refuse(.ending(0), "57014") == [])
        #expect(daemon.refuse(.ending(1), "57014") == [.send(.listening, .release)])
        #expect(daemon.logged("unfinished").isEmpty)
    }

    @Test("A job that is still being performed at the limit is stopped and given back")
    func performing() {
        var daemon = Rehearsal.withJob()
        daemon.tell(.signalled)
        #expect(daemon.pass(.seconds(10)) == [.stop(job), .send(.listening, .release)])
        #expect(daemon.perform(job, .failed(Failure(error: "stopped"))) == [])
        #expect(daemon.answer(.listening, .done) == leaveAll)
    }

    @Test("An outcome that comes while all is given back neither is told nor keeps the loop awake")
    func tooLate() {
        var daemon = Rehearsal.with([job, Rehearsal.numbered(2)])
        daemon.perform(job)
        daemon.tell(.signalled)
        daemon.tell(.signalled)
        #expect(daemon.perform(Rehearsal.numbered(2)) == [])
        #expect(daemon.answer(.ending(0), .accepted(["1"])) == [])
        #expect(daemon.state.nextWake == daemon.now + .seconds(2))
    }

    @Test("A second signal gives all back at once, a third leaves without an answer")
    func second() {
        var daemon = Rehearsal.refreshing()
        daemon.claim([job])
        daemon.tell(.signalled)
        let released = daemon.tell(.signalled)
        #expect(released == [.stop(job), .cancel(.refreshing), .send(.listening, .release)])
        #expect(daemon.tell(.signalled) == leaveAll)
        #expect(daemon.tell(.signalled) == [])
        #expect(daemon.state.nextWake == nil)
    }

    @Test("Signals that come together are two signals")
    func together() {
        var daemon = Rehearsal.withJob()
        daemon.tell(.signalled)
        #expect(daemon.tell(.signalled) == [.stop(job), .send(.listening, .release)])
        #expect(daemon.logged("stopping.now").count == 1)
    }

    @Test("Leaving is the last it does, also when an answer is overdue at that moment")
    func last() {
        var daemon = Rehearsal.withJob { $0.stopLimit = .seconds(60) }
        daemon.perform(job)
        daemon.tell(.signalled)
        daemon.tell(.lost(.listening, reason: "gone"))
        daemon.now += .seconds(30)
        let left: [Action] = [.cancel(.ending(0)), .disconnect(.refreshing), .disconnect(.ending(0)), .leave]
        #expect(daemon.tell(.signalled) == left)
    }

    @Test("A job's end is still told when the connection breaks while stopping")
    func lostWhileStopping() {
        var daemon = Rehearsal.withJob()
        daemon.perform(job)
        daemon.tell(.signalled)
        daemon.tell(.lost(.listening, reason: "gone"))
        daemon.tell(.lost(.ending(0), reason: "gone"))
        #expect(daemon.pass(.milliseconds(100)) == [.connect(.ending(0))])
        #expect(daemon.start(.ending(0)) == [.send(.ending(0), finish(job))])
        let left: [Action] = [.disconnect(.refreshing), .disconnect(.ending(0)), .leave]
        #expect(daemon.answer(.ending(0), .accepted(["1"])) == left)
    }

    @Test("A refresh whose connection breaks while stopping is not waited for")
    func refreshLost() {
        var daemon = Rehearsal.refreshing()
        daemon.tell(.signalled)
        #expect(daemon.tell(.lost(.refreshing, reason: "gone")) == [.send(.listening, .release)])
    }
}
