import Glibc
import Migrations
import Postgres
import TestSupport
import Testing

@Suite(.enabled(if: TestServer.isAvailable, "there is no PostgreSQL server"))
struct ConnectionTests {
    private func withConnection(_ body: (Connection) throws -> Void) throws {
        try TestServer.withDatabase { target in try body(target.connect()) }
    }

    /// The error the body throws.
    private func failure(_ body: () throws -> Void) -> PostgresError? {
        do { try body() } catch { return error as? PostgresError }
        return nil
    }

    @Test("Values go in and come out as their types")
    func valuesRoundTrip() throws {
        try withConnection { connection in
            let rows = try connection.query(
                """
                select $1::int i, $2::bigint b, $3::text t, $4::bool f, $5::text[] a, $6::text n,
                    $7::float8 d, length($8::bytea) l
                """,
                [
                    42, Parameter(Int64.max), "naïve 日本", true, Parameter(["x,y", "\"q\"", "\\"]), nil,
                    Parameter(0.1),
                    Parameter(bytes: [0, 255, 0]),
                ])
            let row = try #require(rows.first)
            #expect(try row.value("i") == 42)
            #expect(try row.value("b") == Int64.max)
            #expect(try row.value("t") == "naïve 日本")
            #expect(try row.value("f") == true)
            #expect(try row.value("a") == ["x,y", "\"q\"", "\\"])
            #expect(try row.optional("n", as: String.self) == nil)
            #expect(try row.value("d") == 0.1)
            #expect(try row.value("l") == 3)
            #expect(failure { _ = try row.value("n", as: String.self) }?.sqlState == .notNullViolation)
            #expect(failure { _ = try row.value("nope", as: String.self) }?.sqlState == .undefinedColumn)
            #expect(failure { _ = try row.value("t", as: Int.self) }?.sqlState == .invalidTextRepresentation)
        }
    }

    @Test("An error carries every field of the server")
    func errorFields() throws {
        try withConnection { connection in
            try connection.execute(
                script:
                    "create table t (id int constraint \"unique ids\" primary key); insert into t select 1"
            )
            let error = try #require(failure { try connection.query("insert into t values ($1)", [1]) })
            #expect(error.sqlState == .uniqueViolation)
            #expect(error.severity == "ERROR")
            #expect(error.schema == "public")
            #expect(error.table == "t")
            #expect(error.constraint == "unique ids")
            #expect(error.detail == "Key (id)=(1) already exists.")
            #expect(failure { try connection.query("select nope") }?.position == 8)
            #expect(connection.isOpen)
        }
    }

