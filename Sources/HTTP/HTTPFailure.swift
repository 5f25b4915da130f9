/// Why there is no response. A case tells what to do; its words are for people.
///
/// Hosts, addresses and ports may be named. Credentials, paths, queries and bodies never are.
public enum HTTPFailure: Error, Hashable, Sendable {
    /// The request itself is wrong: a method or a header.
    case badRequest(String)
    /// The URL, or the one a redirect led to, cannot be understood or carries a password.
    case badURL(String)
    /// The URL, or the one a redirect led to, is neither http nor https.
    case schemeRefused(String)
    /// The host is at an address that the request's policy does not let us talk to.
    case addressRefused(host: String, address: String, reason: String)
    /// The name has no address, or the name servers do not answer.
    case couldNotResolve(host: String)
    /// Nobody listens, or the network is not there.
    case couldNotConnect(host: String, reason: String)
    /// No connection that is private and proved to be with this host.
    case tls(host: String, reason: String)
    /// A limit of time was reached.
    case timedOut(TimeLimit)
    /// A limit of size was reached, in bytes.
    case tooLarge(Part, limit: Int)
    /// More redirects than are followed.
    case tooManyRedirects(limit: Int)
    /// What came is not HTTP, or ended before its end. A POST may have had its effect all the same.
    case brokenAnswer(String)
    /// `HTTPClient.cancel` was called.
    case cancelled
    /// The machine has no means for it: memory, descriptors, a libcurl without TLS.
    case unavailable(String)

    /// The limit that was reached.
    public enum TimeLimit: Hashable, Sendable { case whole, connecting, firstByte, silence, slowness }

    /// What was too large.
    public enum Part: Hashable, Sendable { case headers, body }

    /// Whether the same request may succeed later with nothing changed on our side.
    public var mayPass: Bool {
        switch self {
        case .couldNotResolve, .couldNotConnect, .timedOut, .brokenAnswer, .unavailable: true
        case .badRequest, .badURL, .schemeRefused, .addressRefused, .tls, .tooLarge, .tooManyRedirects,
            .cancelled:
            false
        }
    }
}

extension HTTPFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .badRequest(let reason): "the request cannot be sent: \(reason)"
        case .badURL(let reason): "the URL cannot be used: \(reason)"
        case .schemeRefused(let scheme): "the scheme \(scheme) is refused: only http and https are used"
        case .addressRefused(let host, let address, let reason):
            "the address \(address) of \(host) is refused: \(reason)"
        case .couldNotResolve(let host): "the name \(host) could not be looked up"
        case .couldNotConnect(let host, let reason): "could not connect to \(host): \(reason)"
        case .tls(let host, let reason): "no trusted connection to \(host): \(reason)"
        case .timedOut(.whole): "the transfer took longer than its limit"
        case .timedOut(.connecting): "connecting took longer than its limit"
        case .timedOut(.firstByte): "the first byte took longer than its limit"
        case .timedOut(.silence): "the server was silent for longer than its limit"
        case .timedOut(.slowness): "the transfer was slower than its limit"
        case .tooLarge(.headers, let limit): "the answer's headers are larger than \(limit) bytes"
        case .tooLarge(.body, let limit): "the answer's body is larger than \(limit) bytes"
        case .tooManyRedirects(let limit): "more than \(limit) redirects"
        case .brokenAnswer(let reason): "the answer is broken: \(reason)"
        case .cancelled: "the transfer was cancelled"
        case .unavailable(let reason): "no transfer is possible: \(reason)"
        }
    }
}
