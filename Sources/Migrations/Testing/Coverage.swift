import Postgres

/// Which functions ran in the tests, and which statements of those in PL/pgSQL.
///
/// Calls are counted by the server (`track_functions`), statements by the profiler of plpgsql_check. A
/// function that the planner puts into its caller's query is called by nobody: those it may treat so, and has
/// never called, are set apart and not counted.
public struct Coverage: Sendable {
    /// One statement of a PL/pgSQL body.
    public struct Step: Hashable, Sendable {
        /// The line of the body, from 1; the first one is where the body opens.
        public let line: Int
        /// `IF`, `RETURN`, `SQL statement`.
        public let kind: String
        public fileprivate(set) var count = 0
    }

    public struct Function: Sendable {
        /// `queue.finish(bigint,bigint,jsonb)`.
        public let name: String
        public let language: String
        /// The body of PL/pgSQL, otherwise the whole definition, line by line.
        public let source: [Substring]
        /// Whether the planner may put it into its caller's query.
        public let mayBeInlined: Bool
        public fileprivate(set) var calls = 0
        /// Those of PL/pgSQL; a function in another language is one step that ran when it was called.
        public fileprivate(set) var steps: [Step]

        public var ran: Int { steps.isEmpty ? (calls > 0 ? 1 : 0) : steps.count { $0.count > 0 } }
        public var all: Int { max(steps.count, 1) }
        public var share: Double { Double(ran) / Double(all) }
        /// Whether nothing can be said about it.
        public var isUnknown: Bool { mayBeInlined && calls == 0 }
    }

    /// Lowest first.
    public private(set) var functions: [Function] = []
    private var calls: [String: Int] = [:]
    private var counts: [String: [Int: Int]] = [:]
    /// Which functions each test file called.
    public private(set) var called: [String: Set<String>] = [:]

    public var measured: [Function] { functions.filter { !$0.isUnknown } }
    public var unknown: [Function] { functions.filter(\.isUnknown) }

    // MARK: Counting

    /// Begins to count in a session.
    ///
    /// The profiler parses dynamic SQL a second time, where it does not know the transition tables of a
    /// trigger (version 2.3). Trigger functions with both are counted as a whole, not by statement.
    static func begin(_ session: Connection) throws {
        try session.execute(script: "load 'plpgsql_check'")
        for function in try session.query(unprofiled).compactMap({ $0["signature"] }) {
            try session.execute(script: "alter function \(function) set plpgsql_check.profiler = off")
        }
        try session.execute(script: "set plpgsql_check.profiler = on; set track_functions = 'all'")
    }

    /// Adds what the sessions of a test have run, at their end. They may be anybody's, and in any state.
    mutating func add(_ test: String, _ sessions: [Connection]) throws {
        for session in sessions where session.isOpen {
            if session.transactionStatus != .idle { try session.execute(script: "rollback") }
            try session.execute(
                script: """
                    reset session authorization; reset role; set search_path = pg_catalog;
                    select pg_stat_force_next_flush()
                    """)
            for row in try session.query(Coverage.profile) {
                let name: String = try row.value("name")
                counts[name, default: [:]][try row.value("stmtid"), default: 0] += try row.value("count")
            }
        }
        guard let last = sessions.last(where: \.isOpen) else { return }
        for row in try last.query(Coverage.callCounts) {
            let name: String = try row.value("name")
            calls[name, default: 0] += try row.value("calls")
            called[test, default: []].insert(name)
        }
    }

    /// Adds what another one has counted.
    mutating func add(_ other: Coverage) {
        calls.merge(other.calls, uniquingKeysWith: +)
        counts.merge(other.counts) { $0.merging($1, uniquingKeysWith: +) }
        called.merge(other.called) { $0.union($1) }
    }

