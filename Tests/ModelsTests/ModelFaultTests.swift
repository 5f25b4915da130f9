import HTTP
import Testing

@testable import Models

struct ModelFaultTests {
    private func fault(_ status: Int, _ body: String, _ headers: HTTPHeaders = [:]) -> ModelFault {
        let times = HTTPResponse.Times(whole: .zero, resolved: .zero, connected: .zero, firstByte: .zero)
        return ModelFault(
            HTTPResponse(
                status: status, headers: headers, body: Array(body.utf8), url: "http://h/", times: times),
            at: 0)
    }

    @Test("Names say more than a status does, and words more than a name that fits everything")
    func classification() {
        let cases: [(Int, String, ModelFault.Reason)] = [
            (429, #"{"error":{"message":"m","type":"tokens","code":"rate_limit_exceeded"}}"#, .rateLimited),
            (
                429, #"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#,
                .quota
            ),
            (429, #"{"error":{"message":"m","type":"insufficient_quota","code":null}}"#, .quota),
            (400, #"{"error":{"message":"m","code":"context_length_exceeded"}}"#, .contextTooLong),
            (400, #"{"error":{"message":"m","code":"content_filter"}}"#, .contentFilter),
            (400, #"{"error":{"message":"m","type":"invalid_request_error","code":null}}"#, .badRequest),
            (
                400, #"{"object":"error","message":"This model's maximum context length is 10","code":400}"#,
                .contextTooLong
            ),
            (
                400, #"{"error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}}"#,
                .contextTooLong
            ),
            (
                529, #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                .overloaded
            ),
            (529, "", .overloaded), (413, "<html>", .contextTooLong), (402, "{}", .quota),
            (403, "", .authentication),
            (404, #"{"error":"model \"x\" not found, try pulling it first"}"#, .notFound),
            (408, "", .timeout),
            (504, "", .timeout), (424, "", .unavailable), (409, "", .unavailable),
            (502, "<html>", .unavailable),
            (418, "", .badRequest), (301, "", .notFound), (100, "", .badAnswer),
            (503, #"{"error":"Model is overloaded","error_type":"overloaded"}"#, .overloaded),
            (400, #"{"__type":"com.amazon.coral.service#ThrottlingException","message":"m"}"#, .rateLimited),
            (400, #"{"message":"Input is too long for requested model."}"#, .contextTooLong),
            (422, #"{"detail":[{"loc":["body"],"msg":"field required","type":"missing"}]}"#, .badRequest),
        ]
        for (status, body, reason) in cases {
            #expect(fault(status, body).reason == reason, "\(status) \(body)")
        }
        let named: HTTPHeaders = ["x-amzn-ErrorType": "ExpiredTokenException:http://x"]
        #expect(fault(403, #"{"message":"m"}"#, named).reason == .authentication)
        #expect(fault(422, #"{"detail":[{"msg":"field required"}]}"#).sentence.contains("field required"))
    }

    @Test("The provider's advice on trying again is taken")
    func advice() {
        #expect(!fault(500, "", ["x-should-retry": "false"]).mayRetry)
        #expect(fault(400, "", ["x-should-retry": "true"]).mayRetry)
        #expect(fault(500, "", ["x-should-retry": "maybe"]).mayRetry)
    }

    @Test("Every failure of a transfer is one of a model")
    func transfers() {
        let cases: [(HTTPFailure, Bool, ModelFault.Reason, Bool)] = [
            (.timedOut(.whole), false, .timeout, true), (.timedOut(.firstByte), false, .timeout, true),
            (.timedOut(.silence), true, .timeout, true), (.timedOut(.connecting), false, .unavailable, true),
            (.couldNotResolve(host: "h"), false, .unavailable, true),
            (.brokenAnswer("x"), false, .unavailable, true),
            (.brokenAnswer("x"), true, .cutOff, true), (.tooLarge(.body, limit: 1), true, .badAnswer, true),
            (.addressRefused(host: "h", address: "a", reason: "r"), false, .badRequest, false),
            (.cancelled, false, .cutOff, true),
        ]
        for (failure, hasBegun, reason, mayRetry) in cases {
            let fault = ModelFault(failure, hasBegun: hasBegun)
            #expect(fault.reason == reason && fault.mayRetry == mayRetry, "\(failure)")
        }
    }

    @Test("Who has been read cannot be unread")
    func passedOn() {
        for reason in ModelFault.Reason.allCases {
            var fault = ModelFault(reason, "x", advice: true)
            #expect(fault.mayRetry)
            fault.hasPassedOn = true
            #expect(!fault.mayRetry)
        }
    }
}

struct ScrubberTests {
    private let prompt = "My number is 555-0173, and I want to see the keynote on databases tomorrow."

    private func clean(_ text: String) -> String {
        Scrubber(credential: "sk-live-abcdefgh12345678", prompts: ["short!", prompt]).clean(text)
    }

    @Test("A credential is taken out, whole, cut or behind stars")
    func credential() {
        #expect(clean("Incorrect key: sk-live-abcdefgh12345678.") == "Incorrect key: …")
        #expect(clean("key 'sk-live-ab' is bad") == "key … is bad")
        #expect(clean("no such key …12345678 here") == "no such key … here")
        #expect(clean("provided: sk-li****5678 is wrong") == "provided: … is wrong")
        let pair = Scrubber(credential: "AKIDEXAMPLE:secret-of-aws:tok", prompts: [])
        #expect(pair.clean("AKIDEXAMPLE may not; secret-of-aws; tok") == "… may not; … …")
    }

    @Test("What was said to the model is taken out, whole or in part")
    func prompts() {
        #expect(clean("bad text: \(prompt)") == "bad text: …")
        #expect(clean("near 'and I want to see the keynote on data' there") == "near '…' there")
        #expect(clean("near 'number is\n 555-0173, and  I want'") == "near '…'")
        #expect(clean("a short! one") == "a … one")
        #expect(clean("I want to see") == "I want to see")
    }

    @Test("Our own words stay, whatever was said to the model")
    func ownWords() {
        let scrubber = Scrubber(credential: nil, prompts: ["rate limit", "provider", "reached"])
        let fault = ModelFault(
            .rateLimited, ModelFault.Reason.rateLimited.words + " (HTTP 429): limit reached")
        #expect(scrubber.clean(fault).sentence == "the provider's rate limit is reached (HTTP 429): limit …")
        let short = ModelFault(badAnswer: "it is no JSON")
        #expect(scrubber.clean(short) == short)
    }

    @Test("A long prompt takes no long time")
    func longPrompt() {
        let book = String(repeating: prompt + " aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", count: 200)
        let scrubber = Scrubber(
            credential: nil, prompts: [book] + Array(repeating: "some other text of a batch", count: 500))
        let start = ContinuousClock.now
        #expect(
            scrubber.clean(String(repeating: "a", count: 23) + "b: " + prompt).hasPrefix(
                "aaaaaaaaaaaaaaaaaaaaaaab: …"))
        #expect(.now - start < .seconds(20))
    }

    @Test("It is one line, and not long")
    func shape() {
        #expect(clean("a\n\u{0}b\u{85}c\t d") == "a b c d")
        #expect(clean(String(repeating: "ü ", count: 9000)).count == 300)
        #expect(clean(String(repeating: "👋🏽", count: 9000)).count == 300)
        #expect(clean("") == "")
    }
}
