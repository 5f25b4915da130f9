import CCurl

/// A URL as libcurl itself reads it: what is checked here is what is asked for later.
struct HTTPURL: Hashable {
    /// The whole, as it is handed to libcurl.
    let text: String
    let scheme: String
    /// The name or address, without brackets. Addresses in odd forms may still be in odd forms.
    let host: String
    let port: UInt16

    /// Reads an absolute http or https URL (`curl_url_set`).
    init(_ text: String) throws(HTTPFailure) {
        guard !text.utf8.contains(0) else { throw .badURL("it holds a NUL") }
        guard let handle = curl_url() else { throw .unavailable("out of memory") }
        defer { curl_url_cleanup(handle) }
        let flags = UInt32(CURLU_NON_SUPPORT_SCHEME | CURLU_DISALLOW_USER)
        let code = curl_url_set(handle, CURLUPART_URL, text, flags)
        guard code == CURLUE_OK else { throw .badURL(reason(code)) }

        guard let scheme = part(CURLUPART_SCHEME, of: handle) else { throw .badURL("it has no scheme") }
        guard scheme == "http" || scheme == "https" else { throw .schemeRefused(scheme) }
        guard let host = part(CURLUPART_HOST, of: handle), let port = part(CURLUPART_PORT, of: handle),
            let port = UInt16(port), let whole = part(CURLUPART_URL, of: handle)
        else { throw .badURL("it has no host") }
        self.text = whole
        self.scheme = scheme
        self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        self.port = port
    }

    /// Whether both are one origin: the same scheme, host and port.
    func isSameOrigin(as other: HTTPURL) -> Bool {
        scheme == other.scheme && port == other.port && host.equalsIgnoringCase(other.host)
    }
}

extension HTTPRequest {
    /// Whom libcurl would ask: a name, or an address, IPv6 in brackets. For a rule about hosts that must not read
    /// the URL otherwise than libcurl does.
    public func host() throws(HTTPFailure) -> String {
        let host = try HTTPURL(url).host
        return host.contains(":") ? "[\(host)]" : host
    }

    /// The `Host` that libcurl will send, for a signature over it: with the port, where it does not go without saying.
    public func hostHeader() throws(HTTPFailure) -> String {
        let parts = try HTTPURL(url)
        let isUsual = parts.port == (parts.scheme == "https" ? 443 : 80)
        return try host() + (isUsual ? "" : ":\(parts.port)")
    }
}

/// One part of a URL, with the port that goes without saying (`curl_url_get`).
private func part(_ part: CURLUPart, of handle: OpaquePointer) -> String? {
    var text: UnsafeMutablePointer<CChar>?
    let flags = part == CURLUPART_PORT ? UInt32(CURLU_DEFAULT_PORT) : 0
    guard curl_url_get(handle, part, &text, flags) == CURLUE_OK, let text else { return nil }
    defer { curl_free(text) }
    return String(cString: text)
}

/// libcurl's sentence for it, which repeats nothing of the URL (`curl_url_strerror`).
private func reason(_ code: CURLUcode) -> String {
    code == CURLUE_USER_NOT_ALLOWED
        ? "it holds a user name or password" : String(cString: curl_url_strerror(code))
}
