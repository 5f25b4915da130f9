@testable import Models

/// Answers of OpenAI and its like, server-sent events or JSON. In front: how the bytes are cut.
func check(_ input: Input) {
    var input = input
    let cut = input.number(UInt8.self)
    checkStream(.openai, input.rest, cut: cut)
}
