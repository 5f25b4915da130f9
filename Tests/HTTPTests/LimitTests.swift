import HTTP
import TestSupport
import Testing

struct LimitTests {
    private let megabyte = [UInt8](repeating: 0x78, count: 1_000_000)

    @Test("The whole time is limited, however the server spends it")
    func wholeTime() throws {
        let stub = try HTTPStub { request in
            switch request.target {
            case "/hang": [.hang]
            case "/head":
                [
                    .text("HTTP/1.1 200 OK\r\nX-"),
                    .drip(Array(repeating: 0x61, count: 10_000), every: .milliseconds(20)),
                ]
            case "/body":
                [
                    .text("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n"),
                    .drip(Array(repeating: 0x61, count: 10_000), every: .milliseconds(20)),
                ]
            default:
                [
                    .drip(
                        Array("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n".utf8),
                        every: .milliseconds(3))
                ]
            }
        }
        for path in ["hang", "head", "body", "redirect"] {
            let limits = HTTPLimits(time: .milliseconds(300), redirects: 1000)
            #expect(failure("\(stub.url)/\(path)", limits: limits) == .timedOut(.whole), "\(path)")
        }
    }

    @Test("The wait for a free connection is part of the whole time")
    func queueTime() throws {
        let stub = try HTTPStub { _ in [.hang] }
        let client = try HTTPClient(HTTPClient.Settings(connections: 1))
        let long = try client.start(HTTPRequest("GET", stub.url, policy: toLoopback))
        let short = try client.start(
            HTTPRequest("GET", stub.url, limits: HTTPLimits(time: .milliseconds(300)), policy: toLoopback))
        #expect(throws: HTTPFailure.timedOut(.whole)) { try client.collect()[short]?.get() }
        #expect(client.count == 1)
        client.cancel(long)
    }

    @Test("Connecting has a limit of its own, TLS included")
    func connecting() throws {
        // A server that accepts and never speaks TLS.
        let stub = try HTTPStub { _ in [.hang] }
        let limits = HTTPLimits(connect: .milliseconds(300))
        #expect(failure("https://127.0.0.1:\(stub.port)/", limits: limits) == .timedOut(.connecting))
    }

    @Test("A transfer that goes on too slowly is ended")
    func slowness() throws {
        let stub = try HTTPStub { _ in
            [
                .text("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n"),
                .drip(Array(repeating: 0x61, count: 10_000), every: .milliseconds(100)),
            ]
        }
        let limits = HTTPLimits(slowness: HTTPLimits.Slowness(bytesPerSecond: 1000, for: .seconds(1)))
        #expect(failure(stub.url, limits: limits) == .timedOut(.slowness))
    }

    @Test("A body is taken up to its limit, and not a byte further")
    func bodySize() throws {
        let stub = try HTTPStub { request in
            let size = Int(request.target.dropFirst()) ?? 0
            return [.answer(body: Array(repeating: 0x61, count: size))]
        }
        let limits = HTTPLimits(body: 1000)
        #expect(try fetch(stub.url + "/1000", limits: limits).body.count == 1000)
        #expect(failure(stub.url + "/1001", limits: limits) == .tooLarge(.body, limit: 1000))
        #expect(try fetch(stub.url + "/0", limits: HTTPLimits(body: 0)).body.isEmpty)
        #expect(failure(stub.url + "/1", limits: HTTPLimits(body: 0)) == .tooLarge(.body, limit: 0))
    }

    @Test("A body without end is too large, however it is sent")
    func endlessBody() throws {
        let chunk = Array("F4240\r\n".utf8) + megabyte + Array("\r\n".utf8)
        let stub = try HTTPStub { [megabyte] request in
            request.target == "/chunked"
                ? [.text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), .endless(chunk)]
                : [.text("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"), .endless(megabyte)]
        }
        for path in ["/chunked", "/closing"] {
            #expect(failure(stub.url + path) == .tooLarge(.body, limit: 10_000_000))
        }
    }

    @Test("An announced length above the limit is enough to stop")
    func announcedLength() throws {
        let stub = try HTTPStub { _ in
            [.text("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"), .hang]
        }
        #expect(failure(stub.url) == .tooLarge(.body, limit: 10_000_000))
    }

    @Test("A small body that unpacks to a large one is too large")
    func compressedBody() throws {
        let stub = try HTTPStub { _ in
            [.answer(headers: [("Content-Encoding", "deflate")], body: deflatedMegabyte)]
        }
        #expect(try fetch(stub.url).body == [UInt8](repeating: 0, count: 1_000_000))
        #expect(failure(stub.url, limits: HTTPLimits(body: 999_999)) == .tooLarge(.body, limit: 999_999))
    }

    @Test("Headers are taken up to their limit: many, long, interim, or as trailers")
    func headerSize() throws {
        let filler = Array("X-Filler: \(String(repeating: "a", count: 1000))\r\n".utf8)
        let stub = try HTTPStub { request in
            switch request.target {
            case "/many": [.text("HTTP/1.1 200 OK\r\n"), .endless(filler)]
            case "/long":
                [.text("HTTP/1.1 200 OK\r\nX-Long: "), .endless(Array(repeating: 0x61, count: 1000))]
            case "/interim": [.endless(Array("HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n".utf8))]
            case "/trailers":
                [
                    .text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"),
                    .endless(filler),
                ]
            default: [.answer(headers: [("X-Filler", String(repeating: "a", count: 60_000))])]
            }
        }
        #expect(try fetch(stub.url).headers["X-Filler"]?.count == 60_000)
        for path in ["/many", "/long", "/interim", "/trailers"] {
            #expect(failure(stub.url + path) == .tooLarge(.headers, limit: 65_536), "\(path)")
        }
    }
}

/// A million zero bytes, packed (zlib).
private let deflatedMegabyte: [UInt8] =
    [120, 218, 237, 193, 1, 1, 0, 0, 0, 130, 32, 255, 175, 110, 72, 64, 1] + [UInt8](repeating: 0, count: 968)
    + [175, 6, 67, 33, 0, 1]
