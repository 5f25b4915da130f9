import CCurl
import Glibc

/// libcurl's multi handle: all exchanges under way, their connections, and what they wait for.
///
/// This is the half of libcurl that leaves waiting to others (`curl_multi_socket_action`). The other half,
/// `curl_multi_poll`, would wait for us and take descriptors of ours along, but it reports only readable,
/// writable and urgent ones: a pipe whose writer is gone, which is POLLHUP and nothing else, looks idle and
/// makes each wait return at once. It also looks at every connection on every wake-up, not at the ready ones.
final class Multi {
    private let handle: UnsafeMutableRawPointer
    /// What libcurl last asked for. An object of its own: libcurl still calls while the handle is freed.
    private let wishes = Wishes()

    /// Sockets to watch and the time to wake up at.
    private final class Wishes {
        var events: [curl_socket_t: Int16] = [:]
        var wake: ContinuousClock.Instant?
    }

    init(_ settings: HTTPClient.Settings) throws(HTTPFailure) {
        guard isLibraryReady else { throw .unavailable("libcurl cannot be initialised") }
        guard let handle = curl_multi_init() else { throw .unavailable("out of memory") }
        self.handle = handle
        let context = Unmanaged.passUnretained(wishes).toOpaque()
        let codes = [
            curl_multi_setopt_pointer(handle, CURLMOPT_SOCKETDATA, context),
            curl_multi_setopt_pointer(handle, CURLMOPT_TIMERDATA, context),
            curl_multi_setopt_socket(handle) { _, socket, what, context, _ in
                guard let context else { return -1 }
                let wishes = Unmanaged<Wishes>.fromOpaque(context).takeUnretainedValue()
                wishes.events[socket] = pollEvents(what)
                return 0
            },
            curl_multi_setopt_timer(handle) { _, milliseconds, context in
                guard let context else { return -1 }
                let wishes = Unmanaged<Wishes>.fromOpaque(context).takeUnretainedValue()
                wishes.wake = milliseconds < 0 ? nil : .now + .milliseconds(milliseconds)
                return 0
            },
            curl_multi_setopt_long(handle, CURLMOPT_MAX_TOTAL_CONNECTIONS, settings.connections),
            curl_multi_setopt_long(handle, CURLMOPT_MAX_HOST_CONNECTIONS, settings.connectionsPerHost),
            curl_multi_setopt_long(handle, CURLMOPT_MAXCONNECTS, settings.idleConnections),
        ]
        guard codes.allSatisfy({ $0 == CURLM_OK }) else { throw .unavailable("libcurl refuses its settings") }
    }

    deinit { curl_multi_cleanup(handle) }

    /// Begins an exchange (`curl_multi_add_handle`). Nothing happens before the next `act`.
    func add(_ exchange: Exchange) throws(HTTPFailure) {
        let code = curl_multi_add_handle(handle, exchange.handle)
        guard code == CURLM_OK else { throw .unavailable(String(cString: curl_multi_strerror(code))) }
    }

    /// Ends what an easy handle is doing; harmless when it does nothing (`curl_multi_remove_handle`).
    func remove(_ easy: UnsafeMutableRawPointer) { curl_multi_remove_handle(handle, easy) }

    /// The sockets to wait for.
    var descriptors: [pollfd] { wishes.events.map { pollfd(fd: $0.key, events: $0.value, revents: 0) } }

    /// When `act` must be called, whatever the sockets do.
    var wake: ContinuousClock.Instant? { wishes.wake }

    /// Goes on with all that is ready (`curl_multi_socket_action`).
    func act(on ready: some Sequence<pollfd>) {
        var running: Int32 = 0
        for entry in ready where entry.revents != 0 {
            curl_multi_socket_action(handle, entry.fd, readiness(entry.revents), &running)
        }
        if let wake = wishes.wake, wake <= .now {
            wishes.wake = nil // it is told only once, and a new one is set from within
            curl_multi_socket_action(handle, CURL_SOCKET_TIMEOUT, 0, &running)
        }
    }

    /// The easy handles that are done since the last call (`curl_multi_info_read`).
    func ended() -> [(handle: UnsafeMutableRawPointer, code: CURLcode)] {
        var list: [(UnsafeMutableRawPointer, CURLcode)] = []
        var left: Int32 = 0
        while let message = curl_multi_info_read(handle, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else {
                continue
            }
            list.append((easy, message.pointee.data.result))
        }
        return list
    }
}

/// Whether libcurl is initialised; done on first use, once in a process (`curl_global_init`).
private let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

/// What poll(2) is to watch; nil when the socket is libcurl's business no more.
private func pollEvents(_ what: Int32) -> Int16? {
    switch what {
    case CURL_POLL_IN: Int16(POLLIN)
    case CURL_POLL_OUT: Int16(POLLOUT)
    case CURL_POLL_INOUT: Int16(POLLIN | POLLOUT)
    case CURL_POLL_REMOVE: nil
    default: 0
    }
}

/// What poll(2) saw, in libcurl's words. A hang-up is something to read: the end.
private func readiness(_ revents: Int16) -> Int32 {
    let revents = Int32(revents)
    var flags: Int32 = 0
    if revents & (POLLIN | POLLHUP) != 0 { flags |= CURL_CSELECT_IN }
    if revents & POLLOUT != 0 { flags |= CURL_CSELECT_OUT }
    if revents & (POLLERR | POLLNVAL) != 0 { flags |= CURL_CSELECT_ERR }
    return flags
}