    @Test("A NUL is refused instead of cutting a text short")
    func nulIsRefused() throws {
        try withConnection { connection in
            #expect(failure { try connection.query("select 1\0") }?.sqlState == .characterNotInRepertoire)
            #expect(
                failure { try connection.query("select $1", ["a\0b"]) }?.sqlState == .characterNotInRepertoire
            )
            #expect(failure { try connection.execute(script: "\0") }?.sqlState == .characterNotInRepertoire)
        }
    }

    @Test("A script returns a result for each statement, or its first error")
    func scriptResults() throws {
        try withConnection { connection in
            let results = try connection.execute(script: "select 1; select 2; select 3")
            #expect(results.map(\.scalar) == ["1", "2", "3"])
            #expect(
                failure { try connection.execute(script: "select 1; select 1/0; select nope") }?.sqlState
                    == SQLState("22012"))
            #expect(try connection.query("select 1").scalar == "1")
        }
    }

    @Test("A transaction commits, or rolls back and throws the body's error")
    func transactions() throws {
        try withConnection { connection in
            try connection.transaction { try connection.execute(script: "create table t (id int)") }
            struct Mine: Error {}
            #expect(throws: Mine.self) {
                try connection.transaction {
                    try connection.execute(script: "insert into t values (1)")
                    throw Mine()
                }
            }
            #expect(try connection.query("select count(*) from t").scalar == "0")
            let hidden = failure {
                try connection.transaction { _ = try? connection.query("select 1/0") }
            }
            #expect(hidden?.sqlState == .inFailedTransaction)
            #expect(connection.transactionStatus == .idle)
        }
    }

    @Test("Notices reach the handler")
    func notices() throws {
        try withConnection { connection in
            var seen: [String] = []
            connection.onNotice = { seen.append("\($0.severity) \($0.message)") }
            try connection.execute(
                script: "do $$ begin raise warning 'careful'; raise notice 'by the way'; end $$")
            #expect(seen == ["WARNING careful", "NOTICE by the way"])
        }
    }

    @Test("A notification arrives after commit")
    func notifications() throws {
        try TestServer.withDatabase { target in
            let listener = try target.connect()
            let sender = try target.connect()
            try listener.execute(script: "listen \"Odd name\"")
            try sender.execute(script: "begin; notify \"Odd name\", 'look'")
            try listener.consumeInput()
            #expect(listener.notifications().isEmpty)
            try sender.execute(script: "commit")
            wait(listener)
            try listener.consumeInput()
            #expect(
                listener.notifications() == [
                    Notification(channel: "Odd name", payload: "look", sender: sender.backendPID)
                ])
        }
    }

    @Test("COPY moves rows both ways, and nothing when the body gives up")
    func copyBothWays() throws {
        try withConnection { connection in
            try connection.execute(script: "create table t (id int, name text)")
            let count = try connection.copyIn("copy t from stdin") { write in
                try write(Array("1\tone\n2\tt".utf8))
                try write(Array("wo\n".utf8))
            }
            #expect(count == 2)
            struct Enough: Error {}
            #expect(throws: Enough.self) {
                try connection.copyIn("copy t from stdin") { write in
                    try write(Array("3\tthree\n".utf8))
                    throw Enough()
                }
            }
            var text = ""
            try connection.copyOut("copy (select * from t order by id) to stdout") {
                text += String(decoding: $0, as: UTF8.self)
            }
            #expect(text == "1\tone\n2\ttwo\n")
            #expect(
                failure { try connection.copyIn("copy t from stdin") { try $0(Array("x\n".utf8)) } }?.sqlState
                    == .invalidTextRepresentation)
            #expect(failure { try connection.execute(script: "copy t from stdin") } != nil)
            #expect(try connection.execute(script: "copy t to stdout; select 7").last?.scalar == "7")
        }
    }

    @Test("One thread drives many connections without waiting for any")
    func manyConnectionsOneThread() throws {
        try TestServer.withDatabase { target in
            let connections = try (0..<5).map { _ in
                try Connection.start(target.conninfo, database: target.database)
            }
            for connection in connections {
                var progress = Connection.ConnectProgress.waitingToWrite
                while true {
                    switch progress {
                    case .connected: break
                    case .waitingToRead: wait(connection)
                    case .waitingToWrite: wait(connection, toWrite: true)
                    }
                    if case .connected = progress { break }
                    progress = try connection.continueConnecting()
                }
            }
            let began = ContinuousClock.now
            for (index, connection) in connections.enumerated() {
                try connection.send("select pg_sleep(0.3), $1::int as n", [Parameter(index)])
                while try !connection.flush() { wait(connection, toWrite: true) }
            }
            #expect(connections.allSatisfy { $0.isBusy })
            for (index, connection) in connections.enumerated() {
                while connection.isBusy {
                    wait(connection)
                    try connection.consumeInput()
                }
                #expect(try connection.nextResult()?.first?.value("n") == index)
                #expect(try connection.nextResult() == nil)
            }
            #expect(began.duration(to: .now) < .seconds(1.4))
        }
    }

    @Test("A statement can be cancelled")
    func cancel() throws {
        try TestServer.withDatabase { target in
            let (connection, onlooker) = (try target.connect(), try target.connect())
            try connection.send("select pg_sleep(60)")
            // A request that comes before the statement has begun stops nothing.
            let runs = "select state = 'active' and query ~ 'pg_sleep' from pg_stat_activity where pid = $1"
            while try onlooker.query(runs, [Parameter(connection.backendPID)]).scalar != "t" {}
            try connection.cancel()
            #expect(failure { _ = try connection.nextResult() }?.sqlState == .queryCanceled)
            #expect(try connection.nextResult() == nil)
            #expect(try connection.query("select 1").scalar == "1")
        }
    }

    @Test("A lost connection is an error of class 08 or 57, and stays closed")
    func lostConnection() throws {
        try withConnection { connection in
            let error = try #require(
                failure { try connection.query("select pg_terminate_backend(pg_backend_pid())") })
            #expect(error.isConnectionLoss)
            #expect(!connection.isOpen)
            #expect(failure { try connection.query("select 1") }?.isConnectionLoss == true)
            connection.close()
            #expect(failure { try connection.query("select 1") }?.sqlState == .connectionException)
        }
    }

    @Test("A server that cannot be reached is an error, not a hang")
    func unreachableServer() {
        let error = failure { _ = try Connection.connect("host=/nowhere-at-all dbname=x") }
        #expect(error?.sqlState == .unableToConnect)
        #expect(error?.message.contains("/nowhere-at-all") == true)
        #expect(failure { _ = try Connection.connect("nonsense words") }?.sqlState == .unableToConnect)
    }

    @Test("Names and values are quoted")
    func quoting() throws {
        try withConnection { connection in
            let name = try connection.escapeIdentifier("a\"b")
            let value = try connection.escapeLiteral("it's")
            #expect(name == "\"a\"\"b\"")
            #expect(value == "'it''s'")
        }
    }

    /// Waits until the socket is ready, for five seconds at most.
    private func wait(_ connection: Connection, toWrite: Bool = false) {
        var descriptor = pollfd(
            fd: connection.socket ?? -1, events: Int16(toWrite ? POLLOUT : POLLIN), revents: 0)
        poll(&descriptor, 1, 5000)
    }
}