    /// Puts the counts to the functions of a database like the tests'.
    mutating func finish(_ connection: Connection) throws {
        try connection.execute(script: "load 'plpgsql_check'; set search_path = pg_catalog")
        let unprofiled = try connection.query(
            "select p.signature::oid as oid from (\(Coverage.unprofiled)) as p"
        ).compactMap { $0[0] }
        functions = try connection.query(Coverage.list, [Parameter(unprofiled)]).map { row in
            let name: String = try row.value("name")
            let language: String = try row.value("language")
            let source: String = try row.value("source")
            var steps: [Step] = []
            if try row.value("has_profile") {
                let rows = try connection.query(Coverage.steps, [row["oid"].map { Parameter($0) }])
                steps = try rows.map { step in
                    Step(
                        line: try step.value("lineno"), kind: try step.value("stmtname"),
                        count: counts[name]?[try step.value("stmtid")] ?? 0)
                }
            }
            return Function(
                name: name, language: language,
                source: source.split(separator: "\n", omittingEmptySubsequences: false),
                mayBeInlined: try row.value("may_be_inlined"),
                // The server does not count a call that ends in an error; its first statement does.
                calls: max(calls[name] ?? 0, steps.first?.count ?? 0), steps: steps)
        }
        functions.sort { ($0.share, $0.name) < ($1.share, $1.name) }
    }

    private static let unprofiled = """
        select p.oid::regprocedure as signature
        from pg_catalog.pg_proc p
        where p.prosrc ~* '\\mexecute\\M'
            and p.prolang = (select l.oid from pg_catalog.pg_language l where l.lanname = 'plpgsql')
            and exists (
                select from pg_catalog.pg_trigger t
                where t.tgfoid = p.oid and (t.tgoldtable is not null or t.tgnewtable is not null))
            and not coalesce('plpgsql_check.profiler=off' = any (p.proconfig), false)
        """

    // Only for functions still there, and not for those of extensions: of polymorphic ones the profiler
    // cannot tell.
    private static let profile = """
        with ours as materialized (
            select p.oid
            from public.plpgsql_profiler_functions_all() f
            join pg_proc p on p.oid = f.funcoid
            where not exists (
                    select from pg_depend d
                    where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
                and not exists (
                    select from unnest(p.proargtypes) as a (type) join pg_type t on t.oid = a.type
                    where t.typtype = 'p')
        )
        select o.oid::regprocedure::text as name, s.stmtid, s.exec_stmts + s.exec_stmts_err as count
        from ours o
        cross join lateral public.plpgsql_profiler_function_statements_tb(o.oid) s
        where s.exec_stmts + s.exec_stmts_err > 0
        """

    private static let callCounts = """
        select p.oid::regprocedure::text as name, s.calls
        from pg_stat_user_functions s join pg_proc p on p.oid = s.funcid
        """

    /// What the planner may inline: section "Function Optimization" of the server's sources, in short.
    private static let list = """
        select p.oid, p.oid::regprocedure::text as name, l.lanname as language,
            case when l.lanname = 'plpgsql' then p.prosrc else pg_get_functiondef(p.oid) end as source,
            l.lanname = 'sql' and p.prokind = 'f' and not p.prosecdef and p.proconfig is null
                and not (p.proretset and (p.proisstrict or p.provolatile = 'v')) as may_be_inlined,
            l.lanname = 'plpgsql' and p.oid <> all ($1::oid[])
                and not exists (
                    select from unnest(p.proargtypes) as a (type) join pg_type t on t.oid = a.type
                    where t.typtype = 'p') as has_profile
        from pg_proc p
        join pg_language l on l.oid = p.prolang and l.lanname not in ('c', 'internal')
        join pg_namespace n on n.oid = p.pronamespace
        where n.nspname !~ '^(pg_|information_schema$|test$)' and p.prokind <> 'a'
            and not exists (
                select from pg_depend d
                where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
            )
        """

    private static let steps = """
        select s.stmtid, s.lineno, s.stmtname
        from public.plpgsql_profiler_function_statements_tb($1::oid::regprocedure) s
        order by s.stmtid
        """
}
