/// `concierge daemon`: waits for work in the database, performs it, and tells the database how it ended.
public enum Daemon {
    /// Runs until SIGTERM or SIGINT, on the calling thread, and takes over how the process handles them.
    ///
    /// - Returns: the exit code.
    public static func run(_ configuration: Configuration) throws -> Int32 {
        let writer = LogWriter(least: configuration.logLevel)
        let runtime = Runtime(
            configuration: configuration, effects: .standard, stopDescriptor: try catchStopSignals(),
            log: writer.write)
        runtime.run()
        return 0
    }
}
