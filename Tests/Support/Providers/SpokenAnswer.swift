import Foundation

/// A streamed answer that a test makes up, as OpenAI would write it: `head`, pieces, `end`.
public enum SpokenAnswer {
    public static let head = HTTPStub.Step.text(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")

    public static func piece(_ text: String) -> HTTPStub.Step {
        .text("data: \(json(["choices": [["index": 0, "delta": ["content": text]] as [String: Any]]]))\n\n")
    }

    /// Its finish, and what it took, in tokens.
    public static func end(input: Int, output: Int) -> [HTTPStub.Step] {
        let last: [String: Any] = [
            "choices": [["index": 0, "delta": [:] as [String: Any], "finish_reason": "stop"] as [String: Any]],
            "usage": ["prompt_tokens": input, "completion_tokens": output],
        ]
        return [.text("data: \(json(last))\n\ndata: [DONE]\n\n"), .close]
    }

    public static func whole(_ pieces: [String], input: Int, output: Int) -> [HTTPStub.Step] {
        [head] + pieces.map(piece) + end(input: input, output: output)
    }

    private static func json(_ value: [String: Any]) -> String { String(decoding: encoded(value), as: UTF8.self) }
}

extension HTTPStub.Request {
    /// The fields of a JSON body; none when it is something else.
    public var fields: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]) ?? [:]
    }
}
