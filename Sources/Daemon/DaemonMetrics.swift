import Models

/// Everything the daemon counts. The loop owns one and adds to it; a scrape renders it.
struct DaemonMetrics: Equatable, Sendable {
    /// The effects there are; see Effects.swift.
    static let kinds = ["call", "convert", "deliver", "embed", "fetch", "generate", "rerank"]
    private static let kind = Label("kind", kinds)
    private static let modelKind = Label("kind", ["embed", "generate", "rerank"])
    private static let provider = Label("provider", Provider.Kind.allCases.map(\.rawValue))
    private static let modelOutcome = Label(
        "outcome", ["success", "cancelled"] + ModelFault.Reason.allCases.map(\.rawValue))
    private static let httpOutcomes = [
        "success", "client_error", "rate_limited", "server_error", "timeout", "unreachable", "not_allowed",
        "cancelled",
    ]
    private static let durations = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

    var jobs = Counter(
        "concierge_jobs_total", "Jobs that ended, by kind and by how they did.",
        labels: [kind, Label("outcome", ["finished", "failed", "fenced", "abandoned"])])
    var jobDuration = Histogram(
        "concierge_job_duration_seconds", "From the claim of a job to the database's word on its end.",
        labels: [kind], limits: durations)
    var jobsInHand = Gauge("concierge_jobs_in_hand", "Jobs claimed and not yet ended.")
    var wakeups = Counter(
        "concierge_wakeups_total", "Turns of the loop, by what began them.",
        labels: [Label("source", ["notification", "answer", "http", "child", "metrics", "signal", "timer"])])
    var listenerUp = Gauge("concierge_listener_up", "1 while the daemon listens for notifications.")
    var reconnects = Counter(
        "concierge_reconnects_total", "Connections to the database made again after a loss.",
        labels: [Label("link", ["listening", "refreshing", "ending", "emitting"])])
    var databaseErrors = Counter(
        "concierge_database_errors_total", "Errors the database reported, by class of SQLSTATE.",
        labels: [Label("class", sqlStateClasses)], startsAtZero: false)
    var fencedCompletions = Counter(
        "concierge_fenced_completions_total", "Ends of jobs that came too late and changed nothing.")
    var httpRequests = Counter(
        "concierge_http_requests_total", "Requests to models and web sites, by how they ended.",
        labels: [Label("outcome", httpOutcomes)])
    var modelCalls = Counter(
        "concierge_model_calls_total", "Calls of models that ended, by the provider's kind and by how they did.",
        labels: [modelKind, provider, modelOutcome], startsAtZero: false)
    var modelFirstToken = Histogram(
        "concierge_model_first_token_seconds", "From the beginning of a streamed answer to its first token.",
        labels: [provider], limits: durations)
    var modelDuration = Histogram(
        "concierge_model_call_duration_seconds", "From the beginning of a call of a model to its end.",
        labels: [modelKind, provider], limits: durations)
    var modelTokens = Counter(
        "concierge_model_tokens_total", "Tokens that models read and wrote, as providers count them.",
        labels: [modelKind, provider, Label("direction", ["input", "output"])], startsAtZero: false)
    var loopLag = Histogram(
        "concierge_loop_lag_seconds", "How much later than planned a turn of the loop began.",
        limits: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5])

    let version: String
    /// When the process began, in seconds since 1970.
    let startTime: Double

    init(version: String, startTime: Double) {
        self.version = version
        self.startTime = startTime
    }

    /// The first two characters of a SQLSTATE, for `databaseErrors`.
    mutating func countDatabaseError(sqlState: String) { databaseErrors.add(String(sqlState.prefix(2))) }

    mutating func count(_ report: ModelReport) {
        let (kind, provider) = (report.kind, report.provider)
        modelCalls.add(kind, provider, report.outcome)
        modelDuration.observe(report.total.seconds, kind, provider)
        if let firstToken = report.firstToken { modelFirstToken.observe(firstToken.seconds, provider) }
        if report.inputTokens > 0 {
            modelTokens.add(kind, provider, "input", amount: Double(report.inputTokens))
        }
        if report.outputTokens > 0 {
            modelTokens.add(kind, provider, "output", amount: Double(report.outputTokens))
        }
    }

    /// The page.
    ///
    /// - Parameter rows: what the database said last; empty if it was not asked.
    func rendered(process: ProcessFigures, rows: [DatabaseSample] = []) -> String {
        var text = Exposition()
        text.open("concierge_build_info", .gauge, help: "Always 1; the label says which version runs.")
        text.sample("concierge_build_info", [("version", version)], 1)
        jobs.render(into: &text)
        jobDuration.render(into: &text)
        jobsInHand.render(into: &text)
        wakeups.render(into: &text)
        listenerUp.render(into: &text)
        reconnects.render(into: &text)
        databaseErrors.render(into: &text)
        fencedCompletions.render(into: &text)
        httpRequests.render(into: &text)
        modelCalls.render(into: &text)
        modelFirstToken.render(into: &text)
        modelDuration.render(into: &text)
        modelTokens.render(into: &text)
        loopLag.render(into: &text)
        text.single(
            "process_start_time_seconds", .gauge, help: "When the process began, in seconds since 1970.",
            startTime)
        process.render(into: &text)

        let dropped = "concierge_database_samples_dropped"
        let samples = DatabaseSamples(rows, besides: text.names.union([dropped]))
        samples.render(into: &text)
        text.single(
            dropped, .gauge, help: "Rows of the database that cannot be shown here.",
            Double(samples.dropped))
        return text.text
    }

    /// PostgreSQL's classes of errors, and our own.
    private static let sqlStateClasses = """
        08 09 0A 0B 0F 0L 0P 0Z 20 21 22 23 24 25 26 27 28 2B 2D 2F 34 38 39 3B 3D 3F 40 42 44 53 54 55 57 \
        58 72 F0 HV P0 QC XX
        """.split(separator: " ").map(String.init)
}
