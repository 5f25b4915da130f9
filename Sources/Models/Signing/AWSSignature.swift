import Glibc
import HTTP

/// AWS's Signature Version 4 of a request without a query.
///
/// Our own and not libcurl's, whose older versions do not encode a path again that has escapes already, as
/// nearly every model's id gives it: the signature is then wrong.
struct AWSSignature {
    let credential: AWSCredential
    let region: String
    let service: String

    /// The headers that sign a POST, `Host` and `Content-Type` among what is signed; nil when OpenSSL cannot.
    ///
    /// - Parameters:
    ///   - path: as it is sent, with its escapes.
    ///   - now: seconds since 1970.
    func headers(path: String, host: String, contentType: String, body: [UInt8], at now: Int) -> HTTPHeaders?
    {
        guard let time = instant(now), let bodyDigest = Digest.sha256(body) else { return nil }
        var signed = [("content-type", contentType), ("host", host), ("x-amz-date", time)]
        if let token = credential.sessionToken { signed.append(("x-amz-security-token", token)) }
        let names = signed.map(\.0).joined(separator: ";")
        let canonical =
            ["POST", path.percentEncoded(except: "/"), ""] + signed.map { "\($0.0):\($0.1)" }
            + ["", names, Digest.hexadecimal(bodyDigest)]

        let scope = "\(time.prefix(8))/\(region)/\(service)/aws4_request"
        guard let digest = Digest.sha256(Array(canonical.joined(separator: "\n").utf8)),
            let key = key(scope: scope),
            let mac = Digest.hmac(key, "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n\(Digest.hexadecimal(digest))")
        else { return nil }
        var headers: HTTPHeaders = ["X-Amz-Date": time]
        if let token = credential.sessionToken { headers.add("X-Amz-Security-Token", token) }
        headers.add(
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=\(credential.accessKeyID)/\(scope), SignedHeaders=\(names), "
                + "Signature=\(Digest.hexadecimal(mac))")
        return headers
    }

    /// The key for one day, region and service: each part of the scope is hashed into the one before.
    private func key(scope: String) -> [UInt8]? {
        scope.split(separator: "/").reduce(Array("AWS4\(credential.secret)".utf8)) { key, part in
            key.flatMap { Digest.hmac($0, String(part)) }
        }
    }

    /// `20261121T093000Z`; nil beyond the year 9999.
    private func instant(_ seconds: Int) -> String? {
        var (seconds, parts) = (seconds, tm())
        guard gmtime_r(&seconds, &parts) != nil, 0...8099 ~= parts.tm_year else { return nil }
        func digits(_ number: Int32) -> String { (number < 10 ? "0" : "") + "\(number)" }
        let date = "\(parts.tm_year + 1900)\(digits(parts.tm_mon + 1))\(digits(parts.tm_mday))"
        return "\(date)T\(digits(parts.tm_hour))\(digits(parts.tm_min))\(digits(parts.tm_sec))Z"
    }
}
