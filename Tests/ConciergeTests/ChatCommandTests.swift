import Foundation
import Migrations
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import concierge

/// `concierge ask` and `concierge chat` as processes: in pipes, and on a terminal with a daemon and a model.
@Suite(.enabled(if: TestServer.isAvailable, "there is no PostgreSQL server"))
struct ChatCommandTests {
    /// Olga's manual, with what nobody should write into one.
    private static let manual = "The pump P-7 takes 4.5 bar.\u{1B}[2J\u{9B}31m Close the valve first.\u{7}"

    private static func arrange(_ target: Target) throws -> Connection {
        let connection = try target.connect()
        try connection.execute(
            script: """
                select access.create_tenant('acme', 'Acme'), access.create_token_key('acme', tenant => 'acme');
                select access.create_person('acme', 'olga', 'Olga', '{organizer}'), access.create_person('acme', 'anna', 'Anna');
                select access.sign_in(access.issue_token('acme', 'olga'), for_session => true);
                select knowledge.create_workspace('manuals', 'Manuals');
                """)
        try connection.query(
            "select knowledge.add_text('manuals', 'Pump manual', $1, 'pump')", [Parameter(manual)])
        return connection
    }

    /// Nothing but text, newlines and tabs.
    private func isPlain(_ output: String) -> Bool {
        !output.unicodeScalars.contains {
            $0.value < 0x20 && $0 != "\n" && $0 != "\t" || (0x7F..<0xA0).contains($0.value)
        }
    }

    // MARK: In a pipe

