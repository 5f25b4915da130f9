/// A question in the words of Bedrock's Converse.
extension GeneratePayload {
    var bedrockBody: JSON {
        var inference: JSON = ["maxTokens": .integer(parameters.maxTokens)]
        inference.add("temperature", sampling(parameters.temperature).map { .number($0) })
        inference.add("topP", sampling(parameters.topP).map { .number($0) })
        inference.add("stopSequences", stop)
        var body: JSON = [
            "messages": .array(
                messages.map {
                    ["role": .string($0.role.rawValue), "content": [["text": .string($0.content)]]]
                })
        ]
        body.add("system", system.map { [["text": .string($0)]] })
        body.add("inferenceConfig", inference)
        if !allowedTools.isEmpty { body.add("toolConfig", ["tools": .array(allowedTools.map(bedrockTool))]) }
        var output: JSON = [:]
        output.add("effort", parameters.reasoningEffort.map { .string($0) })
        output.add("textFormat", allowedSchema.map(bedrockFormat))
        if output != [:] { body.add("outputConfig", output) }
        return body
    }

    private func bedrockTool(_ tool: Tool) -> JSON {
        [
            "toolSpec": [
                "name": .string(tool.name), "description": .string(tool.description),
                "inputSchema": ["json": tool.parameters],
            ]
        ]
    }

    /// The schema travels as a text.
    private func bedrockFormat(_ schema: Schema) -> JSON {
        [
            "type": "json_schema",
            "structure": [
                "jsonSchema": ["name": .string(schema.name), "schema": .string(schema.schema.string)]
            ],
        ]
    }
}
