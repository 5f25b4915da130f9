import Postgres
import TestSupport
import Testing

@testable import Migrations

extension LockMode {
    /// As `pg_locks` calls it, in lower case.
    fileprivate var inLocks: String { name.lowercased().filter { $0 != " " } + "lock" }
}

/// What we say a statement locks and rewrites, held against what the server does.
@Suite(.enabled(if: TestServer.isAvailable, "there is no PostgreSQL server"))
struct StatementEffectTests {
    private static let shop = """
        create schema elsewhere;
        create type mood as enum ('good', 'bad');
        create domain percent as numeric check (value between 0 and 100);
        create domain plain as numeric;
        create table other (id bigint primary key, name text);
        create table third (id bigint primary key);
        create table t (
            id bigint primary key, other_id bigint, third_id bigint references third, name varchar(20),
            note text, price numeric(10, 2), fixed char(3), at timestamptz(3), count int not null, title text,
            rate percent, there text,
            constraint t_there check (there is not null));
        create table orphan (third_id bigint references third);
        alter table t add constraint t_price check (price >= 0) not valid;
        alter table t add constraint t_other foreign key (other_id) references other not valid;
        insert into other values (1);
        insert into t (id, price, there, count) select i, 1, 'x', 1 from generate_series(1, 10) as i;
        create index t_name on t (name);
        create unique index t_count on t (id, count);
        create materialized view m as select id, title from t;
        create unique index m_key on m (id);
        create view v as select id from t;
        create sequence s;
        create table p (id bigint not null, at date not null) partition by range (at);
        create table p1 partition of p for values from ('2026-01-01') to ('2027-01-01');
        create table p2 (id bigint not null, at date not null);
        create table p3 (id bigint not null, at date not null,
            constraint bounds check (at >= '2028-01-01' and at < '2029-01-01'));
        insert into p2 values (1, '2027-02-02');
        insert into p3 values (1, '2028-02-02');
        create table parent (id bigint);
        create table child () inherits (parent);
        create function f() returns bigint language plpgsql volatile as $$ begin return 1; end $$;
        create function g() returns bigint language sql immutable return 1::bigint;
        create function tg() returns trigger language plpgsql as $$ begin return null; end $$;
        create trigger tr after insert on t for each statement execute function tg();
        create policy po on t using (true);
        create rule r as on insert to other do also nothing;
        create statistics st on id, count from t;
        """

    private struct Observed: Equatable, CustomStringConvertible {
        var lock: LockMode
        var work: RowWork
        var description: String { "\(lock.name) \(work)" }
    }

    /// What the statement did, by relation: those of before it, tables, views and sequences.
    private func observe(_ sql: String, _ connection: Connection) throws -> [String: Observed] {
        let state = """
            select c.relname, c.relfilenode, pg_stat_get_xact_numscans(c.oid) as scans, c.oid
            from pg_class as c
            where c.relnamespace in ('public'::regnamespace, 'elsewhere'::regnamespace)
                and c.relkind in ('r', 'p', 'm', 'v', 'S')
            """
        let before = try connection.query(state).map {
            ($0["relname"], $0["relfilenode"], $0["scans"], $0["oid"])
        }
        try connection.execute(script: sql)
        let after = try connection.query(state).map { ($0["relfilenode"], $0["scans"], $0["oid"]) }
        var observed: [String: Observed] = [:]
        let locks = try connection.query(
            "select relation, mode from pg_locks where pid = pg_backend_pid() and locktype = 'relation'")
        for (name, node, scans, oid) in before {
            let modes = locks.filter { $0["relation"] == oid }.compactMap { row in
                LockMode.allCases.first { $0.inLocks == row["mode"]?.lowercased() }
            }
            guard let mode = modes.max() else { continue }
            let now = after.first { $0.2 == oid }
            let work: RowWork =
                now == nil ? .empties : now?.0 != node ? .rewrites : now?.1 != scans ? .scans : .none
            observed[name ?? ""] = Observed(lock: mode, work: work)
        }
        return observed
    }

    private func predict(_ sql: String, _ connection: Connection) throws -> [String: Observed] {
        let around = ServerSurroundings(connection: connection, history: History())
        var predicted: [String: Observed] = [:]
        for effect in effects(of: try SyntaxTree.parse(sql), around) {
            if let name = effect.relation {
                predicted[name.name] = Observed(lock: effect.lock, work: effect.work)
            }
        }
        return predicted
    }

