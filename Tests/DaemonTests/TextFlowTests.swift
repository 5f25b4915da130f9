import Testing

@testable import Daemon

/// When text of answers is told, and what becomes of it, without a database.
@Suite("Text on its way")
struct TextFlowTests {
    private let one = Rehearsal.numbered(1)
    private let two = Rehearsal.numbered(2)

    private func piece(_ job: Job, _ number: Int, _ text: String) -> Emission {
        Emission(job: job, number: number, text: text)
    }

    private func flow(_ said: (Job, String)...) -> TextFlow {
        var flow = TextFlow()
        for (job, text) in said { flow.add(Said(job: job, text: text)) }
        return flow
    }

    @Test("Nothing said is nothing to tell, and neither is nothing but zeros")
    func nothing() {
        var flow = flow((one, ""), (one, "\0"))
        #expect(flow.due == nil && flow.next(at: .seconds(1)) == nil)
    }

    @Test("The first text goes at once, all streams together, without what PostgreSQL cannot hold")
    func first() {
        var flow = flow((one, "a"), (two, "ü\0x\0\u{301}"), (one, "b"))
        #expect(flow.due == .zero)
        #expect(flow.next(at: .seconds(9)) == [piece(one, 1, "ab"), piece(two, 1, "üx\u{301}")])
    }

    @Test("What comes meanwhile waits for the answer, and for the pause to be over")
    func pause() {
        var flow = flow((one, "a"))
        _ = flow.next(at: .seconds(9))
        flow.add(Said(job: one, text: "b"))
        #expect(flow.due == nil && flow.next(at: .seconds(10)) == nil)
        flow.add(Said(job: one, text: "c"))
        #expect(flow.told().isEmpty)
        #expect(flow.due == .seconds(9) + TextFlow.pause)
        #expect(flow.next(at: .seconds(9) + .milliseconds(49)) == nil)
        #expect(flow.next(at: .seconds(9) + .milliseconds(50)) == [piece(one, 2, "bc")])
    }

    @Test("What may have been lost is told again by the same numbers, before anything else")
    func lost() {
        var flow = flow((one, "a"), (two, "x"))
        let first = flow.next(at: .zero)
        flow.add(Said(job: one, text: "b"))
        #expect(flow.lost(retryAt: .seconds(2)).isEmpty)
        #expect(flow.due == .seconds(2))
        #expect(flow.next(at: .seconds(2)) == first)
        _ = flow.told()
        #expect(flow.next(at: .seconds(3)) == [piece(one, 2, "b")])
    }

    @Test("What was refused is told no more, and leaves a gap")
    func refused() {
        var flow = flow((one, "a"))
        _ = flow.next(at: .zero)
        flow.add(Said(job: one, text: "b"))
        #expect(flow.refused(retryAt: .seconds(1)).isEmpty)
        #expect(flow.next(at: .milliseconds(999)) == nil)
        #expect(flow.next(at: .seconds(1)) == [piece(one, 2, "b")])
    }

    @Test("Of a job that has ended nothing is told: its result has it all")
    func ended() {
        var flow = flow((one, "a"), (two, "x"))
        #expect(flow.end(one, Rehearsal.result) == Rehearsal.result)
        #expect(flow.next(at: .zero) == [piece(two, 1, "x")])
    }

    @Test("An end waits for its own text that is under way, whatever becomes of that", arguments: 0..<3)
    func waits(_ way: Int) {
        var flow = flow((one, "a"))
        _ = flow.next(at: .zero)
        flow.add(Said(job: one, text: "b"))
        #expect(flow.end(two, Rehearsal.result) == Rehearsal.result)
        #expect(flow.end(one, Rehearsal.result) == nil)
        let ends =
            switch way {
            case 0: flow.told()
            case 1: flow.lost(retryAt: .zero)
            default: flow.refused(retryAt: .zero)
            }
        #expect(ends.map(\.job) == [one] && ends.map(\.outcome) == [Rehearsal.result])
        #expect(flow.due == nil, "and there is nothing left to tell")
    }

    @Test("Where ends wait for each other, what was said last is told before them")
    func lastWords() {
        var flow = flow((one, "a"))
        _ = flow.next(at: .zero)
        flow.add(Said(job: one, text: "b"))
        #expect(flow.end(one, Rehearsal.result, hasTime: true) == nil)
        #expect(flow.end(two, Rehearsal.result, hasTime: true) == Rehearsal.result, "it has said nothing")
        #expect(flow.told().isEmpty, "that was another piece")
        #expect(flow.next(at: .seconds(1)) == [piece(one, 2, "b")])
        #expect(flow.told().map(\.job) == [one])
        #expect(flow.due == nil && flow.told().isEmpty, "and there is nothing left to tell")
    }

