import Foundation
import Testing

@testable import Daemon

@Suite("Metrics")
struct MetricsTests {
    private func rendered(_ render: (inout Exposition) -> Void) -> String {
        var text = Exposition()
        render(&text)
        return text.text
    }

    @Test("A counter says what it counts, and shows what never happened as zero")
    func counter() {
        var counter = Counter(
            "concierge_eggs_total", "Eggs laid.", labels: [Label("hen", ["berta", "anna"])])
        counter.add("berta")
        counter.add("berta", amount: 1.5)
        counter.add("berta", amount: -7)
        #expect(
            rendered(counter.render) == """
                # HELP concierge_eggs_total Eggs laid.
                # TYPE concierge_eggs_total counter
                concierge_eggs_total{hen="anna"} 0
                concierge_eggs_total{hen="berta"} 2.5

                """)
    }

    @Test("A label has the values it was given; all others together are one more")
    func bounded() {
        var counter = Counter(
            "n_total", "N.", labels: [Label("a", ["x"]), Label("b", ["y"])], startsAtZero: false)
        #expect(rendered(counter.render) == "# HELP n_total N.\n# TYPE n_total counter\n")
        for tenant in 0..<1000 { counter.add("x", "tenant \(tenant)") }
        counter.add("x")
        counter.add("x", "y", "z")
        let samples = rendered(counter.render).split(separator: "\n").dropFirst(2)
        #expect(Array(samples) == [#"n_total{a="x",b="other"} 1001"#, #"n_total{a="x",b="y"} 1"#])
    }

    @Test("A call of a model is counted by what it was, whom it asked, and how it ended")
    func models() {
        var metrics = DaemonMetrics(version: "1", startTime: 0)
        metrics.count(
            ModelReport(
                kind: "generate", provider: "openai", outcome: "success", firstToken: .milliseconds(250),
                total: .seconds(2), inputTokens: 100, outputTokens: 20))
        metrics.count(
            ModelReport(
                kind: "embed", provider: "a new one", outcome: "rate_limited", firstToken: nil, total: .seconds(1)))
        let page = metrics.rendered(process: .current())
        for line in [
            #"concierge_model_calls_total{kind="generate",provider="openai",outcome="success"} 1"#,
            #"concierge_model_calls_total{kind="embed",provider="other",outcome="rate_limited"} 1"#,
            #"concierge_model_first_token_seconds_sum{provider="openai"} 0.25"#,
            #"concierge_model_first_token_seconds_count{provider="openai"} 1"#,
            #"concierge_model_call_duration_seconds_sum{kind="generate",provider="openai"} 2"#,
            #"concierge_model_tokens_total{kind="generate",provider="openai",direction="input"} 100"#,
            #"concierge_model_tokens_total{kind="generate",provider="openai",direction="output"} 20"#,
        ] {
            #expect(page.contains("\n" + line + "\n"), "\(line)")
        }
        #expect(!page.contains(#"first_token_seconds_count{provider="other"}"#))
    }

    @Test("A gauge is what it was set to last")
    func gauge() {
        var gauge = Gauge("g", "G.")
        #expect(rendered(gauge.render).hasSuffix("\ng 0\n"))
        gauge.set(3)
        gauge.set(0.25)
        #expect(rendered(gauge.render) == "# HELP g G.\n# TYPE g gauge\ng 0.25\n")
    }

    @Test("A histogram counts upwards to infinity, and a limit belongs to its bucket")
    func histogram() {
        var histogram = Histogram("h_seconds", "H.", labels: [Label("kind", ["a"])], limits: [1, 0.1])
        for value in [0.05, 0.1, 0.5, 2, .nan, .infinity] { histogram.observe(value, "a") }
        #expect(
            rendered(histogram.render) == """
                # HELP h_seconds H.
                # TYPE h_seconds histogram
                h_seconds_bucket{kind="a",le="0.1"} 2
                h_seconds_bucket{kind="a",le="1"} 3
                h_seconds_bucket{kind="a",le="+Inf"} 4
                h_seconds_sum{kind="a"} 2.65
                h_seconds_count{kind="a"} 4

                """)
    }

    @Test("A histogram without labels is there before anything happened")
    func emptyHistogram() {
        let lines = rendered(Histogram("h", "H.", limits: [1]).render).split(separator: "\n").dropFirst(2)
        #expect(Array(lines) == [#"h_bucket{le="1"} 0"#, #"h_bucket{le="+Inf"} 0"#, "h_sum 0", "h_count 0"])
    }

    @Test("Backslashes and line ends are escaped everywhere, quotes only in labels")
    func escaping() {
        var text = Exposition()
        text.open("x", .gauge, help: "a\\b\n\"c\"")
        text.sample("x", [("l", "a\\b\n\"c\"é")], 1)
        #expect(
            text.text == """
                # HELP x a\\\\b\\n"c"
                # TYPE x gauge
                x{l="a\\\\b\\n\\"c\\"é"} 1

                """)
    }

    @Test(
        "Numbers as Prometheus reads them",
        arguments: [
            (0, "0"), (-0.0, "0"), (1e3, "1000"), (0.1, "0.1"), (1_700_000_000.25, "1700000000.25"),
            (1e300, "1e+300"),
            (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
        ] as [(Double, String)])
    func numbers(value: Double, text: String) {
        #expect(Exposition.number(value) == text)
    }
}

@Suite("The daemon's metrics")
struct DaemonMetricsTests {
    private let figures = ProcessFigures(residentMemoryBytes: 4096, cpuSeconds: 1.5, openFiles: 7)

