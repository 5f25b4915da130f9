/// An answer that is being put together.
struct Reply: Hashable {
    /// What has been added since it was last taken away.
    var events: [GenerateEvent] = []
    private(set) var text = ""
    private(set) var calls: [Call] = []
    private(set) var finish: Finish?
    private(set) var usage: Usage?
    var model: String?
    var requestID: String?
    /// What the model said instead of answering.
    private(set) var refusal = ""

    /// A tool call, by the number its provider gives it.
    struct Call: Hashable {
        let key: Int
        var name: String
        var arguments: String
    }

    mutating func add(text more: String?) {
        guard let more, !more.isEmpty else { return }
        text += more
        events.append(.text(more))
    }

    mutating func add(refusal more: String?) { refusal += more ?? "" }

    /// Begins or continues a tool call. A name that is told again does not count.
    mutating func add(call key: Int, name: String? = nil, arguments: String = "") {
        let index: Int
        if let known = calls.lastIndex(where: { $0.key == key }) {
            index = known
        } else {
            index = calls.count
            calls.append(Call(key: key, name: "", arguments: ""))
        }
        let isNew = calls[index].name.isEmpty && name?.isEmpty == false
        if let name, isNew { calls[index].name = name }
        calls[index].arguments += arguments
        guard isNew || !arguments.isEmpty else { return }
        events.append(.toolCall(index: index, name: isNew ? name : nil, arguments: arguments))
    }

    mutating func add(usage new: Usage?) {
        guard let new, new != usage else { return }
        usage = new
        events.append(.usage(new))
    }

    mutating func add(finish new: Finish) {
        finish = new
        events.append(.finish(new))
    }

    /// The answer, if it is one.
    func result() throws(ModelFault) -> GenerateResult {
        guard refusal.isEmpty else {
            throw ModelFault(.refusal, "\(ModelFault.Reason.refusal.words): \(refusal)")
        }
        guard let finish else {
            throw ModelFault(.cutOff, "\(ModelFault.Reason.cutOff.words): it ends without a reason to")
        }
        guard calls.allSatisfy({ !$0.name.isEmpty }) else {
            throw ModelFault(badAnswer: "a tool call has no name")
        }
        let toolCalls = calls.map { call in
            GenerateResult.ToolCall(name: call.name, arguments: Self.arguments(call.arguments))
        }
        return GenerateResult(
            text: text, toolCalls: toolCalls.isEmpty ? nil : toolCalls,
            finish: finish == .stop && !toolCalls.isEmpty ? .toolCalls : finish, usage: usage,
            usageSource: usage == nil ? nil : "reported", model: model, requestID: requestID)
    }

    /// No arguments at all are an empty object.
    private static func arguments(_ text: String) -> JSON {
        if text.utf8.allSatisfy({ $0 <= 0x20 }) { return [:] }
        return (try? JSON(parsing: text)) ?? .string(text)
    }
}