    @Test("Last words that cannot be told hold up no end", arguments: [false, true])
    func lostLastWords(_ isUnderWay: Bool) {
        for isRefused in [false, true] {
            var flow = flow((one, "a"), (two, "x"))
            #expect(flow.end(one, Rehearsal.result, hasTime: true) == nil)
            if isUnderWay { _ = flow.next(at: .zero) }
            let ends = isRefused ? flow.refused(retryAt: .seconds(1)) : flow.lost(retryAt: .seconds(1))
            #expect(ends.map(\.job) == [one])
            flow.add(Said(job: two, text: "y"))
            #expect(flow.next(at: .seconds(1))?.map(\.job) == [two], "nothing of the other is told later")
            #expect(flow.told().isEmpty)
        }
        var flow = flow((one, "a"))
        _ = flow.next(at: .zero)
        _ = flow.lost(retryAt: .seconds(9))
        flow.add(Said(job: one, text: "b"))
        #expect(flow.end(one, Rehearsal.result, hasTime: true) == Rehearsal.result, "for what has to be told again nobody waits")
    }

    @Test("A new attempt begins to count anew")
    func attempt() {
        var flow = flow((one, "a"))
        _ = flow.next(at: .zero)
        _ = flow.told()
        flow.add(Said(job: one, text: "old"))
        let again = Rehearsal.numbered(1, token: "b")
        flow.add(Said(job: again, text: "new"))
        #expect(flow.next(at: .seconds(1)) == [piece(again, 1, "new")])
    }

    // MARK: In the daemon

    private static func answer(_ number: Int, token: String = "a") -> Job {
        Job(id: "\(number)", token: token, kind: "generate", payload: "{}")
    }
    private let talk = answer(1)

    /// A daemon with these answers in hand, and a line for their text.
    private func talking(_ jobs: [Job]) -> Rehearsal {
        var rehearsal = Rehearsal.with(jobs)
        rehearsal.start(.emitting)
        return rehearsal
    }

    @Test("A connection for text is made with the first answer to be given, and not before")
    func connection() {
        var rehearsal = Rehearsal.with([])
        #expect(!rehearsal.claim([one]).contains(.connect(.emitting)))
        #expect(rehearsal.claim([Self.answer(2)]).contains(.connect(.emitting)))
    }

    @Test("Text is told at once, then in steps; what the database does not want any more is stopped")
    func steps() {
        let other = Self.answer(2)
        var rehearsal = talking([talk, other])
        #expect(
            rehearsal.tell(.said([Said(job: talk, text: "a"), Said(job: other, text: "x")]))
                == [.send(.emitting, .emit([piece(talk, 1, "a"), piece(other, 1, "x")]))])
        #expect(rehearsal.tell(.said([Said(job: talk, text: "b")])) == [])
        #expect(rehearsal.answer(.emitting, .emitted(stop: ["2"])) == [.stop(other)])
        #expect(rehearsal.logged("cancelled").count == 1)
        #expect(rehearsal.tell(.said([Said(job: other, text: "y")])) == [])
        #expect(rehearsal.pass(.milliseconds(49)) == [])
        #expect(rehearsal.pass(.milliseconds(1)) == [.send(.emitting, .emit([piece(talk, 2, "b")]))])
    }

    @Test("One of the same id that has come since is not stopped")
    func successor() {
        var rehearsal = talking([talk])
        rehearsal.tell(.said([Said(job: talk, text: "a")]))
        rehearsal.answer(.listening, .found(Found()))
        rehearsal.claim([Self.answer(1, token: "b")])
        #expect(!rehearsal.answer(.emitting, .emitted(stop: ["1"])).contains(.stop(Self.answer(1, token: "b"))))
    }

    @Test("The end of an answer is told after its text, and the text that waits is not")
    func end() {
        var rehearsal = talking([talk])
        rehearsal.tell(.said([Said(job: talk, text: "a")]))
        rehearsal.tell(.said([Said(job: talk, text: "b")]))
        #expect(rehearsal.perform(talk) == [])
        #expect(rehearsal.answer(.emitting, .emitted(stop: [])) == [.send(.ending(0), finish(talk))])
        #expect(!rehearsal.pass(.seconds(1)).contains { if case .send(.emitting, _) = $0 { true } else { false } })
    }

    @Test("Without its connection text waits, and an end does not")
    func reconnects() {
        var rehearsal = talking([talk, Self.answer(2)])
        rehearsal.tell(.said([Said(job: talk, text: "a"), Said(job: Self.answer(2), text: "x")]))
        rehearsal.perform(talk)
        #expect(rehearsal.tell(.lost(.emitting, reason: "gone")).contains(.send(.ending(0), finish(talk))))
        #expect(rehearsal.pass(.seconds(1)).contains(.connect(.emitting)))
        #expect(
            rehearsal.start(.emitting).contains(.send(.emitting, .emit([piece(Self.answer(2), 1, "x")]))))
    }

    @Test("A database that does not take text is told so once, and less and less often")
    func refusals() {
        var rehearsal = talking([talk])
        var sent = 0
        for _ in 0..<200 {
            if !rehearsal.tell(.said([Said(job: talk, text: "a")])).isEmpty {
                sent += 1
                rehearsal.refuse(.emitting, "42883", "it quotes the text")
            }
            rehearsal.now += .milliseconds(50)
        }
        #expect(sent < 12 && rehearsal.logged("unemitted").count == 1)
        #expect(rehearsal.logged("unemitted").first?.text.contains("quotes") == false)
        #expect(rehearsal.logged("unemitted").first?.text.contains("concierge migrate") == true)
    }
}
