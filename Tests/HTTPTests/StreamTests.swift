import Glibc
import HTTP
import TestSupport
import Testing

struct StreamTests {
    /// What a streamed transfer told, part by part, and its end.
    private struct Told {
        var parts: [String] = []
        var heads: Set<HTTPHead> = []
        var end: Result<HTTPResponse, HTTPFailure>?

        var text: String { parts.joined() }

        var failure: HTTPFailure? {
            if case .failure(let failure) = end { failure } else { nil }
        }
    }

    /// - Parameter onPart: called after each part.
    private func stream(
        _ url: String, limits: HTTPLimits = HTTPLimits(),
        onPart: (HTTPClient, HTTPTransfer.ID) -> Void = { _, _ in }
    ) throws -> Told {
        let client = try HTTPClient()
        let id = try client.start(HTTPRequest("GET", url, limits: limits, policy: toLoopback, streams: true))
        var told = Told()
        let end = ContinuousClock.now + patience
        while told.end == nil, .now < end {
            var none: [pollfd] = []
            client.wait(for: &none, timeout: 1000)
            for part in client.received() {
                #expect(part.id == id && !part.bytes.isEmpty)
                told.parts.append(String(decoding: part.bytes, as: UTF8.self))
                told.heads.insert(part.head)
                onPart(client, id)
            }
            for (_, result) in client.finished() { told.end = result }
        }
        #expect(client.received().isEmpty)
        return told
    }

    @Test("A body is told as it comes, with its head, and the response has none of it")
    func parts() throws {
        let stub = try HTTPStub { _ in
            [
                .text("HTTP/1.1 201 Made\r\nX-A: b\r\nConnection: close\r\n\r\n"),
                .drip(Array("slow".utf8), every: .milliseconds(20)), .close,
            ]
        }
        let told = try stream(stub.url)
        #expect(told.text == "slow")
        #expect(told.parts.count > 1)
        #expect(told.heads.map(\.status) == [201])
        #expect(told.heads.first?.headers["x-a"] == "b")
        let response = try #require(try told.end?.get())
        #expect(response.status == 201 && response.body.isEmpty && response.headers["X-A"] == "b")
    }

    @Test("What came last is told no later than the end")
    func lastPart() throws {
        let stub = try HTTPStub { _ in [.answer(body: Array("all at once".utf8))] }
        #expect(try stream(stub.url).text == "all at once")
    }

    @Test("An error's body is in the response", arguments: [404, 429, 500])
    func errors(_ status: Int) throws {
        let stub = try HTTPStub { _ in [.answer(status, body: Array("no".utf8))] }
        let told = try stream(stub.url)
        #expect(told.parts.isEmpty)
        #expect(try told.end?.get().text == "no")
    }

    @Test("A redirect's body is nobody's, and one that is not followed is in the response")
    func redirects() throws {
        let stub = try HTTPStub { request in
            request.target == "/there"
                ? [.answer(body: Array("there".utf8))]
                : [.answer(302, headers: [("Location", "/there")], body: Array("moved".utf8))]
        }
        let followed = try stream(stub.url, limits: HTTPLimits(redirects: 1))
        #expect(followed.text == "there")
        let kept = try stream(stub.url)
        #expect(kept.parts.isEmpty)
        #expect(try kept.end?.get().text == "moved")
    }

    @Test("The body's limit holds for what was told, too")
    func bodyLimit() throws {
        let stub = try HTTPStub { _ in
            [
                .text("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
                .endless(Array(repeating: 0x61, count: 1000)),
            ]
        }
        let told = try stream(stub.url, limits: HTTPLimits(body: 5000))
        #expect(told.failure == .tooLarge(.body, limit: 5000))
        #expect(told.text.utf8.count <= 5000)
    }

    @Test("A transfer that is cancelled tells nothing more")
    func cancel() throws {
        let stub = try HTTPStub { _ in
            [
                .text("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
                .drip(Array(repeating: 0x61, count: 1000), every: .milliseconds(5)),
            ]
        }
        let told = try stream(stub.url) { $0.cancel($1) }
        #expect(told.parts.count == 1)
        #expect(told.failure == .cancelled)
    }

    @Test("A body that is cut short is told as far as it came")
    func cutShort() throws {
        let stub = try HTTPStub { _ in
            [.text("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), .close]
        }
        let told = try stream(stub.url)
        #expect(told.text == "half")
        #expect(told.failure == .brokenAnswer("it ends before its end"))
    }

    @Test("The first byte of a body has a limit of its own, which an early head does not meet")
    func firstByte() throws {
        let stub = try HTTPStub { request in
            request.target == "/nothing"
                ? [.hang] : [.text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), .hang]
        }
        let limits = HTTPLimits(firstByte: .milliseconds(200))
        for path in ["/nothing", "/head"] {
            #expect(try stream(stub.url + path, limits: limits).failure == .timedOut(.firstByte))
            #expect(failure(stub.url + path, limits: limits) == .timedOut(.firstByte))
        }
    }

    @Test("Silence has a limit of its own; bytes that come slowly are no silence")
    func silence() throws {
        let stub = try HTTPStub { request in
            [
                .text("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"),
                .drip(Array("0123456789".utf8), every: .milliseconds(50)),
                request.target == "/hang" ? .hang : .text("0123456789"),
            ]
        }
        let limits = HTTPLimits(firstByte: .milliseconds(400), silence: .milliseconds(400))
        #expect(try stream(stub.url, limits: limits).text == "01234567890123456789")
        let told = try stream(stub.url + "/hang", limits: limits)
        #expect(told.text == "0123456789")
        #expect(told.failure == .timedOut(.silence))
    }

    @Test("The whole time ends a stream that never falls silent")
    func wholeTime() throws {
        let stub = try HTTPStub { _ in
            [
                .text("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
                .drip(Array(repeating: 0x61, count: 10_000), every: .milliseconds(10)),
            ]
        }
        let limits = HTTPLimits(time: .milliseconds(300), firstByte: .seconds(5), silence: .seconds(5))
        #expect(try stream(stub.url, limits: limits).failure == .timedOut(.whole))
    }

    @Test("Streams and other transfers share a client")
    func together() throws {
        let stub = try HTTPStub { request in [.answer(body: Array(request.target.utf8))] }
        let client = try HTTPClient()
        var streamed: [HTTPTransfer.ID: String] = [:]
        for index in 0..<20 {
            let id = try client.start(
                HTTPRequest(
                    "GET", "\(stub.url)/\(index)", policy: toLoopback, streams: index.isMultiple(of: 2)))
            if index.isMultiple(of: 2) { streamed[id] = "/\(index)" }
        }
        var (told, whole): ([HTTPTransfer.ID: String], Int) = ([:], 0)
        let end = ContinuousClock.now + patience
        while client.count > 0, .now < end {
            var none: [pollfd] = []
            client.wait(for: &none, timeout: 1000)
            for part in client.received() {
                told[part.id, default: ""] += String(decoding: part.bytes, as: UTF8.self)
            }
            whole += client.finished().count { (try? $0.result.get().body.isEmpty) == false }
        }
        #expect(told == streamed)
        #expect(whole == 10)
    }
}
