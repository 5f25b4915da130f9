import CCrypto

/// SHA-256 and what is made of it. Nil where OpenSSL cannot.
enum Digest {
    static func sha256(_ bytes: [UInt8]) -> [UInt8]? {
        var digest = [UInt8](repeating: 0, count: 32)
        return CCrypto.sha256(bytes, bytes.count, &digest) == 1 ? digest : nil
    }

    static func hmac(_ key: [UInt8], _ text: String) -> [UInt8]? {
        let text = Array(text.utf8)
        var mac = [UInt8](repeating: 0, count: 32)
        return hmac_sha256(key, Int32(key.count), text, text.count, &mac) == 1 ? mac : nil
    }

    /// Two digits for each byte, in lower case.
    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
