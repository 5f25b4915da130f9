import CCurl
import Glibc

/// One request on its way and what has come back: an easy handle of libcurl, its settings and callbacks.
///
/// In the hands of a `Multi` from `Multi.add` on; taken out of them, and freed, with the last reference.
final class Exchange {
    let handle: UnsafeMutableRawPointer
    private let multi: Multi
    private let hop: Hop
    private let limits: HTTPLimits
    private let policy: AddressPolicy
    private let streams: Bool
    /// libcurl reads it until the handle is freed.
    private var lines: UnsafeMutablePointer<curl_slist>?
    private let words: UnsafeMutablePointer<CChar>

    private var head: [UInt8] = []
    private var headBytes = 0
    private var body: [UInt8] = []
    private var bodyBytes = 0
    /// The head that streamed bytes belong to, from their first on.
    private(set) var streamedHead: HTTPHead?
    /// When the last byte of a body came.
    private(set) var lastByte: ContinuousClock.Instant?
    /// Why a callback ended the transfer.
    private var stop: HTTPFailure?
    /// Why the last address got no socket. It matters only when none got one: a host may have several.
    private var obstacle: HTTPFailure?
    private var hasOpenedSocket = false

    init(
        _ hop: Hop, of request: HTTPRequest, settings: HTTPClient.Settings, in multi: Multi
    ) throws(HTTPFailure) {
        guard let handle = curl_easy_init() else { throw .unavailable("out of memory") }
        self.handle = handle
        self.multi = multi
        self.hop = hop
        limits = request.limits
        policy = request.policy
        streams = request.streams
        words = .allocate(capacity: Int(CURL_ERROR_SIZE))
        words.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))

        var options = EasyOptions(handle)
        setRequest(&options, settings)
        setLimits(&options)
        setTrust(&options, settings)
        setCallbacks(&options)
        if let failure = options.failure { throw failure }
    }

    deinit {
        multi.remove(handle)
        curl_easy_cleanup(handle)
        curl_slist_free_all(lines)
        words.deallocate()
    }

    // MARK: Settings

    private func setRequest(_ options: inout EasyOptions, _ settings: HTTPClient.Settings) {
        options.set(CURLOPT_URL, hop.url.text)
        options.set(CURLOPT_USERAGENT, settings.userAgent)
        options.set(CURLOPT_ACCEPT_ENCODING, "") // all that this libcurl can undo
        options.set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS)
        if hop.method == "HEAD" { options.set(CURLOPT_NOBODY, 1) }
        if !hop.body.isEmpty || hop.method == "POST" {
            options.set(CURLOPT_POSTFIELDSIZE_LARGE, offset: hop.body.count)
            hop.body.withUnsafeBytes { bytes in
                if let start = bytes.baseAddress { options.set(CURLOPT_COPYPOSTFIELDS, pointer: start) }
            }
            if hop.body.isEmpty { options.set(CURLOPT_COPYPOSTFIELDS, "") }
        }
        if hop.method != "HEAD" { options.set(CURLOPT_CUSTOMREQUEST, hop.method) }

        // An empty value means "do not send" to libcurl, and a semicolon "send it empty".
        for field in hop.headers.fields {
            append(field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)", &options)
        }
        append("Expect:", &options) // would cost a second with servers that do not know it
        if hop.headers["Content-Type"] == nil { append("Content-Type:", &options) }
        options.set(CURLOPT_HTTPHEADER, list: lines)
    }

    private func append(_ line: String, _ options: inout EasyOptions) {
        guard let longer = curl_slist_append(lines, line) else {
            options.note(CURLE_OUT_OF_MEMORY)
            return
        }
        lines = longer
    }

    private func setLimits(_ options: inout EasyOptions) {
        // The whole time is HTTPClient's: it spans redirects and the wait for a free connection.
        options.set(CURLOPT_CONNECTTIMEOUT_MS, max(1, limits.connect.milliseconds))
        if hop.method != "HEAD" { options.set(CURLOPT_MAXFILESIZE_LARGE, offset: max(1, limits.body)) }
        if let slowness = limits.slowness {
            options.set(CURLOPT_LOW_SPEED_LIMIT, slowness.bytesPerSecond)
            options.set(CURLOPT_LOW_SPEED_TIME, max(1, slowness.time.milliseconds / 1000))
        }
        options.set(CURLOPT_TCP_KEEPALIVE, 1)
        options.set(CURLOPT_TCP_KEEPIDLE, 30)
        options.set(CURLOPT_TCP_KEEPINTVL, 10)
    }

    private func setTrust(_ options: inout EasyOptions, _ settings: HTTPClient.Settings) {
        options.set(CURLOPT_PROTOCOLS_STR, "http,https")
        options.set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
        options.set(CURLOPT_FOLLOWLOCATION, 0)
        // None, whatever the environment says: what address a proxy connects to, we cannot check.
        options.set(CURLOPT_PROXY, "")
        options.set(CURLOPT_NETRC, 0) // CURL_NETRC_IGNORED
        options.set(CURLOPT_SSL_VERIFYPEER, 1)
        options.set(CURLOPT_SSL_VERIFYHOST, 2)
        options.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let file = settings.certificateAuthorities { options.set(CURLOPT_CAINFO, file) }
        // No SIGALRM for time limits; the lookup of names has a thread of its own.
        options.set(CURLOPT_NOSIGNAL, 1)
        // Without it, ending a transfer whose name is being looked up waits for the name servers, and with it
        // the whole daemon. The lookup's thread then frees what it holds when it gets its answer.
        options.set(CURLOPT_QUICK_EXIT, 1)
    }

    private func setCallbacks(_ options: inout EasyOptions) {
        // Unretained: deinit, which frees the handle, ends all calls.
        let me = Unmanaged.passUnretained(self).toOpaque()
        options.set(CURLOPT_ERRORBUFFER, pointer: words)
        options.set(CURLOPT_HEADERDATA, pointer: me)
        options.set(CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            exchange(context)?.takeHead(UnsafeRawBufferPointer(start: bytes, count: size * count)) ?? 0
        }
        options.set(CURLOPT_WRITEDATA, pointer: me)
        options.set(CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            exchange(context)?.takeBody(UnsafeRawBufferPointer(start: bytes, count: size * count)) ?? 0
        }
        options.set(CURLOPT_OPENSOCKETDATA, pointer: me)
        options.setOpenSocket { context, purpose, address in
            guard let exchange = exchange(context), let address, purpose == CURLSOCKTYPE_IPCXN else {
                return -1
            }
            return exchange.openSocket(address)
        }
        options.set(CURLOPT_PREREQDATA, pointer: me)
        options.setBeforeRequest { context, address, _, port, _ in
            guard let exchange = exchange(context), let address else { return CURL_PREREQFUNC_ABORT }
            return exchange.mayAsk(String(cString: address), port)
                ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
        }
    }

    // MARK: Called by libcurl

    /// One line of a head or trailer; another count than given ends the transfer.
    private func takeHead(_ line: UnsafeRawBufferPointer) -> Int {
        headBytes += line.count
        guard headBytes <= limits.headers else {
            stop = .tooLarge(.headers, limit: limits.headers)
            return -1
        }
        if bodyBytes == 0 { head += line } // what comes after a body is its trailers
        return line.count
    }

    private func takeBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard bytes.count <= limits.body - bodyBytes else {
            stop = .tooLarge(.body, limit: limits.body)
            return -1
        }
        if bodyBytes == 0, streams { streamedHead = successfulHead() }
        bodyBytes += bytes.count
        lastByte = .now
        body += bytes
        return bytes.count
    }

    /// The head of an answer 2xx; nil of any other, whose body is for who reads the response.
    private func successfulHead() -> HTTPHead? {
        let status = long(CURLINFO_RESPONSE_CODE)
        guard 200..<300 ~= status, let headers = HTTPHeaders.parse(lastHeadOf: head) else { return nil }
        return HTTPHead(status: status, headers: headers)
    }

    /// Hands out what has come of a streamed body since the last call; nil when there is nothing.
    func takeStreamed() -> (head: HTTPHead, bytes: [UInt8])? {
        guard let head = streamedHead, !body.isEmpty else { return nil }
        defer { body = [] }
        return (head, body)
    }

    /// Opens a socket to an address that the policy allows, and to no other.
    private func openSocket(_ address: UnsafeMutablePointer<curl_sockaddr>) -> curl_socket_t {
        let target = address.pointee
        let bytes = UnsafeRawBufferPointer(start: curl_sockaddr_bytes(address), count: Int(target.addrlen))
        guard let (ip, port) = IPAddress.read(socketAddress: bytes) else { return -1 }
        guard isAllowed(ip, port) else { return -1 }
        // Programs that the daemon starts must not inherit it.
        let opened = socket(target.family, target.socktype | Int32(SOCK_CLOEXEC.rawValue), target.`protocol`)
        if opened < 0 { obstacle = .unavailable("no socket: \(String(cString: strerror(errno)))") }
        hasOpenedSocket = hasOpenedSocket || opened >= 0
        return opened
    }

    /// The last word before the request is sent. A connection that is used again was opened under the policy
    /// of another request.
    private func mayAsk(_ address: String, _ port: Int32) -> Bool {
        guard let ip = IPAddress(address), let port = UInt16(exactly: port), isAllowed(ip, port) else {
            stop = obstacle ?? .addressRefused(host: hop.url.host, address: address, reason: "not understood")
            return false
        }
        return true
    }

    private func isAllowed(_ address: IPAddress, _ port: UInt16) -> Bool {
        guard let reason = policy.refusal(of: address, host: hop.url.host, port: port) else { return true }
        obstacle = .addressRefused(host: hop.url.host, address: "\(address)", reason: reason)
        return false
    }

    // MARK: The end

    /// What the exchange came to.
    enum End {
        case response(HTTPResponse)
        case redirect(Hop)
    }

    /// Reads the result of a transfer that libcurl has ended.
    func end(_ code: CURLcode) throws(HTTPFailure) -> End {
        guard code == CURLE_OK else { throw failure(code) }
        // libcurl takes a head that was cut short for an answer without a body.
        guard let headers = HTTPHeaders.parse(lastHeadOf: head) else {
            throw .brokenAnswer("it ends before its end")
        }
        let status = long(CURLINFO_RESPONSE_CODE)
        if limits.redirects > 0, let location = text(CURLINFO_REDIRECT_URL),
            let next = try hop.following(status: status, to: location)
        {
            return .redirect(next)
        }
        return .response(
            HTTPResponse(
                status: status, headers: headers, body: streamedHead == nil ? body : [],
                url: text(CURLINFO_EFFECTIVE_URL) ?? hop.url.text,
                times: HTTPResponse.Times(
                    whole: time(CURLINFO_TOTAL_TIME_T), resolved: time(CURLINFO_NAMELOOKUP_TIME_T),
                    connected: max(time(CURLINFO_CONNECT_TIME_T), time(CURLINFO_APPCONNECT_TIME_T)),
                    firstByte: time(CURLINFO_STARTTRANSFER_TIME_T))))
    }

    private func failure(_ code: CURLcode) -> HTTPFailure {
        if let stop { return stop }
        if let obstacle, !hasOpenedSocket { return obstacle }
        return HTTPFailure(
            code, host: hop.url.host, limits: limits, isConnected: time(CURLINFO_PRETRANSFER_TIME_T) > .zero,
            systemError: Int32(truncatingIfNeeded: long(CURLINFO_OS_ERRNO)), words: String(cString: words))
    }

    private func long(_ info: CURLINFO) -> Int {
        var value = 0
        return curl_easy_getinfo_long(handle, info, &value) == CURLE_OK ? value : 0
    }

    private func time(_ info: CURLINFO) -> Duration {
        var value: curl_off_t = 0
        return curl_easy_getinfo_offset(handle, info, &value) == CURLE_OK ? .microseconds(value) : .zero
    }

    private func text(_ info: CURLINFO) -> String? {
        var value: UnsafeMutablePointer<CChar>?
        guard curl_easy_getinfo_text(handle, info, &value) == CURLE_OK, let value else { return nil }
        return String(cString: value)
    }
}

