import Glibc

/// A file or folder that cannot be read, and the system's reason.
package struct FileError: Error, CustomStringConvertible {
    package let path: String
    package let code: Int32

    package init(path: String, code: Int32) {
        self.path = path
        self.code = code
    }

    package var description: String { "\(path): \(String(cString: strerror(code)))" }
}

/// The bytes of a file (open(2), read(2)).
package func readFile(_ path: String) throws(FileError) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw FileError(path: path, code: errno) }
    defer { close(file) }
    return try readAll(file, path)
}

/// Makes a file that must not be there yet (open(2), write(2)).
package func writeNewFile(_ path: String, _ text: String) throws(FileError) {
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw FileError(path: path, code: errno) }
    defer { close(file) }
    let bytes = Array(text.utf8)
    guard write(file, bytes, bytes.count) == bytes.count else { throw FileError(path: path, code: errno) }
}

/// Everything up to the end of an open file or pipe.
package func readAll(_ file: Int32, _ path: String) throws(FileError) -> [UInt8] {
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(file, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw FileError(path: path, code: errno) }
        guard count > 0 else { return content }
        content += buffer[0..<count]
    }
}

package enum FileKind { case file, folder }

/// What is at a path, following links; nil when there is nothing (stat(2)).
package func fileKind(_ path: String) -> FileKind? {
    var info = stat()
    guard stat(path, &info) == 0 else { return nil }
    return info.st_mode & S_IFMT == S_IFDIR ? .folder : .file
}

/// The names in a folder, sorted, hidden ones left out (opendir(3)).
package func listFolder(_ path: String) throws(FileError) -> [String] {
    guard let folder = opendir(path) else { throw FileError(path: path, code: errno) }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
}

/// Every file below a folder whose name ends so, as sorted paths relative to it. No such folder means no
/// files.
package func filesBelow(_ folder: String, suffix: String) throws(FileError) -> [String] {
    guard fileKind(folder) == .folder else { return [] }
    var paths: [String] = []
    for name in try listFolder(folder) {
        let path = folder + "/" + name
        if fileKind(path) == .folder {
            paths += try filesBelow(path, suffix: suffix).map { name + "/" + $0 }
        } else if name.hasSuffix(suffix) {
            paths.append(name)
        }
    }
    return paths.sorted()
}
