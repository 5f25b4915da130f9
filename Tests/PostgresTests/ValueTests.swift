import Testing

@testable import Postgres

@Suite struct ValueTests {
    @Test(
        "An array of text is read as the server prints it",
        arguments: [
            ("{}", []), ("{a,b}", ["a", "b"]), (#"{"a b","c,d"}"#, ["a b", "c,d"]),
            (#"{"q\"q","b\\b",""}"#, ["q\"q", "b\\b", ""]),
            ("{ä,日本}", ["ä", "日本"]), (#"{"NULL"}"#, ["NULL"]),
        ] as [(String, [String])])
    func readsArrays(_ text: String, _ elements: [String]) {
        #expect([String](postgresText: text) == elements)
    }

    @Test(
        "What is no plain array of text is refused",
        arguments: ["", "{", "}", "a", "{NULL}", "{a,}", "{{a}}", #"{"a"#])
    func refusesOtherArrays(_ text: String) {
        #expect([String](postgresText: text) == nil)
    }

    @Test("A parameter never prints its value")
    func parametersStaySecret() {
        #expect("\(Parameter("hunter2"))" == "parameter of 7 bytes")
        #expect("\(Parameter(bytes: [1, 2]))" == "parameter of 2 bytes")
    }

    @Test("Codes worth another try are known")
    func transientCodes() {
        #expect(SQLState.deadlockDetected.isTransient)
        #expect(SQLState.connectionFailure.isTransient)
        #expect(SQLState.adminShutdown.isTransient)
        #expect(!SQLState.queryCanceled.isTransient)
        #expect(!SQLState.uniqueViolation.isTransient)
        #expect(SQLState("QC405").category == "QC")
    }

    @Test("An error reads as message and code, then what else there is")
    func errorDescription() {
        let error = PostgresError(
            sqlState: .uniqueViolation, message: "taken", detail: "Key (a).", hint: "Choose another.")
        #expect("\(error)" == "ERROR: taken [23505]\nDETAIL: Key (a).\nHINT: Choose another.")
    }
}
