import Foundation
import Synchronization
import TestSupport

/// Where deliveries go: it notes every body, counts those that come again, and answers with the count.
final class Receiver: Sendable {
    struct Receipt: Sendable {
        let tag: String
        let key: String
        /// Which delivery of this tag it is, from 1, as they were read.
        let execution: Int
        /// Which claim of the job it came from: on a busy machine what one daemon sent before it ended may be read
        /// after what the next one sends.
        let claim: Int
        let at: Double
    }

    /// What is done with a delivery, on the receiver's thread; nil: it is answered well and at once.
    typealias Manner = @Sendable (Receipt) -> [HTTPStub.Step]?

    private let stub: HTTPStub
    private let ledger: Ledger

    private final class Ledger: Sendable {
        let receipts = Mutex<[Receipt]>([])
        let counts = Mutex<[String: Int]>([:])
        let manner = Mutex<Manner>({ _ in nil })
    }

    init() throws {
        let ledger = Ledger()
        self.ledger = ledger
        stub = try HTTPStub { request in
            let tag = String(decoding: request.body, as: UTF8.self)
            let count = ledger.counts.withLock { counts in
                counts[tag, default: 0] += 1
                return counts[tag, default: 0]
            }
            let receipt = Receipt(
                tag: tag, key: request.header("Idempotency-Key") ?? "", execution: count,
                claim: Receiver.claim(of: request.header("traceparent") ?? ""),
                at: Date().timeIntervalSince1970)
            ledger.receipts.withLock { $0.append(receipt) }
            let manner = ledger.manner.withLock { $0 }
            return manner(receipt) ?? [Receiver.answer(receipt)]
        }
    }

    var url: String { stub.url + "/unit" }
    var receipts: [Receipt] { ledger.receipts.withLock { $0 } }

    /// From now on.
    func behave(_ manner: @escaping Manner) { ledger.manner.withLock { $0 = manner } }
    func behaveWell() { behave { _ in nil } }

    /// The token of a claim, as the daemon writes it into the last five digits of the parent id.
    private static func claim(of traceparent: String) -> Int {
        let parts = traceparent.split(separator: "-")
        return parts.count == 4 ? Int(parts[2].suffix(5), radix: 16) ?? 0 : 0
    }

    /// The good answer: the claim.
    static func answer(_ receipt: Receipt) -> HTTPStub.Step {
        .answer(body: Array("\(receipt.claim)".utf8))
    }

    /// The good answer, after a while.
    static func answer(_ receipt: Receipt, after time: Duration) -> [HTTPStub.Step] {
        guard case .send(let bytes) = answer(receipt) else { return [] }
        return [.drip(Array(bytes.prefix(1)), every: time), .send(Array(bytes.dropFirst()))]
    }
}
