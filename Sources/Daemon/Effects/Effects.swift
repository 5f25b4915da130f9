import Glibc
import HTTP

/// What the daemon can do to the world, by the kind of job that asks for it.
///
/// Nothing here waits: what takes time is begun, goes on while the loop waits in `wait`, and is told by
/// `ended`.
final class Effects {
    /// The kinds the daemon claims.
    let kinds = ["call", "convert", "deliver", "embed", "fetch", "generate", "rerank"]

    private let client: HTTPClient
    var settings: EffectSettings
    private var requests: [HTTPTransfer.ID: (job: Job, read: (HTTPResponse) -> Outcome)] = [:]
    private var children: [String: (job: Job, child: ChildProcess)] = [:]
    private var models: ModelCalls

    init(_ settings: EffectSettings) throws {
        // One job has one connection, so `capacity` is the limit; a host's is the queue's business (limit_concurrency). A job
        // that waited here for another one's connection would use up its own time, and its lease, for nothing.
        client = try HTTPClient(HTTPClient.Settings(connections: 0, connectionsPerHost: 0))
        models = ModelCalls(on: client)
        self.settings = settings
    }

    /// How many are under way.
    var count: Int { requests.count + children.count + models.count }

    // MARK: Beginning and ending

    /// Begins an effect; returns its outcome when it has one at once.
    func perform(_ job: Job, at now: Duration) -> Outcome? {
        do {
            switch job.kind {
            // Nothing leaves the database: the continuation is all there is to do.
            case "call":
                return .finished(result: "{}")
            case "fetch":
                let fetch = try Fetch(payload: job.payload)
                try begin(job, fetch.request(settings)) { fetch.outcome($0) }
            case "deliver":
                let delivery = try Delivery(payload: job.payload)
                try begin(job, delivery.request(job, settings, at: wallClock())) { delivery.outcome($0) }
            case "embed", "generate", "rerank":
                return try models.begin(job, settings)
            case "convert":
                let conversion = try Conversion(payload: job.payload)
                children[job.id] = (job, try conversion.start(at: now))
            default:
                throw Failure(error: "this daemon does not know how to perform \"\(job.kind)\"", fault: .config)
            }
            return nil
        } catch let failure as Failure {
            return .failed(failure)
        } catch let failure as HTTPFailure {
            return .failed(Failure(failure))
        } catch {
            return .failed(Failure(error: "\(error)", fault: .config))
        }
    }

    private func begin(_ job: Job, _ request: HTTPRequest, _ read: @escaping (HTTPResponse) -> Outcome) throws {
        requests[try client.start(request)] = (job, read)
    }

    /// Has an effect end; how it did is told by `ended`.
    func stop(_ job: Job) {
        for (id, request) in requests where request.job == job { client.cancel(id) }
        children[job.id]?.child.cancel()
        models.stop(job)
    }

    // MARK: Waiting

    /// poll(2) for the caller's descriptors and for all that is under way.
    func wait(for entries: inout [pollfd], timeout: Int32) {
        let count = entries.count
        entries += children.values.flatMap(\.child.pollEntries)
        client.wait(for: &entries, timeout: timeout)
        entries.removeLast(entries.count - count)
    }

    /// When to call `ended` even if nothing happens.
    func nextWake(at now: Duration) -> Duration? {
        let model = models.due.map { now + (ContinuousClock.now.duration(to: $0)) }
        return (children.values.map(\.child.nextWake) + [model]).compactMap(\.self).min()
    }

    /// What models have said since the last call, of answers that may go on.
    func takeSaid() -> [Said] { models.takeSaid() }

    /// What calls of models came to since the last call.
    func takeReports() -> [ModelReport] { models.takeReports() }

    /// What has come to its end, each once. What was said before is to be taken then, and told first.
    func ended(at now: Duration) -> [(Job, Outcome)] {
        var ends: [(Job, Outcome)] = []
        models.receive()
        for (id, result) in client.finished() {
            if models.has(id) {
                if let end = models.take(result, of: id) { ends.append(end) }
                continue
            }
            guard let request = requests.removeValue(forKey: id) else { continue }
            switch result {
            case .success(let response): ends.append((request.job, request.read(response)))
            case .failure(let failure): ends.append((request.job, .failed(Failure(failure))))
            }
        }
        for (id, held) in children {
            guard let ending = held.child.advance(at: now) else { continue }
            children[id] = nil
            ends.append((held.job, Conversion.outcome(ending)))
        }
        return ends
    }
}

/// What effects may do, and with which secrets.
struct EffectSettings: Equatable, Sendable {
    /// Which addresses may be reached.
    var policy = AddressPolicy()
    var credentials = Credentials()

    init(_ configuration: Configuration) {
        policy = AddressPolicy(allowing: configuration.allowances)
        credentials = configuration.credentials
    }
}

/// Seconds since 1970.
func wallClock() -> Int { time(nil) }

extension Failure {
    /// A transfer without an answer: who cannot be reached is down; what may not be asked, or cannot be read,
    /// is the item's fault.
    init(_ failure: HTTPFailure) {
        self.init(error: "\(failure)", fault: failure.mayPass ? .provider : .item)
        if case .tls = failure { fault = .provider }
    }

    /// An answer that says no.
    init(status: Int, headers: HTTPHeaders) {
        let wait = RetryAfter.delay(in: headers, now: wallClock())
        switch status {
        case 429: self.init(error: "HTTP status 429", fault: .rate, retryAfter: wait)
        // Gateways speak of what is behind them; 500 may be this item's doing.
        case 408, 502, 503, 504: self.init(error: "HTTP status \(status)", fault: .provider, retryAfter: wait)
        default: self.init(error: "HTTP status \(status)", fault: .item, retryAfter: wait)
        }
    }
}
