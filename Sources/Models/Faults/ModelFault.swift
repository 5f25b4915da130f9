/// Why a model has not answered, or not to the end.
public struct ModelFault: Error, Hashable, Sendable {
    /// What is wrong, for a program to decide by.
    public enum Reason: String, Sendable, CaseIterable {
        /// Too much was asked in too short a time.
        case rateLimited = "rate_limited"
        /// A budget at the provider is used up: waiting does not help.
        case quota
        /// The provider has more to do than it can.
        case overloaded
        case timeout
        /// The provider's filter does not let question or answer pass.
        case contentFilter = "content_filter"
        /// The model itself would not answer.
        case refusal
        case contextTooLong = "context_too_long"
        case badRequest = "bad_request"
        /// Who asks is not known, or may not.
        case authentication
        case notFound = "not_found"
        /// No connection, or an error of the provider's own.
        case unavailable
        /// The answer ended before its end.
        case cutOff = "cut_off"
        /// What came is not what this provider answers with.
        case badAnswer = "bad_answer"
    }

    /// What is wrong, for a program.
    public var reason: Reason
    /// What is wrong, for people: with the provider's own words where it has some, never with those of a
    /// prompt or a credential.
    public var sentence: String
    /// How long the provider asks us to stay away.
    public var retryAfter: Duration?
    /// Whether part of the answer was passed on: another one would begin again before the same reader.
    public internal(set) var hasPassedOn = false
    /// What the provider says of trying again (`x-should-retry`).
    var advice: Bool?

    init(_ reason: Reason, _ sentence: String, retryAfter: Duration? = nil, advice: Bool? = nil) {
        self.reason = reason
        self.sentence = sentence
        self.retryAfter = retryAfter
        self.advice = advice
    }

    /// Whether the same call may do better later.
    public var mayRetry: Bool {
        if hasPassedOn { return false }
        if let advice { return advice }
        return switch reason {
        case .rateLimited, .overloaded, .timeout, .unavailable, .cutOff, .badAnswer: true
        case .quota, .contentFilter, .refusal, .contextTooLong, .badRequest, .authentication, .notFound: false
        }
    }
}

extension ModelFault: CustomStringConvertible {
    public var description: String { sentence }
}

extension ModelFault.Reason {
    /// The first half of a sentence that goes on with the provider's words.
    var words: String {
        switch self {
        case .rateLimited: "the provider's rate limit is reached"
        case .quota: "the quota at the provider is used up"
        case .overloaded: "the provider is overloaded"
        case .timeout: "the provider took too long"
        case .contentFilter: "the provider's content filter stopped it"
        case .refusal: "the model refused"
        case .contextTooLong: "it is too long for the model"
        case .badRequest: "the provider does not take the request"
        case .authentication: "the provider does not let us in"
        case .notFound: "the provider does not know the model or the address"
        case .unavailable: "the provider is not available"
        case .cutOff: "the answer was cut off"
        case .badAnswer: "the provider's answer cannot be read"
        }
    }
}
