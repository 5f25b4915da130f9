import Glibc

/// Secrets, by the names that rows of the database use for them. The database never learns more than a name,
/// and a secret goes only where the configuration lets it.
struct Credentials: Equatable, Sendable {
    /// Where secrets are files: systemd's `CREDENTIALS_DIRECTORY`.
    var directory: String?
    /// Which hosts, as a URL names them, each secret is for.
    var hosts: [String: Set<String>] = [:]

    /// Why a secret is not to be had: for a person to set right.
    struct Refusal: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    /// The secret of that name, for a request to that host; the end of its last line does not count.
    func secret(_ name: String, for host: String) throws(Refusal) -> [UInt8] {
        guard Self.isName(name) else {
            throw Refusal(description: "a credential's name has letters, digits, - and _")
        }
        guard hosts[name]?.contains(host.lowercased()) == true else {
            throw Refusal(
                description: "credential \(name) may not be used for \(host): set credential.\(name) = \(host)")
        }
        guard let directory else {
            throw Refusal(description: "there is no credential \(name): CREDENTIALS_DIRECTORY is not set")
        }
        guard var bytes = contents(of: directory + "/" + name) else {
            throw Refusal(description: "there is no credential \(name) in CREDENTIALS_DIRECTORY")
        }
        while bytes.last == 0x0a || bytes.last == 0x0d { bytes.removeLast() }
        guard !bytes.isEmpty else { throw Refusal(description: "credential \(name) is empty") }
        return bytes
    }

    static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 100
            && name.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f: true
                default: false
                }
            }
    }
}

/// The bytes of a file of at most a megabyte, the largest credential systemd passes on; nil when it cannot be
/// read.
func contents(of path: String) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while bytes.count <= 1_048_576 {
        let count = read(descriptor, &buffer, buffer.count)
        if count == 0 { return bytes }
        if count < 0 {
            if errno == EINTR { continue }
            return nil
        }
        bytes += buffer[..<count]
    }
    return nil
}
