import Glibc
import TestSupport
import Testing

@testable import HTTP

struct ClientTests {
    @Test("A request arrives as it was given, and the answer comes back whole")
    func roundTrip() throws {
        let stub = try HTTPStub { _ in
            [
                .answer(
                    201, headers: [("X-One", "1"), ("x-two", "  2  "), ("X-One", "uno")],
                    body: Array("done".utf8))
            ]
        }
        let response = try HTTPClient().fetch(
            HTTPRequest(
                "POST", stub.url + "/a/b?c=d%20e#f",
                headers: [
                    "Authorization": "Bearer secret", "Content-Type": "application/json", "X-Empty": "",
                ],
                body: Array(#"{"n":"naïve"}"#.utf8), policy: toLoopback))
        #expect(response.status == 201)
        #expect(response.text == "done")
        #expect(response.headers["x-one"] == "1")
        #expect(response.headers.all("X-ONE") == ["1", "uno"])
        #expect(response.headers["X-Two"] == "2")
        #expect(response.headers["X-Three"] == nil)
        #expect(response.times.whole >= response.times.firstByte)

        let request = try #require(stub.requests.first)
        #expect(request.method == "POST")
        #expect(request.target == "/a/b?c=d%20e")
        #expect(request.header("Authorization") == "Bearer secret")
        #expect(request.header("Content-Type") == "application/json")
        #expect(request.header("X-Empty") == "")
        #expect(request.header("Expect") == nil)
        #expect(request.header("Cookie") == nil)
        #expect(request.header("User-Agent") == "concierge")
        #expect(String(decoding: request.body, as: UTF8.self) == #"{"n":"naïve"}"#)
    }

    @Test("Each method is sent with the body it has", arguments: ["GET", "POST", "PUT", "DELETE", "PATCH"])
    func methods(_ method: String) throws {
        let stub = try HTTPStub { _ in [.answer(body: Array("ok".utf8))] }
        let client = try HTTPClient()
        for body in ["", "words\0and bytes"] {
            let request = HTTPRequest(method, stub.url, body: Array(body.utf8), policy: toLoopback)
            #expect(try client.fetch(request).text == "ok")
        }
        #expect(stub.requests.map(\.method) == [method, method])
        #expect(stub.requests.map(\.body) == [[], Array("words\0and bytes".utf8)])
        #expect(stub.requests.first?.header("Content-Type") == nil)
    }

    @Test("HEAD has no body, whatever length is announced")
    func head() throws {
        let stub = try HTTPStub { _ in [.text("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")] }
        let response = try HTTPClient().fetch(HTTPRequest("HEAD", stub.url, policy: toLoopback))
        #expect(response.body.isEmpty)
        #expect(response.headers["Content-Length"] == "99999999")
    }

    @Test("An answer of any status is a response", arguments: [204, 304, 400, 401, 404, 429, 500, 503])
    func statuses(_ status: Int) throws {
        let stub = try HTTPStub { _ in
            [.text("HTTP/1.1 \(status) x\r\nContent-Length: 0\r\nRetry-After: 3\r\n\r\n")]
        }
        let response = try fetch(stub.url)
        #expect(response.status == status)
        #expect(response.headers["retry-after"] == "3")
    }

    @Test("Interim answers and trailers are not the answer's headers")
    func interim() throws {
        let stub = try HTTPStub { _ in
            [
                .text("HTTP/1.1 103 Early Hints\r\nX-Early: yes\r\n\r\n"),
                .text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Late: yes\r\n\r\n"),
                .text("5\r\nhello\r\n0\r\nX-Trailer: yes\r\n\r\n"),
            ]
        }
        let response = try fetch(stub.url)
        #expect(response.text == "hello")
        #expect(response.headers.fields.map(\.name) == ["Transfer-Encoding", "X-Late"])
    }

    @Test("A compressed body comes unpacked")
    func compressed() throws {
        let stub = try HTTPStub { request in
            #expect(request.header("Accept-Encoding")?.contains("gzip") == true)
            return [.answer(headers: [("Content-Encoding", "gzip")], body: gzippedHello)]
        }
        #expect(try fetch(stub.url).text == "hello, hello, hello")
    }

    @Test("300 transfers are in flight on one thread")
    func manyAtOnce() throws {
        let number = 300
        // None is answered before the last has arrived.
        let stub = try HTTPStub { request in
            [.awaitRequests(number), .answer(body: Array(request.target.utf8))]
        }
        let client = try HTTPClient(HTTPClient.Settings(connections: number, connectionsPerHost: number))
        var targets: [HTTPTransfer.ID: String] = [:]
        for index in 0..<number {
            let request = HTTPRequest("GET", "\(stub.url)/\(index)", policy: toLoopback)
            targets[try client.start(request)] = "/\(index)"
        }
        #expect(client.count == number)
        let results = client.collect(number)
        #expect(results.count == number)
        for (id, result) in results { #expect(try result.get().text == targets[id]) }
        #expect(stub.connections == number)
        #expect(client.count == 0)
    }

    @Test("No more connections are opened than allowed, and all transfers have their turn")
    func connectionLimit() throws {
        let stub = try HTTPStub { _ in [.answer()] }
        let client = try HTTPClient(HTTPClient.Settings(connections: 3))
        for _ in 0..<30 { _ = try client.start(HTTPRequest("GET", stub.url, policy: toLoopback)) }
        let results = client.collect(30)
        #expect(results.count == 30)
        #expect(results.values.allSatisfy { (try? $0.get().status) == 200 })
        #expect(stub.connections <= 3)
    }

    @Test("A connection is used again")
    func reuse() throws {
        let stub = try HTTPStub { _ in [.answer(body: [1])] }
        let client = try HTTPClient()
        for _ in 0..<5 {
            #expect(try client.fetch(HTTPRequest("GET", stub.url, policy: toLoopback)).body == [1])
        }
        #expect(stub.connections == 1)
        #expect(stub.requests.count == 5)
    }

    @Test("A connection that the server closed meanwhile is replaced")
    func closedMeanwhile() throws {
        let stub = try HTTPStub { _ in [.answer(), .close] }
        let client = try HTTPClient()
        for _ in 0..<5 {
            #expect(try client.fetch(HTTPRequest("GET", stub.url, policy: toLoopback)).status == 200)
        }
        #expect(stub.requests.count == 5)
    }

    @Test("A cancelled transfer is reported once, as cancelled, and its connection ends")
    func cancelling() throws {
        let stub = try HTTPStub { request in
            request.target == "/slow" ? [.hang] : [.awaitRequests(2), .answer()]
        }
        let client = try HTTPClient()
        let slow = try client.start(HTTPRequest("GET", stub.url + "/slow", policy: toLoopback))
        let quick = try client.start(HTTPRequest("GET", stub.url + "/quick", policy: toLoopback))
        #expect(try client.collect()[quick]?.get().status == 200) // by now the slow one has arrived too
        client.cancel(slow)
        client.cancel(slow)
        client.cancel(quick)
        let reports = client.finished()
        #expect(reports.map(\.id) == [slow])
        #expect(throws: HTTPFailure.cancelled) { try reports.first?.result.get() }
        #expect(client.finished().isEmpty)
        #expect(client.count == 0)
        #expect(try client.fetch(HTTPRequest("GET", stub.url + "/quick", policy: toLoopback)).status == 200)
    }

    @Test("A transfer can be cancelled before it has begun, and a client left in the middle of its work")
    func leaving() throws {
        let stub = try HTTPStub { _ in [.hang] }
        var client: HTTPClient? = try HTTPClient()
        let id = try #require(try client?.start(HTTPRequest("GET", stub.url, policy: toLoopback)))
        client?.cancel(id)
        #expect(client?.finished().map(\.id) == [id])
        for _ in 0..<3 { _ = try client?.start(HTTPRequest("GET", stub.url, policy: toLoopback)) }
        var none: [pollfd] = []
        for _ in 0..<5 { client?.wait(for: &none, timeout: 10) }
        client = nil
    }

    // MARK: Waiting

    @Test("wait tells of the caller's descriptors as poll does, hang-ups included")
    func foreignDescriptors() throws {
        let stub = try HTTPStub { _ in [.hang] }
        let client = try HTTPClient()
        let id = try client.start(HTTPRequest("GET", stub.url, policy: toLoopback))
        let (idle, written, orphaned) = (try Pipe(), try Pipe(), try Pipe())
        written.write(1)
        orphaned.closeWriter()
        var entries = [idle, written, orphaned].map {
            pollfd(fd: $0.reader, events: Int16(POLLIN), revents: 0)
        }
        entries.append(pollfd(fd: -1, events: Int16(POLLIN), revents: 99))
        entries.append(pollfd(fd: idle.writer, events: Int16(POLLOUT), revents: 99))
        client.wait(for: &entries, timeout: -1)
        #expect(entries.map { Int32($0.revents) } == [0, POLLIN, POLLHUP, 0, POLLOUT])

        // Nothing is ready: the transfer moves, and the time is kept.
        var quiet = [pollfd(fd: idle.reader, events: Int16(POLLIN), revents: 0)]
        let start = ContinuousClock.now
        while .now < start + .milliseconds(100) { client.wait(for: &quiet, timeout: 20) }
        #expect(quiet.map(\.revents) == [0])
        #expect(stub.requests.count == 1)
        client.cancel(id)
    }

    @Test("wait waits while nothing happens, and not while there is something to tell")
    func timeout() throws {
        let stub = try HTTPStub { _ in [.hang] }
        let client = try HTTPClient()
        var none: [pollfd] = []
        var rounds = 0
        let id = try client.start(HTTPRequest("GET", stub.url, policy: toLoopback))
        let start = ContinuousClock.now
        while .now < start + .milliseconds(500) {
            client.wait(for: &none, timeout: 100)
            rounds += 1
        }
        #expect(rounds < 100, "it spins")
        client.cancel(id)
        let before = ContinuousClock.now
        client.wait(for: &none, timeout: -1)
        #expect(.now < before + patience)
    }

    @Test("A caller that comes back late does not wait for ever")
    func late() throws {
        let stub = try HTTPStub { _ in [.hang] }
        let client = try HTTPClient()
        let limits = HTTPLimits(time: .milliseconds(5))
        let id = try client.start(HTTPRequest("GET", stub.url, limits: limits, policy: toLoopback))
        usleep(50_000) // the limit, and the time that libcurl wanted to be called at, are long past
        var none: [pollfd] = []
        client.wait(for: &none, timeout: -1)
        #expect(client.finished().map(\.id) == [id])
    }

    @Test("Milliseconds are rounded up, and never negative")
    func milliseconds() {
        for (time, expected) in [
            (.zero, 0), (.nanoseconds(1), 1), (.milliseconds(1), 1), (.microseconds(1001), 2),
            (.seconds(3), 3000),
            (.milliseconds(-3), 0), (.seconds(-3), 0), (.seconds(1 << 40), 2_000_000_000),
            (.seconds(1 << 40) * -1, 0),
        ] as [(Duration, Int)] {
            #expect(time.milliseconds == expected, "\(time)")
        }
    }

    // MARK: Redirects

    @Test("Redirects are followed as far as the limit, and not at all without one")
    func redirects() throws {
        let stub = try HTTPStub { request in
            guard let left = Int(request.target.dropFirst()), left > 0 else { return [.answer(body: [7])] }
            return [.redirect(to: "/\(left - 1)")]
        }
        let response = try fetch(stub.url + "/3", limits: HTTPLimits(redirects: 3))
        #expect(response.body == [7])
        #expect(response.url == stub.url + "/0")
        #expect(failure(stub.url + "/4", limits: HTTPLimits(redirects: 3)) == .tooManyRedirects(limit: 3))
        let unfollowed = try fetch(stub.url + "/4")
        #expect(unfollowed.status == 302)
        #expect(unfollowed.headers["location"] == "/3")
    }

    @Test("A redirect to itself ends at the limit")
    func circle() throws {
        let stub = try HTTPStub { request in [.redirect(to: request.target)] }
        #expect(
            failure(stub.url + "/round", limits: HTTPLimits(redirects: 20)) == .tooManyRedirects(limit: 20))
        #expect(stub.requests.count == 21)
    }

    @Test(
        "A redirect keeps the method or asks with GET, as its status says",
        arguments: [
            (301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (307, "POST", "POST"),
            (308, "POST", "POST"), (302, "PUT", "PUT"), (303, "PUT", "GET"), (303, "HEAD", "HEAD"),
        ])
    func redirectedMethod(_ status: Int, _ method: String, _ then: String) throws {
        let stub = try HTTPStub { request in
            request.target == "/" ? [.redirect(status, to: "/next")] : [.answer()]
        }
        let body: [UInt8] = method == "HEAD" ? [] : [1, 2, 3]
        let request = HTTPRequest(
            method, stub.url, headers: ["Content-Type": "text/x-mine"], body: body,
            limits: HTTPLimits(redirects: 1), policy: toLoopback)
        #expect(try HTTPClient().fetch(request).status == 200)
        let second = try #require(stub.requests.last)
        #expect(second.method == then)
        #expect(second.body == (then == "GET" ? [] : body))
        #expect((second.header("Content-Type") == nil) == (then == "GET"))
    }

    @Test("Nothing that proves who asks goes to another origin")
    func credentialsStay() throws {
        let other = try HTTPStub { _ in [.answer()] }
        let stub = try HTTPStub { request in
            request.target == "/near"
                ? [.redirect(to: "/here")]
                : request.target == "/here"
                    ? [.answer()] : [.redirect(307, to: "http://b.localhost:\(other.port)/there")]
        }
        let client = try HTTPClient()
        let headers: HTTPHeaders = [
            "Authorization": "Bearer secret", "x-api-key": "secret", "Cookie": "a=secret",
            "Accept": "text/html",
            "X-Custom": "secret",
        ]
        for path in ["near", "far"] {
            let request = HTTPRequest(
                "GET", "http://a.localhost:\(stub.port)/\(path)", headers: headers,
                limits: HTTPLimits(redirects: 2), policy: toLoopback)
            #expect(try client.fetch(request).status == 200)
        }
        let near = try #require(stub.requests.first { $0.target == "/here" })
        #expect(near.header("Authorization") == "Bearer secret")
        #expect(near.header("x-api-key") == "secret")
        let far = try #require(other.requests.first)
        #expect(!far.head.contains("secret"))
        #expect(far.header("Accept") == "text/html")
        #expect(far.header("Host") == "b.localhost:\(other.port)")
    }

    @Test(
        "A request that would say something else on the wire is refused",
        arguments: [
            HTTPRequest("GET / HTTP/1.1\r\nX:", "http://example.org/"),
            HTTPRequest("", "http://example.org/"),
            HTTPRequest("HEAD", "http://example.org/", body: [1]),
            HTTPRequest("GET", "http://example.org/", headers: ["A": "b\r\nC: d"]),
            HTTPRequest("GET", "http://example.org/", headers: ["A": "b\nC: d"]),
            HTTPRequest("GET", "http://example.org/", headers: ["A": "b\0"]),
            HTTPRequest("GET", "http://example.org/", headers: ["A:": "b"]),
            HTTPRequest("GET", "http://example.org/", headers: ["": "b"]),
            HTTPRequest("GET", "http://example.org/", headers: ["Host": "internal"]),
            HTTPRequest("GET", "http://example.org/", headers: ["content-LENGTH": "0"]),
            HTTPRequest("GET", "http://example.org/", headers: ["Transfer-Encoding": "chunked"]),
        ])
    func badRequests(_ request: HTTPRequest) throws {
        let client = try HTTPClient()
        let failure = #expect(throws: HTTPFailure.self) { try client.start(request) }
        guard case .badRequest = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(client.count == 0)
    }
}

/// "hello, hello, hello" as gzip -9 packs it.
private let gzippedHello: [UInt8] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 72, 205, 201, 201, 215, 81, 200, 64, 162, 0, 159, 161, 202, 9, 19,
    0, 0, 0,
]

/// A pipe of the test's own.
private final class Pipe {
    let reader: Int32
    private(set) var writer: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        (reader, writer) = (ends[0], ends[1])
    }

    deinit {
        close(reader)
        closeWriter()
    }

    func write(_ byte: UInt8) {
        var byte = byte
        _ = Glibc.write(writer, &byte, 1)
    }

    func closeWriter() {
        if writer >= 0 { close(writer) }
        writer = -1
    }
}
