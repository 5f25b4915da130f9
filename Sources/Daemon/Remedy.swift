import Postgres

/// What to do about an error: the daemon's whole knowledge of SQLSTATEs.
enum Remedy: Equatable {
    /// The session is ending or the connection is broken.
    case reconnect
    /// A collision with somebody else, or a server short of something; the same request may well pass in a
    /// moment.
    case retry
    /// A standby, or a primary that was demoted: wait until it, or another host of the list, takes writes.
    case waitForPrimary
    /// The schema, a function or the role is not there yet.
    case migrate
    /// The login is not a member of the daemon's role.
    case grantRole
    /// Anything else: a person has to look.
    case report

    init(for error: PostgresError, to request: Request) {
        self = switch error.sqlState.rawValue {
        case "25006": .waitForPrimary
        case "40001", "40P01", "55P03": .retry
        case "3F000", "42P01", "42883", "42704": .migrate
        case "22023" where request == .assumeRole: .migrate // so says SET ROLE of a role that does not exist
        case "42501" where request == .assumeRole: .grantRole
        case let code where code.hasPrefix("53") || code.hasPrefix("58"): .retry
        case let code where code.hasPrefix("57P") || code.hasPrefix("08"): .reconnect
        default: .report
        }
    }

    /// The next step for a person, where there is one.
    var hint: String? {
        switch self {
        case .migrate: "run `concierge migrate` on this database"
        case .grantRole: "grant the role to the daemon's login: grant concierge_worker to ..."
        case .waitForPrimary: "name the primary, or several hosts with target_session_attrs=read-write"
        case .reconnect, .retry, .report: nil
        }
    }
}
