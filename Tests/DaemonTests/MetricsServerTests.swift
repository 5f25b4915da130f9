import Foundation
import Testing

@testable import Daemon

@Suite("Addresses for metrics")
struct MetricsAddressTests {
    @Test(
        "Three forms are known, and come out as they went in",
        arguments: [
            ("127.0.0.1:9187", MetricsAddress.ip(host: "127.0.0.1", port: 9187)),
            ("[::1]:9187", .ip(host: "::1", port: 9187)), ("0.0.0.0:0", .ip(host: "0.0.0.0", port: 0)),
            ("unix:/run/m.sock", .unix(path: "/run/m.sock")),
        ])
    func good(text: String, address: MetricsAddress) {
        #expect(MetricsAddress(text) == address)
        #expect("\(address)" == text)
    }

    @Test(
        "Everything else is refused",
        arguments: [
            "", ":", ":9187", "9187", "127.0.0.1", "localhost:9187", "127.0.0.1:", "127.0.0.1:65536",
            "127.0.0.1:-1",
            "::1:9187", "[::1]", "[127.0.0.1]:9187", "[]:1", "unix:", "unix:m.sock", "1.2.3.4.5:1",
            "127.0.0.1:+1", "127.0.0.1:-0", "127.0.0.1\0x:1", "unix:/m.sock\0x",
        ])
    func bad(text: String) {
        #expect(MetricsAddress(text) == nil)
    }

    @Test("An address somebody has is refused with its name")
    func taken() throws {
        let (first, address) = try #require(MetricsAddress("127.0.0.1:0")).listen()
        defer { close(first) }
        #expect { try address.listen() } throws: { "\($0)" == "bind \(address): Address already in use" }
    }

    @Test("A dead daemon's socket is replaced; a living one's is not, nor is a file")
    func stale() throws {
        let path = NSTemporaryDirectory() + "/concierge-stale-\(getpid())"
        defer { unlink(path) }
        let address = MetricsAddress.unix(path: path)
        let first = try address.listen().descriptor
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o666)
        #expect(throws: SystemError.self) { try address.listen() }
        close(first)
        let second = try address.listen().descriptor
        close(second)
        unlink(path)
        try Data("precious".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: SystemError.self) { try address.listen() }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
    }
}

@Suite("The metrics server")
struct MetricsServerTests {
    /// A client that does not wait, and that lets the server work while it waits.
    final class Client {
        let descriptor: Int32
        private(set) var received: [UInt8] = []
        private(set) var isClosed = false

