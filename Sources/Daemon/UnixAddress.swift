import Glibc

/// The address of a local socket (unix(7)): a path, or `@` and a name outside the file system.
struct UnixAddress {
    private var address = sockaddr_un()
    private let length: socklen_t

    /// Nil if the name is empty or too long for the system: 107 bytes fit.
    init?(_ name: String) {
        var bytes = Array(name.utf8)
        guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        // A path ends with a zero byte; the other kind begins with one, and ends where the length says.
        let isPath = bytes[0] != UInt8(ascii: "@")
        if isPath { bytes.append(0) } else { bytes[0] = 0 }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        length = socklen_t(MemoryLayout.size(ofValue: address.sun_family) + bytes.count)
    }

    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
