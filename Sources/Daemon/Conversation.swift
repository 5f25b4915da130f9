// The words the daemon's parts exchange: what is asked of the database, what comes back, what is then to be
// done. Values only; `DaemonState` decides with them, `Runtime` acts on them.

import Postgres

/// One of the daemon's connections.
enum Link: Hashable, CustomStringConvertible {
    /// LISTEN, heartbeat, look, claim, extend: short questions, each its own transaction.
    case listening
    /// Refreshes, one at a time: they may take minutes.
    case refreshing
    /// The ends of jobs, with their continuations. The first of the pool is always there, the others come when
    /// ends wait.
    case ending(Int)
    /// Text of answers that are still being given. There is none before the first of them.
    case emitting

    var description: String {
        switch self {
        case .listening: "listening"
        case .refreshing: "refreshing"
        case .ending(let number): "ending-\(number + 1)"
        case .emitting: "emitting"
        }
    }
}

/// A claimed job. Identifier and token are the database's own text: the daemon hands them back unread.
struct Job: Equatable {
    let id: String
    /// The fencing token: a finish that carries an old one changes nothing.
    let token: String
    let kind: String
    let payload: String
    /// W3C trace id, handed on to whom the effect speaks to.
    var traceID = ""
}

/// How a performed job ended.
enum Outcome: Equatable {
    /// The result, as JSON text, for the job's continuation.
    case finished(result: String)
    /// A sentence for a person; the database decides whether there is another attempt.
    case failed(Failure)
}

/// Why an attempt had no result.
struct Failure: Error, Equatable {
    /// Whose fault it was: what becomes of the job, its neighbours and its provider depends on it.
    enum Fault: String {
        /// This payload is bad.
        case item
        /// The other side is down.
        case provider
        /// The other side wants us to wait.
        case rate
        /// Something here has to be set right by a person.
        case config
    }

    var error: String
    var fault = Fault.item
    /// How long the other side wants to be left alone.
    var retryAfter: Duration?
    /// A model provider's kind of fault, in one word of a few: for whoever asked.
    var reason: String?
    /// No attempt can do better.
    var isFinal = false
}

/// What the daemon can ask of the database: one statement each, sent alone.
enum Request: Equatable {
    // Preparing a fresh connection
    case assumeRole
    case limitStatements(Duration)
    case channels
    case listen(channel: String)

    // On the listening connection
    case look
    case claim(limit: Int)
    case extend
    case heartbeat
    /// The database's share of the metrics.
    case figures
    /// Gives back whatever is still in hand.
    case release

    // On the refreshing connection
    case refresh(call: String)
    case unlock

    // On an ending connection
    case finish([Result])
    case fail(Job, Failure)

    // On the emitting connection
    case emit([Emission])

    /// A job and its result, as JSON text.
    struct Result: Equatable {
        let job: Job
        let result: String
    }

    /// The jobs whose end this tells.
    var ending: [Job] {
        switch self {
        case .finish(let results): results.map(\.job)
        case .fail(let job, _): [job]
        default: []
        }
    }
}

/// What the database says, once per request that succeeded.
enum Answer: Equatable {
    case done
    /// The channels to listen on; for a heartbeat, those that should be listened on and are not.
    case channels([String])
    case found(Found)
    case claimed([Job])
    /// The jobs to be stopped, by id; nil when the lease had ended.
    case extended(stop: [String]?)
    /// Those of the jobs, by id, whose token was still good.
    case accepted([String])
    /// The jobs whose text nobody wants any more, by id.
    case emitted(stop: [String])
    case figures([DatabaseSample])
}

/// What one look into the queue found.
struct Found: Equatable {
    var refreshCalls: [String] = []
    /// A claim may bring something.
    var hasJobs = false
    /// Time until the next planned job or refresh; nil when nothing is planned.
    var nextDueIn: Duration?
    /// Jobs in hand that somebody takes back, by id.
    var toStop: [String] = []
}

/// What happened.
enum Event: Equatable {
    case started(worker: String)
    case connected(Link)
    /// The connection could not be made, or broke.
    case lost(Link, reason: String)
    /// One notification or many, on any channel: they all mean "look".
    case notified
    /// One of them said that jobs may be claimed; comes before `notified`.
    case enqueued
    case answered(Link, Answer)
    /// The request failed; the connection itself is still good.
    case refused(Link, PostgresError)
    case performed(Job, Outcome)
    /// More of the text of answers; comes before `performed`.
    case said([Said])
    /// SIGTERM or SIGINT; the second means "now".
    case signalled
    /// The configuration was read again.
    case reloaded(Configuration)
    /// Nothing but time passed.
    case woken
}

/// What to do.
enum Action: Equatable {
    case connect(Link)
    case disconnect(Link)
    case send(Link, Request)
    case cancel(Link)
    case perform(Job)
    /// Whatever the effect does, it is to end, and to say so.
    case stop(Job)
    case log(LogLine)
    case leave
}
