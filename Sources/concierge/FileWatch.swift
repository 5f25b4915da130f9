import Glibc
import Migrations

/// Waits for changes of files below some folders (inotify(7)).
final class FileWatch {
    private let root: String
    private let descriptor: Int32
    /// Folders by their watch, relative to the root.
    private var folders: [Int32: String] = [:]

    /// Whatever a folder can tell of its files: written, made, gone, renamed.
    private static let events = UInt32(
        IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF)

    /// Watches the folders below a root; those that are not there are left out.
    init(root: String, _ names: [String]) throws {
        self.root = root
        descriptor = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        guard descriptor >= 0 else { throw FileError.current("inotify") }
        for name in names { try add(name) }
    }

    deinit { close(descriptor) }

    private func add(_ folder: String) throws {
        guard fileKind(root + "/" + folder) == .folder else { return }
        let watch = inotify_add_watch(descriptor, root + "/" + folder, FileWatch.events)
        guard watch >= 0 else { throw FileError.current(folder) }
        folders[watch] = folder
        for name in try listFolder(root + "/" + folder) { try add(folder + "/" + name) }
    }

    /// Waits until something has changed and nothing has for a tenth of a second; the files, relative to the
    /// root. Editors write a file in several steps.
    func next() throws -> Set<String> {
        var changed: Set<String> = []
        var patience: Int32 = -1
        while true {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let count = poll(&entry, 1, patience)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError.current("poll") }
            if count == 0 { return changed }
            changed.formUnion(try read())
            if !changed.isEmpty { patience = 100 }
        }
    }

    private func read() throws -> Set<String> {
        var changed: Set<String> = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16384, alignment: 8)
        defer { buffer.deallocate() }
        let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        guard count > 0 else { return changed }
        var offset = 0
        while offset < count {
            let event = buffer.load(fromByteOffset: offset, as: inotify_event.self)
            let start = offset + MemoryLayout<inotify_event>.size
            offset = start + Int(event.len)
            guard let folder = folders[event.wd] else { continue }
            let name = String(decoding: buffer[start..<offset].prefix { $0 != 0 }, as: UTF8.self)
            if event.mask & UInt32(IN_ISDIR) != 0 {
                // What was put into a new folder before it was watched is told of here.
                try add(folder + "/" + name)
                let files = try filesBelow(root + "/" + folder + "/" + name, suffix: ".sql")
                changed.formUnion(files.map { "\(folder)/\(name)/\($0)" })
            } else if name.hasSuffix(".sql") || name == "manifest" {
                changed.insert(folder + "/" + name)
            }
        }
        return changed
    }
}
