/// Which addresses a request may reach: the public internet, and what is named here.
///
/// Whoever supplies a URL must not get at what only this machine can reach: its own ports, the private
/// network, the cloud's metadata service. The policy is asked about the address of every socket that is
/// opened and of every connection that is used again, so no spelling of a host, no redirect and no change of
/// the name's address gets around it.
public struct AddressPolicy: Hashable, Sendable {
    /// What is allowed besides the public internet.
    public let allowed: [Allowance]

    public init(allowing allowed: [Allowance] = []) { self.allowed = allowed }

    /// A host or network that may be reached wherever it is, on one port or on all.
    public struct Allowance: Hashable, Sendable {
        enum Place: Hashable, Sendable {
            /// All addresses of that name: whoever answers for it is trusted.
            case host(String)
            case network(IPNetwork)
        }

        let place: Place
        let port: UInt16?

        /// Reads `name`, `name:port`, `address`, `address:port`, `[address]:port` or `network/bits`. Nil when
        /// it is none of them.
        public init?(_ text: String) {
            if let network = IPNetwork(text) {
                (place, port) = (.network(network), nil)
                return
            }
            let (host, port) = splitPort(text)
            if let port, UInt16(port) == nil || !port.utf8.allSatisfy(\.isDigit) { return nil }
            self.port = port.flatMap { UInt16($0) }
            if let address = IPNetwork(host), !host.contains("/") {
                place = .network(address)
            } else if isHostName(host), IPAddress(canonicalHost(host)) == nil {
                place = .host(canonicalHost(host))
            } else {
                return nil
            }
        }

        func covers(_ address: IPAddress, host: String, port: UInt16) -> Bool {
            guard self.port == nil || self.port == port else { return false }
            return switch place {
            case .host(let name): name == canonicalHost(host)
            case .network(let network): network.contains(address)
            }
        }
    }

    /// Why the address must not be reached, in words; nil when it may be.
    ///
    /// - Parameters:
    ///   - address: what is connected to, never what a URL says.
    ///   - host: the name in the URL, for allowances by name.
    public func refusal(of address: IPAddress, host: String, port: UInt16) -> String? {
        let address = address.unmapped
        if allowed.contains(where: { $0.covers(address, host: host, port: port) }) { return nil }
        return specialUse(of: address)
    }
}

/// A host as it is compared: letters small, no dot at the end.
private func canonicalHost(_ host: String) -> String {
    let small = host.asciiLowercased
    return small.hasSuffix(".") ? String(small.dropLast()) : small
}

/// Labels with points between them, one more at the end at most.
private func isHostName(_ text: String) -> Bool {
    text.utf8.allSatisfy { $0 >= 0x80 || $0.isTokenByte && $0 != 0x25 && $0 != 0x2a }
        && canonicalHost(text).utf8.split(separator: 0x2e, omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty }
}

/// Takes `:port` off the end, and brackets off an IPv6 address.
private func splitPort(_ text: String) -> (host: String, port: String?) {
    if text.hasPrefix("["), let end = text.lastIndex(of: "]") {
        let host = String(text[text.index(after: text.startIndex)..<end])
        let rest = text[text.index(after: end)...]
        if rest.isEmpty { return (host, nil) }
        return (host, rest.hasPrefix(":") ? String(rest.dropFirst()) : "")
    }
    guard let colon = text.lastIndex(of: ":") else { return (text, nil) }
    return (String(text[..<colon]), String(text[text.index(after: colon)...]))
}

// MARK: What the public internet is not

/// Why an address is not on the public internet (the IANA special-purpose address registries).
private func specialUse(of address: IPAddress) -> String? {
    switch address {
    case .v4(let number):
        return specialNetworks4.first { $0.contains(number) }?.reason
    case .v6(let number):
        if let network = specialNetworks6.first(where: { $0.contains(number) }) { return network.reason }
        if let hidden = embedded(in: number), let reason = specialUse(of: .v4(hidden)) {
            return "\(reason), inside an IPv6 address"
        }
        return number >> 125 == 0b001 || isWellKnownNAT64(number) ? nil : "not a public address"
    }
}

