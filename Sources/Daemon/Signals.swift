import Glibc
import Synchronization

/// The end of the pipe that the signal handler writes to. A handler may do little more than that, and nothing
/// it does may depend on the thread it interrupts.
private let signalPipe = Atomic<Int32>(-1)

/// Makes SIGTERM, SIGINT and SIGHUP readable as their numbers, each a byte of a pipe (sigaction, pipe,
/// sigprocmask), and SIGPIPE an ordinary write error.
///
/// - Returns: the descriptor to read from. It stays open, with the handlers, for the life of the process.
func catchSignals() throws -> Int32 {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw SystemError(call: "pipe", code: errno) }
    for end in ends {
        _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    signalPipe.store(ends[1], ordering: .sequentiallyConsistent)

    var stop = sigaction()
    stop.__sigaction_handler.sa_handler = { signal in
        let before = errno
        var byte = UInt8(truncatingIfNeeded: signal)
        _ = write(signalPipe.load(ordering: .sequentiallyConsistent), &byte, 1)
        errno = before
    }
    stop.sa_flags = SA_RESTART
    var ignore = sigaction()
    ignore.__sigaction_handler.sa_handler = SIG_IGN

    for (signal, action) in [(SIGTERM, stop), (SIGINT, stop), (SIGHUP, stop), (SIGPIPE, ignore)] {
        var action = action
        guard sigaction(signal, &action, nil) == 0 else { throw SystemError(call: "sigaction", code: errno) }
    }
    // Whoever started us may have blocked them, and a blocked signal mask is inherited.
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGTERM)
    sigaddset(&set, SIGINT)
    sigaddset(&set, SIGHUP)
    sigprocmask(SIG_UNBLOCK, &set, nil)
    return ends[0]
}

/// A system call that should not fail, and did.
struct SystemError: Error, CustomStringConvertible {
    let call: String
    let code: Int32

    var description: String { "\(call): \(String(cString: strerror(code)))" }
}
