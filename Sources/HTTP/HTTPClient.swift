import CCurl
public import Glibc

/// Names for transfers.
public enum HTTPTransfer {
    /// One transfer of one client. Never used twice.
    public struct ID: Hashable, Sendable {
        let number: UInt64
    }
}

/// Talks to any number of servers at once, on one thread that never waits but in `wait`.
///
/// ```swift
/// let client = try HTTPClient()
/// let id = try client.start(HTTPRequest("GET", "https://example.org/"))
/// while true {
///     client.wait(for: &myDescriptors, timeout: -1) // poll(2), with libcurl's sockets besides mine
///     for part in client.received() { … } // of requests that stream
///     for (id, result) in client.finished() { … }
/// }
/// ```
///
/// A client belongs to one thread. Each transfer that `start` returned an ID for is reported by `finished`
/// exactly once, cancelled ones included. The process must ignore SIGPIPE: with TLS, a server that hangs up
/// at the wrong moment would end it.
public final class HTTPClient {
    /// What holds for all transfers of a client.
    public struct Settings: Hashable, Sendable {
        /// Connections open at a time; transfers above wait their turn. 0: any number.
        public var connections: Int
        /// The same for one host and port.
        public var connectionsPerHost: Int
        /// Connections kept for the next transfer to the same host.
        public var idleConnections: Int
        /// The User-Agent of requests that bring none.
        public var userAgent: String
        /// A file of certificates to trust instead of the system's, for a gateway with its own authority.
        public var certificateAuthorities: String?

        public init(
            connections: Int = 256, connectionsPerHost: Int = 64, idleConnections: Int = 64,
            userAgent: String = "concierge", certificateAuthorities: String? = nil
        ) {
            self.connections = connections
            self.connectionsPerHost = connectionsPerHost
            self.idleConnections = idleConnections
            self.userAgent = userAgent
            self.certificateAuthorities = certificateAuthorities
        }
    }

    /// What has come of a transfer.
    public typealias Finished = (id: HTTPTransfer.ID, result: Result<HTTPResponse, HTTPFailure>)

    /// Bytes of a streamed body, and the head they came after.
    public typealias Received = (id: HTTPTransfer.ID, head: HTTPHead, bytes: [UInt8])

    private struct Transfer {
        let request: HTTPRequest
        var exchange: Exchange
        var redirectsLeft: Int
        let start: ContinuousClock.Instant

        /// The limit of time that is reached first if nothing more comes.
        var deadline: (at: ContinuousClock.Instant, limit: HTTPFailure.TimeLimit) {
            let limits = request.limits
            let whole = (at: start + limits.time, limit: HTTPFailure.TimeLimit.whole)
            let next: (at: ContinuousClock.Instant, limit: HTTPFailure.TimeLimit)? =
                if let last = exchange.lastByte {
                    limits.silence.map { (last + $0, .silence) }
                } else {
                    limits.firstByte.map { (start + $0, .firstByte) }
                }
            guard let next, next.at < whole.at else { return whole }
            return next
        }
    }

    private let settings: Settings
    private let multi: Multi
    private var transfers: [HTTPTransfer.ID: Transfer] = [:]
    private var byHandle: [UnsafeMutableRawPointer: HTTPTransfer.ID] = [:]
    private var results: [Finished] = []
    /// What had come of streamed bodies before their transfers ended.
    private var lastParts: [Received] = []
    private var lastNumber: UInt64 = 0

    public init(_ settings: Settings = Settings()) throws(HTTPFailure) {
        self.settings = settings
        multi = try Multi(settings)
    }

    // MARK: Starting and ending

