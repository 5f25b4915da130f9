/// `concierge daemon`: waits for work in the database, performs it, and tells the database how it ended.
public enum Daemon {
    /// The version that metrics name.
    public static let version = "0.2"

    /// Runs until SIGTERM or SIGINT, on the calling thread, and takes over how the process handles them and
    /// SIGHUP.
    ///
    /// - Parameters:
    ///   - read: reads the configuration, now and again at each SIGHUP.
    ///   - environment: of which systemd's variables are read.
    /// - Returns: the exit code.
    public static func run(environment: [String: String], _ read: @escaping () throws -> Configuration) throws
        -> Int32
    {
        let configuration = try read()
        let stopDescriptor = try catchSignals()
        let runtime = try Runtime(
            configuration: configuration, effects: Effects(EffectSettings(configuration)),
            manager: ServiceManager(environment: environment), signals: stopDescriptor, reread: read,
            log: LogWriter(least: configuration.logLevel).write)
        runtime.run()
        return 0
    }
}
