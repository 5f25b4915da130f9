@testable import Daemon
@testable import HTTP

/// The daemon's settings: within their limits, the same when they are written anew, and an error names a line
/// where the text has what is wrong.
func check(_ input: Input) {
    let text = input.text
    let configuration: Configuration
    do {
        configuration = try Configuration(file: text)
    } catch {
        let lines = editorLines(text)
        require(lines.indices.contains(error.line - 1), "there is a line \(error.line)")
        require(lines[error.line - 1].holds(error.name), "line \(error.line) holds \(error.name.debugDescription)")
        require(lines[error.line - 1].holds(error.value ?? ""), "line \(error.line) holds the value")
        require(!error.expected.isEmpty, "an error says what was expected")
        if let other = text.withCarriageReturns {
            require((try? Configuration(file: other)) == nil, "an error stays one with carriage returns")
        }
        return
    }

    require(.milliseconds(10)...(.seconds(60)) ~= configuration.poll, "poll")
    require(.seconds(2)...(.seconds(3600)) ~= configuration.lease, "lease")
    require(configuration.extend * 2 < configuration.lease, "a lease is extended in time")
    require(.zero...(.seconds(600)) ~= configuration.stopLimit, "stop")
    require(1...10_000 ~= configuration.capacity, "capacity")
    require(1...32 ~= configuration.endings, "endings")
    for (name, hosts) in configuration.credentials.hosts {
        require(Credentials.isName(name), "\(name) is a credential's name")
        require(!hosts.isEmpty && !hosts.contains(""), "\(name) is for somebody")
    }

    if let other = text.withCarriageReturns {
        require((try? Configuration(file: other)) == configuration, "carriage returns change nothing")
    }
    var allowed = configuration
    allowed.allowances = []
    require((try? Configuration(file: render(allowed))) == allowed, "it is read as it was written:\n\(render(allowed))")
    let more = text + "\n\n  # a remark = 1\n"
    require((try? Configuration(file: more)) == configuration, "blank lines and remarks change nothing")
}

/// Everything but allowances, which have a target of their own.
private func render(_ configuration: Configuration) -> String {
    var lines = [
        "poll = \(milliseconds(configuration.poll))", "lease=\(milliseconds(configuration.lease))",
        "\tstop =  \(milliseconds(configuration.stopLimit)) # remark", "capacity = \(configuration.capacity)",
        "endings = \(configuration.endings)", "log = \(configuration.logLevel)",
    ]
    if let metrics = configuration.metrics { lines.append("metrics = \(metrics)") }
    for (name, hosts) in configuration.credentials.hosts {
        lines.append("credential.\(name) = \(hosts.joined(separator: " , "))")
    }
    return lines.joined(separator: "\r\n")
}

private func milliseconds(_ duration: Duration) -> String { "\(Int(duration / .milliseconds(1))) ms" }
