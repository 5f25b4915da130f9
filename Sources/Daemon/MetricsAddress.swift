import Glibc

/// Where metrics are served: `127.0.0.1:9187`, `[::1]:9187` or `unix:/run/concierge/metrics.sock`.
///
/// Numbers only, no names: what is reachable from where must not depend on a resolver. All interfaces have to
/// be asked for by `0.0.0.0` or `[::]`.
enum MetricsAddress: Equatable, Sendable, CustomStringConvertible {
    case ip(host: String, port: UInt16)
    case unix(path: String)

    static let form = "an address like 127.0.0.1:9187, [::1]:9187 or unix:/path"

    /// Nil if the text is none of the three.
    init?(_ text: String) {
        // The system would stop reading at a zero.
        guard !text.utf8.contains(0) else { return nil }
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard path.hasPrefix("/"), UnixAddress(path) != nil else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        // UInt16 takes a sign, which no port has.
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits) else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        var room = in6_addr()
        guard inet_pton(host.contains(":") ? AF_INET6 : AF_INET, String(host), &room) == 1 else { return nil }
        self = .ip(host: String(host), port: port)
    }

    var description: String {
        switch self {
        case .ip(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// A socket that listens here (socket(2), bind(2), listen(2)), and the address it has: port 0 became a
    /// real one.
    func listen() throws(SystemError) -> (descriptor: Int32, address: MetricsAddress) {
        let family =
            switch self {
            case .ip(let host, _): host.contains(":") ? AF_INET6 : AF_INET
            case .unix: AF_UNIX
            }
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { throw failure("socket") }
        do throws(SystemError) {
            try bind(descriptor)
            guard Glibc.listen(descriptor, 16) == 0 else { throw failure("listen") }
            return (descriptor, bound(descriptor))
        } catch {
            close(descriptor)
            throw error
        }
    }

    private func bind(_ descriptor: Int32) throws(SystemError) {
        switch self {
        case .ip(let host, let port) where host.contains(":"):
            // One socket, one family: [::] must not take IPv4's port along, or fail where that is taken.
            allow(IPV6_V6ONLY, Int32(IPPROTO_IPV6), descriptor)
            allow(SO_REUSEADDR, SOL_SOCKET, descriptor)
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            inet_pton(AF_INET6, host, &address.sin6_addr)
            try bind(descriptor, address)
        case .ip(let host, let port):
            // A restarted daemon gets its port back at once.
            allow(SO_REUSEADDR, SOL_SOCKET, descriptor)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            inet_pton(AF_INET, host, &address.sin_addr)
            try bind(descriptor, address)
        case .unix(let path):
            guard let address = UnixAddress(path) else {
                throw SystemError(call: "bind \(self)", code: ENAMETOOLONG)
            }
            removeStaleSocket(path, address)
            guard address.withSockaddr({ Glibc.bind(descriptor, $0, $1) }) == 0 else { throw failure("bind") }
            // As open as a port of this machine, whatever the umask; the folder decides who gets that far.
            chmod(path, 0o666)
        }
    }

    private func bind<Address>(_ descriptor: Int32, _ address: Address) throws(SystemError) {
        let result = withUnsafeBytes(of: address) {
            Glibc.bind(
                descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        guard result == 0 else { throw failure("bind") }
    }

    private func allow(_ option: Int32, _ level: Int32, _ descriptor: Int32) {
        var yes: Int32 = 1
        setsockopt(descriptor, level, option, &yes, socklen_t(MemoryLayout<Int32>.size))
    }

    /// A daemon that was killed leaves its socket behind. Only a socket nobody answers is removed: never a
    /// file of another kind, and never a living daemon's door.
    private func removeStaleSocket(_ path: String, _ address: UnixAddress) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
        if address.withSockaddr({ connect(descriptor, $0, $1) }) != 0, errno == ECONNREFUSED { unlink(path) }
    }

    private func bound(_ descriptor: Int32) -> MetricsAddress {
        guard case .ip(let host, 0) = self else { return self }
        var address = sockaddr_in6()  // IPv4's port is in the same place
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        withUnsafeMutableBytes(of: &address) {
            guard let start = $0.baseAddress else { return }
            getsockname(descriptor, start.assumingMemoryBound(to: sockaddr.self), &length)
        }
        return .ip(host: host, port: UInt16(bigEndian: address.sin6_port))
    }

    private func failure(_ call: String) -> SystemError { SystemError(call: "\(call) \(self)", code: errno) }
}
