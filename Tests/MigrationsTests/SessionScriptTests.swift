import Testing

@testable import Migrations

@Suite struct SessionScriptTests {
    private func script(_ text: String) throws -> SessionScript? {
        try SessionScript(text, Scanner.statements(in: text), file: "a.sql")
    }

    @Test("A file without sessions is an ordinary one")
    func ordinary() throws {
        #expect(try script("-- a session: of sorts\nselect 1;\n-- session: in prose here\n") == nil)
    }

    @Test("Statements go to the session named last, with what stands below them and the comment above")
    func beats() throws {
        let beats = try #require(
            try script(
                """
                insert into t values (1);
                -- session: one
                begin;
                -- It is
                -- one row.
                select a,
                       b from t; -- not an answer: --> done
                --| 1 | null
                --| 2 | x y
                --> notified c with a payload

                -- A paragraph of its own.

                -- session: two
                select '
                -- session: three
                --> waits';
                --> waits for one
                -- session: one
                commit;
                -- session: two
                --> done
                """)
        ).beats
        #expect(beats.map(\.session) == ["main", "one", "one", "two", "one", "two"])
        #expect(beats.map(\.line) == [1, 3, 6, 15, 20, 22])
        #expect(
            beats[2].expectations.map(\.what) == [
                .rows([["1", "null"], ["2", "x y"]]), .notified(channel: "c", payload: "with a payload"),
            ])
        #expect(beats[2].expectations.map(\.line) == [8, 10])
        #expect(beats[2].sentence == "It is one row.")
        #expect(beats[3].sentence == "two: select '")
        #expect(beats[3].expectations.map(\.what) == [.waits(for: "one")])
        #expect(beats[5].statement == nil && beats[5].expectations.map(\.what) == [.done])
    }

    @Test("Every statement is played, whatever ends lines elsewhere")
    func oddLineEnds() throws {
        let beats = try #require(
            try script(
                "-- session: a\r\nselect 'x\u{2028}y';\r\n-- \r\n--> done\r\nselect 1; -- \u{0b}\r\nselect 2;\r\n--| 2")
        ).beats
        #expect(beats.map(\.line) == [2, 5, 6] && beats.map { $0.expectations.count } == [1, 0, 1])
        #expect(beats.map(\.session) == ["a", "a", "a"])
    }

    @Test("A comment without words is no sentence")
    func emptyComment() throws {
        let beats = try #require(try script("-- session: a\n-- \nselect 1;\n--> done")).beats
        #expect(beats.map(\.sentence) == ["a: select 1"])
    }

    @Test(
        "Answers have one form each",
        arguments: [
            ("no rows", .rows([])), ("waits", .waits(for: nil)), ("waits for two", .waits(for: "two")),
            ("as in a/b.txt", .file(path: "a/b.txt")), ("done", .done),
            ("error 23505", .fails(sqlState: "23505")),
            ("notified nothing", .nothingNotified), ("notified c", .notified(channel: "c", payload: nil)),
        ] as [(String, SessionScript.Expectation)])
    func answers(_ text: String, _ expected: SessionScript.Expectation) throws {
        let beats = try script("-- session: one\nselect 1;\n--> \(text)")?.beats
        #expect(beats?.last?.expectations.map(\.what) == [expected])
    }

    @Test("Anything else is refused with its line", arguments: ["waits long", "error", "rows", ""])
    func unknown(_ text: String) throws {
        #expect {
            try script("-- session: one\nselect 1;\n--> \(text)")
        } throws: {
            ($0 as? Refusal)?.problems.map(\.line) == [3]
        }
    }
}