private func exchange(_ context: UnsafeMutableRawPointer?) -> Exchange? {
    context.map { Unmanaged<Exchange>.fromOpaque($0).takeUnretainedValue() }
}

/// CURLE_TOO_LARGE, which the headers of older versions do not have.
private let tooLargeForLibcurl = CURLcode(rawValue: 100)

extension HTTPFailure {
    /// What a code of libcurl means to a caller.
    ///
    /// - Parameters:
    ///   - isConnected: whether the request was being sent or answered when it ended.
    ///   - words: libcurl's own sentence, used for TLS alone: there it names certificates and hosts.
    init(
        _ code: CURLcode, host: String, limits: HTTPLimits, isConnected: Bool, systemError: Int32,
        words: String
    ) {
        let sentence = String(cString: curl_easy_strerror(code))
        switch code {
        case CURLE_URL_MALFORMAT:
            self = .badURL(sentence)
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
            self = .couldNotResolve(host: host)
        case CURLE_COULDNT_CONNECT:
            let reason = systemError == 0 ? "no address answers" : String(cString: strerror(systemError))
            self = .couldNotConnect(host: host, reason: reason)
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
            CURLE_USE_SSL_FAILED, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CRL_BADFILE:
            self = .tls(host: host, reason: words.isEmpty ? sentence : words)
        case CURLE_OPERATION_TIMEDOUT:
            self = .timedOut(isConnected ? .slowness : .connecting)
        case CURLE_FILESIZE_EXCEEDED:
            self = .tooLarge(.body, limit: limits.body)
        case CURLE_OUT_OF_MEMORY where isConnected, tooLargeForLibcurl:
            // What libcurl says of a single header line above 100 kB.
            self = .tooLarge(.headers, limit: limits.headers)
        case CURLE_OUT_OF_MEMORY, CURLE_FAILED_INIT, CURLE_NOT_BUILT_IN, CURLE_UNKNOWN_OPTION,
            CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED:
            self = .unavailable(sentence)
        case CURLE_UNSUPPORTED_PROTOCOL:
            // Schemes were checked before: this is an answer that does not begin with "HTTP/".
            self = .brokenAnswer("it is not HTTP/1 or HTTP/2")
        case CURLE_PARTIAL_FILE:
            self = .brokenAnswer("it ends before its end")
        case CURLE_GOT_NOTHING:
            self = .brokenAnswer("the connection was closed without one")
        case CURLE_RECV_ERROR, CURLE_SEND_ERROR:
            self = .brokenAnswer("the connection was lost")
        default:
            self = .brokenAnswer(sentence)
        }
    }
}

