import Glibc

/// An address on the internet, as a number.
public enum IPAddress: Hashable, Sendable {
    case v4(UInt32)
    case v6(UInt128)

    /// Reads the forms of inet_pton(3): four decimals with points, or RFC 4291. `127.1` and `0x7f000001` are
    /// not addresses here; what becomes of them is seen when a socket is opened.
    public init?(_ text: String) {
        guard !text.utf8.contains(0) else { return nil }
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self = .v4(UInt32(bigEndian: four.s_addr))
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            self = .v6(UInt128(bigEndian: withUnsafeBytes(of: &six) { $0.loadUnaligned(as: UInt128.self) }))
        } else {
            return nil
        }
    }

    /// Reads the address and port of a socket; nil when it is not of the internet.
    static func read(socketAddress bytes: UnsafeRawBufferPointer) -> (IPAddress, port: UInt16)? {
        guard bytes.count >= MemoryLayout<sa_family_t>.size else { return nil }
        switch Int32(bytes.loadUnaligned(as: sa_family_t.self)) {
        case AF_INET where bytes.count >= MemoryLayout<sockaddr_in>.size:
            let four = bytes.loadUnaligned(as: sockaddr_in.self)
            return (.v4(UInt32(bigEndian: four.sin_addr.s_addr)), UInt16(bigEndian: four.sin_port))
        case AF_INET6 where bytes.count >= MemoryLayout<sockaddr_in6>.size:
            let six = bytes.loadUnaligned(as: sockaddr_in6.self)
            let number = withUnsafeBytes(of: six.sin6_addr) { $0.loadUnaligned(as: UInt128.self) }
            return (.v6(UInt128(bigEndian: number)), UInt16(bigEndian: six.sin6_port))
        default:
            return nil
        }
    }

    /// The IPv4 address that the system really talks to when given this IPv6 one (`::ffff:a.b.c.d`).
    var unmapped: IPAddress {
        guard case .v6(let number) = self, number >> 32 == 0xffff else { return self }
        return .v4(UInt32(truncatingIfNeeded: number))
    }
}

extension IPAddress: CustomStringConvertible {
    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        switch self {
        case .v4(let number):
            var bytes = number.bigEndian
            inet_ntop(AF_INET, &bytes, &text, socklen_t(text.count))
        case .v6(let number):
            var bytes = number.bigEndian
            inet_ntop(AF_INET6, &bytes, &text, socklen_t(text.count))
        }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// All addresses that begin with the same bits.
public struct IPNetwork: Hashable, Sendable {
    public let first: IPAddress
    public let bits: Int

    /// Reads `10.0.0.0/8`, or a single address. Bits after the prefix do not matter.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
        let width =
            switch address {
            case .v4: 32
            case .v6: 128
            }
        guard parts.count == 2 else {
            self.init(address, width)
            return
        }
        // Int takes a sign, which no prefix length has.
        guard parts[1].utf8.allSatisfy(\.isDigit), let bits = Int(parts[1]), bits <= width else { return nil }
        self.init(address, bits)
    }

    private init(_ first: IPAddress, _ bits: Int) {
        self.first = first
        self.bits = bits
    }

    /// Whether the address is one of them. An IPv4 address is never in an IPv6 network.
    public func contains(_ address: IPAddress) -> Bool {
        switch (first, address) {
        case (.v4(let mine), .v4(let other)): (mine ^ other) >> (32 - bits) == 0
        case (.v6(let mine), .v6(let other)): (mine ^ other) >> (128 - bits) == 0
        default: false
        }
    }
}
