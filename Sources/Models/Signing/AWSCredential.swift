/// AWS's keys as one secret: `ACCESS_KEY_ID:SECRET` or `ACCESS_KEY_ID:SECRET:SESSION_TOKEN`.
struct AWSCredential: Hashable {
    let accessKeyID: String
    let secret: String
    let sessionToken: String?

    init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(
            String.init)
        guard parts.count >= 2, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        accessKeyID = parts[0]
        secret = parts[1]
        sessionToken = parts.count == 3 ? parts[2] : nil
    }
}
