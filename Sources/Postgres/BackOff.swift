/// How long to wait after the n-th failure in a row: doubling, capped, and jittered so that many who lost the
/// same server, or the same lock, do not all come back in the same instant.
public struct BackOff: Equatable, Sendable {
    public var first: Duration
    public var cap: Duration

    public init(first: Duration = .milliseconds(100), cap: Duration = .seconds(5)) {
        self.first = first
        self.cap = cap
    }

    /// - Parameter random: a number in 0..<1; the wait lies between half and the whole of the nominal one.
    public func delay(failures: Int, random: Double) -> Duration {
        var nominal = first
        for _ in 1..<max(failures, 1) where nominal < cap { nominal *= 2 }
        return min(nominal, cap) * (0.5 + 0.5 * random)
    }
}
