public import HTTP

/// One job that models do, as requests to be sent one after the other and answers to be read: no networking
/// here.
///
/// ```swift
/// while let request = try call.next(at: now) {
///     // start it; what comes meanwhile goes to `receive`, where `fault` tells to end the transfer
///     try call.take(result)
/// }
/// let answer = try call.result()
/// ```
public protocol ModelCall: Sendable {
    /// What goes into the job's result.
    associatedtype Answer: Encodable & Sendable

    /// The request to send now; nil when the answer is whole. The one before must have been taken.
    ///
    /// - Parameter now: seconds since 1970.
    mutating func next(at now: Int) throws(ModelFault) -> HTTPRequest?

    /// Reads bytes of a streamed body; returns what is worth passing on at once.
    mutating func receive(_ bytes: [UInt8]) -> [GenerateEvent]

    /// Tells that a part of the answer, of what `receive` returned, has reached a reader: before whom no
    /// other answer may begin.
    mutating func passedOn()

    /// Why nothing that is still to come can help; nil while all is well.
    var fault: ModelFault? { get }

    /// When the first token must have come; nil when it has, or may take its time.
    var firstTokenDue: ContinuousClock.Instant? { get }

    /// Reads what has come of a request.
    ///
    /// - Parameter now: seconds since 1970.
    mutating func take(_ result: Result<HTTPResponse, HTTPFailure>, at now: Int) throws(ModelFault)

    /// The whole answer, when `next` has no more requests.
    func result() throws(ModelFault) -> Answer
}

extension ModelCall {
    public mutating func receive(_ bytes: [UInt8]) -> [GenerateEvent] { [] }

    public mutating func passedOn() {}

    public var fault: ModelFault? { nil }

    public var firstTokenDue: ContinuousClock.Instant? { nil }
}
