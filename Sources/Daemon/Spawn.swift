import CLinux
import Glibc

/// How much a child may use. Each holds for the child and for every process it starts by itself, except the
/// time and the output, which they share.
struct ChildLimits: Equatable, Sendable {
    /// From start to end.
    var time: Duration = .seconds(60)
    /// Processor time, in whole seconds.
    var cpuSeconds: UInt64 = 60
    /// Address space, in bytes; pandoc needs about 400 MiB of it before it has read anything.
    var memory: UInt64 = 2 << 30
    var openFiles: UInt64 = 64
    /// The longest file it may write.
    var fileSize: UInt64 = 256 << 20
    /// What it may write to standard output and standard error together, in bytes.
    var output = 64 << 20
}

/// A program that may be run: found by name in a fixed list of folders, never by a path that came from a job.
struct Program: Equatable, Sendable {
    static let searchPath = "/usr/local/bin:/usr/bin:/bin"

    let name: String
    /// The Debian package that has it.
    let package: String

    /// Its full path; nil if it is not installed.
    var path: String? {
        guard !name.contains("/") else { return nil }
        return Self.searchPath.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }
}

/// A process that was started, and the ends of its pipes, which do not block.
struct Spawned {
    let process: pid_t
    /// Readable once the process has ended (pidfd_open(2)).
    let life: Int32
    let output: Int32
    let errors: Int32

    /// Starts a program in a process group of its own, with nothing of ours: no descriptors but the three it
    /// is given, no environment, no ignored or blocked signals.
    ///
    /// posix_spawn(3) cannot set limits, and setting them from here with prlimit(2) would come too late: the
    /// program runs from the moment it is started. So what is started is prlimit(1), which limits itself and
    /// then turns into the program.
    ///
    /// - Parameter input: the file it reads as standard input.
    init(
        _ program: String, _ arguments: [String], limits: ChildLimits, input: String, folder: String
    ) throws(ChildProcess.Failure) {
        guard let prlimit = Self.prlimit.path else { throw .missing(Self.prlimit) }
        var pipes: [Int32] = []
        defer { for descriptor in pipes { close(descriptor) } }
        for _ in 0..<2 { pipes += try Self.pipe() }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input, O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, pipes[3], STDERR_FILENO)
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)
        posix_spawn_file_actions_addchdir_np(&actions, folder)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        posix_spawnattr_setflags(&attributes, Int16(flags))

        let words = [prlimit] + Self.options(limits) + ["--", program] + arguments
        let environment = ["PATH=\(Program.searchPath)", "LANG=C.UTF-8", "TMPDIR=\(folder)"]
        var process: pid_t = 0
        let code = withCStrings(words) { words in
            withCStrings(environment) { posix_spawn(&process, prlimit, &actions, &attributes, words, $0) }
        }
        guard code == 0 else { throw .notStarted(SystemError(call: "posix_spawn", code: code).description) }

        life = pidfd_open(process, 0)
        guard life >= 0 else {
            let error = SystemError(call: "pidfd_open", code: errno)
            kill(-process, SIGKILL)
            _ = Self.reap(process)
            throw .notStarted(error.description)
        }
        self.process = process
        output = pipes[0]
        errors = pipes[2]
        pipes = [pipes[1], pipes[3]]
    }

    static let prlimit = Program(name: "prlimit", package: "util-linux")

    /// Limits as prlimit(1) takes them, none above what this process may give. The CPU limit is soft one
    /// second before it is hard, so that the end can be told from other kills.
    private static func options(_ limits: ChildLimits) -> [String] {
        func most(_ wanted: UInt64, _ resource: __rlimit_resource) -> UInt64 {
            var current = rlimit()
            let code = getrlimit(__rlimit_resource_t(resource.rawValue), &current)
            return code == 0 ? min(wanted, UInt64(current.rlim_max)) : wanted
        }
        let cpu = most(limits.cpuSeconds, RLIMIT_CPU)
        return [
            "--cpu=\(cpu):\(most(cpu + 1, RLIMIT_CPU))",
            "--as=\(most(limits.memory, RLIMIT_AS))",
            "--nofile=\(most(limits.openFiles, RLIMIT_NOFILE))",
            "--fsize=\(most(limits.fileSize, RLIMIT_FSIZE))",
            "--core=0",
        ]
    }

    /// A pipe whose reading end does not block, and whose ends no other child inherits.
    private static func pipe() throws(ChildProcess.Failure) -> [Int32] {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else {
            throw .notStarted(SystemError(call: "pipe", code: errno).description)
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        return ends
    }

    /// Takes note of a process that has ended, or waits until it has (waitpid(2)); nil if somebody else did.
    static func reap(_ process: pid_t) -> Int32? {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 {
            if errno != EINTR { return nil }
        }
        return status
    }
}

private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    let pointers = strings.map { strdup($0) }
    defer { pointers.forEach { free($0) } }
    return body(pointers + [nil])
}
