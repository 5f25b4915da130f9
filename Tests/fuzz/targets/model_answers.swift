import HTTP

@testable import Models

/// Vectors, orders and errors: what is taken is what was asked for, and what is not says why in one line without
/// secrets. In front: the status.
func check(_ input: Input) {
    var input = input
    let status = Int(input.number(UInt16.self) % 600)
    let body = Array(input.rest)
    for kind in [Provider.Kind.openai, .ollama] {
        guard let reply = try? EmbedReply(body, from: kind, count: 2, width: 3) else { continue }
        require(reply.vectors.count == 2, "there are as many as texts")
        require(reply.vectors.allSatisfy { $0.count == 3 && $0.allSatisfy(\.isFinite) }, "they are vectors")
    }
    if let order = try? RerankResult(body, count: 3, top: 2) {
        require(order.results.count == 2 && Set(order.results.map(\.index)).count == 2, "there are as many as asked for")
        require(order.results[0].score >= order.results[1].score, "the best is the first")
        require(order.results.allSatisfy { 0..<3 ~= $0.index }, "they are documents")
    }
    checkFault(status, body)
    _ = Base64.bytes(input.text)
}

private func checkFault(_ status: Int, _ body: [UInt8]) {
    let times = HTTPResponse.Times(whole: .zero, resolved: .zero, connected: .zero, firstByte: .zero)
    let fault = ModelFault(HTTPResponse(status: status, headers: [:], body: body, url: "", times: times), at: 0)
    let secret = "sk-0123456789abcdef"
    let prompt = "the prompt that nobody may ever read"
    for added in ["", " \(secret) ", prompt] {
        let sentence = Scrubber(credential: secret, prompts: [prompt]).clean(fault.sentence + added)
        require(sentence.count <= 300, "\(sentence) is short")
        require(!sentence.holds(secret) && !sentence.holds(prompt), "\(sentence) tells no secret")
        require(sentence.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "\(sentence.debugDescription) is one line")
    }
}
