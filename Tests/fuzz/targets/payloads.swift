import FoundationEssentials

@testable import Daemon
@testable import HTTP

/// What jobs ask for: read, or refused with a sentence the database can hold; and a request keeps to its
/// limits, and its secrets to their hosts, whatever the payload says.
func check(_ input: Input) {
    let payload = input.text
    let settings = settings
    if let fetch = value("fetch", try Fetch(payload: payload)),
        let request = value("fetch", try fetch.request(settings))
    {
        require(request.method == "GET" && request.body.isEmpty, "a fetch asks, and says nothing")
        require(0...100_000_000 ~= request.limits.body && 0...20 ~= request.limits.redirects, "a fetch has limits")
        checkRequest(request)
    }
    if let delivery = value("deliver", try Delivery(payload: payload)),
        let request = value("deliver", try delivery.request(job, settings, at: 1_800_000_000))
    {
        require(request.method == "POST" && request.limits.redirects == 0, "a delivery is for who was named")
        checkRequest(request)
        checkSignature(request)
    }
    _ = value("convert", try Conversion(payload: payload))
    checkContent(Array(input.rest))
}

private let job = Job(
    id: "255", token: "1", kind: "deliver", payload: "", traceID: "0123456789abcdef0123456789abcdef")

/// One credential, `hook`, for good.example.
private let settings: EffectSettings = {
    var configuration = Configuration()
    configuration.credentials = Credentials(
        directory: credentialsFolder(), hosts: ["hook": ["good.example", "[::1]", "127.0.0.1"]])
    return EffectSettings(configuration)
}()

private func credentialsFolder() -> String {
    let folder = FileManager.default.temporaryDirectory.path + "/concierge-fuzz-credentials"
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try? Data("secret".utf8).write(to: URL(fileURLWithPath: folder + "/hook"))
    return folder
}

/// The value; nil when it was refused, which is always a `Failure` that can be written down.
private func value<Value>(_ kind: String, _ body: @autoclosure () throws -> Value) -> Value? {
    do {
        return try body()
    } catch let failure as Failure {
        require(!failure.error.isEmpty, "a refusal says why")
        require(!failure.error.utf8.contains(0), "\(failure.error.debugDescription) fits into a row")
        return nil
    } catch let failure as HTTPFailure {
        require(!failure.mayPass, "a payload is as bad tomorrow")
        return nil
    } catch {
        require(false, "a \(kind) fails with \(error)")
        return nil
    }
}

private func checkRequest(_ request: HTTPRequest) {
    require(.milliseconds(100)...(.seconds(3600)) ~= request.limits.time, "\(request.limits.time) is a time limit")
    // A request that is not refused by the client says what it means, and nothing of who asks.
    guard (try? request.check()) != nil else { return }
    for field in request.headers.fields {
        let secrets = ["authorization", "proxy-authorization", "cookie"]
        require(!secrets.contains(field.name.asciiLowercased), "\(field.name) is not a payload's to set")
    }
}

/// Where a signature goes is where libcurl goes.
private func checkSignature(_ request: HTTPRequest) {
    // The daemon adds its own last; one that the payload brought along is anybody's.
    guard request.headers.fields.last?.name == "webhook-signature", request.headers.fields.last?.value.count == 47,
        let url = try? HTTPURL(request.url)
    else { return }
    require(
        ["good.example", "::1", "127.0.0.1"].contains(url.host.lowercased()),
        "a signature for good.example goes to \(url.host), by \(request.url.debugDescription)")
}

/// A body comes back from JSON as it was, and never as what PostgreSQL's text cannot hold.
private func checkContent(_ bytes: [UInt8]) {
    let content = Content(bytes)
    require((content.text == nil) != (content.base64 == nil), "it is text or it is not")
    if let text = content.text { require(text.utf8.elementsEqual(bytes), "text is what it was") }
    if let base64 = content.base64 { require(Data(base64Encoded: base64).map { Array($0) } == bytes, "and so is base64") }
    guard case .finished(let result) = encoded(content) else { return require(false, "a body can be written") }
    let again = try? JSONDecoder().decode([String: String].self, from: Data(result.utf8))
    require(again?["text"].map { $0.isIdentical(to: content.text ?? "") } ?? true, "a body comes back as it was")
}
