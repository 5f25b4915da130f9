import Foundation

/// What a `ScriptedProvider` does with one request.
struct ScriptedReply {
    private let behaviour: ScriptedProvider.Behaviour
    private let form: WireForm
    private let fields: [String: Any]
    private let target: String

    init(_ request: HTTPStub.Request, _ behaviour: ScriptedProvider.Behaviour) {
        self.behaviour = behaviour
        target = request.target
        form = WireForm(path: request.target)
        fields = request.fields
    }

    var steps: [HTTPStub.Step] {
        if let steps = refusal ?? garbage { return steps }
        switch form {
        case .embeddings, .ollamaEmbed: return embeddings
        case .cohereRerank, .jinaRerank, .teiRerank: return [answer(200, RerankForm(form, fields).body)]
        case .unknown:
            return [answer(404, ["error": ["message": "no such path", "type": "not_found_error"]])]
        case .openAI, .anthropic, .bedrock, .ollama: return chat
        }
    }

    // MARK: Refusals

    private var refusal: [HTTPStub.Step]? {
        let error = ErrorForm(form)
        switch behaviour {
        case .rateLimited: return [error.step(.rateLimited, headers: [("Retry-After", "7")])]
        case .rateLimitedMilliseconds:
            return [error.step(.rateLimited, headers: [("retry-after-ms", "1500")])]
        case .rateLimitedReset: return [error.step(.rateLimited, headers: resets)]
        case .quotaUsedUp: return [error.step(.quotaUsedUp)]
        case .serverError: return [error.step(.serverError)]
        case .overloaded: return [error.step(.overloaded)]
        case .unauthorized: return [error.step(.unauthorized)]
        case .unknownModel: return [error.step(.unknownModel)]
        case .contextTooLong: return [error.step(.contextTooLong)]
        default: return nil
        }
    }

    private var resets: [(String, String)] {
        form == .anthropic
            ? [
                ("Date", "Sat, 21 Nov 2026 09:30:00 GMT"), ("anthropic-ratelimit-tokens-remaining", "0"),
                ("anthropic-ratelimit-tokens-reset", "2026-11-21T09:36:00Z"),
                ("anthropic-ratelimit-requests-remaining", "9"),
                ("anthropic-ratelimit-requests-reset", "2026-11-21T09:50:00Z"),
            ] : [("x-ratelimit-reset-requests", "1s"), ("x-ratelimit-reset-tokens", "6m0s")]
    }

    private var garbage: [HTTPStub.Step]? {
        let page = Array("<!DOCTYPE html>\n<html><body>Bad gateway</body></html>".utf8)
        switch behaviour {
        case .page: return [.answer(200, headers: [("Content-Type", "text/html")], body: page)]
        case .pageError: return [.answer(502, headers: [("Content-Type", "text/html")], body: page)]
        case .wrongJSON: return [.answer(200, headers: json, body: Array("{\"choices\": [{]}".utf8))]
        case .huge:
            let filler = [UInt8](repeating: 0x61, count: 10_000_001)
            return [.answer(200, headers: json, body: Array("{\"x\":\"".utf8) + filler + Array("\"}".utf8))]
        default: return nil
        }
    }

    // MARK: Embeddings

    private var embeddings: [HTTPStub.Step] {
        let texts = fields["input"] as? [String] ?? [fields["input"] as? String ?? ""]
        if texts.contains("") || behaviour == .badText && texts.contains(where: { $0.contains("bad") }) {
            return [ErrorForm(form).step(.badInput)]
        }
        let width = (fields["dimensions"] as? Int ?? 4) + (behaviour == .wrongWidth ? 1 : 0)
        let embeddings = EmbedForm(texts: texts, width: width, behaviour: behaviour, fields: fields)
        return [answer(200, form == .ollamaEmbed ? embeddings.ollama : embeddings.openAI)]
    }

    // MARK: Chat

    private var chat: [HTTPStub.Step] {
        let chat = ChatForm(form, fields, behaviour)
        guard isStream, behaviour != .wholeForStream else { return [answer(200, chat.whole)] }
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: \(chat.mediaType)\r\nx-request-id: \(ScriptedAnswer.requestID)\r\n"
            + "Connection: close\r\n\r\n"
        return [.text(head)] + body(chat) + [.close]
    }

    private var isStream: Bool {
        if form == .bedrock { return target.hasSuffix("/converse-stream") }
        return fields["stream"] as? Bool ?? (form == .ollama)
    }

    private func body(_ chat: ChatForm) -> [HTTPStub.Step] {
        let pieces = chat.pieces
        let all = pieces.flatMap(\.self)
        let half = Array(pieces.prefix(pieces.count / 2).flatMap(\.self).dropLast())
        switch behaviour {
        case .slowFirstToken:
            // The stub pauses before a byte: the first of all comes late.
            return [.drip(Array(all.prefix(1)), every: .milliseconds(300)), .send(Array(all.dropFirst()))]
        case .slowStream: return [.drip(all, every: .milliseconds(1))]
        case .splitBytes: return [.drip(all, every: .zero)]
        case .errorAfterStart: return [.send(pieces.prefix(3).flatMap(\.self) + chat.error)]
        case .cutOff: return [.send(half)]
        // A reset overtakes what the other side has not read yet: it comes a little later.
        case .reset:
            return [
                .send(Array(half.dropLast())), .drip(Array(half.suffix(1)), every: .milliseconds(50)), .reset,
            ]
        case .silent: return [.send(half), .hang]
        default: return [.send(all)]
        }
    }
}

let json = [("Content-Type", "application/json"), ("x-request-id", ScriptedAnswer.requestID)]

func answer(_ status: Int, _ value: Any, headers: [(String, String)] = []) -> HTTPStub.Step {
    .answer(status, headers: json + headers, body: encoded(value))
}

func encoded(_ value: Any) -> [UInt8] {
    let data = try? JSONSerialization.data(
        withJSONObject: value, options: [.withoutEscapingSlashes, .sortedKeys])
    return Array(data ?? Data())
}
