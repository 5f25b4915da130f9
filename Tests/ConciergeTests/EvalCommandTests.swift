import Glibc
import Testing

@testable import concierge

@Suite struct EvalCommandTests {
    /// A directory with these files, gone afterwards.
    private func withDirectory(_ files: [String: String], _ body: (String) throws -> Void) throws {
        var template = Array("/tmp/concierge-eval-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer { _ = try? runChild(["rm", "-rf", "--", directory]) }
        for (name, text) in files {
            if name.contains("/") { mkdir(directory + "/" + name.prefix { $0 != "/" }, 0o755) }
            let file = try #require(fopen(directory + "/" + name, "w"))
            fputs(text, file)
            fclose(file)
        }
        try body(directory)
    }

    private let corpus = "{\"_id\": \"1\", \"text\": \"one\u{2028}line\"}\n\n{\"_id\": \"2\"}"
    private let queries = "{\"_id\": \"q\", \"text\": \"what?\"}\r\n"

    @Test("A collection is read; lines end with LF or CR LF and with nothing else")
    func reading() throws {
        let judgements = "a\tb\tc\r\nq\t1\t2\r\nq\t2\t-1\n"
        let files = ["corpus.jsonl": corpus, "queries.jsonl": queries, "qrels.tsv": judgements]
        try withDirectory(files) { directory in
            let read = try CollectionFiles(directory: directory + "/")
            #expect(read.texts.count == 2)
            #expect(read.texts.first?.hasSuffix("one\u{2028}line\"}") == true)
            #expect(read.texts.last == "{\"_id\": \"2\"}")
            #expect(read.queries == ["{\"_id\": \"q\", \"text\": \"what?\"}"])
            #expect(read.judgements.map(\.document) == ["1", "2"])
            #expect(read.judgements.map(\.grade) == ["2", "-1"])
            #expect(directory.hasSuffix("/" + read.name))
        }
    }

    @Test("Judgements may lie in qrels/test.tsv")
    func judgementsInAFolder() throws {
        let judgements = "a\tb\tc\nq\t1\t1\n"
        let files = ["corpus.jsonl": corpus, "queries.jsonl": queries, "qrels/test.tsv": judgements]
        try withDirectory(files) { directory in
            let read = try CollectionFiles(directory: directory)
            #expect(read.judgements.count == 1)
        }
    }

    @Test("What is missing or malformed is named")
    func refusals() throws {
        try withDirectory(["corpus.jsonl": corpus]) { directory in
            let error = #expect(throws: Failure.self) { try CollectionFiles(directory: directory) }
            #expect(error?.message == "there is no queries.jsonl in \(directory)")
        }
        let judgements = "a\tb\tc\nq\t1\t1\nq\t2\n"
        let files = ["corpus.jsonl": corpus, "queries.jsonl": queries, "qrels.tsv": judgements]
        try withDirectory(files) { directory in
            let error = #expect(throws: Failure.self) { try CollectionFiles(directory: directory) }
            #expect(
                error?.message
                    == "\(directory)/qrels.tsv:3: not a query, a document and a grade, with tabs between")
        }
    }

    private func figures(earlier: String?) -> RetrievalFigures {
        let mean = RetrievalFigures.Estimate(value: "0.5000", low: "0.400", high: "0.600")
        let difference = RetrievalFigures.Estimate(value: "-0.0100", low: "-0.020", high: "0.001")
        let line = RetrievalFigures.Line(
            title: "nDCG@10", mean: mean, earlier: earlier.map { _ in "0.5100" },
            difference: earlier.map { _ in difference })
        let none = RetrievalFigures.Line(title: "MRR", mean: nil)
        return RetrievalFigures(run: "8", earlier: earlier, lines: [line, none], judged: "3", unjudged: "1")
    }

    @Test("Figures stand in columns, with an earlier run's beside them")
    func table() {
        #expect(
            figures(earlier: nil).table == [
                "          mean (95 %)", "nDCG@10   0.5000  (0.400 to 0.600)", "MRR       none",
            ])
        #expect(
            figures(earlier: "7").table == [
                "          mean (95 %)                run 7    difference (95 %)",
                "nDCG@10   0.5000  (0.400 to 0.600)   0.5100   -0.0100  (-0.020 to 0.001)", "MRR       none",
            ])
        #expect(figures(earlier: nil).footnote == "means of 3 judged queries; 1 without judgements left out")
    }

    @Test("A machine gets numbers")
    func json() {
        #expect(
            figures(earlier: "7").json
                == #"{"run": 8, "earlier_run": 7, "judged": 3, "unjudged": 1, "figures": ["#
                + #"{"figure": "nDCG@10", "mean": {"value": 0.5000, "low": 0.400, "high": 0.600}, "#
                + #""earlier": 0.5100, "difference": {"value": -0.0100, "low": -0.020, "high": 0.001}}, "#
                + #"{"figure": "MRR", "mean": null, "earlier": null, "difference": null}]}"#)
    }
}
