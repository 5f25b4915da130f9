import Postgres
import TestSupport
import Testing

@testable import Migrations

/// Files of `sql/` that change, and what becomes of the objects they made.
@Suite(.enabled(if: TestServer.isAvailable, "there is no PostgreSQL server"))
struct ObjectTests {
    /// A project, its database, and what its last run told.
    private final class Scene {
        let project: TemporaryProject
        let target: Target
        let connection: Connection
        private(set) var told: [String] = []

        init(_ project: TemporaryProject, _ target: Target) throws {
            self.project = project
            self.target = target
            connection = try target.connect(as: "a stranger")
        }

        /// Writes files, migrates, and returns the files of `sql/` that were run, in order.
        @discardableResult
        func migrate(_ files: [String: String] = [:]) throws -> [String] {
            for (path, content) in files { try project.write(path, content) }
            told = []
            var ran: [String] = []
            try Runner(project.load(), target) { [self] progress in
                switch progress {
                case .ran(let path, _) where ran.last != path: ran.append(path)
                case .dropping(let object): told.append("dropping \(object)")
                case .recreating(let object): told.append("recreating \(object)")
                case .rebuilt(let object): told.append("rebuilt \(object)")
                default: break
                }
            }.apply()
            return ran.filter { $0.hasPrefix("sql/") }.map { String($0.dropFirst(4)) }
        }

        /// Migrates to what must be refused, and returns the refusal.
        func refusal(_ files: [String: String]) throws -> Problem? {
            do {
                try migrate(files)
                Issue.record("it was applied")
                return nil
            } catch let refusal as Refusal {
                return refusal.problems.first
            }
        }

        func scalar(_ sql: String) throws -> String? { try connection.query(sql).scalar }

        /// As a clean install would be, and with nothing left to do.
        func isClean(extra: Set<String> = []) throws -> Bool {
            let runner = Runner(try project.load(), target)
            let differences = try runner.drift().filter { !extra.contains($0.name) }
            #expect(differences.isEmpty, "\(differences)")
            let plan = try runner.plan()
            #expect(plan.isEmpty, "\(plan)")
            return differences.isEmpty && plan.isEmpty
        }
    }

    private func scene(_ files: [String: String], _ body: (Scene) throws -> Void) throws {
        let project = try TemporaryProject(files)
        try TestServer.withDatabase { target in
            let scene = try Scene(project, target)
            try scene.migrate()
            try body(scene)
        }
    }

    private static let shop = [
        "migrations/0001_base.sql": """
        create schema shop;
        create table shop.item (id int, price int);
        insert into shop.item values (1, 10), (2, 20);
        """,
        "sql/manifest": "price.sql\nitem_prices.sql\ncheap.sql\ncount_cheap.sql\nother.sql",
        "sql/price.sql": """
        create or replace function shop.price(i shop.item) returns int
        language sql stable return i.price;
        """,
        "sql/item_prices.sql": """
        create or replace view shop.item_prices as select i.id, shop.price(i) as price from shop.item as i;
        grant select on shop.item_prices to pg_monitor;
        """,
        "sql/cheap.sql": """
        create or replace view shop.cheap as select * from shop.item_prices where price < 15;
        comment on view shop.cheap is 'Below 15.';
        grant select on shop.cheap to pg_monitor;
        """,
        "sql/count_cheap.sql": """
        create or replace function shop.count_cheap() returns bigint
        language sql as 'select count(*) from shop.cheap';
        """,
        "sql/other.sql": "create or replace function shop.other() returns int language sql return 1;",
    ]

    @Test("Only the file that changed is run")
    func onlyTheChanged() throws {
        try scene(ObjectTests.shop) { shop throws in
            let body = """
                create or replace function shop.price(i shop.item) returns int
                language sql stable return i.price * 2;
                """
            #expect(try shop.migrate(["sql/price.sql": body]) == ["price.sql"])
            #expect(try shop.scalar("select sum(price) from shop.item_prices") == "60")
            #expect(shop.told == [])
            #expect(try shop.isClean())
        }
    }