    @Test(
        "A chat in a pipe reads a question a line, answers plainly, rates, and says with its code whether all went well"
    )
    func pipe() throws {
        try TestServer.withMigratedDatabase { target in
            let connection = try Self.arrange(target)
            func chat(_ input: String, _ options: String...) throws -> (status: Int32, output: String) {
                let arguments = [
                    "chat", "--workspace", "manuals", "--as", "olga", "--database", TestServer.url(target),
                ]
                return try ProcessTests.Child(arguments + options, in: TestServer.projectRoot, input: input)
                    .end()
            }
            let talk = try chat(
                "How many bar does the pump take?\n\n/good  just right\nWhat about the valve?\n/bad\n/history"
            )
            #expect(talk.status == 0, "\(talk.output)")
            #expect(talk.output.hasPrefix("The pump P-7 takes 4.5 bar.[2J"), "\(talk.output)")
            #expect(
                talk.output.contains("\n  [D1] document: Pump manual\n      …")
                    && talk.output.contains("»The pump P-7 takes 4.5 bar.␛[2J"))
            #expect(talk.output.contains("\n> How many bar does the pump take?\n"))
            #expect(isPlain(talk.output), "\(talk.output.debugDescription)")
            let noted = try connection.query(
                """
                select string_agg(format('%s %s %s', number, rating, comment), ', ' order by number), count(distinct conversation_id)
                from chat.turns
                """)
            #expect(noted[0][0] == "1 1 just right, 2 -1 ", "one conversation")
            #expect(noted[0][1] == "1")

            let wrong = try chat("/good\n/fly\n\(String(repeating: "x", count: 4001))\nHow many bar?")
            #expect(wrong.status == 1)
            for part in [
                "concierge: nothing has been answered yet\n", "concierge: there is no /fly;", "QC208",
                "4.5 bar",
            ] {
                #expect(wrong.output.contains(part), "\(part)\n\(wrong.output)")
            }
            #expect(try chat("/quit\nHow many bar?").output == "")
            let steps = try chat("How many bar does the pump take?", "--verbose").output
            #expect(
                steps.contains(" ms  received\n") && steps.contains(" ms  in all, answered by offline, $0\n"),
                "\(steps)")
            let json = try chat("How many bar does the pump take?\n", "--json").output
            #expect(
                json.contains(#""answer": "The pump P-7 takes 4.5 bar."#) && json.contains(#"\u009b31m"#)
                    && isPlain(json))
            let search = ["search", "pump", "--as", "olga", "--database", TestServer.url(target)]
            let found = try ProcessTests.Child(search, in: TestServer.projectRoot).end()
            #expect(
                found.output.contains("4.5 bar.␛[2J") && isPlain(found.output),
                "search says no more than that")
        }
    }

    // MARK: With a model

    /// Made up, and longer than a row of the terminal, in letters of all widths.
    private static let madeUp =
        "John Smith says 日本語 999 bar [D7], \u{1B}[2Jand much more \u{9B}31mthan that 👋🏽, on and on and on. "

    /// The first answer is made up, and waits for a knock half-way; the next one is true.
    private static func mendingModel() throws -> HTTPStub {
        try HTTPStub { request in
            guard request.method == "POST" else { return [.close] }
            if String(decoding: request.body, as: UTF8.self).contains("breaks the rules") {
                return SpokenAnswer.whole(["The pump P-7 takes ", "4.5 bar [D1]."], input: 1000, output: 100)
            }
            return [SpokenAnswer.head, SpokenAnswer.piece(madeUp), .awaitRequests(2), SpokenAnswer.piece("Really.")]
                + SpokenAnswer.end(input: 1000, output: 100)
        }
    }

    /// The body with a database, a daemon and an agent called host, whose model this is.
    private func with(_ model: HTTPStub, _ body: (Target, Connection) throws -> Void) throws {
        try TestServer.withMigratedDatabase { target in
            let connection = try Self.arrange(target)
            try connection.execute(
                script: """
                    select model.set_provider('test', 'openai', '\(model.url)'),
                        model.set_model('small', 'generate', 'test', '{"context_tokens": 8000, "output_tokens": 200}'),
                        model.set_price('small', 'generate', k, 100, '2026-01-01') from unnest(array['input', 'output']) as k;
                    select model.register_prompt('host', 'You are the host.'), model.label_prompt('host', 'production', 1);
                    select model.register_agent('host', 'host', 'small', '{"max_tokens": 100}'), model.promote('host', 1);
                    """)
            let folder = try TemporaryProject(["daemon.conf": "allow = 127.0.0.1\n"])
            let daemon = try ProcessTests.Child(
                ["daemon", "--database", TestServer.url(target), "--config", folder.root + "/daemon.conf"],
                in: TestServer.projectRoot)
            defer {
                daemon.terminate()
                _ = daemon.end()
            }
            try body(target, connection)
        }
    }

    private func words(_ command: String, _ target: Target) -> [String] {
        [
            command, "--workspace", "manuals", "--as", "olga", "--agent", "host", "--database",
            TestServer.url(target),
        ]
    }

    private let question = "How many bar does the pump take?"

    @Test(
        "On a terminal a draft shows while it is given, and then the checked answer alone; a pipe has nothing else"
    )
    func streams() throws {
        let model = try Self.mendingModel()
        try with(model) { target, _ in
            let terminal = try PseudoTerminal(words("ask", target) + [question], in: TestServer.projectRoot)
            #expect(terminal.reads { terminal.screen.text.contains("on and on") }, "\(terminal.output)")
            #expect(terminal.output.contains("\u{1B}[2mJohn Smith says 日本語"), "dim")
            model.knock()
            #expect(terminal.end() == 0)
            let screen = terminal.screen
            #expect(
                screen.text.hasPrefix("The pump P-7 takes 4.5 bar [D1].\n\n  [D1] document: Pump manual\n"),
                "\(screen.text)")
            #expect(
                !screen.text.contains("on and on") && !screen.text.contains("answering"), "\(screen.text)")
            #expect(screen.strange == [], "the terminal obeys us alone")
            #expect(
                terminal.output.contains("»\u{1B}[1mThe pump P-7 takes 4.5 bar."),
                "the cited sentence is bold")

            // In a pipe: the second knock is not waited for.
            let ask = try ProcessTests.Child(
                words("ask", target) + [question, "--verbose"], in: TestServer.projectRoot)
            let (status, output) = ask.end()
            #expect(
                status == 0 && output.hasPrefix("The pump P-7 takes 4.5 bar [D1].\n\n  [D1] "),
                "\(output)")
            #expect(!output.contains("on and on") && isPlain(output), "\(output)")
            #expect(
                output.components(
                    separatedBy: " ms  small asked for generate: 1000 tokens in, 100 out, $0.11\n"
                ).count == 3)
            #expect(output.hasSuffix(" ms  in all, answered by small, $0.22\n"), "\(output)")

            // Each call is organizers' to see; what all of them cost, whose question it was.
            let annas = words("ask", target).map { $0 == "olga" ? "anna" : $0 } + [question, "--verbose"]
            let hers = try ProcessTests.Child(annas, in: TestServer.projectRoot).end().output
            #expect(!hers.contains("asked for"), "\(hers)")
            #expect(hers.hasSuffix(" ms  in all, answered by small, $0.22\n"), "\(hers)")
        }
    }

    @Test(
        "Ctrl-C takes a question back and comes back to the prompt; there it leaves. A lost connection is the end"
    )
    func interrupted() throws {
        let model = try HTTPStub { _ in [SpokenAnswer.head, SpokenAnswer.piece("The pump takes "), .hang] }
        try with(model) { target, connection in
            let terminal = try PseudoTerminal(words("chat", target), in: TestServer.projectRoot)
            #expect(terminal.reads { terminal.output.contains("> ") })
            terminal.type(question + "\n")
            #expect(terminal.reads { terminal.output.contains("The pump takes ") }, "\(terminal.output)")
            terminal.interrupt()
            #expect(
                terminal.reads { terminal.screen.text.hasSuffix("\nfailed: cancelled\n\n> ") },
                "\(terminal.screen.text)")
            #expect(!terminal.screen.text.contains("The pump takes"))
            #expect(
                try connection.query("select state || ' ' || error from chat.turns").scalar
                    == "failed cancelled")
            terminal.type("/help\n")
            #expect(
                terminal.reads { terminal.screen.text.contains("/history") },
                "typed text shows again, and is read")
            terminal.interrupt()
            #expect(terminal.end() == 0)
            try loses(target, connection)
        }
    }

    /// A lost connection is told, and is the end.
    private func loses(_ target: Target, _ connection: Connection) throws {
        let terminal = try PseudoTerminal(words("chat", target), in: TestServer.projectRoot)
        #expect(terminal.reads { terminal.output.contains("> ") })
        terminal.type(question + "\n")
        #expect(terminal.reads { terminal.output.contains("The pump takes ") }, "\(terminal.output)")
        try connection.query(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'concierge chat' and datname = current_database()"
        )
        #expect(terminal.end() == 1)
        // The server's word, or libpq's when that did not come through.
        #expect(terminal.screen.text.contains("\nconcierge: "), "\(terminal.screen.text)")
        #expect(terminal.output.firstRange(of: /terminating connection|server closed the connection/) != nil)
        #expect(!terminal.screen.text.contains("The pump takes"), "a draft is no answer")
    }
}
