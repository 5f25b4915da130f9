import HTTP
import TestSupport
import Testing

@testable import Models

/// Signatures as botocore 1.44.5 makes them, its clock set to 2026-11-21T09:30:05Z:
///
/// ```python
/// request = AWSRequest("POST", "https://bedrock-runtime.eu-central-1.amazonaws.com" + path, data=body,
///                      headers={"Content-Type": "application/json"})
/// credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
/// SigV4Auth(credentials, "bedrock", "eu-central-1").add_auth(request)
/// ```
struct AWSSignatureTests {
    struct Vector: Sendable {
        let path: String
        var body = "{}"
        var token: String?
        let signature: String
    }

    private static let now = 1_795_253_405
    private static let key = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

    static let vectors = [
        Vector(
            path: "/model/amazon.nova-lite/converse",
            signature: "53e242bf646e7891dfd8a24460b835888a11870953caf237621e3f6506502420"),
        Vector(
            path: "/model/anthropic.claude-sonnet-v1%3A0/converse", body: #"{"messages":[]}"#,
            signature: "83c5ed7b09edf80f5df707961a655d3b19baeabe295436e26528a8ee9ce5675f"),
        Vector(
            path: "/model/anthropic.claude-sonnet-v1%3A0/converse-stream", body: #"{"a":"Zürich"}"#,
            token: "TOKEN/with+signs==",
            signature: "331e1cc00e2b7e49cacb650ae0929f6b9691c9d9fb08f21e94437f7abdd8155f"),
        Vector(
            path:
                "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2Feu.model-v1%3A0"
                + "/converse", body: "",
            signature: "8b0906d075e9a6906ca9f0e3ca9585de5634fa71a09cb9f7dded362e15a9b340"),
        Vector(
            path: "/proxy/~a/model/x%20y/converse",
            signature: "ad5ac5bdd6617934f31282066b4b109c52f6dc3212d0f966d530195ad9e462ea"),
    ]

    @Test("Requests are signed as botocore signs them", arguments: vectors)
    func signatures(_ vector: Vector) throws {
        let text = Self.key + (vector.token.map { ":\($0)" } ?? "")
        let credential = try #require(AWSCredential(text))
        let signature = AWSSignature(credential: credential, region: "eu-central-1", service: "bedrock")
        let headers = try #require(
            signature.headers(
                path: vector.path, host: "bedrock-runtime.eu-central-1.amazonaws.com",
                contentType: "application/json",
                body: Array(vector.body.utf8), at: Self.now))
        let names = "content-type;host;x-amz-date" + (vector.token == nil ? "" : ";x-amz-security-token")
        #expect(
            headers["Authorization"]
                == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-central-1/bedrock/aws4_request, "
                + "SignedHeaders=\(names), Signature=\(vector.signature)")
        #expect(headers["X-Amz-Date"] == "20261121T093005Z")
        #expect(headers["X-Amz-Security-Token"] == vector.token)
    }

    @Test("A model's id is one part of the path, whatever is in it")
    func path() throws {
        let settings = CallSettings(credential: Array(Self.key.utf8))
        for (model, path) in [
            ("eu.model-v1:0", "/model/eu.model-v1%3A0/converse"),
            (
                "arn:aws:bedrock:eu-central-1:1:profile/x",
                "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Aprofile%2Fx/converse"
            ),
        ] {
            var payload = try Chat.bedrock.payload("", stream: false)
            payload.provider.baseURL = nil
            payload.provider.authentication = nil
            payload.model = model
            var call = try GenerateCall(payload, settings)
            let request = try #require(try call.next(at: Self.now))
            #expect(request.url == "https://bedrock-runtime.eu-central-1.amazonaws.com" + path)
            #expect(
                request.headers["Authorization"]?.hasPrefix(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121") == true)
            #expect(try payload.provider.host() == "bedrock-runtime.eu-central-1.amazonaws.com")
        }
    }

    @Test("What is signed is what is sent")
    func sent() throws {
        let provider = try ScriptedProvider()
        var payload = try Chat.bedrock.payload(provider.url)
        payload.provider.authentication = .sigv4
        payload.model = "arn:aws:bedrock:eu-central-1:1:profile/x y"
        let settings = CallSettings(credential: Array(Self.key.utf8), policy: toLoopback.policy)
        #expect(
            try play(try GenerateCall(payload, settings), at: Self.now).answer().text == ScriptedAnswer.text)
        let request = try #require(provider.requests.first)
        #expect(
            request.target
                == "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Aprofile%2Fx%20y/converse-stream")
        let signature = AWSSignature(
            credential: try #require(AWSCredential(Self.key)), region: "eu-central-1", service: "bedrock")
        let headers = signature.headers(
            path: request.target, host: try #require(request.header("Host")),
            contentType: try #require(request.header("Content-Type")), body: request.body, at: Self.now)
        #expect(headers?["Authorization"] == request.header("Authorization"))
    }

    @Test("A secret without a colon is a bearer's key", arguments: ["ABSKQmVkcm9ja0FQSUtleQ=="])
    func bearer(_ key: String) throws {
        var payload = try Chat.bedrock.payload("http://127.0.0.1:9", stream: false)
        payload.provider.authentication = nil
        var call = try GenerateCall(payload, CallSettings(credential: Array(key.utf8)))
        #expect(try call.next(at: 0)?.headers["Authorization"] == "Bearer \(key)")
    }

    @Test("A credential has two parts or three", arguments: ["", "a", "a:", ":b", "a:b:", "::"])
    func badCredentials(_ text: String) throws {
        #expect(AWSCredential(text) == nil)
        var payload = try Chat.bedrock.payload("http://127.0.0.1:9")
        payload.provider.authentication = .sigv4
        var call = try GenerateCall(payload, CallSettings(credential: Array(text.utf8)))
        #expect { try call.next(at: 0) } throws: { ($0 as? ModelFault)?.reason == .authentication }
    }
}
