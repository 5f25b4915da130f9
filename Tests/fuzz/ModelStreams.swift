import HTTP

@testable import Models

/// How an answer was told, and what it came to.
private struct Told: Equatable {
    var events: [GenerateEvent] = []
    var text = ""
    var finish: Finish?
    var calls = 0
    var reason: ModelFault.Reason?

    init(_ kind: Provider.Kind, _ pieces: [ArraySlice<UInt8>]) {
        var (reply, fault): (Reply, ModelFault?) = (Reply(), nil)
        do throws(ModelFault) {
            var body = try BodyReader(kind)
            for piece in pieces { try body.read(Array(piece), into: &reply) }
            try body.end(&reply)
            let result = try reply.result()
            (text, finish, calls) = (result.text, result.finish, result.toolCalls?.count ?? 0)
        } catch {
            fault = error
        }
        (events, reason) = (reply.events, fault?.reason)
        require(fault == nil || fault?.sentence.isEmpty == false, "a fault has a sentence")
    }
}

/// A provider's answer, streamed or not: told the same in every cut, and at the end nothing but what was told
/// before.
func checkStream(_ kind: Provider.Kind, _ bytes: ArraySlice<UInt8>, cut: UInt8) {
    let whole = Told(kind, [bytes])
    let cut = Told(kind, bytes.pieces(of: Int(cut % 16) + 1))
    require(cut == whole, "cut or whole, it is the same: \(cut), \(whole)")

    var (text, named): (String, [Int]) = ("", [])
    for event in whole.events {
        switch event {
        case .text(let more): text += more
        case .toolCall(let index, let name, _):
            if name != nil { named.append(index) }
        case .usage(let usage):
            let least = min(usage.input, usage.cachedInput, usage.cacheWrite, usage.output, usage.reasoning)
            require(least >= 0, "\(usage) is a count")
        case .finish: break
        }
    }
    guard whole.reason == nil else { return }
    require(whole.text.isIdentical(to: text), "the text is what was told")
    require(named.sorted() == Array(0..<whole.calls), "each call was told with its name, once: \(named)")
    require(whole.events.contains { if case .finish = $0 { true } else { false } }, "an answer has an end")
}

extension ArraySlice<UInt8> {
    /// The bytes in pieces of that many.
    func pieces(of count: Int) -> [ArraySlice<UInt8>] {
        stride(from: startIndex, to: endIndex, by: count).map { self[$0..<Swift.min($0 + count, endIndex)] }
    }
}
