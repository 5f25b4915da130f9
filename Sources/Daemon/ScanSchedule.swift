/// When to look into the queue next.
///
/// Three reasons, the earliest wins: a planned moment (the poll, a job that becomes due, a second look after
/// work); a notification after a rest, at once; and, soon after a look, a burst of notifications that has gone
/// quiet or has lasted long enough. After an error none of them may come early.
struct ScanSchedule: Equatable {
    /// The planned look; nil while one is on its way and nothing has happened since.
    private(set) var planned: Duration?
    /// First and latest notification since the last look.
    private(set) var burst: (first: Duration, latest: Duration)?
    /// When the last look was sent.
    private var lookedAt: Duration?
    /// Set by a failed look: no notification storm may turn an error into a spin.
    private(set) var notBefore: Duration = .zero

    let quiet: Duration
    let longest: Duration

    init(quiet: Duration, longest: Duration) {
        self.quiet = quiet
        self.longest = longest
    }

    var moment: Duration? {
        let gathered = burst.map { burst in
            guard let lookedAt, burst.first - lookedAt < longest else { return burst.first }
            return min(burst.latest + quiet, burst.first + longest)
        }
        return [planned, gathered].compactMap(\.self).min().map { max($0, notBefore) }
    }

    mutating func notified(at now: Duration) {
        burst = (burst?.first ?? now, now)
    }

    /// A look is being sent: it answers all reasons so far. Those that arise from now on, even before its
    /// answer, it may have been too early to see.
    mutating func looking(at now: Duration) {
        lookedAt = now
        planned = nil
        burst = nil
    }

    /// The look was answered.
    mutating func looked() {
        notBefore = .zero
    }

    /// Brings the planned look forward, never back.
    mutating func plan(noLaterThan moment: Duration) {
        planned = min(planned ?? moment, moment)
    }

    /// A look failed.
    mutating func hold(until moment: Duration) {
        planned = moment
        notBefore = moment
    }

    static func == (left: Self, right: Self) -> Bool {
        left.planned == right.planned && left.notBefore == right.notBefore
            && left.burst?.first == right.burst?.first && left.burst?.latest == right.burst?.latest
    }
}
