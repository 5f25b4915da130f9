public import HTTP

/// One answer of a model.
public struct GenerateCall: ModelCall {
    public private(set) var fault: ModelFault?
    private let payload: GeneratePayload
    private let settings: CallSettings
    private let scrubber: Scrubber
    private var body: BodyReader
    private var reply = Reply()
    private var start: ContinuousClock.Instant?
    private var firstToken: ContinuousClock.Instant?
    private var end: ContinuousClock.Instant?
    private var hasPassedOn = false

    public init(_ payload: GeneratePayload, _ settings: CallSettings) throws(ModelFault) {
        self.payload = payload
        self.settings = settings
        scrubber = Scrubber(credential: settings.secret, prompts: payload.prompts)
        body = try BodyReader(payload.provider.kind)
    }

    public mutating func next(at now: Int) throws(ModelFault) -> HTTPRequest? {
        guard start == nil else { return nil }
        start = .now
        let (path, body) = payload.question
        return try payload.provider.request(
            path, body, settings, limits: limits, streams: payload.streams, at: now)
    }

    private var limits: HTTPLimits {
        HTTPLimits(
            time: Duration(seconds: payload.seconds, default: 300), body: 16_000_000,
            firstByte: payload.streams ? firstTokenLimit : nil,
            silence: payload.streams ? payload.silenceSeconds.map { Duration(seconds: $0, default: 60) } : nil
        )
    }

    private var firstTokenLimit: Duration? {
        payload.firstTokenSeconds.map { Duration(seconds: $0, default: 60) }
    }

    /// A stream that has begun may still keep us waiting for its first token, with comments and empty pieces.
    public var firstTokenDue: ContinuousClock.Instant? {
        guard payload.streams, firstToken == nil, let start, let firstTokenLimit else { return nil }
        return start + firstTokenLimit
    }

    public mutating func receive(_ bytes: [UInt8]) -> [GenerateEvent] {
        guard fault == nil else { return [] }
        do throws(ModelFault) {
            try body.read(bytes, into: &reply)
        } catch {
            fault = clean(error)
        }
        return takeEvents()
    }

    private mutating func takeEvents() -> [GenerateEvent] {
        defer { reply.events = [] }
        if firstToken == nil, reply.events.contains(where: \.isAnswer) { firstToken = .now }
        return reply.events
    }

    public mutating func passedOn() {
        hasPassedOn = true
        fault?.hasPassedOn = true
    }

    public mutating func take(_ result: Result<HTTPResponse, HTTPFailure>, at now: Int) throws(ModelFault) {
        end = .now
        if let fault { throw fault }
        do throws(ModelFault) {
            try read(result, at: now)
        } catch {
            let fault = clean(error)
            self.fault = fault
            throw fault
        }
    }

    private mutating func read(_ result: Result<HTTPResponse, HTTPFailure>, at now: Int) throws(ModelFault) {
        switch result {
        // The reason to end comes after all else that counts: what broke then has broken nothing.
        case .failure(let failure) where reply.finish != nil && failure != .cancelled:
            _ = try reply.result()
        case .failure(let failure):
            if failure == .cancelled, let due = firstTokenDue, due <= .now {
                throw ModelFault(.timeout, "\(ModelFault.Reason.timeout.words): no token came in time")
            }
            throw ModelFault(failure, hasBegun: !reply.text.isEmpty || !reply.calls.isEmpty)
        case .success(let response):
            guard 200..<300 ~= response.status else { throw ModelFault(response, at: now) }
            reply.requestID = response.headers.requestID ?? reply.requestID
            try body.read(response.body, into: &reply) // nothing, if it was streamed
            try body.end(&reply)
            _ = try reply.result()
        }
    }

    public func result() throws(ModelFault) -> GenerateResult {
        if let fault { throw fault }
        var result = try reply.result()
        guard let start, let end else { throw ModelFault(.cutOff, "the answer has not come yet") }
        if payload.streams { result.firstTokenMilliseconds = firstToken.map { ($0 - start).milliseconds } }
        result.totalMilliseconds = (end - start).milliseconds
        return result
    }

    private func clean(_ fault: ModelFault) -> ModelFault {
        var fault = scrubber.clean(fault)
        fault.hasPassedOn = hasPassedOn
        return fault
    }
}

extension HTTPHeaders {
    /// The provider's name for a call.
    var requestID: String? {
        ["x-request-id", "request-id", "x-amzn-requestid"].lazy.compactMap { self[$0] }.first
    }
}
