import Glibc
import HTTP
import TestSupport
import Testing

/// The policy by itself: which addresses are public.
struct AddressPolicyTests {
    private func refusal(
        _ address: String, allowing allowed: [String] = [], host: String = "example.org", port: UInt16 = 443
    ) throws -> String? {
        let policy = AddressPolicy(allowing: try allowed.map { try #require(AddressPolicy.Allowance($0)) })
        return policy.refusal(of: try #require(IPAddress(address)), host: host, port: port)
    }

    @Test(
        "Public addresses are allowed",
        arguments: [
            "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0",
            "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
            "2606:4700::1111", "2a00:1450::1", "2001:200::1", "2620:fe::9", "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2606:4700::5efe:101:101",
        ])
    func publicAddresses(_ address: String) throws {
        #expect(try refusal(address) == nil)
    }

    @Test(
        "Addresses of special use are refused, at both ends of their range",
        arguments: [
            "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
            "127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.255.255",
            "168.63.129.16",
            "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.192", "192.0.2.1", "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
            "239.255.255.255", "240.0.0.1", "255.255.255.255",
            "::", "::1", "::2", "::7f00:1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254",
            "64:ff9b:1::1", "64:ff9b:1::8.8.8.8", "64:ff9b:0:0:1::", "100::1", "2001::1",
            "2001:0:4136:e378::1",
            "2001:10::1", "2001:db8::1", "2002::1", "2002:7f00:1::", "2002:a00:1::1", "2002:808:808::1",
            "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fdff:ffff::1", "fe80::1", "febf::1",
            "fec0::1", "feff::1", "ff00::1", "ff02::1", "ff0e::1", "2606:4700::5efe:10.0.0.1",
            "2606:4700::200:5efe:127.0.0.1",
        ])
    func specialAddresses(_ address: String) throws {
        #expect(try refusal(address) != nil)
    }

    @Test("The reason is in words")
    func reasons() throws {
        #expect(try refusal("169.254.169.254") == "the cloud's metadata service")
        #expect(try refusal("::ffff:192.168.1.1") == "a private network")
        #expect(try refusal("64:ff9b::7f00:1") == "this machine, inside an IPv6 address")
        #expect(try refusal("4000::1") == "not a public address")
    }

    @Test("An allowance covers its host, network and port, and nothing else")
    func allowances() throws {
        #expect(try refusal("10.1.2.3", allowing: ["10.0.0.0/8"]) == nil)
        #expect(try refusal("::ffff:10.1.2.3", allowing: ["10.0.0.0/8"]) == nil)
        #expect(try refusal("64:ff9b::10.1.2.3", allowing: ["10.0.0.0/8"]) != nil)
        #expect(try refusal("10.1.2.3", allowing: ["10.1.2.4", "10.2.0.0/16", "::/0"]) != nil)
        #expect(try refusal("10.1.2.3", allowing: ["10.1.2.3:443"]) == nil)
        #expect(try refusal("10.1.2.3", allowing: ["10.1.2.3:444"]) != nil)
        #expect(try refusal("::1", allowing: ["[::1]:443"]) == nil)
        #expect(try refusal("::1", allowing: ["[::1]:80"]) != nil)
        #expect(try refusal("::1", allowing: ["::1"]) == nil)
        #expect(try refusal("fd00::1", allowing: ["fd00::/8"]) == nil)
        #expect(try refusal("fd00::1", allowing: ["0.0.0.0/0"]) != nil)
        #expect(try refusal("10.0.0.1", allowing: ["Models.Internal."], host: "models.internal") == nil)
        #expect(try refusal("10.0.0.1", allowing: ["models.internal"], host: "MODELS.internal.") == nil)
        #expect(try refusal("10.0.0.1", allowing: ["models.internal:443"], host: "models.internal") == nil)
        #expect(try refusal("10.0.0.1", allowing: ["models.internal:80"], host: "models.internal") != nil)
        #expect(try refusal("10.0.0.1", allowing: ["internal"], host: "models.internal") != nil)
        #expect(
            try refusal("10.0.0.1", allowing: ["models.internal"], host: "models.internal.evil.org") != nil)
    }

    @Test(
        "What is no host or network is no allowance",
        arguments: [
            "", " ", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/", "10.0.0.0/8/8", "::/129",
            "a b",
            "host:", "host:99999", "host:-1", "host:+1", "[::1", "[::1]x", "[::1]:", "http://host",
            "*.example.org",
            "host/8", "a\0b", ":80", ".", "..", "a..b", ".a", "a..", ".:80", "127.0.0.1.",
        ])
    func badAllowances(_ text: String) {
        #expect(AddressPolicy.Allowance(text) == nil)
    }
}

/// The policy at work, against a server that is there.
struct RefusalTests {
    @Test(
        "This machine is refused in every spelling",
        arguments: [
            "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7F.0.0.1", "0177.0.0.1", "0177.1",
            "017700000001", "0", "0.0.0.0", "127.0.0.1.", "127.255.255.254", "localhost", "LOCALHOST",
            "localhost.",
            "a.localhost", "%31%32%37.0.0.1", "１２７.0.0.1", "①②⑦.⓪.⓪.①", "127。0。0。1",
        ])
    func loopback(_ host: String) throws {
        let stub = try HTTPStub { _ in [.answer()] }
        let failure = failure("http://\(host):\(stub.port)/", policy: AddressPolicy())
        if case .addressRefused(_, _, let reason) = failure { #expect(reason == "this machine") }
        // Not every version of libcurl takes every spelling for an address: some take it for a bad name.
        switch failure {
        case .addressRefused, .badURL, .couldNotResolve: break
        default: Issue.record("\(host): \(String(describing: failure))")
        }
        #expect(stub.connections == 0)
    }

    @Test(
        "This machine is refused in the spellings that libcurl understands",
        arguments: ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "localhost"])
    func understood(_ host: String) throws {
        let stub = try HTTPStub { _ in [.answer()] }
        guard case .addressRefused = failure("http://\(host):\(stub.port)/", policy: AddressPolicy()) else {
            Issue.record("not refused for its address")
            return
        }
        #expect(try fetch("http://\(host):\(stub.port)/", policy: everywhere).status == 200)
    }

    @Test(
        "Addresses of private use are refused before anything is sent",
        arguments: [
            "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
            "255.255.255.255",
        ])
    func privateAddresses(_ host: String) {
        guard case .addressRefused(host, host, _) = failure("http://\(host)/", policy: AddressPolicy()) else {
            Issue.record("not refused")
            return
        }
    }

    @Test(
        "IPv6 addresses are refused in every form", .enabled(if: hasIPv6, "this machine has no IPv6"),
        arguments: [
            "::1", "::", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:7f00:0001",
            "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::", "fe80::1",
            "fe80::1%251", "fc00::1", "fd00:ec2::254", "ff02::1",
        ])
    func addresses6(_ host: String) throws {
        let stub = try HTTPStub { _ in [.answer()] }
        let failure = failure("http://[\(host)]:\(stub.port)/", policy: AddressPolicy())
        guard case .addressRefused = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(stub.connections == 0)
    }

    @Test("What a redirect leads to is judged like a first request")
    func redirected() throws {
        let secret = try HTTPStub { _ in [.answer(body: Array("secret".utf8))] }
        let targets = [
            "http://127.0.0.1:\(secret.port)/", "http://2130706433:\(secret.port)/",
            "http://a.localhost:\(secret.port)/",
            "//127.0.0.1:\(secret.port)/", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/",
        ]
        let stub = try HTTPStub { request in
            [.redirect(to: targets[Int(request.target.dropFirst()) ?? 0])]
        }
        let onlyStub = AddressPolicy(allowing: [try #require(.init("127.0.0.1:\(stub.port)"))])
        for index in targets.indices {
            let failure = failure("\(stub.url)/\(index)", limits: HTTPLimits(redirects: 3), policy: onlyStub)
            guard case .addressRefused = failure else {
                Issue.record("\(targets[index]): \(String(describing: failure))")
                continue
            }
        }
        #expect(stub.requests.count == targets.count)
        #expect(secret.connections == 0)
    }

    @Test("A connection that another request was allowed to open is not open to all")
    func sharedConnections() throws {
        let stub = try HTTPStub { _ in [.answer()] }
        let client = try HTTPClient()
        #expect(try client.fetch(HTTPRequest("GET", stub.url, policy: toLoopback)).status == 200)
        let refused = HTTPFailure.addressRefused(
            host: "127.0.0.1", address: "127.0.0.1", reason: "this machine")
        #expect(throws: refused) { try client.fetch(HTTPRequest("GET", stub.url)) }
        #expect(try client.fetch(HTTPRequest("GET", stub.url, policy: toLoopback)).status == 200)
        #expect(stub.requests.count == 2)
    }

    @Test("An allow list opens one host, network or port")
    func allowList() throws {
        let (one, two) = (try HTTPStub { _ in [.answer()] }, try HTTPStub { _ in [.answer()] })
        func policy(_ text: String) throws -> AddressPolicy {
            AddressPolicy(allowing: [try #require(.init(text))])
        }
        #expect(try fetch(one.url, policy: policy("127.0.0.0/8")).status == 200)
        #expect(try fetch(one.url, policy: policy("127.0.0.1:\(one.port)")).status == 200)
        #expect(try fetch("http://localhost:\(one.port)/", policy: policy("localhost")).status == 200)
        #expect(
            try fetch("http://localhost:\(one.port)/", policy: policy("LOCALHOST:\(one.port)")).status == 200)
        for (url, text) in [
            (two.url, "127.0.0.1:\(one.port)"), (two.url, "10.0.0.0/8"), (two.url, "localhost"),
            ("http://a.localhost:\(two.port)/", "localhost"),
            ("http://localhost:\(two.port)/", "localhost:\(one.port)"),
        ] {
            guard case .addressRefused = failure(url, policy: try policy(text)) else {
                Issue.record("\(url) is open to \(text)")
                continue
            }
        }
        #expect(two.connections == 0)
    }

    @Test("A refusal names the host and the address, and tells not to try again")
    func words() {
        let failure = failure("http://127.1/path?key=secret", policy: AddressPolicy())
        #expect(failure?.description == "the address 127.0.0.1 of 127.0.0.1 is refused: this machine")
        #expect(failure?.mayPass == false)
    }

    // Tests that change the whole process run in one of their own, which Swift Testing has since 6.2.
    #if compiler(>=6.2)
        @Test("A proxy named in the environment is not used")
        func environment() async {
            await #expect(processExitsWith: .success) {
                let target = try HTTPStub { _ in [.answer(body: Array("direct".utf8))] }
                let proxy = try HTTPStub { _ in [.answer(body: Array("by proxy".utf8))] }
                for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
                    setenv(name, proxy.url, 1)
                }
                unsetenv("no_proxy")
                unsetenv("NO_PROXY")
                #expect(try fetch(target.url).text == "direct")
                let mute = try HTTPStub(onConnect: [.text("no TLS")]) { _ in [] }
                guard case .tls = failure("https://127.0.0.1:\(mute.port)/") else { exit(2) }
                exit(proxy.connections == 0 && target.connections == 1 ? 0 : 3)
            }
        }
    #endif
}

/// A policy that refuses nothing that is IPv4.
private let everywhere = AddressPolicy(allowing: ["0.0.0.0/0"].compactMap { .init($0) })

private let hasIPv6: Bool = {
    let descriptor = socket(AF_INET6, Int32(SOCK_DGRAM.rawValue), 0)
    if descriptor >= 0 { close(descriptor) }
    return descriptor >= 0
}()
