import CMicroHTTPD
import Glibc

/// What is said to a request for metrics.
struct MetricsAnswer: Equatable {
    static let methods = ["GET", "HEAD"]

    var status: UInt32 = 200
    var mediaType = "text/plain; charset=utf-8"
    var body: String

    /// - Parameters:
    ///   - page: the metrics; made only when they are asked for.
    ///   - obstacle: why the daemon does not work yet, or no longer; nil when it does.
    init(method: String, path: String, page: () -> String, obstacle: () -> String?) {
        guard ["/metrics", "/healthz", "/readyz"].contains(path) else {
            self.init(status: 404, body: "there are /metrics, /healthz and /readyz\n")
            return
        }
        guard Self.methods.contains(method) else {
            self.init(status: 405, body: "only GET and HEAD\n")
            return
        }
        switch path {
        case "/metrics":
            self.init(mediaType: Exposition.mediaType, body: page())
        case "/readyz":
            let obstacle = obstacle()
            self.init(status: obstacle == nil ? 200 : 503, body: (obstacle ?? "ready") + "\n")
        default:
            // Whoever reads this has an answer from the loop itself: it turns.
            self.init(body: "alive\n")
        }
    }

    private init(status: UInt32 = 200, mediaType: String = "text/plain; charset=utf-8", body: String) {
        (self.status, self.mediaType, self.body) = (status, mediaType, body)
    }
}

/// Serves metrics over HTTP, with libmicrohttpd and without a thread: the loop that owns this waits for its
/// descriptor, no longer than its timeout, and then lets it work.
final class MetricsServer {
    /// Where it listens.
    let address: MetricsAddress
    private let page: () -> String
    private let obstacle: () -> String?
    private var server: OpaquePointer?

    /// - Parameters:
    ///   - connections: how many there may be at once; more wait until one ends.
    ///   - idleSeconds: how long a connection may say nothing.
    init(
        _ address: MetricsAddress, connections: UInt32 = 16, idleSeconds: UInt32 = 10,
        page: @escaping () -> String, obstacle: @escaping () -> String?
    ) throws {
        self.page = page
        self.obstacle = obstacle
        let (descriptor, bound) = try address.listen()
        self.address = bound
        let handler: MHD_AccessHandlerCallback = { context, connection, path, method, _, _, unread, request in
            guard let context, let connection, let path, let method, let unread, let request else {
                return .NO
            }
            let server = Unmanaged<MetricsServer>.fromOpaque(context).takeUnretainedValue()
            let isFirstCall = request.pointee == nil
            request.pointee = context
            return server.handle(
                connection, String(cString: method), String(cString: path), isFirstCall, &unread.pointee)
        }
        // Unretained: `close` ends the server, and every call of the handler, before this object goes.
        server = mhd_start(
            descriptor, handler, Unmanaged.passUnretained(self).toOpaque(), connections, idleSeconds)
        guard server != nil else { throw SystemError(call: "start a server on \(bound)", code: errno) }
    }

    deinit { close() }

    /// What to wait for.
    var pollEntry: pollfd {
        pollfd(fd: server.map(mhd_epoll_descriptor) ?? -1, events: Int16(POLLIN), revents: 0)
    }

    /// How long `run` may be put off if nothing happens; nil: for ever.
    var timeout: Duration? {
        var milliseconds: UInt64 = 0
        guard let server, MHD_get_timeout(server, &milliseconds) == .YES else { return nil }
        return .milliseconds(Int64(clamping: milliseconds))
    }

    /// Does what there is to do, without waiting.
    func run() {
        if let server { MHD_run(server) }
    }

    func close() {
        guard let server else { return }
        self.server = nil
        MHD_stop_daemon(server)  // closes the listening socket, too
        if case .unix(let path) = address { unlink(path) }
    }

    /// Called when the head of a request is there, for each piece of its body, and at its end.
    private func handle(
        _ connection: OpaquePointer, _ method: String, _ path: String, _ isFirstCall: Bool,
        _ unread: inout Int
    ) -> MHD_Result {
        // An answer to the first call ends the connection after it, whatever was still to come: right for a
        // method that is refused. The others are answered at the end, and their connection lives on.
        if MetricsAnswer.methods.contains(method), isFirstCall || unread > 0 {
            unread = 0
            return .YES
        }
        return answer(connection, method, path)
    }

    private func answer(_ connection: OpaquePointer, _ method: String, _ path: String) -> MHD_Result {
        let answer = MetricsAnswer(method: method, path: path, page: page, obstacle: obstacle)
        var body = answer.body
        let response = body.withUTF8 {
            MHD_create_response_from_buffer(
                $0.count, UnsafeMutableRawPointer(mutating: $0.baseAddress), .RESPMEM_MUST_COPY)
        }
        guard let response else { return .NO }
        defer { MHD_destroy_response(response) }
        MHD_add_response_header(response, "Content-Type", answer.mediaType)
        MHD_add_response_header(response, "Cache-Control", "no-store")
        if answer.status == 405 { MHD_add_response_header(response, "Allow", "GET, HEAD") }
        return MHD_queue_response(connection, answer.status, response)
    }
}
