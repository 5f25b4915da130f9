import Foundation
import HTTP
import Postgres
import TestSupport
import Testing

@testable import Daemon

/// The demo conference's golden questions, through whole turns: a real daemon, and a model on this machine that names the
/// first items it is given. What is expected of the offline answerer is expected here, in the same order.
extension DaemonRuntimeTests {
    private static let folder = TestServer.projectRoot + "/demo"

    /// One of `demo/traces.json`.
    private struct Trace: Decodable {
        let name, at, `as`, question, intent: String
        let expect: [String]
    }

    @Test("Every golden question goes through a model: the same items, cited, checked and billed")
    func goldenTurns() throws {
        let model = try HTTPStub { Self.namedItems($0) }
        let second = try restarted {
            $0.poll = .seconds(30)
            $0.allowances = [AddressPolicy.Allowance("127.0.0.1")].compactMap(\.self)
        }
        defer { withExtendedLifetime(model) { second.signal() } }
        try loadConference(model.url)

        let traces = try JSONDecoder().decode(
            [Trace].self, from: Data(contentsOf: URL(fileURLWithPath: Self.folder + "/traces.json")))
        #expect(traces.count > 20)
        for trace in traces { try ask(trace) }
        #expect(try eventually(within: .seconds(60)) {
            try sql("select count(*) from chat.turns where ended_at is null") == "0"
        }, "\(second.log)")

        for (number, trace) in traces.enumerated() {
            let turn = try #require(try server.query(
                """
                select t.state, t.answered_by, t.plan ->> 'intent', (
                        select string_agg(e.state, ' ' order by e.number) from chat.turn_events as e where e.turn_id = t.turn_id),
                    (select string_agg(coalesce(substring(i ->> 'url' from '([^/]+)/?$'), (
                            select s.key::text from event.event_sponsors as s where s.sponsor_id::text = i ->> 'of'),
                            i ->> 'title'), ' ' order by n)
                     from jsonb_array_elements(t.citations) with ordinality as c (i, n) where n <= $2::int),
                    (select count(*) from model.calls as c where c.turn_id = t.turn_id and c.cost = t.cost and c.cost > 0), t.note
                from chat.turns as t join chat.conversations as c using (conversation_id) where c.title = $1
                """, [Parameter("\(number)"), Parameter("\(max(trace.expect.count, 1))")]
            ).first)
            #expect(turn[0] == "done" && turn[2] == trace.intent, "\(trace.name)")
            guard turn[1] == "scripted" else {
                // Nobody is asked what to make of nothing.
                #expect(turn[3] == "received gathering planning acting answering done", "\(trace.name): \(turn[6] ?? "")")
                #expect(trace.expect.isEmpty || trace.intent == "small_talk", "\(trace.name)")
                continue
            }
            #expect(turn[3] == "received gathering planning acting answering asked checking done", "\(trace.name)")
            #expect(turn[5] == "1", "\(trace.name): one call, one bill")
            if !trace.expect.isEmpty { #expect(turn[4] == trace.expect.joined(separator: " "), "\(trace.name)") }
        }
        #expect(try sql("select count(*) > 20 from chat.turns where answered_by = 'scripted'") == "t")
    }

    private func loadConference(_ url: String) throws {
        let files = try ["conference", "exhibition"].map {
            try String(contentsOfFile: "\(Self.folder)/\($0).json", encoding: .utf8)
        }
        try sql("select access.create_token_key('golden')")
        try sql("select access.create_tenant('hearth', 'Hearth & Beam')")
        try sql("select access.create_person('hearth', 'organizer', 'The organizer', '{organizer}')")
        try server.query(
            """
            select access.create_person('hearth', c ->> 'key', c ->> 'name') from jsonb_array_elements($1::jsonb -> 'contractors') as c
            """, [Parameter(files[1])])
        try sql("select model.set_provider('scripted', 'openai', '\(url)')")
        try sql("select model.set_model('scripted', 'generate', 'scripted')")
        try sql("""
            select model.set_price('scripted', 'generate', k, 10, '2026-01-01') from unnest(array['input', 'output']) as k
            """)
        try signIn("organizer")
        try server.query("select event.import_schedule($1)", [Parameter(files[0])])
        try server.query(
            "select event.import_exhibition(event.event_id('hearth-beam-2027'), $1::jsonb)", [Parameter(files[1])])
        try sql("select model.register_prompt('host', 'You are the host of {{event}}.', '{\"event\": \"text\"}')")
        try sql("select model.label_prompt('host', 'production', 1)")
        try sql("select model.register_agent('host', 'host', 'scripted', actions => '{create_action_item,capture_event_note}')")
        try sql("select model.promote('host', 1)")
    }

    private func signIn(_ subject: String) throws {
        try sql("select access.sign_in(access.issue_token('hearth', '\(subject)'), for_session => true)")
    }

    /// Asks as that attendee, at that time; the conversation's title is the number of the question.
    private func ask(_ trace: Trace) throws {
        try signIn(trace.as)
        try server.query("select set_config('concierge.clock', $1, false)", [Parameter(trace.at)])
        try server.query(
            """
            select chat.ask(chat.open('host', event.event_id('hearth-beam-2027'), contractor.contractor_id($1),
                title => (select count(*)::text from chat.turns)), $2, 'k' || gen_random_uuid())
            """, [Parameter(trace.as), Parameter(trace.question)])
    }

    /// A streamed answer that names the first three items of what it was sent.
    private static func namedItems(_ request: HTTPStub.Request) -> [HTTPStub.Step] {
        let messages = request.fields["messages"] as? [[String: Any]] ?? []
        let content = messages.last?["content"] as? String ?? ""
        let items = content.matches(of: /<item id="([^"]+)" kind="[^"]+" title="([^"]*)">/).prefix(3)
        let lines = items.map { item -> String in
            let title = item.2.replacing("&quot;", with: "\"").replacing("&lt;", with: "<").replacing("&gt;", with: ">")
                .replacing("&amp;", with: "&")
            return "- \(title) [\(item.1)]\n"
        }
        return SpokenAnswer.whole(lines, input: 500, output: 40)
    }
}
