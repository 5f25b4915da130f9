/// What a provider says of an error, in whichever of the shapes there are.
struct ProviderError: Hashable {
    var message: String?
    /// A name to decide by: OpenAI's `code` or else `type`, Anthropic's `type`, AWS's exception.
    var name: String?
    /// A status given in the body, for errors that come after a status 200.
    var status: Int?

    init(name: String? = nil, message: String? = nil) {
        self.name = name
        self.message = message
    }

    /// Reads `{"error": {…}}`, `{"error": "…"}`, `{"message": …}`, `{"detail": …}` and `{"__type": …}`; nil
    /// when it is none of them.
    init?(_ body: JSON) {
        guard body.isObject else { return nil }
        let inner = body["error"].flatMap { $0.isObject ? $0 : nil } ?? body
        message = ["message", "Message", "detail", "error"].lazy.compactMap { inner[$0]?.text }.first
        if message == nil, let details = inner["detail"]?.elements { message = details.first?["msg"]?.text }
        name = ["code", "type", "error_type", "__type"].lazy.compactMap { inner[$0]?.text }.first
        // AWS writes `com.amazon.coral#ThrottlingException` and `ThrottlingException:http://…`.
        name = name.map { String($0.split(separator: "#").last ?? "").prefix { $0 != ":" } }.map(String.init)
        status = (inner["code"] ?? inner["status"])?.int
        guard message != nil || name != nil else { return nil }
    }
}
