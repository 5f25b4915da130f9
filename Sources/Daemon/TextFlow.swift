/// More of the text of an answer that is still being given.
struct Said: Equatable {
    let job: Job
    let text: String
}

/// A piece of such a text on its way to the database.
struct Emission: Equatable {
    let job: Job
    /// From 1, in the order of the text: told twice, a piece is there once.
    let number: Int
    let text: String
}

/// Text on its way to the database: gathered from all streams, and told together, about every 50 ms.
///
/// The text is for readers who cannot wait for the result, which has it all once more: what is still waiting
/// when a job ends is not told at all, unless the end itself has to wait. An end, though, waits for text that is
/// being told, so that none comes after it.
struct TextFlow {
    private struct Stream {
        let job: Job
        var number = 0
        var text = ""
    }

    private enum Sending {
        case nothing
        case underWay([Emission])
        /// Nobody knows whether they arrived: the same pieces by the same numbers.
        case again([Emission])
    }

    /// Enough for text to seem to flow; what it costs the server does not grow with the streams.
    static let pause = Duration.milliseconds(50)

    /// Whether there has been a job that may have text, so that a connection is worth its while.
    var isWanted = false
    private var streams: [String: Stream] = [:]
    /// The jobs that have text waiting, by id, in the order it came.
    private var waiting: [String] = []
    private var sending = Sending.nothing
    /// Ends that wait for the text of their jobs to be told.
    private var ends: [(job: Job, outcome: Outcome)] = []
    private var nextAt = Duration.zero

    // MARK: Text in, pieces out

    mutating func add(_ said: Said) {
        let (job, text) = (said.job, said.text.withoutZeros)
        guard !text.isEmpty else { return }
        if streams[job.id]?.job.token != job.token {
            forget(job)
            streams[job.id] = Stream(job: job)
        }
        if streams[job.id]?.text.isEmpty == true { waiting.append(job.id) }
        streams[job.id]?.text += text
    }

    /// When there is something to tell; nil: nothing waits, or something is under way.
    var due: Duration? {
        switch sending {
        case .nothing: waiting.isEmpty ? nil : nextAt
        case .again: nextAt
        case .underWay: nil
        }
    }

    /// The pieces to tell now; nil when their time has not come. The first text after a rest goes at once.
    mutating func next(at now: Duration) -> [Emission]? {
        guard let due, due <= now else { return nil }
        let pieces: [Emission]
        if case .again(let before) = sending { pieces = before } else { pieces = take() }
        nextAt = now + Self.pause
        sending = .underWay(pieces)
        return pieces
    }

    private mutating func take() -> [Emission] {
        defer { waiting = [] }
        return waiting.compactMap { id in
            guard var stream = streams[id] else { return nil }
            stream.number += 1
            defer {
                let isOver = ends.contains { $0.job == stream.job }
                streams[id] = isOver ? nil : Stream(job: stream.job, number: stream.number)
            }
            return Emission(job: stream.job, number: stream.number, text: stream.text)
        }
    }

    // MARK: What becomes of pieces

    /// The pieces arrived; returns the ends that have waited for them.
    mutating func told() -> [(job: Job, outcome: Outcome)] {
        sending = .nothing
        return takeEnds()
    }

    /// The pieces may have arrived or not, and are told again, not before that moment.
    mutating func lost(retryAt: Duration) -> [(job: Job, outcome: Outcome)] {
        if case .underWay(let pieces) = sending {
            let over = Set(ends.map(\.job.id))
            let left = pieces.filter { !over.contains($0.job.id) }
            sending = left.isEmpty ? .nothing : .again(left)
            nextAt = max(nextAt, retryAt)
        }
        return giveUpEnds()
    }

    /// The pieces cannot be told: readers find a number missing, and wait for the result.
    mutating func refused(retryAt: Duration) -> [(job: Job, outcome: Outcome)] {
        sending = .nothing
        nextAt = max(nextAt, retryAt)
        return giveUpEnds()
    }

    /// The ends that wait for no text any more.
    private mutating func takeEnds() -> [(job: Job, outcome: Outcome)] {
        let free = ends.filter { streams[$0.job.id]?.job != $0.job }
        ends.removeAll { end in free.contains { $0.job == end.job } }
        return free
    }

    /// All ends: what their jobs have said last is not told.
    private mutating func giveUpEnds() -> [(job: Job, outcome: Outcome)] {
        for end in ends where streams[end.job.id]?.job == end.job { forget(end.job) }
        return takeEnds()
    }

    // MARK: Ends of jobs

    /// Takes a job's end; returns it when it may be told now, and keeps it while text of the job is under way.
    ///
    /// - Parameter hasTime: the end could not be told at once, and text can: then what the job has said last goes
    ///   with the next pieces, and the end comes after them.
    mutating func end(_ job: Job, _ outcome: Outcome, hasTime: Bool = false) -> Outcome? {
        if hasTime, streams[job.id]?.job == job, streams[job.id]?.text.isEmpty == false, !isTellingAgain {
            ends.append((job, outcome))
            return nil
        }
        forget(job)
        guard case .underWay(let pieces) = sending, pieces.contains(where: { $0.job == job }) else {
            return outcome
        }
        ends.append((job, outcome))
        return nil
    }

    private var isTellingAgain: Bool { if case .again = sending { true } else { false } }

    /// Drops what waits of a job that is to be stopped, or is somebody else's.
    mutating func forget(_ job: Job) {
        if streams.removeValue(forKey: job.id) != nil { waiting.removeAll { $0 == job.id } }
        if case .again(let pieces) = sending {
            let left = pieces.filter { $0.job.id != job.id }
            sending = left.isEmpty ? .nothing : .again(left)
        }
    }
}

extension String {
    /// Without the one character that PostgreSQL's text has no place for, whatever it is combined with.
    var withoutZeros: String {
        utf8.contains(0) ? String(String.UnicodeScalarView(unicodeScalars.filter { $0.value != 0 })) : self
    }
}
