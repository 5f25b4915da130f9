/// A question in the words of Anthropic's Messages.
extension GeneratePayload {
    var anthropicBody: JSON {
        var body: JSON = ["model": .string(model), "max_tokens": .integer(parameters.maxTokens)]
        body.add("system", system.map { .string($0) })
        body.add(
            "messages",
            .array(messages.map { ["role": .string($0.role.rawValue), "content": .string($0.content)] }))
        body.add("temperature", sampling(parameters.temperature).map { .number($0) })
        body.add("top_p", sampling(parameters.topP).map { .number($0) })
        body.add("stop_sequences", stop)
        if !allowedTools.isEmpty {
            body.add(
                "tools",
                .array(
                    allowedTools.map { tool in
                        [
                            "name": .string(tool.name), "description": .string(tool.description),
                            "input_schema": tool.parameters,
                        ]
                    }))
        }
        var output: JSON = [:]
        output.add("effort", parameters.reasoningEffort.map { .string($0) })
        output.add("format", allowedSchema.map { ["type": "json_schema", "schema": $0.schema] })
        if output != [:] { body.add("output_config", output) }
        if streams { body.add("stream", true) }
        return body
    }
}