    @Test("A statement locks and rewrites what we say, to the letter")
    func asTheServerDoes() throws {
        try TestServer.withDatabase { target in
            let connection = try target.connect()
            try connection.execute(script: Self.shop)
            for sql in Self.statements {
                try connection.execute(script: "begin")
                let predicted = try predict(sql, connection)
                // What the questions of the prediction locked is let go.
                try connection.execute(script: "rollback; begin")
                var observed: [String: Observed] = [:]
                do {
                    observed = try observe(sql, connection)
                } catch {
                    Issue.record("\(sql): \(error)")
                }
                try connection.execute(script: "rollback")
                let names = Set(predicted.keys).union(observed.keys).sorted()
                for name in names {
                    let said = predicted[name]
                    var seen = observed[name]
                    let gone: Set = ["v", "m", "s"]
                    // Where rows are thrown away or may be rewritten, either is right; a query may scan or
                    // use an index.
                    if said?.work == .empties, seen?.work == .rewrites { seen?.work = .empties }
                    if said?.work == .mayRewrite { seen?.work = .mayRewrite }
                    if let said, said.lock <= .rowExclusive || said.work == .rewrites || gone.contains(name) {
                        seen?.work = said.work
                    }
                    // The server looks keys up as it likes.
                    if name == "other", said?.lock == .shareRowExclusive { seen?.work = .none }
                    // The tables behind a view are not named by what refreshes it.
                    if said == nil, seen?.lock == .accessShare { continue }
                    #expect(said == seen, "\(sql): \(name)")
                }
            }
        }
    }

    /// Those that cannot be in a transaction are made to wait, and the lock they wait for is looked at.
    @Test(
        "What cannot be in a transaction waits for the lock we say",
        arguments: [
            "create index concurrently on t (note)", "reindex table concurrently t",
            "drop index concurrently t_name",
            "reindex index concurrently t_name", "vacuum t", "vacuum full t", "vacuum (analyze) other",
            "alter table p detach partition p1 concurrently",
        ])
    func outsideTransactions(_ sql: String) throws {
        try TestServer.withDatabase { target in
            let connection = try target.connect()
            let other = try target.connect()
            try connection.execute(script: Self.shop)
            let predicted = try predict(sql, connection)
            let first = try #require(predicted.first { $0.key != "p1" })
            try other.execute(script: "begin; lock table \(first.key) in share update exclusive mode")
            var mode: String?
            _ = try? connection.execute(script: sql, every: .milliseconds(10)) {
                mode = try? other.query(
                    """
                    select l.mode from pg_locks as l join pg_class as c on c.oid = l.relation
                    where l.pid = $1 and not l.granted and c.relname = $2
                    """, [Parameter(connection.backendPID), Parameter(first.key)]
                ).scalar
                if mode != nil { try? connection.cancel() }
            }
            try other.execute(script: "rollback")
            #expect(mode?.lowercased() == first.value.lock.inLocks)
        }
    }

