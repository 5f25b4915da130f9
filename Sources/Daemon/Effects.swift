import FoundationEssentials

/// What the daemon can do to the world, by the kind of job that asks for it.
struct Effects: Sendable {
    typealias Performer = @Sendable (_ payload: String) -> Outcome

    let performers: [String: Performer]

    /// The kinds the daemon claims.
    var kinds: [String] { performers.keys.sorted() }

    func perform(_ job: Job) -> Outcome {
        guard let performer = performers[job.kind] else {
            return .failed(error: "this daemon does not know how to perform \"\(job.kind)\"")
        }
        return performer(job.payload)
    }

    static let standard = Effects(performers: ["deliver": deliver])
}

/// `{"channel": "inbox"}`: nothing leaves the database. The continuation puts the message into the inbox, in
/// the transaction that ends the job.
@Sendable private func deliver(_ payload: String) -> Outcome {
    struct Delivery: Decodable { let channel: String }
    guard let delivery = try? JSONDecoder().decode(Delivery.self, from: Data(payload.utf8)) else {
        return .failed(error: "the payload of a delivery names no channel")
    }
    guard delivery.channel == "inbox" else {
        return .failed(error: "this daemon does not deliver by \"\(delivery.channel)\", only to the inbox")
    }
    return .finished(result: #"{"channel":"inbox"}"#)
}
