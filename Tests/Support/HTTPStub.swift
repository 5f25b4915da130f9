import Glibc
import Synchronization

/// A server on the loopback address that answers as it is told: well, badly, slowly, endlessly or not at all.
///
/// One thread serves any number of connections. It stops, and closes them, with the last reference.
public final class HTTPStub: Sendable {
    /// A request that has come in whole.
    public struct Request: Sendable {
        public let method: String
        public let target: String
        /// The request line and headers as they came.
        public let head: String
        public let body: [UInt8]
        /// Counts connections from 1: two requests with one number shared theirs.
        public let connection: Int

        /// The value of a header; nil when there is none.
        public func header(_ name: String) -> String? {
            let lines = head.split(separator: "\r\n").dropFirst()
            let line = lines.first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
            return line.map { String($0.drop { $0 != ":" }.dropFirst().drop { $0 == " " }) }
        }
    }

    /// What the server does next on a connection.
    public enum Step: Sendable {
        case send([UInt8])
        /// One byte after the other, with a pause before each.
        case drip([UInt8], every: Duration)
        /// The same bytes again and again, as long as somebody reads.
        case endless([UInt8])
        /// Goes on when that many requests have reached the server in all.
        case awaitRequests(Int)
        /// Nothing, for ever.
        case hang
        /// Ends the connection in order.
        case close
        /// Ends it with RST.
        case reset

        /// Text, sent as it is.
        public static func text(_ text: String) -> Step { .send(Array(text.utf8)) }

        /// A whole answer with its length.
        public static func answer(
            _ status: Int = 200, headers: [(String, String)] = [], body: [UInt8] = []
        ) -> Step {
            let fields = headers + [("Content-Length", "\(body.count)")]
            let lines = ["HTTP/1.1 \(status) Stub"] + fields.map { "\($0.0): \($0.1)" }
            return .send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body)
        }

        /// A redirect.
        public static func redirect(_ status: Int = 302, to location: String) -> Step {
            answer(status, headers: [("Location", location)])
        }
    }

    public typealias Script = @Sendable (Request) -> [Step]

    public let port: UInt16
    private let served = Served()
    private let stopPipe: Int32
    private let thread: pthread_t

    /// Starts to listen on a port of the system's choice.
    ///
    /// - Parameters:
    ///   - greeting: what is done on each connection before the first request.
    ///   - script: called with each request, on the server's thread.
    public init(onConnect greeting: [Step] = [], _ script: @escaping Script) throws {
        let (listener, port) = try listen()
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw HTTPStubError(call: "pipe", code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) } // or a child of another test keeps it open
        self.port = port
        stopPipe = ends[1]
        thread = try startThread(
            Service(listener: listener, stop: ends[0], greeting: greeting, script: script, served: served))
    }

    deinit {
        close(stopPipe)
        pthread_join(thread, nil)
    }

    /// Where the server is, by address.
    public var url: String { "http://127.0.0.1:\(port)" }

    /// What has come in, in order.
    public var requests: [Request] { served.requests.withLock { $0 } }

    /// A request of the test's own, which nobody answers to: what awaits one more goes on.
    public func knock() {
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(client) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        _ = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        let request = Array("GET /knock HTTP/1.1\r\nHost: stub\r\n\r\n".utf8)
        _ = write(client, request, request.count)
        var byte: UInt8 = 0
        _ = read(client, &byte, 1)
    }

    /// How many connections were accepted.
    public var connections: Int { served.connections.load(ordering: .sequentiallyConsistent) }
}

/// A system call that should not fail, and did.
struct HTTPStubError: Error {
    let call: String
    let code: Int32
}

/// What the server's thread tells the tests.
private final class Served: Sendable {
    let requests = Mutex<[HTTPStub.Request]>([])
    let connections = Atomic<Int>(0)
}

/// A socket that listens on 127.0.0.1, and its port.
private func listen() throws -> (Int32, UInt16) {
    let listener = socket(
        AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            if bind(listener, address, length) != 0 || Glibc.listen(listener, 1024) != 0 { return errno }
            return getsockname(listener, address, &length) == 0 ? 0 : errno
        }
    }
    guard code == 0 else { throw HTTPStubError(call: "listen", code: code) }
    return (listener, UInt16(bigEndian: address.sin_port))
}

private func startThread(_ service: Service) throws -> pthread_t {
    var thread = pthread_t()
    let context = Unmanaged.passRetained(service)
    let code = pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            Unmanaged<Service>.fromOpaque(context).takeRetainedValue().run()
            return nil
        }, context.toOpaque())
    guard code == 0 else {
        context.release()
        throw HTTPStubError(call: "pthread_create", code: code)
    }
    return thread
}

/// The server's loop. After `startThread` it is used by that thread alone.
private final class Service {
    private let listener: Int32
    private let stop: Int32
    private let greeting: [HTTPStub.Step]
    private let script: HTTPStub.Script
    private let served: Served
    private var visitors: [Int32: Visitor] = [:]
    private var requestCount = 0

