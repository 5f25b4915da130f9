import Glibc

/// One run of a program, in steps that never wait: the loop that owns it waits for its descriptors, or until
/// `nextWake`, and calls `advance`.
///
/// The child is trusted with nothing, for it reads what strangers wrote. It has a folder of its own, limits,
/// and no descriptor, variable or signal handling of ours; when it ends, however it does, everything it
/// started in its process group is killed and its folder removed.
final class ChildProcess {
    enum Input: Equatable {
        /// The child reads the bytes as standard input. That is a file, not a pipe: a reader may seek in it,
        /// a reader that stops early breaks nothing, and nobody has to feed it.
        case standardInput([UInt8])
        /// The bytes are a file in the folder the child runs in; standard input is empty. A name, not a path.
        case file(name: String, [UInt8])
    }

    /// Why there is no output.
    enum Failure: Error, Equatable, CustomStringConvertible {
        case missing(Program)
        case notStarted(String)
        case exit(code: Int32, words: String)
        case signal(Int32, words: String)
        case tooMuchOutput(limit: Int)
        case tooLong(limit: Duration)
        case cancelled

        var description: String {
            switch self {
            case .missing(let program): "there is no \(program.name): install Debian's \(program.package)"
            case .notStarted(let reason): "not started: \(reason)"
            case .exit(let code, ""): "ended with exit code \(code)"
            case .exit(let code, let words): "ended with exit code \(code): \(words)"
            case .signal(SIGXCPU, _): "used more processor time than it may"
            case .signal(SIGXFSZ, _): "wrote a longer file than it may"
            case .signal(let signal, ""): "ended by signal \(signal)"
            case .signal(let signal, let words): "ended by signal \(signal): \(words)"
            case .tooMuchOutput(let limit): "wrote more than \(limit) bytes"
            case .tooLong(let limit): "took longer than \(limit)"
            case .cancelled: "was cancelled"
            }
        }
    }

    /// The output of a child that ended well.
    typealias Ending = Result<[UInt8], Failure>

    private let deadline: Duration
    private let limits: ChildLimits
    private let folder: PrivateFolder
    private let spawned: Spawned
    private var output: [UInt8] = []
    /// The beginning of what the child wrote to standard error, and how much it was.
    private var errors: [UInt8] = []
    private var errorCount = 0
    /// The ends of the pipes that are still open.
    private var open: Set<Int32>
    /// Why it was killed.
    private var verdict: Failure?
    private(set) var ending: Ending?
    /// Why the child's folder could not be removed, for the log.
    private(set) var leftover: String?

    /// Starts the program.
    init(
        _ program: Program, _ arguments: [String], input: Input, limits: ChildLimits, at now: Duration
    ) throws(Failure) {
        guard let path = program.path else { throw .missing(program) }
        let folder: PrivateFolder
        do { folder = try PrivateFolder() } catch { throw .notStarted(error.description) }
        do throws(Failure) {
            spawned = try Spawned(
                path, arguments, limits: limits, input: try Self.prepare(input, in: folder),
                folder: folder.path)
        } catch {
            do { try folder.remove() } catch let second { throw .notStarted("\(error); \(second)") }
            throw error
        }
        self.folder = folder
        self.limits = limits
        deadline = now + limits.time
        open = [spawned.output, spawned.errors]
    }

    deinit {
        guard ending == nil else { return }
        stop(.cancelled)
        end(Spawned.reap(spawned.process))
    }

    /// The file that becomes standard input.
    private static func prepare(_ input: Input, in folder: PrivateFolder) throws(Failure) -> String {
        do {
            switch input {
            case .standardInput(let bytes):
                return try folder.write(bytes, as: "standard-input")
            case .file(let name, let bytes):
                _ = try folder.write(bytes, as: name)
                return "/dev/null"
            }
        } catch {
            throw .notStarted("\(error)")
        }
    }

    /// What to wait for; nothing once it has ended.
    var pollEntries: [pollfd] {
        guard ending == nil else { return [] }
        return ([spawned.life] + open.sorted()).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    }

    /// When to call `advance` even if no descriptor says so; nil: only they matter.
    var nextWake: Duration? { verdict == nil && ending == nil ? deadline : nil }

    /// Takes whatever steps are possible.
    ///
    /// - Returns: the end, once it has come.
    func advance(at now: Duration) -> Ending? {
        guard ending == nil else { return ending }
        // A child that writes without end must not keep the loop for itself.
        for _ in 0..<4 where read(spawned.output) || read(spawned.errors) { continue }
        judge(at: now)
        guard hasEnded else { return nil }
        // What the child left running could hold the pipes open for ever. It is killed before the child is
        // reaped, while nobody else can have got its number.
        kill(-spawned.process, SIGKILL)
        while verdict == nil, read(spawned.output) || read(spawned.errors) { judge(at: now) }
        end(Spawned.reap(spawned.process))
        return ending
    }

    /// Kills it; the end follows.
    func cancel() { stop(.cancelled) }

    private func judge(at now: Duration) {
        if output.count + errorCount > limits.output { stop(.tooMuchOutput(limit: limits.output)) }
        if now >= deadline { stop(.tooLong(limit: limits.time)) }
    }

    private func stop(_ reason: Failure) {
        guard verdict == nil, ending == nil else { return }
        verdict = reason
        kill(-spawned.process, SIGKILL)
    }

    private var hasEnded: Bool {
        var entry = pollfd(fd: spawned.life, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) == 1
    }

    /// Reads once; false if there is nothing to read, now or ever.
    private func read(_ descriptor: Int32) -> Bool {
        guard open.contains(descriptor) else { return false }
        let count = withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count > 0 { take(buffer.prefix(count), from: descriptor) }
            return count
        }
        if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) {
            open.remove(descriptor)
            close(descriptor)
        }
        return count > 0
    }

    private func take(_ bytes: Slice<UnsafeMutableRawBufferPointer>, from descriptor: Int32) {
        if descriptor == spawned.output {
            output += bytes
        } else {
            errorCount += bytes.count
            errors += bytes.prefix(max(2048 - errors.count, 0))
        }
    }

    private func end(_ status: Int32?) {
        for descriptor in open { close(descriptor) }
        open = []
        close(spawned.life)
        do { try folder.remove() } catch { leftover = "\(folder.path): \(error)" }
        ending = verdict.map { .failure($0) } ?? result(status)
    }

    private func result(_ status: Int32?) -> Ending {
        guard let status else { return .failure(.notStarted("somebody else took its exit code")) }
        let signal = status & 0x7f
        if signal != 0 { return .failure(.signal(signal, words: words)) }
        let code = status >> 8 & 0xff
        return code == 0 ? .success(output) : .failure(.exit(code: code, words: words))
    }

    /// What the child said about its failure: one line, without the name of its folder, not without end.
    private var words: String {
        let lines = String(decoding: errors, as: UTF8.self).split(whereSeparator: \.isNewline)
        let text = lines.joined(separator: "; ").replacing(folder.path + "/", with: "")
        let plain = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : Character($0) }
        return String(plain.prefix(300))
    }
}
