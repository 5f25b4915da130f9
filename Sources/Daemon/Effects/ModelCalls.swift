import Glibc
import HTTP
import Models

/// What a call of a model came to, for the metrics.
struct ModelReport: Equatable {
    let kind: String
    let provider: String
    /// `success`, `cancelled`, or the reason it failed for.
    let outcome: String
    /// From the beginning, of a stream.
    let firstToken: Duration?
    let total: Duration
    var inputTokens = 0
    var outputTokens = 0
}

/// The calls of models that are under way, each one request after the other.
struct ModelCalls {
    private struct Held {
        let job: Job
        let provider: String
        var call: any ModelCall
        let began = ContinuousClock.now
        var firstToken: Duration?
        var isStopped = false
    }

    private let client: HTTPClient
    private var calls: [HTTPTransfer.ID: Held] = [:]
    private var said: [Said] = []
    private var reports: [ModelReport] = []

    init(on client: HTTPClient) {
        self.client = client
    }

    var count: Int { calls.count }

    /// What was said since the last call: one text a job.
    mutating func takeSaid() -> [Said] {
        defer { said = [] }
        return said
    }

    /// The calls that have ended since the last call.
    mutating func takeReports() -> [ModelReport] {
        defer { reports = [] }
        return reports
    }

    // MARK: Beginning and ending

    /// Begins a call; returns its outcome when it has one at once.
    mutating func begin(_ job: Job, _ settings: EffectSettings) throws -> Outcome? {
        do {
            let (call, provider) = try settings.modelCall(job)
            return goOn(Held(job: job, provider: provider.kind.rawValue, call: call))
        } catch let fault as ModelFault {
            return .failed(Failure(fault))
        }
    }

    mutating func stop(_ job: Job) {
        for (id, held) in calls where held.job == job {
            calls[id]?.isStopped = true
            client.cancel(id)
        }
    }

    /// Sends the next request; returns the outcome when there is none.
    private mutating func goOn(_ held: Held) -> Outcome? {
        if held.isStopped { return end(held, stopped: .cancelled) }
        var held = held
        do throws(ModelFault) {
            while let request = try held.call.next(at: wallClock()) {
                do throws(HTTPFailure) {
                    let id = try client.start(request)
                    calls[id] = held
                    return nil
                } catch {
                    try held.call.take(.failure(error), at: wallClock())
                }
            }
            return end(held, with: try held.call.result())
        } catch {
            return end(held, failed: error)
        }
    }

    private mutating func end(_ held: Held, with answer: any Encodable) -> Outcome {
        var tokens = (input: 0, output: 0)
        switch answer {
        case let answer as GenerateResult: tokens = (answer.usage?.input ?? 0, answer.usage?.output ?? 0)
        case let answer as EmbedResult: tokens.input = answer.usage?.input ?? 0
        case let answer as RerankResult: tokens.input = answer.usage?.input ?? 0
        default: break
        }
        report(held, "success", tokens)
        return modelResult(answer)
    }

    private mutating func end(_ held: Held, failed fault: ModelFault) -> Outcome {
        report(held, fault.reason.rawValue)
        return .failed(Failure(fault))
    }

    private mutating func end(_ held: Held, stopped failure: HTTPFailure) -> Outcome {
        report(held, "cancelled")
        return .failed(Failure(failure))
    }

    private mutating func report(_ held: Held, _ outcome: String, _ tokens: (input: Int, output: Int) = (0, 0)) {
        reports.append(
            ModelReport(
                kind: held.job.kind, provider: held.provider, outcome: outcome, firstToken: held.firstToken,
                total: .now - held.began, inputTokens: tokens.input, outputTokens: tokens.output))
    }

    // MARK: What comes

    /// When to call `receive` even if nothing comes.
    var due: ContinuousClock.Instant? { calls.values.compactMap(\.call.firstTokenDue).min() }

    /// Whether a transfer is one of a model.
    func has(_ id: HTTPTransfer.ID) -> Bool { calls[id] != nil }

    /// Reads what has come of a request; nil when the call goes on with another one.
    mutating func take(_ result: Result<HTTPResponse, HTTPFailure>, of id: HTTPTransfer.ID) -> (Job, Outcome)? {
        guard var held = calls.removeValue(forKey: id) else { return nil }
        if held.isStopped { return (held.job, end(held, stopped: .cancelled)) }
        do throws(ModelFault) {
            try held.call.take(result, at: wallClock())
        } catch {
            return (held.job, end(held, failed: error))
        }
        return goOn(held).map { (held.job, $0) }
    }

    /// Reads what has come; to be asked before the client's `finished`.
    mutating func receive() {
        for part in client.received() {
            let events = calls[part.id]?.call.receive(part.bytes) ?? []
            // Text that comes with its own failure is not worth showing.
            if calls[part.id]?.call.fault == nil { pass(on: events, of: part.id) } else { client.cancel(part.id) }
        }
        let now = ContinuousClock.now
        for (id, held) in calls {
            if let due = held.call.firstTokenDue, due <= now { client.cancel(id) }
        }
    }

    private mutating func pass(on events: [GenerateEvent], of id: HTTPTransfer.ID) {
        guard let held = calls[id], !held.isStopped else { return }
        if held.firstToken == nil, events.contains(where: \.isAnswer) { calls[id]?.firstToken = .now - held.began }
        var text = ""
        for case .text(let piece) in events { text += piece }
        guard !text.isEmpty else { return }
        calls[id]?.call.passedOn()
        said.append(Said(job: held.job, text: text))
    }
}
