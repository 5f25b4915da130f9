import Glibc
import HTTP
import TestSupport
import Testing

struct FailureTests {
    @Test(
        "What is not HTTP, or ends before its end, is a broken answer",
        arguments: [
            ("garbage", "\u{0}\u{1}\u{2}no such thing\r\n\r\n"),
            ("HTTP/0.9", "<html>hello</html>"),
            ("nothing", ""),
            ("half a status line", "HTTP/1.1 2"),
            ("no status", "HTTP/1.1 OK\r\n\r\n"),
            ("half a head", "HTTP/1.1 200 OK\r\nContent-Len"),
            ("a head without its end", "HTTP/1.1 200 OK\r\nX-One: 1\r\n"),
            ("an interim answer and no other", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n"),
            ("a short body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
            (
                "a chunk size that is none",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"
            ),
            (
                "a chunk size beyond all measure",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello"
            ),
            (
                "chunks without the last",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
            ),
            ("a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello"),
            ("a wordy length", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhello"),
            (
                "a body that does not unpack",
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"
            ),
        ])
    func brokenAnswers(_ name: String, _ answer: String) throws {
        let stub = try HTTPStub { _ in [.text(answer), .close] }
        let failure = failure(stub.url + "/path?key=secret")
        guard case .brokenAnswer(let reason) = failure else {
            Issue.record("\(name): \(String(describing: failure))")
            return
        }
        #expect(!reason.contains("secret"))
        #expect(failure?.mayPass == true)
    }

    @Test(
        "A connection that is reset is a broken answer",
        arguments: ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel"])
    func reset(_ answer: String) throws {
        let stub = try HTTPStub { _ in [.text(answer), .reset] }
        guard case .brokenAnswer = failure(stub.url) else {
            Issue.record("no broken answer")
            return
        }
    }

    @Test("Where nobody listens, the connection fails and says why")
    func nobodyListens() throws {
        let port = try { try HTTPStub { _ in [.hang] }.port }()
        let failure = failure("http://127.0.0.1:\(port)/path?key=secret")
        #expect(failure == .couldNotConnect(host: "127.0.0.1", reason: "Connection refused"))
        #expect(failure?.mayPass == true)
    }

    @Test("A name that cannot be is not looked up")
    func noSuchName() {
        // Longer than a label may be: no name server is asked.
        let host = String(repeating: "x", count: 70) + ".invalid"
        #expect(failure("http://\(host)/?key=secret") == .couldNotResolve(host: host))
    }

    @Test(
        "A URL that cannot be understood is refused at once, and not repeated",
        arguments: [
            "", "secret", "//secret/", "/secret", "http://", "http://exa mple/secret",
            "http://example.org:99999/secret", "http://example.org:port/secret", "http://[::1/secret",
            "http://user:secret@example.org/", "http://secret@example.org/", "http://example.org/\0secret",
            "http://example.org/\nsecret", "http://[::1%25]secret/",
        ])
    func badURLs(_ url: String) throws {
        let client = try HTTPClient()
        let failure = #expect(throws: HTTPFailure.self) { try client.start(HTTPRequest("GET", url)) }
        guard case .badURL = failure else {
            Issue.record("\(url.debugDescription): \(String(describing: failure))")
            return
        }
        #expect("\(failure.map(String.init(describing:)) ?? "")".contains("secret") == false)
        #expect(failure?.mayPass == false)
    }

    @Test(
        "Only http and https are spoken",
        arguments: [
            ("file:///etc/passwd", "file"), ("ftp://example.org/", "ftp"),
            ("gopher://127.0.0.1:6379/_x", "gopher"),
            ("dict://127.0.0.1:11211/stats", "dict"), ("FILE:///etc/passwd", "file"),
            ("ldap://example.org/", "ldap"),
            ("javascript://example.org/", "javascript"), ("ws://example.org/", "ws"),
        ])
    func schemes(_ url: String, _ scheme: String) throws {
        let client = try HTTPClient()
        #expect(throws: HTTPFailure.schemeRefused(scheme)) { try client.start(HTTPRequest("GET", url)) }
    }

    @Test("A redirect to another scheme, or to what is no URL, is refused like a first request")
    func badRedirects() throws {
        let stub = try HTTPStub { request in
            switch request.target {
            case "/file": [.redirect(to: "file:///etc/passwd")]
            case "/ftp": [.redirect(to: "ftp://127.0.0.1/")]
            case "/user": [.redirect(to: "http://user:secret@127.0.0.1/")]
            default: [.redirect(to: "http://[secret/")]
            }
        }
        let limits = HTTPLimits(redirects: 5)
        #expect(failure(stub.url + "/file", limits: limits) == .schemeRefused("file"))
        #expect(failure(stub.url + "/ftp", limits: limits) == .schemeRefused("ftp"))
        #expect(failure(stub.url + "/user", limits: limits) == .badURL("it holds a user name or password"))
        guard case .badURL(let reason) = failure(stub.url + "/bad", limits: limits) else {
            Issue.record("the redirect was taken")
            return
        }
        #expect(!reason.contains("secret"))
        #expect(stub.requests.count == 4)
    }

    @Test("A TLS server that speaks no TLS is a TLS failure")
    func noTLS() throws {
        let stub = try HTTPStub(onConnect: [.text("HTTP/1.1 400 Bad Request\r\n\r\n")]) { _ in [.answer()] }
        guard case .tls(let host, let reason) = failure("https://127.0.0.1:\(stub.port)/?key=secret") else {
            Issue.record("no TLS failure")
            return
        }
        #expect(host == "127.0.0.1")
        #expect(!reason.isEmpty && !reason.contains("secret"))
    }

    // Tests that change the whole process run in one of their own, which Swift Testing has since 6.2.
    #if compiler(>=6.2)
        @Test("Without descriptors a transfer fails, and succeeds when there are some again")
        func noDescriptors() async {
            await #expect(processExitsWith: .success) {
                let stub = try HTTPStub { _ in [.answer(), .close] }
                let client = try HTTPClient()
                #expect(try client.fetch(HTTPRequest("GET", stub.url, policy: toLoopback)).status == 200)
                var limit = rlimit()
                getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                var none = rlimit(rlim_cur: 0, rlim_max: limit.rlim_max)
                setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &none)
                let refused = #expect(throws: HTTPFailure.self) {
                    try client.fetch(HTTPRequest("GET", stub.url, policy: toLoopback))
                }
                setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                guard case .unavailable = refused else { exit(2) }
                #expect(try client.fetch(HTTPRequest("GET", stub.url, policy: toLoopback)).status == 200)
            }
        }
    #endif
}