    /// Begins a transfer; it moves whenever `wait` is called. Throws when the request cannot be sent at all.
    public func start(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPTransfer.ID {
        try request.check()
        lastNumber += 1
        let id = HTTPTransfer.ID(number: lastNumber)
        transfers[id] = Transfer(
            request: request, exchange: try begin(try Hop(request), of: request, as: id),
            redirectsLeft: request.limits.redirects, start: .now)
        return id
    }

    /// Ends a transfer at once. `finished` reports it as cancelled, and `received` nothing more of it; one
    /// that is over stays as it is.
    public func cancel(_ id: HTTPTransfer.ID) {
        _ = transfers[id]?.exchange.takeStreamed()
        finish(id, .failure(.cancelled))
    }

    /// What has come of streamed bodies since the last call, in the order of each: to be asked before
    /// `finished`, which tells of the end.
    public func received() -> [Received] {
        defer { lastParts = [] }
        return lastParts
            + transfers.compactMap { id, transfer in
                transfer.exchange.takeStreamed().map { (id, $0.head, $0.bytes) }
            }
    }

    /// The transfers that are over, in the order in which they ended; each is told once.
    public func finished() -> [Finished] {
        defer { results = [] }
        return results
    }

    /// How many transfers are under way.
    public var count: Int { transfers.count }

    // MARK: Waiting

    /// Waits like poll(2), for the caller's descriptors and for every transfer, and lets the transfers go on.
    ///
    /// Returns as soon as one of the caller's descriptors is ready, transfers have moved, a signal came, or
    /// the time is over; at once when there are transfers for `finished`. It may return early for no reason
    /// that the caller can see. What has come for `received` must be taken before the next call, which waits
    /// for more.
    ///
    /// - Parameters:
    ///   - descriptors: as for poll(2): `revents` is set anew, hang-ups and errors included, and an entry with
    ///     a negative `fd` is passed over.
    ///   - timeout: milliseconds; negative means for ever.
    public func wait(for descriptors: inout [pollfd], timeout: Int32) {
        var entries = descriptors + multi.descriptors
        let ready = poll(&entries, nfds_t(entries.count), results.isEmpty ? milliseconds(atMost: timeout) : 0)
        // After an error, revents says nothing.
        if ready < 0 { for index in entries.indices { entries[index].revents = 0 } }
        for index in descriptors.indices { descriptors[index].revents = entries[index].revents }

        multi.act(on: entries[descriptors.count...])
        for (handle, code) in multi.ended() { end(handle, code) }
        for (id, limit) in overdue() { finish(id, .failure(.timedOut(limit))) }
    }

    /// The time until libcurl or a transfer's limit wants to be looked at, rounded up so that it is reached.
    private func milliseconds(atMost timeout: Int32) -> Int32 {
        let wakes = transfers.values.map(\.deadline.at) + [multi.wake].compactMap(\.self)
        guard let next = wakes.min() else { return timeout }
        let left = Int32((next - .now).milliseconds)
        return timeout < 0 ? left : min(timeout, left)
    }

    private func overdue() -> [(HTTPTransfer.ID, HTTPFailure.TimeLimit)] {
        let now = ContinuousClock.now
        return transfers.map { ($0, $1.deadline) }.filter { $1.at <= now }
            .sorted { $0.0.number < $1.0.number }.map { ($0, $1.limit) }
    }

    // MARK: Steps of a transfer

    private func begin(_ hop: Hop, of request: HTTPRequest, as id: HTTPTransfer.ID) throws(HTTPFailure)
        -> Exchange
    {
        let exchange = try Exchange(hop, of: request, settings: settings, in: multi)
        try multi.add(exchange)
        byHandle[exchange.handle] = id
        return exchange
    }

    /// libcurl is done with a handle: the transfer is over, or redirected.
    private func end(_ handle: UnsafeMutableRawPointer, _ code: CURLcode) {
        guard let id = byHandle[handle], let transfer = transfers[id] else { return }
        do throws(HTTPFailure) {
            switch try transfer.exchange.end(code) {
            case .response(var response):
                response.times.whole = .now - transfer.start
                finish(id, .success(response))
            case .redirect(let hop):
                try redirect(id, to: hop)
            }
        } catch {
            finish(id, .failure(error))
        }
    }

    private func redirect(_ id: HTTPTransfer.ID, to hop: Hop) throws(HTTPFailure) {
        guard var transfer = transfers[id] else { return }
        guard transfer.redirectsLeft > 0 else {
            throw .tooManyRedirects(limit: transfer.request.limits.redirects)
        }
        transfer.redirectsLeft -= 1
        byHandle[transfer.exchange.handle] = nil
        transfer.exchange = try begin(hop, of: transfer.request, as: id)
        transfers[id] = transfer
    }

    private func finish(_ id: HTTPTransfer.ID, _ result: Result<HTTPResponse, HTTPFailure>) {
        guard let transfer = transfers.removeValue(forKey: id) else { return }
        byHandle[transfer.exchange.handle] = nil
        if let part = transfer.exchange.takeStreamed() { lastParts.append((id, part.head, part.bytes)) }
        results.append((id, result))
    }
}
