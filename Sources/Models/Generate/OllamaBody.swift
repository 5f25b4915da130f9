/// A question in the words of Ollama's chat.
extension GeneratePayload {
    var ollamaBody: JSON {
        var options: JSON = ["num_predict": .integer(parameters.maxTokens)]
        // The small context it has otherwise cuts prompts without a word.
        options.add("num_ctx", capabilities.contextTokens.map { .integer($0) })
        options.add("temperature", sampling(parameters.temperature).map { .number($0) })
        options.add("top_p", sampling(parameters.topP).map { .number($0) })
        options.add("seed", sampling(parameters.seed).map { .integer($0) })
        options.add("stop", stop)
        var body: JSON = [
            "model": .string(model), "messages": .array(plainMessages), "stream": .bool(streams),
            "options": options,
        ]
        body.add("think", parameters.reasoningEffort.map { $0 == "none" ? false : .string($0) })
        body.add("format", allowedSchema.map(\.schema))
        body.add("tools", openAITools)
        return body
    }
}
