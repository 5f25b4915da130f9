import Glibc
import Synchronization

/// Between a daemon and its server: TCP on one side, the server's socket on the other. It knows enough of the
/// protocol to lose a connection, or to make it wait, just before or just after the server does what it was
/// asked.
final class Proxy: Sendable {
    /// What is done with a message of the client.
    enum Verdict: Sendable {
        case pass
        /// The connection is lost before the server sees the message.
        case loseBefore
        /// The server sees the message, and its client is gone.
        case loseMeanwhile
        /// The connection is lost after the server has done it all, before its client learns of it.
        case loseAfter
        /// The message waits on its way to the server, until `release`.
        case holdBefore
        /// The answer waits for ever before its client.
        case holdAfter
    }

    /// Asked about each message, by its text, on the proxy's thread.
    typealias Judge = @Sendable (_ message: String) -> Verdict

    let port: UInt16
    private let shared: Shared
    /// A byte in it releases what is held; its end is the proxy's.
    private let control: Int32

    fileprivate final class Shared: Sendable {
        let judge: Mutex<Judge>
        let held = Atomic<Int>(0)
        let lost = Atomic<Int>(0)
        init(_ judge: @escaping Judge) { self.judge = Mutex(judge) }
    }

    /// - Parameter server: the folder of the server's socket.
    init(server: String, _ judge: @escaping Judge) throws {
        let (listener, port) = try listen()
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError(call: "pipe", code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        self.port = port
        shared = Shared(judge)
        control = ends[1]
        let loop = Loop(
            listener: listener, control: ends[0], server: server + "/.s.PGSQL.5432", shared: shared)
        let context = Unmanaged.passRetained(loop)
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Loop>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        pthread_detach(thread)
    }

    deinit { close(control) }

    func conninfo(database: String) -> String {
        "host=127.0.0.1 port=\(port) user=postgres dbname=\(database) sslmode=disable gssencmode=disable"
    }

    /// How many messages wait, or their answers.
    var held: Int { shared.held.load(ordering: .sequentiallyConsistent) }
    /// How many connections it has lost.
    var lost: Int { shared.lost.load(ordering: .sequentiallyConsistent) }

    /// What was held before the server reaches it now, however late, and all else passes.
    func release() {
        judge { _ in .pass }
        write(control, [1], 1)
    }

    /// From now on.
    func judge(_ judge: @escaping Judge) { shared.judge.withLock { $0 = judge } }
}

private func listen() throws -> (Int32, UInt16) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            if bind(listener, address, length) != 0 || Glibc.listen(listener, 64) != 0 { return errno }
            return getsockname(listener, address, &length) == 0 ? 0 : errno
        }
    }
    guard code == 0 else { throw SystemError(call: "listen", code: code) }
    return (listener, UInt16(bigEndian: address.sin_port))
}

/// The proxy's loop; its thread's alone.
private final class Loop {
    private let listener: Int32
    private let control: Int32
    private let server: String
    private let shared: Proxy.Shared
    private var pairs: [Pair] = []

    private final class Pair {
        let client: Int32
        let server: Int32
        /// What becomes of the answer that is under way.
        var verdict = Proxy.Verdict.pass
        var answer: [UInt8] = []
        /// What waits before the server.
        var held: [UInt8] = []
        var isOver = false

        init(client: Int32, server: Int32) { (self.client, self.server) = (client, server) }
        deinit {
            for end in [client, server] {
                shutdown(end, Int32(SHUT_RDWR)) // also where a child has inherited it
                close(end)
            }
        }
    }

    init(listener: Int32, control: Int32, server: String, shared: Proxy.Shared) {
        (self.listener, self.control, self.server, self.shared) = (listener, control, server, shared)
    }

    deinit {
        close(listener)
        close(control)
    }

    func run() {
        while true {
            var entries = [control, listener].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            for pair in pairs {
                entries.append(pollfd(fd: pair.client, events: Int16(POLLIN), revents: 0))
                entries.append(pollfd(fd: pair.server, events: Int16(POLLIN), revents: 0))
            }
            poll(&entries, nfds_t(entries.count), -1)
            if entries[0].revents != 0 {
                guard received(control)?.isEmpty == false else { return }
                for pair in pairs where !pair.held.isEmpty { release(pair) }
            }
            for (index, pair) in pairs.enumerated() {
                if entries[2 + 2 * index].revents != 0 { ask(pair) }
                if entries[3 + 2 * index].revents != 0, !pair.isOver { answer(pair) }
            }
            pairs.removeAll(where: \.isOver)
            if entries[1].revents != 0 { accept() }
        }
    }

    private func accept() {
        let client = Glibc.accept(listener, nil, nil)
        guard client >= 0 else { return }
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        let upstream = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: server.utf8) }
        let code = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(upstream, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        let pair = Pair(client: client, server: upstream)
        if code == 0 { pairs.append(pair) }
    }

    private func ask(_ pair: Pair) {
        guard let bytes = received(pair.client), !bytes.isEmpty else {
            pair.isOver = true
            return
        }
        if case .holdBefore = pair.verdict {
            pair.held += bytes
            return
        }
        let verdict = shared.judge.withLock { $0 }(String(decoding: bytes, as: UTF8.self))
        switch verdict {
        case .pass: break
        case .loseBefore: return lose(pair)
        case .holdBefore:
            pair.verdict = verdict
            pair.held = bytes
            shared.held.add(1, ordering: .sequentiallyConsistent)
            return
        case .loseMeanwhile, .loseAfter, .holdAfter: pair.verdict = verdict
        }
        guard send(bytes, to: pair.server) else {
            pair.isOver = true
            return
        }
        if case .loseMeanwhile = verdict { lose(pair) }
    }

    private func release(_ pair: Pair) {
        pair.verdict = .pass
        if !send(pair.held, to: pair.server) { pair.isOver = true }
        pair.held = []
    }

    private func answer(_ pair: Pair) {
        guard let bytes = received(pair.server), !bytes.isEmpty else {
            pair.isOver = true
            return
        }
        switch pair.verdict {
        case .loseAfter, .holdAfter:
            pair.answer += bytes
            // ReadyForQuery: it is done, and committed unless a transaction goes on.
            guard pair.answer.firstRange(of: [0x5a, 0, 0, 0, 5]) != nil else { return }
            if case .loseAfter = pair.verdict { return lose(pair) }
            pair.verdict = .holdBefore
            shared.held.add(1, ordering: .sequentiallyConsistent)
        case .holdBefore:
            break
        case .pass, .loseBefore, .loseMeanwhile:
            if !send(bytes, to: pair.client) { pair.isOver = true }
        }
    }

    private func lose(_ pair: Pair) {
        pair.isOver = true
        shared.lost.add(1, ordering: .sequentiallyConsistent)
    }

    private func received(_ descriptor: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = read(descriptor, &bytes, bytes.count)
        return count < 0 ? nil : Array(bytes.prefix(count))
    }

    private func send(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
