import Testing

@testable import Migrations

@Suite struct ScannerTests {
    private func texts(_ sql: String) throws -> [String] { try Scanner.statements(in: sql).map(\.text) }

    @Test(
        "A semicolon ends a statement only where the server says so",
        arguments: [
            ("", []),
            (" ;; ;\n", []),
            ("select 1", ["select 1"]),
            ("select 1; select 2;", ["select 1", "select 2"]),
            ("select ';'; x", ["select ';'", "x"]),
            ("select 'it''s; on'; x", ["select 'it''s; on'", "x"]),
            (#"select 'a\'; x"#, [#"select 'a\'"#, "x"]),
            (#"select E'a\'; b'; x"#, [#"select E'a\'; b'"#, "x"]),
            (#"select e'\\'; x"#, [#"select e'\\'"#, "x"]),
            (#"select type'a\'; x"#, [#"select type'a\'"#, "x"]),
            (#"select 1e'a\'; x"#, [#"select 1e'a\'"#, "x"]),
            (#"select U&'\0041;'; x"#, [#"select U&'\0041;'"#, "x"]),
            (#"select "a;""b"; x"#, [#"select "a;""b""#, "x"]),
            ("select E'a'\n -- b\n 'c\\'; d'; x", ["select E'a'\n -- b\n 'c\\'; d'", "x"]),
            (#"select E'a' 'c\'; x"#, [#"select E'a' 'c\'"#, "x"]),
            ("select 'a'\n'c\\'; x", ["select 'a'\n'c\\'", "x"]),
            ("select 1; -- a\rselect 2; x", ["select 1", "select 2", "x"]),
            ("select 1; \u{2} ; x", ["select 1", "\u{2}", "x"]),
            ("do $$ a; b $$; x", ["do $$ a; b $$", "x"]),
            ("do $a$ $$ ; $b$ ; $a$; x", ["do $a$ $$ ; $b$ ; $a$", "x"]),
            ("do $ä$ ; $ä$; x", ["do $ä$ ; $ä$", "x"]),
            ("select $1; select a$b$; x", ["select $1", "select a$b$", "x"]),
            ("select 1 -- ; no\n; x", ["select 1 -- ; no", "x"]),
            ("/* ; /* ; */ ; */ select 1; x", ["select 1", "x"]),
            ("select 4 */* ; */ 2; x", ["select 4 */* ; */ 2", "x"]),
            ("select 5 - -1; x", ["select 5 - -1", "x"]),
            (
                "create rule r as on insert to t do (a; b); x",
                ["create rule r as on insert to t do (a; b)", "x"]
            ),
            ("select 'größer; 日本' as \"Ünïcode;\"; x", ["select 'größer; 日本' as \"Ünïcode;\"", "x"]),
            ("\u{FEFF}select 1; x", ["select 1", "x"]),
            ("select 1;\r\nselect 2;\r\n", ["select 1", "select 2"]),
            ("begin; select 1; end;", ["begin", "select 1", "end"]),
            ("select ) ; x", ["select )", "x"]),
        ] as [(String, [String])])
    func semicolons(_ sql: String, _ expected: [String]) throws {
        #expect(try texts(sql) == expected)
    }

    @Test("A begin atomic body is one statement, with its cases and its names")
    func beginAtomic() throws {
        let function = """
            create function f() returns int language sql begin atomic
                select case when true then case 1 when 1 then 2 end else 3 end;
                select 1 as end, t."end", t.end, 'end;' from t; -- end;
                select (case when true then 1 end);
            end
            """
        #expect(try texts(function + "; select 2;") == [function, "select 2"])
        #expect(
            try texts("BEGIN /* c */ ATOMIC select 1; END; x") == ["BEGIN /* c */ ATOMIC select 1; END", "x"])
        #expect(try texts("select begin_atomic; x") == ["select begin_atomic", "x"])
    }

    @Test("Every statement knows its line, behind comments and inside strings")
    func lines() throws {
        let sql = "-- one\n/* two\nthree */ select 'four\nfive';\n\n  select\n  7;select 8"
        #expect(try Scanner.statements(in: sql).map(\.line) == [3, 6, 7])
    }

    @Test(
        "What is opened and never closed is named with its line",
        arguments: [
            ("select 1;\nselect 'a\n\n", 2, "string is never closed"),
            ("select E'\\'", 1, "string is never closed"),
            ("\n\"a\n", 2, "quoted name is never closed"),
            ("\n\ndo $x$ $$ \n $y$", 3, "$x$ is never closed"),
            ("/* /* */\n", 1, "comment is never closed"),
            ("select 1;\n\nselect (\n(1)", 3, "parenthesis is never closed"),
            ("x;\nbegin\natomic select 1;", 3, "begin atomic has no end"),
            ("select 1;\n\0", 2, "NUL character"),
        ])
    func unterminated(_ sql: String, _ line: Int, _ message: String) {
        #expect(throws: ScanError(message: message, line: line)) { try Scanner.statements(in: sql) }
    }

    @Test("A position in characters becomes a line")
    func positions() {
        let statement = Statement(text: "select 'ä日'\n,\nnope", line: 10, tokens: [])
        #expect(statement.line(at: nil) == 10)
        #expect(statement.line(at: 1) == 10)
        #expect(statement.line(at: 13) == 11)
        #expect(statement.line(at: 15) == 12)
        #expect(statement.line(at: 999) == 12)
    }

    @Test(
        "Statements that would end the runner's transaction are known",
        arguments: [
            ("begin", true), ("BEGIN isolation level serializable", true), ("start  transaction", true),
            ("commit", true),
            ("end", true), ("abort", true), ("rollback", true), ("rollback to a", false),
            ("rollback to savepoint a", false),
            ("rollback and chain", true), ("prepare transaction 'x'", true), ("prepare x as select 1", false),
            ("savepoint a", false), ("release a", false), ("select 'commit'", false), ("endpoint", false),
        ])
    func transactionControl(_ sql: String, _ expected: Bool) {
        #expect(Statement(text: sql, line: 1, tokens: []).controlsTransaction == expected)
    }

    @Test("A headline is the first line, cut to a width")
    func headlines() {
        #expect(Statement(text: "select 1\nfrom t", line: 1, tokens: []).headline == "select 1")
        #expect(Statement(text: String(repeating: "x", count: 200), line: 1, tokens: []).headline.count == 90)
    }

    private func meaning(_ sql: String) throws -> [String] {
        try Scanner.statements(in: sql).map(\.canonical)
    }

    @Test(
        "Comments, white space and the case of words mean nothing",
        arguments: [
            ("select 1", "-- why\nSELECT\n\t1 /* one */ ;;\n"),
            ("create table T (a int,b text)", "CREATE TABLE t(\n    A INT, -- the a\n    b text\n);"),
            ("select a.b,c[1]::int", "select a . b , c [ 1 ] :: int"),
            ("select 'x'||'y'", "select 'x' || 'y'"),
            ("select interval'1 day'", "select INTERVAL '1 day'"), ("select -1", "select - 1"),
            ("do $$ begin null; end $$", "DO $body$\nBEGIN -- nothing\n    null;\nEND\n$body$"),
            ("do language plpgsql $$begin end$$", "do LANGUAGE plpgsql $x$ begin  end $x$"),
            ("", "-- nothing at all"),
        ])
    func sameMeaning(_ one: String, _ other: String) throws {
        #expect(try meaning(one) == meaning(other))
    }

    @Test(
        "Everything else does",
        arguments: [
            ("select 1", "select 2"), ("select 'a'", "select 'A'"), ("select 'a b'", "select 'a  b'"),
            ("select \"a\"", "select \"A\""), ("select a < -1", "select a <- 1"),
            ("select x'1f'", "select x '1f'"), ("select U&'a'", "select U & 'a'"),
            ("select E'\\n'", "select '\\n'"),
            ("select ab", "select a b"), ("select 1; select 2", "select 1 select 2"),
            ("select Ä", "select ä"),
            (
                "create function f() returns int language sql as $$ select 1 $$",
                "create function f() returns int language sql as $$ select 1 -- one\n $$"
            ),
            ("do $$ begin raise 'a'; end $$", "do $$ begin raise 'A'; end $$"),
            ("do $$ begin null; end $$", "do $$ begin null; null; end $$"),
        ])
    func otherMeaning(_ one: String, _ other: String) throws {
        #expect(try meaning(one) != meaning(other))
    }
}
