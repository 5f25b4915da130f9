/// Requests for an answer, in each provider's words. What capabilities do not allow is not in them.
extension GeneratePayload {
    /// Where the request goes and what it says.
    var question: (path: String, body: JSON) {
        switch provider.kind {
        case .anthropic: ("/v1/messages", anthropicBody)
        case .bedrock: ("/model/\(model.percentEncoded())/converse\(streams ? "-stream" : "")", bedrockBody)
        case .ollama: ("/api/chat", ollamaBody)
        case .openai, .vllm, .tei, .cohere, .jina: ("/v1/chat/completions", openAIBody)
        }
    }
}
