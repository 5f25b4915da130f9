// The words the daemon's parts exchange: what is asked of the database, what comes back, what is then to be
// done. Values only; `DaemonState` decides with them, `Runtime` acts on them.

import Postgres

/// One of the daemon's two connections.
enum Link: String, CaseIterable {
    /// LISTEN, heartbeat, look, claim, extend: short questions, each its own transaction.
    case listening
    /// Refreshes, and the ends of jobs: whatever may take long, one at a time.
    case working
}

/// A claimed job. Identifier and token are the database's own text: the daemon hands them back unread.
struct Job: Equatable {
    let id: String
    /// The fencing token: a finish that carries an old one changes nothing.
    let token: String
    let kind: String
    let payload: String
}

/// How a performed job ended.
enum Outcome: Equatable {
    /// The result, as JSON text, for the job's continuation.
    case finished(result: String)
    /// A sentence for a person; the database decides whether there is another attempt.
    case failed(error: String)
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
    case extend(Job)
    case heartbeat

    // On the working connection
    case refresh(call: String)
    case unlock
    case end(Job, Outcome)
}

/// What the database says, once per request that succeeded.
enum Answer: Equatable {
    case done
    /// The channels to listen on; for a heartbeat, those that should be listened on and are not.
    case channels([String])
    case found(Found)
    case claimed([Job])
    /// Whether the token was still good.
    case accepted(Bool)
}

/// What one look into the queue found.
struct Found: Equatable {
    var refreshCalls: [String] = []
    var jobsDue = 0
    /// Time until the next planned job or refresh; nil when nothing is planned.
    var nextDueIn: Duration?
}

/// What happened.
enum Event: Equatable {
    case started(worker: String)
    case connected(Link)
    /// The connection could not be made, or broke.
    case lost(Link, reason: String)
    /// One notification or many, on any channel: they all mean "look".
    case notified
    case answered(Link, Answer)
    /// The request failed; the connection itself is still good.
    case refused(Link, PostgresError)
    case performed(Job, Outcome)
    /// SIGTERM or SIGINT; the second means "now".
    case signalled
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
    case log(LogLine)
    case leave
}
