import Postgres

/// plpgsql_check over every PL/pgSQL function of a database that belongs to no extension.
enum FunctionCheck {
    /// One assertion a function. A trigger function is checked once for each relation it is attached to,
    /// since only there its rows have a type.
    static func run(_ target: Target) throws -> TestReport {
        let began = ContinuousClock.now
        let connection = try target.connect(as: "concierge test")
        var assertions: [Assertion] = []
        for function in try connection.query(functions, [Parameter(TestHelpers.names)]) {
            let identity: String = try function.value("identity")
            let relation = try function.optional("relation", as: String.self)
            let sentence = "\(identity)\(relation.map { " on \($0)" } ?? "")"
            let parameters = [
                function["oid"], function["relid"], function["tgoldtable"], function["tgnewtable"],
            ]
            .map { Parameter.optional($0) }
            do {
                let findings = try connection.query(check, parameters)
                assertions.append(
                    Assertion(
                        verdict: findings.isEmpty ? .passed : .failed, sentence: sentence,
                        diagnostics: findings.map(describe), line: 1))
            } catch let error as PostgresError {
                assertions.append(
                    Assertion(
                        verdict: .failed, sentence: sentence,
                        diagnostics: error.description.split(separator: "\n").map(String.init), line: 1))
            }
        }
        return TestReport(
            name: TestRunner.functionCheck, duration: began.duration(to: .now), assertions: assertions,
            problems: [])
    }

    private static func describe(_ row: Row) -> String {
        let parts = [
            "line \(row["lineno"] ?? "?")", row["statement"],
            "\(row["level"] ?? "error") \(row["sqlstate"] ?? "")",
            row["message"], row["detail"].map { "DETAIL: " + $0 }, row["hint"].map { "HINT: " + $0 },
            row["query"].map { "QUERY: " + $0 },
        ]
        return parts.compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: ": ")
    }

    private static let functions = """
        select p.oid, p.oid::regprocedure::text as identity, t.tgrelid::oid as relid,
               t.tgrelid::regclass::text as relation, t.tgoldtable, t.tgnewtable
        from pg_catalog.pg_proc p
        join pg_catalog.pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace and n.nspname !~ '^(pg_|information_schema$)'
        left join (
            select distinct tgfoid, tgrelid, tgoldtable, tgnewtable
            from pg_catalog.pg_trigger where not tgisinternal
        ) t on t.tgfoid = p.oid
        where (p.prorettype <> 'trigger'::regtype or t.tgrelid is not null)
            and not (n.nspname = 'test' and p.proname = any ($1))
            and not exists (
                select from pg_catalog.pg_depend d
                where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
            )
        order by 2, 4
        """

    private static let check = """
        select lineno, statement, sqlstate, message, detail, hint, level, query
        from public.plpgsql_check_function_tb(
            $1::oid::regprocedure, coalesce($2::oid, 0)::regclass, fatal_errors => false,
            other_warnings => true, extra_warnings => true,
            performance_warnings => true, security_warnings => true,
            oldtable => $3::name, newtable => $4::name)
        """
}
