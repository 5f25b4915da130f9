extension Duration {
    /// Seconds of a payload, between a tenth of one and an hour.
    init(seconds: Double?, default: Double) {
        let seconds = seconds.flatMap { $0.isFinite ? $0 : nil } ?? `default`
        self = .milliseconds(Int64(min(max(seconds, 0.1), 3600) * 1000))
    }

    /// Whole milliseconds.
    var milliseconds: Int { Int(self / .milliseconds(1)) }
}
