import FoundationEssentials
import Glibc

/// A new folder that only this user can open (mkdtemp(3)), for one child process.
struct PrivateFolder {
    let path: String

    init() throws(SystemError) {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/concierge-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError(call: "mkdtemp in \(parent)", code: errno) }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Writes a new file that only this user can open; its full path.
    func write(_ bytes: [UInt8], as name: String) throws(SystemError) -> String {
        let file = "\(path)/\(name)"
        let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError(call: "open \(file)", code: errno) }
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written > 0 {
                rest = rest.dropFirst(written)
            } else if errno != EINTR {
                throw SystemError(call: "write \(file)", code: errno)
            }
        }
        return file
    }

    /// Removes the folder with all that is in it.
    func remove() throws {
        try FileManager.default.removeItem(atPath: path)
    }
}
