import Migrations
import Postgres

/// Acting as a person from the command line, the way an app service does: a signed token, the role
/// `concierge_app`, row-level security. Only who may issue tokens can do this.
struct PersonalSession {
    let tenant: String
    /// The person's key at their identity provider.
    let subject: String

    /// The tenant and person that `--tenant` and `--as` name; what was not named must be the only one there
    /// is.
    static func find(
        _ connection: Connection, tenant: String?, subject: String?, role: String? = nil
    ) throws -> Self {
        let rows = try connection.query(
            """
            select t.slug as tenant, p.subject
            from access.people p
            join access.tenants t using (tenant_id)
            where ($1::text is null or t.slug = $1) and ($2::text is null or p.subject = $2)
                and ($3::text is null or $3 = any (p.roles))
            order by t.slug, p.subject limit 2
            """,
            [.optional(tenant), .optional(subject), .optional(role)])
        let what =
            (subject.map { "\"\($0)\"" } ?? role ?? "person") + (tenant.map { " in tenant \"\($0)\"" } ?? "")
        guard let row = rows.first else {
            throw Failure(
                "there is no \(what)",
                hint:
                    "Make one: select access.create_person(tenant, subject, name, '{\(role ?? "attendee")}');"
            )
        }
        guard rows.count == 1 else {
            throw Failure(
                "there is more than one \(what)",
                hint: "Say whom you mean with --tenant SLUG and --as PERSON.")
        }
        return PersonalSession(tenant: try row.value("tenant"), subject: try row.value("subject"))
    }

    /// Runs the body in one transaction as this person, at a set time when `clock` names one.
    @discardableResult
    func run<Result>(
        _ connection: Connection, at clock: String? = nil, _ body: () throws -> Result
    ) throws -> Result {
        try connection.transaction {
            if let clock {
                try connection.query("select set_config('concierge.clock', $1, true)", [Parameter(clock)])
            }
            let token =
                try connection.query(
                    "select access.issue_token($1, $2)", [Parameter(tenant), Parameter(subject)]
                ).scalar ?? ""
            try connection.execute(script: "set local role concierge_app")
            try connection.query("select access.sign_in($1)", [Parameter(token)])
            return try body()
        }
    }
}
