/// Vectors, one for each text.
public struct EmbedResult: Hashable, Sendable, Encodable {
    /// Why one text has no vector.
    public struct Refusal: Hashable, Sendable, Encodable {
        /// Of the text, as the payload has them.
        public var index: Int
        /// A sentence that does not repeat the text.
        public var error: String
    }

    /// In the order of the texts; nil where `errors` says why.
    public var embeddings: [[Float]?]
    /// Nil when there are none.
    public var errors: [Refusal]?
    /// Of all requests together; nil when the provider tells none.
    public var usage: Usage?
    /// As the answer names it.
    public var model: String?
}

extension EmbedResult {
    /// The result as JSON text, as an encoder writes it. By hand, because a batch has a hundred thousand numbers:
    /// an encoder boxes each, and whoever waits for other answers waits meanwhile.
    public var json: [UInt8] {
        var output = Array("{\"embeddings\":[".utf8)
        output.reserveCapacity(64 + embeddings.reduce(0) { $0 + 13 * ($1?.count ?? 1) })
        for (place, vector) in embeddings.enumerated() {
            if place > 0 { output.append(UInt8(ascii: ",")) }
            Self.write(vector, to: &output)
        }
        output.append(UInt8(ascii: "]"))
        for (name, value) in rest {
            output += ",\"\(name)\":".utf8
            output += value.bytes
        }
        output.append(UInt8(ascii: "}"))
        return output
    }

    private static func write(_ vector: [Float]?, to output: inout [UInt8]) {
        guard let vector else { return output += "null".utf8 }
        var separator = UInt8(ascii: "[")
        if vector.isEmpty { output.append(separator) }
        for number in vector {
            output.append(separator)
            output += number.description.utf8
            separator = UInt8(ascii: ",")
        }
        output.append(UInt8(ascii: "]"))
    }

    private var rest: [(name: String, value: JSON)] {
        var rest: [(name: String, value: JSON)] = []
        if let errors {
            let errors = errors.map { ["index": .integer($0.index), "error": .string($0.error)] as JSON }
            rest.append(("errors", .array(errors)))
        }
        if let usage {
            rest.append(
                (
                    "usage",
                    [
                        "input": .integer(usage.input), "cached_input": .integer(usage.cachedInput),
                        "cache_write": .integer(usage.cacheWrite), "output": .integer(usage.output),
                        "reasoning": .integer(usage.reasoning),
                    ]
                ))
        }
        if let model { rest.append(("model", .string(model))) }
        return rest
    }
}