/// Sets options and remembers the first that was refused: none of them may be missing.
private struct EasyOptions {
    let handle: UnsafeMutableRawPointer
    private(set) var failure: HTTPFailure?

    init(_ handle: UnsafeMutableRawPointer) { self.handle = handle }

    mutating func note(_ code: CURLcode) {
        guard code != CURLE_OK, failure == nil else { return }
        failure = .unavailable(String(cString: curl_easy_strerror(code)))
    }

    mutating func set(_ option: CURLoption, _ value: Int) {
        note(curl_easy_setopt_long(handle, option, value))
    }

    mutating func set(_ option: CURLoption, _ value: String) {
        note(curl_easy_setopt_text(handle, option, value))
    }

    mutating func set(_ option: CURLoption, offset value: Int) {
        note(curl_easy_setopt_offset(handle, option, curl_off_t(value)))
    }

    mutating func set(_ option: CURLoption, pointer value: UnsafeRawPointer) {
        note(curl_easy_setopt_pointer(handle, option, value))
    }

    mutating func set(_ option: CURLoption, list value: UnsafeMutablePointer<curl_slist>?) {
        note(curl_easy_setopt_list(handle, option, value))
    }

    mutating func set(_ option: CURLoption, function: @escaping curl_write_callback) {
        note(curl_easy_setopt_write(handle, option, function))
    }

    mutating func setOpenSocket(_ function: @escaping curl_opensocket_callback) {
        note(curl_easy_setopt_open_socket(handle, function))
    }

    mutating func setBeforeRequest(_ function: @escaping curl_prereq_callback) {
        note(curl_easy_setopt_before_request(handle, function))
    }
}
