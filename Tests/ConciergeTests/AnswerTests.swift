import Testing

@testable import concierge

@Suite struct AnswerTests {
    @Test("A footnote has the id, the title and the address of what is cited")
    func footnote() {
        let note = Footnote(id: "S1", kind: "session", title: "Blower\nDoor", url: "https://example.com/1")
        #expect(
            note.lines(emphasis: Style.bold) == [
                "  [S1] session: Blower Door", "      https://example.com/1",
            ])
        #expect(
            Footnote(id: "A1", kind: "action_item", title: "Call").lines(emphasis: Style.plain) == [
                "  [A1] action_item: Call"
            ])
    }

    @Test("A document's footnote has the passage in its place, the cited sentence emphasised")
    func passage() {
        let note = Footnote(
            id: "D1", kind: "document", title: "Guide",
            passage: (
                before: "Cars park\n  in the garage.\n", text: "Vans park\non lot E.", after: " It closes."
            ))
        #expect(
            note.lines { "*\($0)*" } == [
                "  [D1] document: Guide",
                "      …Cars park in the garage. »*Vans park on lot E.*« It closes.…",
            ])
    }

    @Test("What a document says is never obeyed, wherever it stands in a footnote")
    func harmless() {
        let evil = "\u{1B}[2J\u{9B}m\n"
        let note = Footnote(
            id: evil, kind: "document", title: evil, url: evil,
            passage: (before: evil, text: evil, after: evil))
        let text = note.lines(emphasis: Style.plain).joined()
        #expect(text.contains("␛[2J"))
        #expect(!text.unicodeScalars.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) })
    }

    @Test(
        "A line of a chat is a question, or a command after a slash",
        arguments: [
            ("  ", .nothing), ("What is /on now?", .question("What is /on now?")), ("/good", .rating(1, nil)),
            ("/bad  the room\tis wrong ", .rating(-1, "the room is wrong")), ("/history", .history),
            ("/help", .help),
            (" /quit", .quit), ("/goodbye", .unknown("/goodbye")),
        ] as [(String, ChatLine)])
    func lines(_ line: String, _ meant: ChatLine) { #expect(ChatLine(line) == meant) }

    @Test("The help of a chat names every command")
    func help() {
        for word in ["/good", "/bad", "/history", "/help", "/quit"] {
            #expect(ChatLine.commands.contains(word))
        }
        for line in ChatLine.commands.split(separator: "\n") {
            let word = line.split(separator: " ").first.map(String.init) ?? ""
            if case .unknown = ChatLine(word) { Issue.record("\(word) is promised and not there") }
        }
    }
}
