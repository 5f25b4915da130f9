import Glibc
import Migrations

// Child processes: the one place that starts any.

/// How a child ended, and what it wrote.
struct ChildResult {
    /// Its exit code; 128 and the signal's number when a signal ended it.
    let status: Int32
    /// Standard output and standard error together.
    let output: [UInt8]
    var text: String { String(decoding: output, as: UTF8.self) }
}

/// Runs a program to its end and collects its output (posix_spawnp(3)). It has nothing to read.
func runChild(_ arguments: [String], mergeErrors: Bool = true) throws -> ChildResult {
    var pipes: [Int32] = [0, 0]
    guard pipe(&pipes) == 0 else { throw FileError.current(arguments[0]) }
    for end in pipes { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(pipes[0]) }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO)
    if mergeErrors { posix_spawn_file_actions_adddup2(&actions, pipes[1], STDERR_FILENO) }

    var child: pid_t = 0
    let code = withCStrings(arguments) { posix_spawnp(&child, arguments[0], &actions, nil, $0, environ) }
    close(pipes[1])
    guard code == 0 else { throw Failure("cannot run \(arguments[0]): \(String(cString: strerror(code)))") }

    let output = try readAll(pipes[0], arguments[0])
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    let signal = status & 0x7f
    return ChildResult(status: signal == 0 ? status >> 8 & 0xff : 128 + signal, output: output)
}

/// Runs a program that must succeed; its last words are the error otherwise.
@discardableResult
func runOrFail(_ arguments: [String]) throws -> String {
    let result = try runChild(arguments)
    guard result.status == 0 else {
        throw Failure(
            "\(arguments.joined(separator: " ")) failed with exit code \(result.status)\n\(result.text)")
    }
    return result.text
}

/// A program that runs beside this one, until `stop` or the end of this value. What it writes is thrown away.
final class Child {
    private var process: pid_t = 0

    /// Starts the program (posix_spawnp(3)).
    init(_ arguments: [String]) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for file in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
            posix_spawn_file_actions_addopen(&actions, file, "/dev/null", O_RDWR, 0)
        }
        let code = withCStrings(arguments) {
            posix_spawnp(&process, arguments[0], &actions, nil, $0, environ)
        }
        guard code == 0 else {
            throw Failure("cannot run \(arguments[0]): \(String(cString: strerror(code)))")
        }
    }

    /// Asks it to end, and waits until it has (kill(2), waitpid(2)).
    func stop() {
        guard process != 0 else { return }
        kill(process, SIGTERM)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        process = 0
    }

    deinit { stop() }
}

/// Sleeps (usleep(3)).
func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }

/// Turns this process into another program; returns only when that fails (execvp(3)).
func become(_ arguments: [String]) throws -> Never {
    _ = withCStrings(arguments) { execvp(arguments[0], $0) }
    throw Failure("cannot run \(arguments[0]): \(String(cString: strerror(errno)))")
}

private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    let pointers = strings.map { strdup($0) }
    defer { pointers.forEach { free($0) } }
    return body(pointers + [nil])
}

extension FileError {
    /// The error the last system call left behind.
    static func current(_ path: String) -> FileError { FileError(path: path, code: errno) }
}
