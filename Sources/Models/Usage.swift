/// How many tokens an answer took, as its provider counts them.
public struct Usage: Hashable, Sendable, Encodable {
    /// All that was read, with what was found in or written to a cache.
    public var input: Int
    /// Of the input, what a cache had.
    public var cachedInput: Int
    /// Of the input, what a cache now has.
    public var cacheWrite: Int
    /// All that was written, reasoning included.
    public var output: Int
    /// Of the output, what nobody sees.
    public var reasoning: Int

    public init(
        input: Int = 0, cachedInput: Int = 0, cacheWrite: Int = 0, output: Int = 0, reasoning: Int = 0
    ) {
        self.input = input
        self.cachedInput = cachedInput
        self.cacheWrite = cacheWrite
        self.output = output
        self.reasoning = reasoning
    }

    enum CodingKeys: String, CodingKey {
        case input, output, reasoning
        case cachedInput = "cached_input"
        case cacheWrite = "cache_write"
    }

    static func + (one: Usage, other: Usage) -> Usage {
        Usage(
            input: one.input + other.input, cachedInput: one.cachedInput + other.cachedInput,
            cacheWrite: one.cacheWrite + other.cacheWrite, output: one.output + other.output,
            reasoning: one.reasoning + other.reasoning)
    }
}
