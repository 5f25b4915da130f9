import CCrypto
import FoundationEssentials

/// Who sent a delivery, proved with a secret both sides know: Standard Webhooks' `v1` signature,
/// HMAC-SHA256 over `id.timestamp.body` in base64 (standardwebhooks.com).
struct Signature: Equatable {
    /// The value of the header `webhook-signature`.
    let header: String

    /// Nil when OpenSSL cannot.
    init?(secret: [UInt8], id: String, timestamp: Int, body: [UInt8]) {
        let text = Array("\(id).\(timestamp).".utf8) + body
        var mac = [UInt8](repeating: 0, count: 32)
        guard hmac_sha256(secret, Int32(secret.count), text, text.count, &mac) == 1 else { return nil }
        header = "v1," + Data(mac).base64EncodedString()
    }
}
