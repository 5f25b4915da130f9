import FoundationEssentials
import Glibc
import HTTP
import TestSupport
import Testing

@testable import Daemon

/// What the effects do to the world, and what they make of its answers.
struct EffectsTests {
    /// Performs one job, as the loop would.
    private func perform(
        _ kind: String, _ payload: String, id: String = "7", settings: (inout EffectSettings) -> Void = { _ in }
    ) throws -> Outcome {
        var configured = EffectSettings(Configuration())
        configured.policy = AddressPolicy(allowing: [try #require(AddressPolicy.Allowance("127.0.0.1"))])
        settings(&configured)
        let effects = try Effects(configured)
        let job = Job(id: id, token: "1", kind: kind, payload: payload, traceID: String(repeating: "ab", count: 16))
        if let outcome = effects.perform(job, at: .zero) { return outcome }
        let began = ContinuousClock.now
        while true {
            var entries: [pollfd] = []
            effects.wait(for: &entries, timeout: 50)
            let now = ContinuousClock.now - began
            if let (ended, outcome) = effects.ended(at: now).first {
                #expect(ended == job)
                #expect(effects.count == 0)
                return outcome
            }
            try #require(now < .seconds(30), "the effect does not end")
        }
    }

    private func failure(_ outcome: Outcome) throws -> Failure {
        guard case .failed(let failure) = outcome else {
            Issue.record("it did not fail: \(outcome)")
            return Failure(error: "")
        }
        return failure
    }

    // MARK: call

    @Test("A call does nothing: its continuation is all there is to it")
    func call() throws {
        #expect(try perform("call", #"{"anything": 1}"#) == .finished(result: "{}"))
    }

    @Test("An effect nobody here knows is for a person to see to")
    func unknown() throws {
        #expect(try failure(perform("dance", "{}")).fault == .config)
    }

    @Test("Jobs in hand are all under way, however many are for one host")
    func manyAtOnce() throws {
        let number = 300
        // None is answered before the last has arrived.
        let server = try HTTPStub { _ in [.awaitRequests(number), .answer()] }
        var settings = EffectSettings(Configuration())
        settings.policy = AddressPolicy(allowing: [try #require(AddressPolicy.Allowance("127.0.0.1"))])
        let effects = try Effects(settings)
        for id in 0..<number {
            let payload = #"{"url": "\#(server.url)", "seconds": 20}"#
            let job = Job(id: "\(id)", token: "1", kind: "fetch", payload: payload, traceID: "")
            #expect(effects.perform(job, at: .zero) == nil)
        }
        var ended: [Outcome] = []
        let patience = ContinuousClock.now + .seconds(30)
        while ended.count < number, .now < patience {
            var entries: [pollfd] = []
            effects.wait(for: &entries, timeout: 50)
            ended += effects.ended(at: .zero).map(\.1)
        }
        #expect(ended.count == number && server.connections == number)
        #expect(ended.allSatisfy { if case .finished = $0 { true } else { false } })
    }

    // MARK: fetch

    @Test("A fetch brings status, type and text, and what a second one can ask with")
    func fetch() throws {
        let server = try HTTPStub { _ in
            [
                .answer(
                    headers: [
                        ("Content-Type", "text/plain"), ("ETag", "\"e\""), ("X-Robots-Tag", "noindex"),
                        ("x-robots-tag", "bot: none"),
                    ], body: Array("grüß dich".utf8))
            ]
        }
        let outcome = try perform("fetch", #"{"url": "\#(server.url)/a", "headers": {"If-None-Match": "x"}}"#)
        #expect(
            outcome
                == .finished(
                    result: #"{"etag":"\"e\"","media_type":"text/plain","robots":["noindex","bot: none"],"status":200,"text":"grüß dich","url":"\#(server.url)/a"}"#
                ))
        #expect(server.requests.first?.header("If-None-Match") == "x")
        #expect(server.requests.first?.method == "GET")
    }

    @Test("What is no text comes as base64", arguments: [[0x61, 0x00], [0xff, 0xfe]] as [[UInt8]])
    func binary(_ bytes: [UInt8]) throws {
        let server = try HTTPStub { _ in [.answer(body: bytes)] }
        guard case .finished(let result) = try perform("fetch", #"{"url": "\#(server.url)"}"#) else {
            Issue.record("it did not finish")
            return
        }
        #expect(result.contains(#""base64":"\#(Data(bytes).base64EncodedString())""#))
    }

    @Test("That nothing has changed, or something is gone, is an answer", arguments: [204, 304, 404, 410])
    func answers(_ status: Int) throws {
        let server = try HTTPStub { _ in [.answer(status)] }
        guard case .finished(let result) = try perform("fetch", #"{"url": "\#(server.url)"}"#) else {
            Issue.record("it did not finish")
            return
        }
        #expect(result.contains("\"status\":\(status)"))
    }

    @Test(
        "Other answers are faults: of the item, of the provider, or of our haste",
        arguments: [
            (400, .item), (401, .item), (403, .item), (422, .item), (500, .item), (501, .item), (302, .item),
            (408, .provider), (502, .provider), (503, .provider), (504, .provider), (429, .rate),
        ] as [(Int, Failure.Fault)])
    func refusals(_ status: Int, _ fault: Failure.Fault) throws {
        let server = try HTTPStub { _ in [.answer(status, headers: [("Retry-After", "17")])] }
        let failure = try failure(perform("deliver", #"{"url": "\#(server.url)", "body": ""}"#))
        #expect(failure == Failure(error: "HTTP status \(status)", fault: fault, retryAfter: .seconds(17)))
    }

    @Test("Who cannot be reached, hangs up or says nonsense is down")
    func unreachable() throws {
        #expect(try failure(perform("fetch", #"{"url": "http://127.0.0.1:1/"}"#)).fault == .provider)
        let rude = try HTTPStub { _ in [.text("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), .close] }
        #expect(try failure(perform("fetch", #"{"url": "\#(rude.url)"}"#)).fault == .provider)
        let silent = try HTTPStub { _ in [.hang] }
        #expect(try failure(perform("fetch", #"{"url": "\#(silent.url)", "seconds": 0.2}"#)).fault == .provider)
    }

    @Test("An address that is not public is refused, also behind a redirect")
    func privateAddress() throws {
        let server = try HTTPStub { _ in [.redirect(to: "http://169.254.169.254/latest")] }
        for url in ["http://10.0.0.1/", "http://[::1]/", "http://0x7f.1:2/", server.url] {
            let failure = try failure(
                perform("fetch", #"{"url": "\#(url)"}"#) {
                    if url != server.url { $0.policy = AddressPolicy() }
                })
            #expect(failure.fault == .item && failure.error.contains("refused"), "\(url): \(failure)")
        }
    }

    @Test("More than was asked for is not taken")
    func tooLarge() throws {
        let server = try HTTPStub { _ in [.answer(body: Array(repeating: 0x61, count: 2000))] }
        #expect(try failure(perform("fetch", #"{"url": "\#(server.url)", "max_bytes": 1000}"#)).fault == .item)
    }

    @Test(
        "A payload that is none is named without its words",
        arguments: [
            ("fetch", "{}", #"the payload of a fetch has no "url""#),
            ("fetch", #"{"url": 1}"#, #"in the payload of a fetch, "url" is of the wrong type"#),
            ("fetch", "", "the payload of a fetch cannot be read"),
            ("deliver", #"{"url": "http://x"}"#, #"the payload of a deliver has no "body""#),
            ("convert", #"{"media_type": "text/html"}"#, #"the payload of a convert has neither "text" nor "base64""#),
            ("convert", #"{"media_type": "text/html", "text": "", "to": "pdf"}"#, "a document is converted to plain or markdown"),
            (
                "fetch", #"{"url": "http://127.0.0.1", "headers": {"Authorization": "secret"}}"#,
                "the header Authorization is not a payload's to set: secrets are named, not written down"
            ),
        ])
    func badPayload(_ kind: String, _ payload: String, _ sentence: String) throws {
        let failure = try failure(perform(kind, payload))
        #expect(failure == Failure(error: sentence, fault: .item))
    }

    // MARK: deliver

    @Test("A delivery says which one it is, and belongs to a trace")
    func delivery() throws {
        let server = try HTTPStub { _ in [.answer(202, body: Array("thanks".utf8))] }
        let outcome = try perform("deliver", #"{"url": "\#(server.url)/hook", "body": "{\"a\": 1}"}"#, id: "255")
        #expect(outcome == .finished(result: #"{"status":202,"text":"thanks"}"#))
        let request = try #require(server.requests.first)
        let trace = String(repeating: "ab", count: 16)
        #expect(request.method == "POST")
        #expect(String(decoding: request.body, as: UTF8.self) == #"{"a": 1}"#)
        #expect(request.header("Content-Type") == "application/json")
        #expect(request.header("Idempotency-Key") == "\(trace)-255")
        #expect(request.header("webhook-id") == "\(trace)-255")
        #expect(request.header("traceparent") == "00-\(trace)-000000000ff00001-01")
        #expect(request.header("webhook-signature") == nil)
    }

    @Test("With a credential it is signed as Standard Webhooks say")
    func signature() throws {
        let folder = try TemporaryProject(["hook": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"])
        let server = try HTTPStub { _ in [.answer()] }
        let payload = #"{"url": "\#(server.url)", "body": "x", "credential": "hook", "idempotency_key": "msg_1"}"#
        func deliver(_ hosts: Set<String>) throws -> Outcome {
            try perform("deliver", payload) {
                $0.credentials = Credentials(directory: folder.root, hosts: ["hook": hosts])
            }
        }
        _ = try deliver(["127.0.0.1"])
        let request = try #require(server.requests.first)
        let time = try #require(request.header("webhook-timestamp").flatMap { Int($0) })
        let expected = Signature(
            secret: Array("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".utf8), id: "msg_1", timestamp: time, body: Array("x".utf8))
        #expect(request.header("webhook-signature") == expected?.header)

        let refused = try failure(deliver(["elsewhere.example"]))
        #expect(refused.fault == .config && refused.error.contains("may not be used for 127.0.0.1"))
        #expect(server.requests.count == 1)
    }

    @Test("A signature is what the openssl command makes of the same words")
    func hmac() throws {
        let digest = [
            0x82, 0x07, 0x83, 0xee, 0x73, 0xa3, 0x9b, 0x82, 0x3e, 0xf7, 0xdb, 0x04, 0xf4, 0xc1, 0xee, 0x35,
        ] as [UInt8]
        let signature = try #require(Signature(secret: Array("Jefe".utf8), id: "a", timestamp: 1, body: []))
        #expect(signature.header.hasPrefix("v1,"))
        let mac = try #require(Data(base64Encoded: String(signature.header.dropFirst(3))))
        // printf 'a.1.' | openssl dgst -sha256 -hmac Jefe -binary | head -c 16
        #expect(Array(mac.prefix(16)) == digest)
    }

    @Test(
        "A secret is had by its name only, for its hosts only",
        arguments: [
            ("../hook", "h", "a credential's name has letters, digits, - and _"),
            ("none", "h", "there is no credential none in CREDENTIALS_DIRECTORY"),
            ("empty", "h", "credential empty is empty"),
            ("hook", "other", "credential hook may not be used for other: set credential.hook = other"),
        ])
    func credentials(_ name: String, _ host: String, _ sentence: String) throws {
        let folder = try TemporaryProject(["hook": "s", "empty": "\n"])
        let credentials = Credentials(directory: folder.root, hosts: ["hook": ["h"], "none": ["h"], "empty": ["h"]])
        #expect { _ = try credentials.secret(name, for: host) } throws: { "\($0)" == sentence }
    }

    @Test("A URL with another host hidden in it gets no secret", arguments: [
        "http://good@127.0.0.1", "http://127.0.0.1\\@good", "http://good\\@127.0.0.1", "http:good", "//good",
        "http:/127.0.0.1:1/x://good/", "http:/127.0.0.1:1?://good",
    ])
    func hiddenHost(_ url: String) throws {
        let folder = try TemporaryProject(["hook": "s"])
        let text = String(decoding: try JSONEncoder().encode(["url": url, "body": "", "credential": "hook"]), as: UTF8.self)
        let failure = try failure(
            perform("deliver", text) { $0.credentials = Credentials(directory: folder.root, hosts: ["hook": ["good"]]) })
        #expect(failure.error.contains("may not be used") || failure.fault == .item, "\(failure)")
    }

    // MARK: convert

    @Test("A document becomes text", .enabled(if: Converter.pandoc.path != nil, "pandoc is not installed"))
    func conversion() throws {
        let payload = #"{"media_type": "text/html", "text": "<h1>Hi</h1><p>there", "to": "markdown"}"#
        #expect(try perform("convert", payload) == .finished(result: ##"{"text":"# Hi\n\nthere\n"}"##))
    }

    @Test("A document that is none is the item's fault", .enabled(if: Converter.pdftotext.path != nil, "pdftotext is not installed"))
    func garbage() throws {
        #expect(try failure(perform("convert", #"{"media_type": "application/pdf", "base64": "AAAA"}"#)).fault == .item)
    }

    // MARK: Stopping

    @Test("What is stopped ends, and says so")
    func stopping() throws {
        let server = try HTTPStub { _ in [.hang] }
        var settings = EffectSettings(Configuration())
        settings.policy = AddressPolicy(allowing: [try #require(AddressPolicy.Allowance("127.0.0.1"))])
        let effects = try Effects(settings)
        let job = Job(id: "1", token: "1", kind: "fetch", payload: #"{"url": "\#(server.url)"}"#)
        #expect(effects.perform(job, at: .zero) == nil)
        effects.stop(job)
        let ends = effects.ended(at: .zero)
        #expect(ends.count == 1)
        #expect(ends.first?.1 == .failed(Failure(error: "the transfer was cancelled", fault: .item)))
    }

    // MARK: Settings

    @Test("Settings are read from a file")
    func settings() throws {
        let text = """
            # A comment.
            poll = 250ms  # another
            lease=5s

            log = debug
            metrics = 127.0.0.1:9187
            allow = 10.0.0.0/8, hooks.internal:8443
            allow = [::1]:80
            credential.hook = Hooks.example.org, 127.0.0.1
            """
        let configuration = try Configuration(file: text, environment: ["CREDENTIALS_DIRECTORY": "/run/c"])
        #expect(configuration.poll == .milliseconds(250))
        #expect(configuration.lease == .seconds(5))
        #expect(configuration.extend * 2 <= configuration.lease)
        #expect(configuration.logLevel == .debug)
        #expect(configuration.metrics == MetricsAddress("127.0.0.1:9187"))
        #expect(configuration.allowances.count == 3)
        #expect(configuration.credentialNames == ["hook"])
        #expect(configuration.credentials.hosts["hook"] == ["hooks.example.org", "127.0.0.1"])
        #expect(try Configuration(file: "") == Configuration())
    }

    @Test(
        "A setting that is not what it should be is named with its line",
        arguments: [
            ("poll", #"line 1: "poll"; expected name = value"#),
            ("poll = soon", #"line 1: poll is "soon"; expected a time like 250ms, 5s or 2min, from 0.01 seconds to 60.0 seconds"#),
            ("poll = 1ms", #"line 1: poll is "1ms"; expected a time like 250ms, 5s or 2min, from 0.01 seconds to 60.0 seconds"#),
            ("\n\ncapacity = 0", #"line 3: capacity is "0"; expected a number from 1 to 10000"#),
            ("log = loud", #"line 1: log is "loud"; expected error, warning, notice, info or debug"#),
            ("poll = 1s\npoll = 2s", #"line 2: "poll"; expected each name once"#),
            ("pool = 1s", #"line 1: pool is "1s"; expected poll, lease, stop, capacity, endings, log, metrics, allow or credential.NAME"#),
            ("allow = 10.0.0.0/99", #"line 1: allow is "10.0.0.0/99"; expected hosts, addresses or networks, each with or without a port"#),
            ("credential.hook =", #"line 1: credential.hook is ""; expected the hosts it is for, with commas"#),
            ("# a\u{2028}\u{0b}\rpoll\r\n\nlog", #"line 3: "log"; expected name = value"#),
            ("metrics = here", "line 1: metrics is \"here\"; expected \(MetricsAddress.form)"),
        ])
    func badSettings(_ text: String, _ sentence: String) {
        #expect { _ = try Configuration(file: text) } throws: { "\($0)" == sentence }
    }
}