/// The IPv4 address that a translator or tunnel would go on to.
///
/// Mapped addresses never come here; IPv4-compatible ones, 6to4 and Teredo are refused whatever they hold.
private func embedded(in number: UInt128) -> UInt32? {
    if isWellKnownNAT64(number) { return UInt32(truncatingIfNeeded: number) }
    let identifier = UInt32(truncatingIfNeeded: number >> 32)
    let isISATAP = identifier == 0x0000_5efe || identifier == 0x0200_5efe
    return isISATAP ? UInt32(truncatingIfNeeded: number) : nil
}

/// 64:ff9b::/96
private func isWellKnownNAT64(_ number: UInt128) -> Bool { number >> 32 == 0x64_ff9b_0000_0000_0000_0000 }

private struct SpecialNetwork<Number: FixedWidthInteger & Sendable>: Sendable {
    let first: Number
    let bits: Int
    let reason: String

    init(_ first: Number, _ bits: Int, _ reason: String) {
        self.first = first
        self.bits = bits
        self.reason = reason
    }

    func contains(_ number: Number) -> Bool { (first ^ number) >> (Number.bitWidth - bits) == 0 }
}

private let specialNetworks4: [SpecialNetwork<UInt32>] = [
    SpecialNetwork(0x0000_0000, 8, "this machine"), // 0.0.0.0/8
    SpecialNetwork(0x0a00_0000, 8, "a private network"), // 10.0.0.0/8
    SpecialNetwork(0x6440_0000, 10, "a provider's shared network"), // 100.64.0.0/10
    SpecialNetwork(0x7f00_0000, 8, "this machine"), // 127.0.0.0/8
    SpecialNetwork(0xa9fe_a9fe, 32, "the cloud's metadata service"), // 169.254.169.254
    SpecialNetwork(0xa83f_8110, 32, "the cloud's platform service"), // 168.63.129.16
    SpecialNetwork(0xa9fe_0000, 16, "the local link"), // 169.254.0.0/16
    SpecialNetwork(0xac10_0000, 12, "a private network"), // 172.16.0.0/12
    SpecialNetwork(0xc000_0000, 24, "reserved"), // 192.0.0.0/24
    SpecialNetwork(0xc000_0200, 24, "reserved for documentation"), // 192.0.2.0/24
    SpecialNetwork(0xc058_6300, 24, "a 6to4 relay"), // 192.88.99.0/24
    SpecialNetwork(0xc0a8_0000, 16, "a private network"), // 192.168.0.0/16
    SpecialNetwork(0xc612_0000, 15, "reserved for benchmarks"), // 198.18.0.0/15
    SpecialNetwork(0xc633_6400, 24, "reserved for documentation"), // 198.51.100.0/24
    SpecialNetwork(0xcb00_7100, 24, "reserved for documentation"), // 203.0.113.0/24
    SpecialNetwork(0xe000_0000, 4, "multicast"), // 224.0.0.0/4
    SpecialNetwork(0xf000_0000, 4, "reserved"), // 240.0.0.0/4, broadcast included
]

/// Outside 2000::/3 nothing is public anyway: what is named here only gets the better word.
private let specialNetworks6: [SpecialNetwork<UInt128>] = [
    SpecialNetwork(0, 127, "this machine"), // :: and ::1
    SpecialNetwork(0, 96, "an IPv4 address in a retired form"), // ::a.b.c.d
    SpecialNetwork(0x0064_ff9b_0001 << 80, 48, "a local translator"), // 64:ff9b:1::/48
    SpecialNetwork(0x0100 << 112, 64, "discarded"), // 100::/64
    SpecialNetwork(0x2001_0000 << 96, 32, "a Teredo tunnel"), // 2001::/32
    SpecialNetwork(0x2001_0000 << 96, 23, "reserved"), // 2001::/23
    SpecialNetwork(0x2001_0db8 << 96, 32, "reserved for documentation"), // 2001:db8::/32
    SpecialNetwork(0x2002 << 112, 16, "a 6to4 tunnel"), // 2002::/16
    SpecialNetwork(0x3fff << 112, 20, "reserved for documentation"), // 3fff::/20
    SpecialNetwork(0xfc00 << 112, 7, "a private network"), // fc00::/7
    SpecialNetwork(0xfe80 << 112, 10, "the local link"), // fe80::/10
    SpecialNetwork(0xfec0 << 112, 10, "a private network"), // fec0::/10
    SpecialNetwork(0xff00 << 112, 8, "multicast"), // ff00::/8
]
