import Glibc
import Synchronization

/// Whether Ctrl-C was pressed and nobody has heeded it yet.
private let isPending = Atomic<Bool>(false)

/// Ctrl-C as a question that is asked at the right moments, not as the end. Pressed again before it was
/// heeded, it is the end: whatever this waits for does not come.
enum Interruption {
    /// From now on (sigaction, sigprocmask). A handler may do little, and nothing that depends on what it
    /// interrupts.
    static func catchIt() {
        isPending.store(false, ordering: .sequentiallyConsistent)
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in
            guard isPending.exchange(true, ordering: .sequentiallyConsistent) else { return }
            signal(SIGINT, SIG_DFL)
            raise(SIGINT)
        }
        action.sa_flags = SA_RESTART
        sigaction(SIGINT, &action, nil)
        // Whoever started us may have blocked it, and that is inherited.
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGINT)
        sigprocmask(SIG_UNBLOCK, &set, nil)
    }

    /// Whether it was pressed since it was last asked.
    static func take() -> Bool { isPending.exchange(false, ordering: .sequentiallyConsistent) }

    /// Waits until the descriptor has something to read; false when the time is over or Ctrl-C was pressed
    /// (poll).
    ///
    /// Pressed in the moment before it begins to wait, Ctrl-C is heeded when the time is over.
    static func wait(_ descriptor: Int32, _ time: Duration) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, Int32(time.milliseconds)) > 0
    }
}
