import Foundation
import TestSupport
import Testing

private let systemdAnalyze = "/usr/bin/systemd-analyze"
private let isInstalled = access(systemdAnalyze, X_OK) == 0

/// systemd/concierge.service, as systemd itself sees it.
@Suite(.enabled(if: isInstalled, "systemd-analyze is not installed"))
struct ServiceUnitTests {
    private let unit = TestServer.projectRoot + "/systemd/concierge.service"

    private func analyze(_ arguments: String...) throws -> (status: Int32, output: String) {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: systemdAnalyze)
        process.arguments = arguments
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, output)
    }

    @Test("The service can do little harm: an exposure of 1.3 or less, of 10")
    func exposure() throws {
        let result = try analyze("security", "--offline=yes", "--no-pager", unit)
        let match = result.output.firstMatch(of: /exposure level for concierge.service: (\d+\.\d+)/)
        let exposure = try #require(match.flatMap { Double($0.1) }, "\(result.output)")
        #expect(exposure <= 1.3)
    }

    @Test("systemd understands every line")
    func verified() throws {
        let project = try TemporaryProject([:])
        // The program is not where it will be, which is all systemd may complain about.
        let text = try String(contentsOfFile: unit, encoding: .utf8)
            .replacing("/usr/local/bin/concierge", with: "/bin/true")
        try project.write("concierge.service", text)
        let result = try withExtendedLifetime(project) {
            try analyze("verify", "--man=no", project.root + "/concierge.service")
        }
        #expect(result.status == 0 && result.output == "", "\(result.output)")
    }

    @Test("The daemon says when it is ready, is watched, and can be told to read its settings again")
    func protocols() throws {
        let lines = try String(contentsOfFile: unit, encoding: .utf8).split(separator: "\n")
        for line in ["Type=notify", "WatchdogSec=120", "ExecReload=/bin/kill -HUP $MAINPID"] {
            #expect(lines.contains { $0 == line }, "\(line)")
        }
    }
}
