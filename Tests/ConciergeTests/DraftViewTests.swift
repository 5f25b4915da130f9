import Testing

@testable import concierge

/// What a terminal shows of text that somebody else wrote.
@Suite struct DraftViewTests {
    // MARK: What is printed

    @Test(
        "A terminal obeys nothing in what is said: control characters become pictures, but for newline and tab",
        arguments: [
            ("plain\n\tGrüße 👋🏽", "plain\n\tGrüße 👋🏽"),
            ("\u{1B}[2J\u{1B}]0;mine\u{7}", "␛[2J␛]0;mine␇"),
            ("a\u{0}b\u{8}c\u{7F}", "a␀b␈c␡"),
            ("\u{9B}31m\u{90}q\u{9C}\u{85}", "\u{FFFD}31m\u{FFFD}q\u{FFFD}\u{FFFD}"),
            ("one\r\ntwo\rthree", "one\ntwo␍three"),
        ])
    func printable(_ text: String, _ shown: String) {
        #expect(Array(text.printable.unicodeScalars) == Array(shown.unicodeScalars))
    }

    @Test("JSON keeps what it says, without a control character")
    func json() {
        #expect("{\"a\": \"\u{9B}2J\u{7F}é\"}".printableJSON == #"{"a": "\u009b2J\u007fé"}"#)
    }

    @Test(
        "Columns: East Asian and pictures take two, marks none",
        arguments: [
            ("abc", 3), ("Zürich", 6), ("e\u{301}", 1), ("日本語", 6), ("ｆｕｌｌ", 8), ("👋", 2), ("한", 2), ("", 0),
        ])
    func columns(_ text: String, _ count: Int) { #expect(text.columns == count) }

    @Test("Rows are full, none too long, and no character is cut")
    func rows() {
        #expect("abcdef\n\ngh".rows(of: 4) == ["abcd", "ef", "", "gh"])
        #expect("日本語".rows(of: 5) == ["日本", "語"])
        #expect("a\tb".rows(of: 4) == ["a", "    ", "b"])
        #expect("abcde\u{301}f".rows(of: 5) == ["abcde\u{301}", "f"])
        #expect("語".rows(of: 1) == ["語"])
    }

    // MARK: What is redrawn

    private let size = DraftView.Size(columns: 20, rows: 5)

    @Test("What goes on is written on, and nothing else is touched")
    func extended() {
        var view = DraftView()
        #expect(view.show("The pump", size) == "\u{1B}[2mThe pump\u{1B}[0m")
        #expect(view.show("The pump takes", size) == "\u{1B}[2m takes\u{1B}[0m")
        #expect(view.show("The pump takes", size) == "")
        #expect(view.show("The pump takes 4.5 bar", size) == "\u{1B}[2m 4.5 \nbar\u{1B}[0m")
        #expect(view.show("The pump takes 4.5 bar\n", size) == "\u{1B}[2m\n\u{1B}[0m")
    }

    @Test("What begins anew takes the place of what was there")
    func anew() {
        var view = DraftView()
        _ = view.show("one\ntwo\nthree", size)
        #expect(view.show("one\nzwei", size) == "\u{1B}[1A\r\u{1B}[J\u{1B}[2mzwei\u{1B}[0m")
        #expect(view.show("x", size) == "\u{1B}[1A\r\u{1B}[J\u{1B}[2mx\u{1B}[0m")
        #expect(view.erase(size) == "\r\u{1B}[J")
        #expect(view.erase(size) == "")
    }

    @Test("A terminal that has become narrower has broken rows in two")
    func narrower() {
        var view = DraftView()
        _ = view.show("sixteen letters.\nx\nseventeen letters", size)
        #expect(view.erase(DraftView.Size(columns: 10, rows: 5)) == "\u{1B}[4A\r\u{1B}[J")
    }

    @Test("Escape sequences of a draft do nothing")
    func harmless() {
        var view = DraftView()
        #expect(view.show("\u{1B}[9A\u{9B}J", size) == "\u{1B}[2m␛[9A\u{FFFD}J\u{1B}[0m")
    }

    /// Whatever comes: numbers that are the same every time.
    private struct Dice: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    @Test(
        "Whatever a model says and takes back, the end of it stands on the screen, and then only the answer",
        arguments: 1...200)
    func whatever(_ seed: Int) {
        var dice = Dice(state: UInt64(seed))
        let size = DraftView.Size(
            columns: .random(in: 3...30, using: &dice), rows: .random(in: 2...8, using: &dice))
        var screen = TestScreen(columns: size.columns, height: size.rows)
        screen.feed("$\n")
        var view = DraftView()
        var draft = ""
        for _ in 0..<20 {
            if Int.random(in: 0..<6, using: &dice) == 0 {
                draft = String(draft.prefix(.random(in: 0...9, using: &dice)))
            }
            for _ in 0..<Int.random(in: 0...9, using: &dice) {
                draft +=
                    ["a", "bb ", "\n", "日本", "é", "👋", " ", "e\u{301}", "\u{1B}[3A"].randomElement(
                        using: &dice) ?? ""
            }
            screen.feed(view.show(draft, size))
            let shown = screen.rows.dropFirst().joined()
            let said = draft.replacing("\n", with: "").replacing("\u{1B}", with: "␛")
            #expect(said.hasSuffix(shown), "\(seed): \(draft)")
            #expect(screen.rows.count >= size.rows || said == shown, "all of it while there is room")
        }
        screen.feed(view.erase(size) + "It is the answer.\n")
        #expect(screen.rows.first == "$" && screen.strange == [])
        #expect(screen.rows.dropFirst().joined() == "It is the answer.", "\(seed)")
    }
}
