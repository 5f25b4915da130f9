import Glibc
import HTTP
import TestSupport

/// Lets requests reach servers of the tests.
let toLoopback = AddressPolicy(
    allowing: ["127.0.0.1", "localhost", "a.localhost", "b.localhost"].compactMap { .init($0) })

/// What a test that goes wrong waits at most. What goes right takes milliseconds.
let patience = Duration.seconds(30)

extension HTTPClient {
    /// Waits until that many transfers are over, and returns them by ID.
    func collect(_ number: Int = 1) -> [HTTPTransfer.ID: Result<HTTPResponse, HTTPFailure>] {
        var all: [HTTPTransfer.ID: Result<HTTPResponse, HTTPFailure>] = [:]
        let end = ContinuousClock.now + patience
        while all.count < number, .now < end {
            var none: [pollfd] = []
            wait(for: &none, timeout: 1000)
            for (id, result) in finished() { all[id] = result }
        }
        return all
    }

    /// One transfer from beginning to end.
    func fetch(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
        let id = try start(request)
        guard let result = collect()[id] else { throw .unavailable("the test's patience is over") }
        return try result.get()
    }
}

/// One transfer by a client of its own.
func fetch(
    _ url: String, limits: HTTPLimits = HTTPLimits(), policy: AddressPolicy = toLoopback
) throws(HTTPFailure) -> HTTPResponse {
    try HTTPClient().fetch(HTTPRequest("GET", url, limits: limits, policy: policy))
}

/// How a transfer by a client of its own fails; nil when it does not.
func failure(
    _ url: String, limits: HTTPLimits = HTTPLimits(), policy: AddressPolicy = toLoopback
) -> HTTPFailure? {
    do throws(HTTPFailure) {
        _ = try fetch(url, limits: limits, policy: policy)
        return nil
    } catch {
        return error
    }
}

extension HTTPResponse {
    var text: String { String(decoding: body, as: UTF8.self) }
}