    /// A page with something in every family.
    static var busyPage: String {
        var metrics = DaemonMetrics(version: "1.2.3", startTime: 1_700_000_000)
        metrics.jobs.add("deliver", "finished")
        metrics.jobDuration.observe(0.3, "deliver")
        metrics.jobDuration.observe(0.3, "dance")
        metrics.countDatabaseError(sqlState: "QC404")
        metrics.countDatabaseError(sqlState: "??")
        metrics.loopLag.observe(0.002)
        return metrics.rendered(
            process: .current(),
            rows: [
                DatabaseSample(
                    name: "concierge_queue_depth", help: "Jobs in the queue.",
                    labels: ["kind": "embed", "state": "ready"], value: 3),
                DatabaseSample(
                    name: "concierge_view_refreshes_total", labels: ["view": "a\"b\\c\n"], value: 9),
            ])
    }

    @Test("Every family is there, once, under our name or the one all processes have")
    func families() {
        let lines = DaemonMetricsTests.busyPage.split(separator: "\n")
        let names = lines.compactMap { $0.wholeMatch(of: /# TYPE (\S+) \S+/).map { String($0.1) } }
        #expect(Set(names).count == names.count)
        #expect(names.allSatisfy { $0.hasPrefix("concierge_") || $0.hasPrefix("process_") })
        for name in [
            "build_info", "jobs_total", "job_duration_seconds", "jobs_in_hand", "wakeups_total",
            "listener_up",
            "reconnects_total", "database_errors_total", "fenced_completions_total", "http_requests_total",
            "loop_lag_seconds", "queue_depth", "view_refreshes_total", "database_samples_dropped",
        ] { #expect(names.contains("concierge_" + name)) }
        for name in ["start_time_seconds", "resident_memory_bytes", "cpu_seconds_total", "open_fds"] {
            #expect(names.contains("process_" + name))
        }
    }

    @Test("Values carry their labels")
    func values() {
        let page = DaemonMetricsTests.busyPage
        for line in [
            #"concierge_build_info{version="1.2.3"} 1"#,
            #"concierge_jobs_total{kind="deliver",outcome="finished"} 1"#,
            #"concierge_jobs_total{kind="embed",outcome="failed"} 0"#,
            #"concierge_job_duration_seconds_bucket{kind="other",le="0.5"} 1"#,
            #"concierge_database_errors_total{class="QC"} 1"#,
            #"concierge_database_errors_total{class="other"} 1"#,
            "process_start_time_seconds 1700000000", #"concierge_queue_depth{kind="embed",state="ready"} 3"#,
            #"concierge_view_refreshes_total{view="a\"b\\c\n"} 9"#, "concierge_database_samples_dropped 0",
        ] { #expect(page.contains("\n\(line)\n"), "\(line)") }
    }

    @Test("The database's rows come family by family, and a bad row is left out, counted, and harmless")
    func rows() {
        func row(_ name: String, _ labels: [String: String] = [:], _ value: Double = 1) -> DatabaseSample {
            DatabaseSample(name: name, labels: labels, value: value)
        }
        let rows = [
            row("concierge_a", ["l": "1"]), row("concierge_b"), row("concierge_a", ["l": "2"]),
            row("concierge_a", ["l": "2"]), row("concierge_jobs_in_hand"), row("up"), row("concierge_a b"),
            row("concierge_h_bucket"), row("concierge_c", ["le": "1"]), row("concierge_c", ["1x": "1"]),
            row("concierge_c", ["": "1"]), row("concierge_d\n"), row("concierge_database_samples_dropped"),
        ]
        let page = DaemonMetrics(version: "1", startTime: 0).rendered(process: figures, rows: rows)
        let end = page.split(separator: "# HELP concierge_a ").last ?? ""
        #expect(
            end == """
                Reported by the database.
                # TYPE concierge_a gauge
                concierge_a{l="1"} 1
                concierge_a{l="2"} 1
                # HELP concierge_b Reported by the database.
                # TYPE concierge_b gauge
                concierge_b 1
                # HELP concierge_database_samples_dropped Rows of the database that cannot be shown here.
                # TYPE concierge_database_samples_dropped gauge
                concierge_database_samples_dropped 10

                """)
    }

    @Test("However many rows there are, a thousand are shown, and a value has an end")
    func manyRows() {
        let rows = (0..<1500).map { DatabaseSample(name: "concierge_x", labels: ["n": "\($0)"], value: 0) }
        #expect(DatabaseSamples(rows, besides: []).dropped == 500)
        var text = Exposition()
        let long = DatabaseSample(
            name: "concierge_x", labels: ["n": String(repeating: "é", count: 500)], value: 0)
        DatabaseSamples([long], besides: []).render(into: &text)
        #expect(text.text.contains("\"" + String(repeating: "é", count: 128) + "\""))
    }

    @Test("The process knows its own figures")
    func process() throws {
        let before = ProcessFigures.current()
        #expect(try #require(before.residentMemoryBytes) > 1_000_000)
        #expect(before.cpuSeconds > 0)
        #expect(try #require(before.openFiles) >= 3)
    }

    @Test("What the kernel does not say is left out")
    func closedProc() {
        var text = Exposition()
        ProcessFigures(residentMemoryBytes: nil, cpuSeconds: 1, openFiles: nil).render(into: &text)
        #expect(text.names == ["process_cpu_seconds_total"])
    }
}