        init(_ address: MetricsAddress) throws {
            let kind = Int32(SOCK_STREAM.rawValue)
            let result: Int32
            switch address {
            case .ip(let host, let port) where host.contains(":"):
                descriptor = socket(AF_INET6, kind, 0)
                var name = sockaddr_in6()
                name.sin6_family = sa_family_t(AF_INET6)
                name.sin6_port = port.bigEndian
                inet_pton(AF_INET6, host, &name.sin6_addr)
                result = Self.connect(descriptor, name)
            case .ip(let host, let port):
                descriptor = socket(AF_INET, kind, 0)
                var name = sockaddr_in()
                name.sin_family = sa_family_t(AF_INET)
                name.sin_port = port.bigEndian
                inet_pton(AF_INET, host, &name.sin_addr)
                result = Self.connect(descriptor, name)
            case .unix(let path):
                descriptor = socket(AF_UNIX, kind, 0)
                let (name, descriptor) = (try #require(UnixAddress(path)), descriptor)
                result = name.withSockaddr { Foundation.connect(descriptor, $0, $1) }
            }
            if result != 0 { throw SystemError(call: "connect", code: errno) }
        }

        deinit { close(descriptor) }

        private static func connect<Name>(_ descriptor: Int32, _ name: Name) -> Int32 {
            withUnsafeBytes(of: name) {
                Foundation.connect(
                    descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
            }
        }

        func send(_ text: String) {
            let bytes = Array(text.utf8)
            _ = Foundation.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        }

        /// Lets time pass, in which the server works and the answer arrives, until something holds; counts
        /// the server's turns.
        @discardableResult
        func wait(_ server: MetricsServer, atMost limit: Duration = .seconds(10), until: (Client) -> Bool)
            -> Int
        {
            let end = ContinuousClock.now + limit
            var turns = 0
            while !until(self), ContinuousClock.now < end {
                var entries = [
                    server.pollEntry,
                    pollfd(fd: isClosed ? -1 : descriptor, events: Int16(POLLIN), revents: 0),
                ]
                let left = end - .now
                let pause = min(server.timeout ?? left, left)
                poll(&entries, 2, Int32(clamping: max(pause, .zero).milliseconds + 1))
                turns += 1
                server.run()
                if entries[1].revents != 0 { receive() }
            }
            return turns
        }

        private func receive() {
            var bytes = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            if count > 0 { received += bytes.prefix(count) } else { isClosed = true }
        }

        var text: String { String(decoding: received, as: UTF8.self) }
        var body: String? { text.range(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } }
        var head: String { text.components(separatedBy: "\r\n\r\n")[0] }
    }

    /// A request and its answer, after which the server hangs up.
    private func get(
        _ path: String, from server: MetricsServer, method: String = "GET", more: String = ""
    ) throws -> Client {
        let client = try Client(server.address)
        client.send("\(method) \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(more)\r\n")
        client.wait(server) { $0.isClosed }
        return client
    }

    private func server(_ address: String = "127.0.0.1:0", connections: UInt32 = 16) throws -> MetricsServer {
        try MetricsServer(
            try #require(MetricsAddress(address)), connections: connections, idleSeconds: 1,
            page: { DaemonMetricsTests.busyPage }, obstacle: { nil })
    }

    @Test("The page is served over IPv4 and a local socket", arguments: [
        "127.0.0.1:0", "unix:\(NSTemporaryDirectory())/concierge-metrics-\(getpid())",
    ])
    func page(address: String) throws {
        let server = try server(address)
        let client = try get("/metrics?name=x", from: server)
        #expect(client.head.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(client.head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8"))
        let body = try #require(client.body)
        #expect(
            body.contains("\nconcierge_queue_depth{kind=\"embed\",state=\"ready\"} 3\n")
                && body.hasSuffix("\n"))
        server.close()
        if case .unix(let path) = server.address { #expect(access(path, F_OK) != 0) }
    }

    private static let hasIPv6 = {
        guard let listening = try? MetricsAddress.ip(host: "::1", port: 0).listen() else { return false }
        return close(listening.descriptor) == 0
    }()

    @Test("The page is served over IPv6", .enabled(if: hasIPv6, "there is no IPv6 here"))
    func pageOverIPv6() throws { try page(address: "[::1]:0") }

    @Test("Alive is whoever answers; ready is who says so, else there is a reason")
    func health() throws {
        var obstacle: String? = "waiting for the database"
        let server = try MetricsServer(
            .ip(host: "127.0.0.1", port: 0), page: { "" }, obstacle: { obstacle })
        #expect(try get("/healthz", from: server).head.hasPrefix("HTTP/1.1 200 "))
        let waiting = try get("/readyz", from: server)
        #expect(waiting.head.hasPrefix("HTTP/1.1 503 ") && waiting.body == "waiting for the database\n")
        obstacle = nil
        let ready = try get("/readyz", from: server)
        #expect(ready.head.hasPrefix("HTTP/1.1 200 ") && ready.body == "ready\n")
        #expect(try get("/metrics", from: server).body == "")
    }

    @Test(
        "Other paths and methods are refused",
        arguments: [
            ("GET", "/", "404"), ("GET", "/metrics/", "404"), ("GET", "//metrics", "404"),
            ("POST", "/nothing", "404"),
            ("POST", "/metrics", "405"), ("DELETE", "/readyz", "405"), ("HEAD", "/metrics", "200"),
        ])
    func refusals(method: String, path: String, status: String) throws {
        let server = try server()
        let client = try get(path, from: server, method: method)
        #expect(client.head.hasPrefix("HTTP/1.1 \(status) "))
        #expect(client.head.contains("\r\nAllow: GET, HEAD") == (status == "405"))
        if method == "HEAD" { #expect(client.body == "") }
    }

    @Test("A body nobody asked for, and a line that is no request, do no harm")
    func strange() throws {
        let server = try server()
        let long = String(repeating: "x", count: 100_000)
        let posted = try get(
            "/metrics", from: server, method: "POST", more: "Content-Length: 100000\r\n\r\n\(long)")
        #expect(posted.text.hasPrefix("HTTP/1.1 405 ") || posted.isClosed)
        let header = try get("/metrics", from: server, more: "X: \(long)\r\n")
        #expect(header.isClosed && !header.text.hasPrefix("HTTP/1.1 200 "))
        let garbage = try Client(server.address)
        garbage.send("\u{16}\u{3}\u{1}\r\n\r\n")
        garbage.wait(server) { $0.isClosed }
        #expect(garbage.isClosed)
        #expect(try get("/healthz", from: server).head.hasPrefix("HTTP/1.1 200 "))
    }

    @Test("A connection serves many requests, and is closed when it says nothing for too long")
    func keepAlive() throws {
        let server = try server()
        let client = try Client(server.address)
        client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        client.wait(server) { $0.text.hasSuffix("alive\n") }
        client.send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        client.wait(server) { $0.text.hasSuffix("ready\n") }
        #expect(!client.isClosed)
        #expect(try #require(server.timeout) <= .seconds(1))
        let began = ContinuousClock.now
        let turns = client.wait(server) { $0.isClosed }
        #expect(client.isClosed && ContinuousClock.now - began < .seconds(8))
        #expect(turns < 100)
    }

    @Test("One connection too many waits, without keeping the loop busy, until another one ends")
    func limit() throws {
        let server = try server(connections: 2)
        let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        var first: Client? = try Client(server.address)
        let second = try Client(server.address)
        for client in [first, second] {
            client?.send(request)
            client?.wait(server) { $0.text.hasSuffix("alive\n") }
        }
        let third = try Client(server.address)
        third.send(request)
        let turns = third.wait(server, atMost: .milliseconds(300)) { !$0.received.isEmpty }
        #expect(third.received.isEmpty && turns < 50, "\(turns) turns")
        first = nil
        third.wait(server) { $0.text.hasSuffix("alive\n") }
        #expect(third.text.hasSuffix("alive\n"))
        _ = second
    }

    @Test("A server that is closed neither listens nor works, and nothing is left open")
    func closed() throws {
        let before = try #require(ProcessFigures.current().openFiles)
        for _ in 0..<50 {
            let server = try server()
            server.run()
            server.close()
            server.run()
            #expect(server.pollEntry.fd == -1 && server.timeout == nil)
            #expect(throws: SystemError.self) { try Client(server.address) }
        }
        // other tests open files meanwhile, but not fifty
        #expect(try #require(ProcessFigures.current().openFiles) < before + 40)
    }

    @Test(
        "Prometheus's own checker finds nothing to say about the page",
        .enabled(if: InstalledProgram.promtool != nil, "promtool is not installed (package prometheus)"))
    func promtool() throws {
        let page = try #require(try get("/metrics", from: try server()).body)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(InstalledProgram.promtool))
        process.arguments = ["check", "metrics"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(page.utf8))
        try input.fileHandleForWriting.close()
        let words = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0 && words == "", "\(words)")
    }
}

/// Programs that some tests can do without.
enum InstalledProgram {
    static let promtool = find("promtool")

    static func find(_ name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
            .first { access($0, X_OK) == 0 }
    }
}
