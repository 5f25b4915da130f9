import Foundation
import HTTP
import TestSupport
import Testing

@Suite(.enabled(if: TLSServer.isPossible, "there is no openssl command"))
struct TLSTests {
    private func fetch(
        _ url: String, trusting file: String? = nil
    ) throws(HTTPFailure) -> HTTPResponse {
        try HTTPClient(HTTPClient.Settings(certificateAuthorities: file))
            .fetch(HTTPRequest("GET", url, policy: toLoopback))
    }

    /// What is wrong with TLS; nil when something else is, or nothing.
    private func tlsFailure(_ body: () throws(HTTPFailure) -> HTTPResponse) -> String? {
        do throws(HTTPFailure) {
            _ = try body()
            return nil
        } catch {
            guard case .tls(_, let reason) = error else { return nil }
            return reason
        }
    }

    @Test("A certificate of an authority that is trusted, for the host that is asked, is enough")
    func trusted() throws {
        let server = try TLSServer()
        let client = try HTTPClient(HTTPClient.Settings(certificateAuthorities: server.certificate))
        for host in ["localhost", "127.0.0.1"] {
            let request = HTTPRequest("GET", "https://\(host):\(server.port)/", policy: toLoopback)
            #expect(try client.fetch(request).status == 200)
        }
    }

    @Test("A certificate that nobody vouches for is refused")
    func untrusted() throws {
        let server = try TLSServer()
        let reason = tlsFailure { () throws(HTTPFailure) in
            try fetch("https://localhost:\(server.port)/path?key=secret")
        }
        #expect(reason?.contains("certificate") == true)
        #expect(reason?.contains("secret") == false)
    }

    @Test("A certificate for another host is refused")
    func otherHost() throws {
        let server = try TLSServer()
        #expect(
            tlsFailure { () throws(HTTPFailure) in
                try fetch("https://a.localhost:\(server.port)/", trusting: server.certificate)
            }?.contains("a.localhost") == true)
    }

    @Test("TLS below 1.2 is refused")
    func oldProtocol() throws {
        let server = try TLSServer("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
        #expect(
            tlsFailure { () throws(HTTPFailure) in
                try fetch("https://localhost:\(server.port)/", trusting: server.certificate)
            } != nil)
    }

    @Test("A file of authorities that cannot be read trusts nobody")
    func noAuthorities() throws {
        let server = try TLSServer()
        #expect(
            tlsFailure { () throws(HTTPFailure) in
                try fetch("https://localhost:\(server.port)/", trusting: server.certificate + ".missing")
            } != nil)
    }
}

/// A TLS server with a certificate that it signed itself, for localhost and 127.0.0.1.
private final class TLSServer {
    let certificate: String
    let port: UInt16
    private let folder: String
    private let process: Process

    static let isPossible = (try? openssl("version").waitUntilExit()) != nil

    init(_ options: String...) throws {
        // TLS writes without MSG_NOSIGNAL: the daemon ignores the signal too.
        signal(SIGPIPE, SIG_IGN)
        folder = NSTemporaryDirectory() + "concierge-tls-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        certificate = folder + "/certificate.pem"
        let key = folder + "/key.pem"
        try Self.openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2",
            "-keyout", key, "-out", certificate, "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"
        ).waitUntilExit()

        let output = Pipe()
        process = try Self.openssl(
            ["s_server", "-accept", "127.0.0.1:0", "-key", key, "-cert", certificate, "-www"] + options,
            output: output)
        var text = ""
        while !text.contains("ACCEPT") || !text.hasSuffix("\n") {
            let more = output.fileHandleForReading.availableData
            try #require(!more.isEmpty, "openssl s_server has ended: \(text)")
            text += String(decoding: more, as: UTF8.self)
        }
        port = try #require(text.split { !$0.isNumber }.last.flatMap { UInt16($0) })
    }

    deinit {
        kill(process.processIdentifier, SIGKILL) // SIGTERM may be blocked in the children of a test
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: folder)
    }

    private static func openssl(_ arguments: String...) throws -> Process {
        try openssl(arguments, output: nil)
    }

    private static func openssl(_ arguments: [String], output: Pipe?) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardOutput = output ?? FileHandle.nullDevice
        try process.run()
        return process
    }
}