    /// One connection, and where it stands in its script.
    private struct Visitor {
        let number: Int
        var input: [UInt8] = []
        var steps: ArraySlice<HTTPStub.Step> = []
        var output: ArraySlice<UInt8> = []
        var wake: ContinuousClock.Instant?
    }

    init(
        listener: Int32, stop: Int32, greeting: [HTTPStub.Step], script: @escaping HTTPStub.Script,
        served: Served
    ) {
        self.listener = listener
        self.stop = stop
        self.greeting = greeting
        self.script = script
        self.served = served
    }

    deinit {
        for descriptor in visitors.keys { close(descriptor) }
        close(listener)
        close(stop)
    }

    func run() {
        while true {
            var entries = [stop, listener].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            entries += visitors.map { descriptor, visitor in
                let wantsToWrite = !visitor.output.isEmpty
                return pollfd(
                    fd: descriptor, events: Int16(wantsToWrite ? POLLIN | POLLOUT : POLLIN), revents: 0)
            }
            poll(&entries, nfds_t(entries.count), timeout())
            if entries[0].revents != 0 { return }
            if entries[1].revents != 0 { accept() }
            for entry in entries.dropFirst(2) where entry.revents != 0 { read(entry.fd) }
            var before = -1
            while before != requestCount { // one's request may be what another waits for
                before = requestCount
                for descriptor in visitors.keys { advance(descriptor) }
            }
        }
    }

    private func timeout() -> Int32 {
        guard let next = visitors.values.compactMap(\.wake).min() else { return -1 }
        return Int32(max(0, (next - .now) / .milliseconds(1)) + 1)
    }

    private func accept() {
        while true {
            let descriptor = Glibc.accept(listener, nil, nil)
            guard descriptor >= 0 else { return }
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
            let number = served.connections.add(1, ordering: .sequentiallyConsistent).newValue
            visitors[descriptor] = Visitor(number: number, steps: greeting[...])
        }
    }

    private func read(_ descriptor: Int32) {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        if count > 0 { visitors[descriptor]?.input += bytes[..<count] }
        if count == 0 || count < 0 && errno != EAGAIN { end(descriptor) }
    }

    private func end(_ descriptor: Int32, withReset: Bool = false) {
        guard visitors.removeValue(forKey: descriptor) != nil else { return }
        if withReset {
            var now = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        }
        close(descriptor)
    }

    /// Goes as far in the script as the connection lets it.
    private func advance(_ descriptor: Int32) {
        while var visitor = visitors[descriptor] {
            if let wake = visitor.wake, wake > .now { return }
            visitor.wake = nil
            if !visitor.output.isEmpty {
                let count = visitor.output.withUnsafeBytes {
                    send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                visitors[descriptor] = visitor
                if count < 0 && errno != EAGAIN { end(descriptor) }
                guard count > 0 else { return }
                visitors[descriptor]?.output = visitor.output.dropFirst(count)
            } else if let step = visitor.steps.popFirst() {
                guard perform(step, descriptor, &visitor) else { return }
                visitors[descriptor] = visitor
            } else {
                guard let request = takeRequest(&visitor) else { return }
                requestCount += 1
                served.requests.withLock { $0.append(request) }
                visitor.steps = script(request)[...]
                visitors[descriptor] = visitor
            }
        }
    }

    /// False: the script does not go on now.
    private func perform(_ step: HTTPStub.Step, _ descriptor: Int32, _ visitor: inout Visitor) -> Bool {
        switch step {
        case .send(let bytes):
            visitor.output = bytes[...]
        case .drip(let bytes, let pause):
            guard let first = bytes.first else { return true }
            visitor.output = [first]
            visitor.steps = [.drip(Array(bytes.dropFirst()), every: pause)] + visitor.steps
            visitor.wake = .now + pause
        case .endless(let bytes):
            visitor.output = bytes[...]
            visitor.steps = [step]
        case .awaitRequests(let count):
            if requestCount < count { return false }
        case .hang:
            return false
        case .close:
            end(descriptor)
            return false
        case .reset:
            end(descriptor, withReset: true)
            return false
        }
        return true
    }

    private func takeRequest(_ visitor: inout Visitor) -> HTTPStub.Request? {
        guard let end = visitor.input.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let head = String(decoding: visitor.input[..<end.lowerBound], as: UTF8.self)
        let length =
            head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst("content-length:".count).drop { $0 == " " }) } ?? 0
        let body = visitor.input[end.upperBound...]
        guard body.count >= length else { return nil }
        let words = head.prefix { $0 != "\r\n" }.split(separator: " ")
        let request = HTTPStub.Request(
            method: words.first.map(String.init) ?? "",
            target: words.dropFirst().first.map(String.init) ?? "",
            head: head, body: Array(body.prefix(length)), connection: visitor.number)
        visitor.input = Array(body.dropFirst(length))
        return request
    }
}
