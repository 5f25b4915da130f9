import Postgres
import TestSupport
import Testing

@testable import Migrations

@Suite(.enabled(if: TestServer.isAvailable, "there is no PostgreSQL server"))
struct DriftTests {
    private let files = [
        "migrations/0001_base.sql": """
        create schema a;
        create type a.mood as enum ('good', 'bad');
        create domain a.word as text check (value <> '');
        create table a.t (id int primary key, name text not null default 'x', mood a.mood, word a.word);
        create index t_name on a.t (name);
        create table a.child (id int references a.t);
        alter table a.t enable row level security;
        create policy mine on a.t for select to pg_monitor using (true);
        comment on table a.t is 'A table.';
        grant select on a.t to pg_monitor;
        create sequence a.s;
        create materialized view a.m as select 1 as one;
        create table a.log (at int primary key) partition by range (at);
        create table a.log_0 partition of a.log for values from (0) to (1);
        """,
        "sql/manifest": "f.sql\nv.sql",
        "sql/f.sql": """
        create or replace function a.f() returns trigger language plpgsql as $$ begin return new; end $$;
        create or replace trigger g before insert on a.t for each row execute function a.f();
        """,
        "sql/v.sql": "create or replace view a.v as select id from a.t;",
    ]

    private func drift(_ script: String) throws -> [String] {
        let project = try TemporaryProject(files)
        return try TestServer.withDatabase { target in
            let runner = Runner(try project.load(), target)
            try runner.apply()
            try target.connect().execute(script: script)
            return try runner.drift().map(\.description)
        }
    }

    @Test(
        "Whatever was changed by hand is named, with what should be and what is",
        arguments: [
            ("select 1", []),
            ("insert into a.t values (1)", []),
            // A column that came and went leaves only a number.
            ("alter table a.t add gone int; alter table a.t drop gone", []),
            // Partitions come and go with the rows; those of a clean install stay as they are.
            ("create table a.log_1 partition of a.log for values from (1) to (2)", []),
            ("create index on a.log_0 (at)", ["extra    index a.log_0_at_idx"]),
            ("alter table a.t add extra int", ["extra    column a.t.extra"]),
            ("drop index a.t_name", ["missing  index a.t_name"]),
            (
                "alter table a.t alter name drop not null",
                [
                    "differs  column a.t.name\n         - 2 text not null default 'x'::text\n         + 2 text default 'x'::text"
                ]
            ),
            (
                "alter table a.t alter name set default 'y'",
                [
                    "differs  column a.t.name\n         - 2 text not null default 'x'::text\n         + 2 text not null default 'y'::text"
                ]
            ),
            (
                "alter table a.child drop constraint child_id_fkey",
                ["missing  constraint child_id_fkey on a.child"]
            ),
            ("create table a.u (id int)", ["extra    column a.u.id", "extra    table a.u"]),
            (
                "alter type a.mood add value 'so-so'",
                [
                    "differs  type a.mood\n         - enum 'good', 'bad'\n         + enum 'good', 'bad', 'so-so'"
                ]
            ),
            (
                "alter domain a.word set not null",
                ["differs  domain a.word\n         - text\n         + text not null"]
            ),
            (
                "create or replace function a.f() returns trigger language plpgsql as $$ begin return null; end $$",
                [
                    "differs  function a.f()\n         - AS $function$ begin return new; end $function$\n         + AS $function$ begin return null; end $function$"
                ]
            ),
            ("alter table a.t disable trigger g", ["differs  trigger g on a.t\n         + disabled"]),
            (
                "alter policy mine on a.t using (false)",
                ["differs  policy mine on a.t\n         - using true\n         + using false"]
            ),
            (
                "alter table a.t disable row level security",
                ["differs  table a.t\n         - row level security"]
            ),
            (
                "comment on table a.t is 'Another.'",
                ["differs  table a.t\n         - comment A table.\n         + comment Another."]
            ),
            (
                "grant insert on a.t to pg_monitor",
                [
                    "differs  table a.t\n         - grants pg_monitor=r/postgres postgres=arwdDxt/postgres\n         + grants pg_monitor=ar/postgres postgres=arwdDxt/postgres"
                ]
            ),
            (
                "create or replace view a.v as select id from a.t where id > 0",
                [
                    "differs  view a.v\n         -    FROM a.t;\n         +    FROM a.t\n         +   WHERE (t.id > 0);"
                ]
            ),
            (
                "alter sequence a.s increment 5",
                [
                    "differs  sequence a.s\n         - bigint start 1 by 1 from 1 to 9223372036854775807 cache 1\n         + bigint start 1 by 5 from 1 to 9223372036854775807 cache 1"
                ]
            ),
            (
                "refresh materialized view a.m with no data",
                ["differs  materialized view a.m\n         + not populated"]
            ),
            ("create extension pg_trgm schema a", ["extra    extension pg_trgm"]),
            (
                "create schema b; create statistics a.x on id, name from a.t",
                ["extra    schema b", "extra    statistics a.x"]
            ),
            (
                "do $$ begin execute format('alter database %I set work_mem = ''5MB''', current_database()); end $$",
                ["extra    setting work_mem"]
            ),
            (
                "alter default privileges in schema a grant select on tables to pg_monitor",
                ["extra    default privileges of postgres for r in a"]
            ),
        ] as [(String, [String])])
    func changedByHand(_ script: String, _ expected: [String]) throws {
        // A user of another name than the server's may own the objects here.
        let owner = try TestServer.withDatabase { try $0.connect().query("select current_user").scalar ?? "" }
        #expect(
            try drift(script)
                == expected.map {
                    $0.replacing("/postgres", with: "/" + owner).replacing(" postgres=", with: " \(owner)=")
                        .replacing("of postgres", with: "of " + owner)
                })
    }

    @Test("What is not applied yet is no drift; it is refused with the next step")
    func pending() throws {
        let project = try TemporaryProject(files)
        try TestServer.withDatabase { target in
            do {
                let runner = Runner(try project.load(), target)
                #expect { try runner.drift() } throws: {
                    ($0 as? Refusal)?.problems.first?.message == "not everything has been applied"
                }
            }
            // Others may be looking for drift at the same time: theirs are named after sessions that live.
            let left = try target.connect().query(
                """
                select count(*) from pg_database as d
                cross join lateral (select substring(d.datname from '^concierge_drift_([0-9]+)$')::int) as s (pid)
                where s.pid is not null and not exists (select from pg_stat_activity as a where a.pid = s.pid)
                """)
            #expect(left.scalar == "0")
        }
    }
}
