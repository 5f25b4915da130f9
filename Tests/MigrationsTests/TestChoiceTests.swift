import Foundation
import TestSupport
import Testing

@testable import Migrations

@Suite struct TestChoiceTests {
    private let files = [
        "migrations/0001_base.sql": """
        create schema a; create schema b; create schema test;
        create table a.t (id int); create table a.u (id int); create table b.t (id int);
        """,
        "sql/manifest":
            "session.sql\na/f.sql\na/g.sql\na/v.sql\na/noise.sql\na/trigger.sql\na/caller.sql\nb/f.sql",
        "sql/session.sql": "set search_path = pg_catalog;",
        "sql/a/f.sql": """
        create or replace function a.f(x int) returns int language sql as $$ select x $$;
        comment on function a.f(int) is 'It gives.';
        """,
        "sql/a/g.sql": "create or replace function a.g() returns int language sql as $$ select a.f(1) $$;",
        "sql/a/v.sql": "create or replace view a.v as select a.g() as g;",
        "sql/a/noise.sql":
            "create or replace function a.noise() returns trigger language plpgsql as $$ begin end $$;",
        "sql/a/trigger.sql":
            "create or replace trigger n after insert on a.u for each row execute function a.noise();",
        "sql/a/caller.sql": """
        create or replace function a.caller(what text) returns int language plpgsql as $$
        begin execute format('select a.%I()', what); return 1; end $$;
        """,
        "sql/b/f.sql": "create or replace function b.f(x int) returns int language sql as $$ select x $$;",
        "Tests/sql/_setup/test.sql": """
        create function test.help() returns int language sql as $$ select b.f(1) $$;
        """,
        "Tests/sql/calls_f.sql": "select a.f(1);",
        "Tests/sql/calls_unqualified.sql": "set search_path = a; select F (1);",
        "Tests/sql/calls_b_f.sql": "select b.f(1);",
        "Tests/sql/reads_view.sql": "select * from a.v;",
        "Tests/sql/inserts.sql": "insert into \"a\".\"u\" values (1);",
        "Tests/sql/in_a_string.sql": "select throws_ok('select a.g()', '42501');",
        "Tests/sql/by_name.sql": "select a.caller('noise');",
        "Tests/sql/helped.sql": "select test.help();",
        "Tests/sql/catalogue.sql": "select count(*) from pg_proc;",
        "Tests/sql/talks.sql": "-- session: one\nselect a.f(2);\n--| 2",
        "Tests/sql/with_data.sql": "-- data: ./demo/day.json into day\nselect body from day;",
        "Tests/sql/alone.sql": "select 1;",
    ]

    private func choose(_ changes: TestChoice.Change...) throws -> Set<String> {
        let project = try TemporaryProject(files)
        return Set(
            try TestChoice(root: project.root).touched(by: changes).map { String($0.name.dropLast(4)) })
    }

    @Test(
        "A changed file touches whoever names what it makes, however many steps away",
        arguments: [
            (
                "sql/a/f.sql",
                ["calls_f", "calls_unqualified", "reads_view", "in_a_string", "talks", "catalogue"]
            ),
            ("sql/b/f.sql", ["calls_b_f", "helped", "catalogue"]),
            ("sql/a/g.sql", ["reads_view", "in_a_string", "catalogue"]),
            ("sql/a/v.sql", ["reads_view", "catalogue"]),
            // A trigger changes what writing its table does; and so does the function behind it.
            ("sql/a/trigger.sql", ["inserts", "by_name", "catalogue"]),
            ("sql/a/noise.sql", ["inserts", "by_name", "catalogue"]),
            ("sql/a/caller.sql", ["by_name", "catalogue"]),
            ("Tests/sql/alone.sql", ["alone"]),
            ("demo/day.json", ["with_data"]),
            ("demo/night.json", ["with_data"]),
            ("README.md", []),
            ("Sources/x.swift", []),
        ] as [(String, [String])])
    func touched(_ path: String, _ expected: [String]) throws {
        #expect(try choose(TestChoice.Change(path: path)) == Set(expected))
    }

    @Test(
        "What may change anything touches all",
        arguments: [
            "migrations/0001_base.sql", "sql/manifest", "sql/session.sql", "Tests/sql/_setup/test.sql",
            "sql/a/gone.sql", "extensions/install.sh",
        ])
    func all(_ path: String) throws {
        #expect(try choose(TestChoice.Change(path: path)).count == 12)
    }

    @Test("What a file made before counts like what it makes now")
    func renamed() throws {
        let before = "create or replace function a.alone_before() returns int language sql as $$ select 1 $$;"
        let project = try TemporaryProject(files)
        try project.write("Tests/sql/forgotten.sql", "select a.alone_before();")
        let chosen = try TestChoice(root: project.root).touched(
            by: [TestChoice.Change(path: "sql/a/v.sql", before: before)])
        #expect(Set(chosen.map(\.name)) == ["reads_view.sql", "forgotten.sql", "catalogue.sql"])
        #expect(Set(chosen.map(\.reason)) == ["sql/a/v.sql"])
    }

    @Test("Of this project, no test that names a function is missed")
    func ownProject() throws {
        let root = TestServer.projectRoot
        let choice = try TestChoice(root: root)
        let tests = try TestRunner.files(of: root)
        var count = 0
        var sum = 0
        for path in try filesBelow(root + "/sql", suffix: ".sql") where path != "session.sql" {
            let chosen = Set(try choice.touched(by: [TestChoice.Change(path: "sql/" + path)]).map(\.name))
            count += 1
            sum += chosen.count
            // A plain look for "schema.file": most files are named like what they make.
            let name = path.dropLast(4).replacing("/", with: ".")
            for test in tests {
                let text = try String(contentsOfFile: root + "/Tests/sql/" + test, encoding: .utf8)
                if text.contains(name + "(") { #expect(chosen.contains(test), "\(path): \(test)") }
            }
        }
        // Worth having: on the average it spares a tenth of the tests, and half for what is not shared.
        #expect(sum * 10 < count * tests.count * 9, "\(sum) of \(count * tests.count)")
    }
}
