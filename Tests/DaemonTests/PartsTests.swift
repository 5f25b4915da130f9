import Testing

@testable import Daemon

@Suite("Log lines")
struct LogTests {
    @Test("An event is one line of words, quoted where they are not plain")
    func text() {
        let line = LogLine(
            level: .info, event: "refreshed", fields: [("call", "call event.refresh()"), ("ms", "12"), ("empty", "")])
        #expect(line.text == #"event=refreshed call="call event.refresh()" ms=12 empty="""#)
    }

    @Test("No value can break the line, or pretend to be another field")
    func quoting() {
        #expect(LogLine.quoted("a\nb\"c\\d\u{1b}[0m\te=f") == #""a\nb\"c\\d?[0m\te=f""#)
        #expect(LogLine.quoted("späte") == "späte")
    }

    @Test("The journal gets its prefix, a terminal does not; what matters less than asked for is left out")
    func rendering() {
        let line = LogLine(level: .warning, event: "lost")
        #expect(LogWriter(least: .info, prefixed: true).rendered(line) == "<4>event=lost\n")
        #expect(LogWriter(least: .info, prefixed: false).rendered(line) == "event=lost\n")
        #expect(LogWriter(least: .error, prefixed: false).rendered(line) == nil)
    }
}

@Suite("Configuration")
struct ConfigurationTests {
    @Test("The environment sets the poll interval and the log level")
    func environment() throws {
        let configuration = try Configuration(environment: ["CONCIERGE_POLL_MS": "250", "CONCIERGE_LOG": "debug"])
        #expect(configuration.poll == .milliseconds(250))
        #expect(configuration.logLevel == .debug)
        #expect(try Configuration(environment: [:]) == Configuration())
    }

    @Test("A value that makes no sense is refused by name", arguments: ["", "fast", "9", "-1", "60001"])
    func refused(value: String) {
        #expect {
            try Configuration(environment: ["CONCIERGE_POLL_MS": value])
        } throws: { error in
            "\(error)" == "CONCIERGE_POLL_MS is \"\(value)\"; expected milliseconds from 10 to 60000"
        }
    }
}

@Suite("Connection strings")
struct ConninfoTests {
    let words = "keepalives_idle=15 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=8000 "

    @Test("Defaults come before the words, so that the words win")
    func keywords() {
        #expect(addingNetworkDefaults(to: "") == words)
        #expect(addingNetworkDefaults(to: "host=db dbname=x") == words + "host=db dbname=x")
        #expect(addingNetworkDefaults(to: "host=db tcp_user_timeout=1").hasPrefix("keepalives_idle=15 "))
        #expect(!addingNetworkDefaults(to: "host=db tcp_user_timeout=1").contains("8000"))
    }

    @Test("A bare name is a database")
    func name() {
        #expect(addingNetworkDefaults(to: "it's") == words + #"dbname='it\'s'"#)
    }

    @Test("A URI stays a URI")
    func uri() {
        let query = "keepalives_idle=15&keepalives_interval=5&keepalives_count=3&tcp_user_timeout=8000"
        #expect(addingNetworkDefaults(to: "postgres://u@h/d") == "postgres://u@h/d?" + query)
        #expect(addingNetworkDefaults(to: "postgresql:///d?host=/run") == "postgresql:///d?host=/run&" + query)
    }
}

@Suite("Effects")
struct EffectTests {
    func perform(_ kind: String, _ payload: String) -> Outcome {
        Effects.standard.perform(Job(id: "1", token: "t", kind: kind, payload: payload))
    }

    @Test("A delivery to the inbox leaves the rest to the continuation")
    func inbox() {
        let outcome = perform("deliver", #"{"channel": "inbox", "text": "hello"}"#)
        #expect(outcome == .finished(result: #"{"channel":"inbox"}"#))
    }

    @Test("Everything else fails with a sentence", arguments: [
        ("deliver", #"{"channel": "fax"}"#, "this daemon does not deliver by \"fax\", only to the inbox"),
        ("deliver", #"{"text": "hello"}"#, "the payload of a delivery names no channel"),
        ("deliver", #"{"channel": 1}"#, "the payload of a delivery names no channel"),
        ("deliver", "null", "the payload of a delivery names no channel"),
        ("deliver", "", "the payload of a delivery names no channel"),
        ("dance", "{}", "this daemon does not know how to perform \"dance\""),
    ])
    func failures(kind: String, payload: String, sentence: String) {
        #expect(perform(kind, payload) == .failed(error: sentence))
    }

    @Test("Only what can be performed is claimed")
    func kinds() {
        #expect(Effects.standard.kinds == ["deliver"])
    }
}
