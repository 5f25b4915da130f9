@testable import Models

/// Answers of Ollama, lines of JSON. In front: how the bytes are cut.
func check(_ input: Input) {
    var input = input
    let cut = input.number(UInt8.self)
    checkStream(.ollama, input.rest, cut: cut)
}