    @Test("A plan says what is locked, for how many rows, and what is new")
    func planReport() throws {
        let project = try TemporaryProject([
            "migrations/0001_a.sql": "create table a (id int primary key, name varchar(5));",
            "migrations/0002_b.sql": """
            alter table a alter name type varchar(9);
            create table b (id int references a);
            create index on b (id);
            do $$ begin execute 'alter table a alter id type bigint'; end $$;
            """,
        ])
        try TestServer.withDatabase { target in
            let connection = try target.connect()
            try connection.execute(
                script: "create table a (id int primary key, name varchar(5)); "
                    + "insert into a select generate_series(1, 1000); analyze a")
            try Runner(project.load(), target).baseline(through: 1)
            let plan = try Runner(project.load(), target).plan()
            let report = PlanReport(plan, try project.load(), connection)
            let said = report.files.flatMap(\.steps).map { step in
                step.effects.map { effect in
                    "\(effect.subject) \(effect.lock.name) \(effect.work) "
                        + (effect.isFresh ? "new" : "\(effect.size?.rows ?? -1)")
                }
            }
            #expect(
                said == [
                    ["a ACCESS EXCLUSIVE none 1000"], ["a SHARE ROW EXCLUSIVE none 1000"],
                    ["b SHARE scans new"],
                    ["a ACCESS EXCLUSIVE rewrites 1000"],
                ])
        }
    }

    private static let statements = [
        // ALTER TABLE: columns.
        "alter table t add a text",
        "alter table t add a text default 'x'",
        "alter table t add a text not null default 'x'",
        "alter table t add a timestamptz default now()",
        "alter table t add a uuid default gen_random_uuid()",
        "alter table t add a bigint default f()",
        "alter table t add a bigint default g()",
        "alter table t add a bigserial",
        "alter table t add a bigint generated always as identity",
        "alter table t add a numeric generated always as (price * 2) stored",
        "alter table t add a percent",
        "alter table t add a plain",
        "alter table t add a bigint references other",
        "alter table t add a bigint default 1 references other",
        "alter table t add a text check (a <> '')",
        "alter table t add a text unique",
        "alter table t drop note",
        "alter table t drop other_id",
        "alter table t alter note set default 'x'",
        "alter table t alter note drop default",
        "alter table t alter price set not null",
        "alter table t alter there set not null",
        "alter table t alter id set not null",
        "alter table t alter note drop not null",
        "alter table t alter note set statistics 100",
        "alter table t alter note set (n_distinct = 5)",
        "alter table t alter note reset (n_distinct)",
        "alter table t alter note set storage external",
        "alter table t alter note set compression pglz",
        "alter table t alter count add generated always as identity",
        // Types.
        "alter table t alter name type varchar(30)",
        "alter table t alter name type varchar(10)",
        "alter table t alter name type varchar",
        "alter table t alter name type text",
        "alter table t alter note type varchar",
        "alter table t alter note type varchar(50)",
        "alter table t alter price type numeric(12, 2)",
        "alter table t alter price type numeric(12, 3)",
        "alter table t alter price type numeric",
        "alter table t alter price type percent",
        "alter table t alter fixed type char(5)",
        "alter table t alter fixed type text",
        "alter table t alter at type timestamptz",
        "alter table t alter at type timestamptz(1)",
        "alter table t alter at type timestamptz(6)",
        "alter table t alter there type varchar",
        "alter table t alter count type bigint",
        "alter table t alter count type int",
        "alter table t alter note type jsonb using to_jsonb(note)",
        // Constraints.
        "alter table t add check (count > 0)",
        "alter table t add check (count > 0) not valid",
        "alter table t validate constraint t_price",
        "alter table t validate constraint t_other",
        "alter table t add foreign key (other_id) references other",
        "alter table t add foreign key (other_id) references other not valid",
        "alter table t add unique (note)",
        "alter table t add constraint k unique using index t_count",
        "alter table t add exclude using btree (id with =)",
        "alter table t drop constraint t_price",
        "alter table t drop constraint t_other",
        "alter table t alter constraint t_other deferrable",
        // The rest of ALTER TABLE.
        "alter table t disable trigger tr",
        "alter table t enable always trigger tr",
        "alter table t disable trigger user",
        "alter table other disable rule r",
        "alter table t enable row level security",
        "alter table t force row level security",
        "alter table t replica identity full",
        "alter table t cluster on t_name",
        "alter table t set without cluster",
        "alter table t set (fillfactor = 70)",
        "alter table t set (autovacuum_enabled = off)",
        "alter table t reset (fillfactor)",
        "alter view v set (security_barrier)",
        "alter table t set unlogged",
        "alter table t owner to pg_monitor",
        "alter table t inherit parent",
        "alter table child no inherit parent",
        "alter table p attach partition p2 for values from ('2027-01-01') to ('2028-01-01')",
        "alter table p attach partition p3 for values from ('2028-01-01') to ('2029-01-01')",
        "alter table p detach partition p1",
        "alter table t rename to u",
        "alter table t rename note to memo",
        "alter table t rename constraint t_price to t_cost",
        "alter table t set schema elsewhere",
        // Indexes, views, triggers, policies.
        "create index on t (note)",
        "create index on only p (id)",
        "create index on m (title)",
        "drop index t_name",
        "reindex table t",
        "reindex index t_name",
        "create view w as select id from t",
        "create or replace view v as select id from t",
        "drop view v",
        "create materialized view n as select id from t",
        "refresh materialized view m",
        "refresh materialized view concurrently m",
        "drop materialized view m",
        "create trigger more after insert on t for each statement execute function tg()",
        "create or replace trigger tr after insert on t for each statement execute function tg()",
        "drop trigger tr on t",
        "alter trigger tr on t rename to trr",
        "create policy more on t using (true)",
        "create policy more on t using (id in (select id from other))",
        "alter policy po on t using (false)",
        "alter policy po on t rename to pol",
        "drop policy po on t",
        "create rule more as on delete to t do also nothing",
        "drop rule r on other",
        // Tables.
        "create table n (id bigint references other)",
        "create table n (like t)",
        "create table n () inherits (parent)",
        "create table n as select id from t",
        "create table p9 partition of p for values from ('2030-01-01') to ('2031-01-01')",
        "drop table p2",
        "drop table orphan",
        "truncate p2",
        "lock table t in share mode",
        "lock table t in row exclusive mode",
        "cluster t using t_name",
        "analyze t",
        // Comments, grants, statistics, sequences, publications.
        "comment on table t is 'x'",
        "comment on column t.note is 'x'",
        "comment on view v is 'x'",
        "comment on constraint t_price on t is 'x'",
        "comment on policy po on t is 'x'",
        "comment on trigger tr on t is 'x'",
        "comment on function f() is 'x'",
        "grant select on t to pg_monitor",
        "revoke select on t from pg_monitor",
        "create statistics more on id, other_id from t",
        "alter sequence s increment 2",
        "drop sequence s",
        "create publication pub for table t",
        // Rows.
        "select 1 from t",
        "select 1 from t for update",
        "insert into t (id, there, count) select 100, 'x', 1 from other",
        "update t set note = name",
        "update t set note = o.name from other as o where o.id = t.other_id",
        "delete from t where id in (select id from other)",
        "with gone as (delete from p2 returning id) insert into parent select id from gone",
        "merge into p2 using other on p2.id = other.id when not matched then insert values (other.id, now())",
        "explain analyze update t set note = name",
        "alter type mood add value 'fair' before 'bad'",
    ]
}
