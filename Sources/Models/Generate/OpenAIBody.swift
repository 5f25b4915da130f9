/// A question in the words of Chat Completions.
extension GeneratePayload {
    var openAIBody: JSON {
        var body: JSON = ["model": .string(model), "messages": .array(plainMessages)]
        body.add(capabilities.tokenField.rawValue, .integer(parameters.maxTokens))
        body.add("temperature", sampling(parameters.temperature).map { .number($0) })
        body.add("top_p", sampling(parameters.topP).map { .number($0) })
        body.add("seed", sampling(parameters.seed).map { .integer($0) })
        body.add("stop", stop)
        body.add("reasoning_effort", parameters.reasoningEffort.map { .string($0) })
        body.add("response_format", allowedSchema.map(openAISchema))
        body.add("tools", openAITools)
        if streams {
            body.add("stream", true)
            if capabilities.streamUsage { body.add("stream_options", ["include_usage": true]) }
        }
        return body
    }

    /// Messages with the system's as the first of them.
    var plainMessages: [JSON] {
        let said = messages.map { ($0.role.rawValue, $0.content) }
        return ([system.map { ("system", $0) }].compactMap(\.self) + said).map { role, content in
            ["role": .string(role), "content": .string(content)]
        }
    }

    private func openAISchema(_ schema: Schema) -> JSON {
        [
            "type": "json_schema",
            "json_schema": ["name": .string(schema.name), "strict": true, "schema": schema.schema],
        ]
    }

    /// Nil when there are none. Ollama wants them so, too.
    var openAITools: JSON? {
        guard !allowedTools.isEmpty else { return nil }
        return .array(
            allowedTools.map { tool in
                [
                    "type": "function",
                    "function": [
                        "name": .string(tool.name), "description": .string(tool.description),
                        "parameters": tool.parameters,
                    ],
                ]
            })
    }
}