    @Test(
        "A function that returns something else is made again with all that stands on it, grants and comments intact"
    )
    func changedShape() throws {
        try scene(ObjectTests.shop) { shop throws in
            // By hand, and on no file's list.
            try shop.connection.execute(
                script: """
                    grant select on shop.cheap to pg_read_all_stats with grant option;
                    grant select (id) on shop.item_prices to pg_read_all_stats;
                    comment on view shop.item_prices is 'By hand.';
                    comment on column shop.cheap.id is 'The item''s.';
                    revoke execute on function shop.price from public;
                    grant execute on function shop.price to pg_monitor;
                    """)
            let grants = """
                select string_agg(x, ' ') from (
                    select relname || relacl::text
                        || coalesce(obj_description(oid, 'pg_class'), '')
                        || coalesce(col_description(oid, 1), '')
                        || coalesce((select attacl::text from pg_attribute
                                     where attrelid = c.oid and attnum = 1), '')
                    from pg_class c where relnamespace = 'shop'::regnamespace and relkind = 'v'
                    union all
                    select proname || proacl::text
                    from pg_proc where pronamespace = 'shop'::regnamespace and proacl is not null
                    order by 1) as t (x)
                """
            let before = try shop.scalar(grants)
            let body = """
                create or replace function shop.price(i shop.item) returns numeric
                language sql stable return i.price / 4.0;
                """
            #expect(
                try shop.migrate(["sql/price.sql": body]) == [
                    "price.sql", "item_prices.sql", "cheap.sql", "count_cheap.sql",
                ])
            #expect(
                shop.told.sorted() == [
                    "recreating function shop.price(shop.item)", "recreating view shop.cheap",
                    "recreating view shop.item_prices",
                ])
            #expect(try shop.scalar("select sum(price)::text from shop.item_prices") == "7.5000000000000000")
            #expect(try shop.scalar(grants) == before)
            #expect(before?.contains("By hand.") == true && before?.contains("The item's.") == true)
        }
    }

    @Test("A view that loses a column is made again with what stands on it, and its function is checked anew")
    func changedColumns() throws {
        try scene(ObjectTests.shop) { shop throws in
            let view = """
                create or replace view shop.item_prices as select shop.price(i) as price from shop.item as i;
                grant select on shop.item_prices to pg_monitor;
                """
            #expect(
                try shop.migrate(["sql/item_prices.sql": view]) == [
                    "item_prices.sql", "cheap.sql", "count_cheap.sql",
                ])
            #expect(try shop.scalar("select shop.count_cheap()") == "1")
            #expect(try shop.isClean())
            // Nothing stands on cheap but text: its function is told of by the server when it no longer fits.
            let cheap = """
                create or replace view shop.cheap as select 1 as one;
                comment on view shop.cheap is 'One.';
                grant select on shop.cheap to pg_monitor;
                """
            try shop.project.write(
                "sql/count_cheap.sql",
                """
                create or replace function shop.count_cheap() returns bigint
                language sql as 'select max(price) from shop.cheap';
                """)
            try shop.migrate()
            #expect {
                try shop.migrate(["sql/cheap.sql": cheap])
            } throws: {
                ($0 as? ScriptError)?.file == "sql/count_cheap.sql"
                    && ($0 as? ScriptError)?.error.sqlState == .undefinedColumn
            }
            #expect(try shop.scalar("select price from shop.cheap") == "10")
        }
    }

    @Test("A function with other parameters leaves no old one behind, and its callers are checked")
    func changedSignature() throws {
        try scene(ObjectTests.shop) { shop throws in
            let other = "create or replace function shop.other(a int) returns int language sql return a;"
            #expect(try shop.migrate(["sql/other.sql": other]) == ["other.sql"])
            #expect(shop.told == ["dropping function shop.other()"])
            #expect(try shop.isClean())
            let both =
                other + "\ncreate or replace function shop.other(a text) returns int language sql return 2;"
            try shop.migrate(["sql/other.sql": both])
            #expect(shop.told == [])
            #expect(try shop.scalar("select shop.other(5) + shop.other('x'::text)") == "7")
            let caller = """
                create or replace function shop.count_cheap() returns bigint
                language sql as 'select shop.other(1)';
                """
            try shop.migrate(["sql/count_cheap.sql": caller])
            #expect {
                try shop.migrate([
                    "sql/other.sql":
                        "create or replace function shop.other(a text) returns int language sql return 2;"
                ])
            } throws: { ($0 as? ScriptError)?.file == "sql/count_cheap.sql" }
            #expect(try shop.scalar("select shop.other(5)") == "5")
        }
    }

    @Test("A file that left takes its objects along, unless another file makes them now")
    func droppedFile() throws {
        try scene(ObjectTests.shop) { shop throws in
            try shop.project.remove("sql/other.sql")
            try shop.project.remove("sql/cheap.sql")
            let renamed = shop.project
            try renamed.write("sql/bargain.sql", ObjectTests.shop["sql/cheap.sql"] ?? "")
            try shop.migrate(["sql/manifest": "price.sql\nitem_prices.sql\nbargain.sql\ncount_cheap.sql"])
            #expect(shop.told == ["dropping function shop.other()"])
            #expect(
                try shop.scalar(
                    "select to_regproc('shop.other') is null and to_regclass('shop.cheap') is not null")
                    == "t")
            #expect(try shop.isClean())
        }
    }

    @Test("What is still used is not dropped: by another file, and by what no file makes")
    func stillUsed() throws {
        try scene(ObjectTests.shop) { shop throws in
            try shop.project.remove("sql/item_prices.sql")
            let problem = try shop.refusal([
                "sql/manifest": "price.sql\ncheap.sql\ncount_cheap.sql\nother.sql"
            ])
            #expect(problem?.message == "uses what no file of sql/ makes any more")
            #expect(problem?.file == "sql/cheap.sql")
            #expect(problem?.detail == "Gone: view shop.item_prices. Used by: view shop.cheap.")
            try shop.migrate([
                "sql/item_prices.sql": ObjectTests.shop["sql/item_prices.sql"] ?? "",
                "sql/manifest": ObjectTests.shop["sql/manifest"] ?? "",
            ])

            try shop.connection.execute(
                script: """
                    create view public.report as select * from shop.cheap;
                    create table public.mine (a int default shop.other());
                    """)
            let view = """
                create or replace view shop.item_prices as
                select shop.price(i) as price from shop.item as i;
                """
            let used = try shop.refusal(["sql/item_prices.sql": view])
            #expect(
                used?.message
                    == "what it made before must be dropped, and is used by what no file of sql/ makes")
            #expect(used?.detail == "To be dropped: view shop.item_prices. Used by: view public.report.")
            let other = try shop.refusal([
                "sql/item_prices.sql": ObjectTests.shop["sql/item_prices.sql"] ?? "",
                "sql/other.sql":
                    "create or replace function shop.other() returns bigint language sql return 1;",
            ])
            #expect(
                other?.detail == "To be dropped: function shop.other(). Used by: column public.mine.a.")
            #expect(try shop.scalar("select count(*) from public.report") == "1")
        }
    }

    @Test("What was dropped by a migration or by hand is made again")
    func missing() throws {
        try scene(ObjectTests.shop) { shop throws in
            let drop = """
                drop view if exists shop.item_prices cascade;
                drop function if exists shop.price;
                alter table shop.item alter column price type bigint;
                """
            let body = """
                create or replace function shop.price(i shop.item) returns bigint
                language sql stable return i.price;
                """
            #expect(
                try shop.migrate([
                    "migrations/0002_wide.sql": drop,
                    "sql/price.sql": body,
                ])
                    == ["price.sql", "item_prices.sql", "cheap.sql"])
            #expect(try shop.isClean())
            try shop.connection.execute(script: "drop function shop.other()")
            #expect(try shop.migrate() == ["other.sql"])
            #expect(try shop.isClean())
        }
    }

    @Test("Policies and triggers need no drop before them, and go when their file no longer makes them")
    func policies() throws {
        let files = [
            "migrations/0001_base.sql": "create table t (a int); create table u (a int);",
            "sql/manifest": "touch.sql\nrules.sql",
            "sql/touch.sql": """
            create or replace function touch() returns trigger
            language plpgsql as $$ begin return new; end $$;
            """,
            "sql/rules.sql": """
            create policy "own rows" on t using (a = 1);
            create policy "own rows" on u using (a = 1);
            create trigger touch before insert on t for each row execute function touch();
            create rule quiet as on delete to t do instead nothing;
            comment on policy "own rows" on t is 'Ones.';
            """,
        ]
        try scene(files) { scene throws in
            try scene.migrate([
                "sql/rules.sql": """
                create policy "own rows" on t using (a = 2);
                create trigger touch before update on t for each row execute function touch();
                """
            ])
            #expect(try scene.scalar("select count(*) from pg_policy") == "1")
            #expect(try scene.scalar("select pg_get_expr(polqual, polrelid) from pg_policy") == "(a = 2)")
            #expect(try scene.scalar("select count(*) from pg_rewrite where rulename = 'quiet'") == "0")
            // What was said of it stays, as it does with create or replace.
            #expect(try scene.isClean(extra: ["policy \"own rows\" on public.t"]) == true)
        }
    }

    private static let catalogue = [
        "migrations/0001_base.sql":
            "create table item (id int, name text); insert into item values (1, 'a'), (2, 'b');",
        "sql/manifest": "label.sql\nlabels.sql\nlabel_count.sql\nunrelated.sql",
        "sql/label.sql": """
        create or replace function label(name text) returns text
        language plpgsql immutable as $$ begin return upper(name); end $$;
        """,
        "sql/labels.sql": """
        create materialized view labels as select id, label(name) as label from item;
        create unique index labels_key on labels (id);
        comment on materialized view labels is 'Labels.';
        comment on column labels.label is 'One.';
        grant select (id) on labels to pg_monitor;
        alter materialized view labels set (fillfactor = 90);
        """,
        "sql/label_count.sql": "create or replace view label_count as select count(*) from labels;",
        "sql/unrelated.sql": "create or replace function unrelated() returns int language sql return 1;",
    ]

    @Test(
        "A materialized view is built anew only when its definition or an input changes, beside the old one")
    func materialized() throws {
        try scene(ObjectTests.catalogue) { scene throws in
            let file = "select relfilenode from pg_class where relname = 'labels'"
            let first = try scene.scalar(file)
            try scene.migrate([
                "sql/unrelated.sql":
                    "create or replace function unrelated() returns int language sql return 2;"
            ])
            let comment = (ObjectTests.catalogue["sql/labels.sql"] ?? "").replacing(
                "'Labels.'", with: "'All labels.'")
            #expect(try scene.migrate(["sql/labels.sql": comment]) == ["labels.sql"])
            #expect(try scene.scalar(file) == first && scene.told == [])
            #expect(try scene.isClean())

            // An input that is known by its name in a body only.
            let label = (ObjectTests.catalogue["sql/label.sql"] ?? "").replacing("upper", with: "lower")
            #expect(
                try scene.migrate(["sql/label.sql": label]) == ["label.sql", "labels.sql", "label_count.sql"])
            #expect(
                scene.told == [
                    "recreating view public.label_count", "rebuilt materialized view public.labels",
                ])
            #expect(try scene.scalar("select string_agg(label, '' order by id) from labels") == "ab")
            #expect(try scene.scalar(file) != first)
            #expect(try scene.isClean())

            let wider = comment.replacing("select id,", with: "select id, 1 as one,")
            try scene.connection.execute(script: "grant select on labels to pg_read_all_stats")
            #expect(try scene.migrate(["sql/labels.sql": wider]) == ["labels.sql", "label_count.sql"])
            #expect(try scene.scalar("select sum(one) from labels") == "2")
            #expect(
                try scene.scalar("select has_table_privilege('pg_read_all_stats', 'labels', 'select')") == "t"
            )
            #expect(
                try scene.scalar(
                    """
                    select string_agg(indexrelid::regclass::text, ',')
                    from pg_index where indrelid = 'labels'::regclass
                    """) == "labels_key")
            try scene.connection.execute(script: "revoke select on labels from pg_read_all_stats")
            #expect(try scene.isClean())
        }
    }

    @Test("While a materialized view is built anew, the old one answers")
    func builtBeside() throws {
        try scene(ObjectTests.catalogue) { scene throws in
            let reader = try scene.target.connect()
            var answers: [String] = []
            let slow = (ObjectTests.catalogue["sql/labels.sql"] ?? "")
                .replacing("from item", with: "from item, pg_sleep(0.7)")
            try scene.project.write("sql/labels.sql", slow)
            try scene.project.write(
                "sql/label.sql", (ObjectTests.catalogue["sql/label.sql"] ?? "") + "\nselect 1;")
            // A second session that waits half as long as the build takes, in the middle of it.
            try reader.send(
                script: """
                    select pg_sleep(0.3);
                    set lock_timeout = '100ms';
                    select string_agg(label, '') from labels;
                    """)
            try scene.migrate()
            while let rows = try reader.nextResult() { answers.append(rows.scalar ?? "") }
            #expect(answers.last == "AB")
            #expect(scene.told.last == "rebuilt materialized view public.labels")
        }
    }

    @Test("What stands in the way in a file with a materialized view does not take the view along")
    func besideAPlainView() throws {
        var files = ObjectTests.catalogue
        files["sql/labels.sql"]? += "create view first_label as select min(label) from labels;"
        try scene(files) { scene throws in
            let file = "select relfilenode from pg_class where relname = 'labels'"
            let first = try scene.scalar(file)
            files["sql/labels.sql"]? += "comment on view first_label is 'The first.';"
            #expect(try scene.migrate(["sql/labels.sql": files["sql/labels.sql"] ?? ""]) == ["labels.sql"])
            #expect(scene.told == ["recreating view public.first_label"])
            #expect(try scene.scalar(file) == first)
            #expect(try scene.isClean())
            // Now a plain view of that name.
            let plain = "create or replace view labels as select id, label(name) as label from item;"
            #expect(try scene.migrate(["sql/labels.sql": plain]) == ["labels.sql", "label_count.sql"])
            #expect(try scene.isClean())
        }
    }

    @Test("A materialized view on a view that changes its columns is made again with it")
    func materializedOnView() throws {
        var files = ObjectTests.catalogue
        files["sql/manifest"] = "label.sql\nbase.sql\nlabels.sql\nlabel_count.sql\nunrelated.sql"
        files["sql/base.sql"] = "create or replace view base as select id, name from item;"
        files["sql/labels.sql"] = files["sql/labels.sql"]?.replacing("from item", with: "from base")
        try scene(files) { scene throws in
            #expect(
                try scene.migrate([
                    "sql/base.sql": "create or replace view base as select name, id from item;"
                ])
                    == ["base.sql", "labels.sql", "label_count.sql"])
            #expect(try scene.scalar("select count from label_count") == "2")
            #expect(try scene.isClean())
        }
    }

    @Test("An index without a name cannot be swapped, and is refused before anything runs")
    func namelessIndex() throws {
        var files = ObjectTests.catalogue
        files["sql/labels.sql"] =
            "create materialized view labels as select 1 as id;\ncreate index on labels (id);"
        let project = try TemporaryProject(files)
        #expect { try project.load() } throws: { ($0 as? Refusal)?.problems.first?.line == 2 }
    }

    @Test("A database from before the ledger noted what files make is brought up to date in one run")
    func unnoted() throws {
        try scene(ObjectTests.catalogue) { scene throws in
            try scene.connection.execute(script: "drop table migration.made")
            #expect(
                try scene.migrate() == [
                    "label.sql", "labels.sql", "label_count.sql", "unrelated.sql", "label_count.sql",
                ])
            #expect(try scene.isClean())
        }
    }

    @Test("Two files that undo each other are named, and nothing is changed")
    func restless() throws {
        let files = [
            "sql/manifest": "a.sql",
            "sql/a.sql": "create or replace function a() returns int language sql return 1;",
        ]
        try scene(files) { scene throws in
            let problem = try scene.refusal([
                "sql/manifest": "a.sql\nb.sql",
                "sql/a.sql": """
                drop function if exists b();
                create or replace function a() returns int language sql return 2;
                """,
                "sql/b.sql": """
                drop function if exists a();
                create or replace function b() returns int language sql return 1;
                """,
            ])
            #expect(problem?.message == "what it makes is dropped again by another file")
            #expect(try scene.scalar("select a()") == "1")
        }
    }
}
