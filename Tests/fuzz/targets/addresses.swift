import Glibc

@testable import HTTP

/// Addresses, networks and what may be reached: what was read is read again from what it is written as, and no
/// dress makes a private address a public one.
///
/// In front: an address of each kind, and a port.
func check(_ input: Input) {
    var input = input
    let four = input.number(UInt32.self)
    let six = input.number(UInt128.self)
    let port = input.number(UInt16.self)
    let text = input.text
    checkDresses(four, port)
    checkSocketAddress(Array(input.rest))

    var addresses = [IPAddress.v4(four), .v6(six)]
    if let address = IPAddress(text) {
        require(!text.utf8.contains { $0 == 0 || $0 >= 0x80 }, "an address is ASCII")
        addresses.append(address)
    }
    for address in addresses { require(IPAddress("\(address)") == address, "\(address) is itself") }

    if let network = IPNetwork(text) {
        let width = width(network.first)
        require(0...width ~= network.bits, "\(text) has so many bits")
        require(network.contains(network.first), "\(text) holds its first address")
        require(IPNetwork("\(network.first)/\(network.bits)") == network, "\(text) is itself")
        require(network.bits > 0 || network.contains(addresses[width == 32 ? 0 : 1]), "no bits are all addresses")
    }

    guard let allowance = AddressPolicy.Allowance(text) else { return }
    let written = render(allowance)
    require(AddressPolicy.Allowance(written) == allowance, "\(text.debugDescription) is written as \(written)")
    let policy = AddressPolicy(allowing: [allowance])
    for address in addresses {
        let isRefused = policy.refusal(of: address, host: "fuzz.invalid", port: port) != nil
        let wouldBe = AddressPolicy().refusal(of: address, host: "fuzz.invalid", port: port) != nil
        guard isRefused != wouldBe else { continue }
        require(wouldBe, "an allowance refuses nothing")
        if let wanted = allowance.port { require(port == wanted, "\(text) is for that port only") }
        switch allowance.place {
        case .host(let name): require(name == "fuzz.invalid", "\(text) is for that name only")
        case .network(let network): require(network.contains(address.unmapped), "\(text) is for that network only")
        }
    }
}

/// An IPv4 address in an IPv6 one, mapped or translated, is no more public than by itself.
private func checkDresses(_ number: UInt32, _ port: UInt16) {
    func refusal(_ address: IPAddress) -> String? { AddressPolicy().refusal(of: address, host: "h", port: port) }
    let plain = refusal(.v4(number))
    let mapped = UInt128(0xffff) << 32 | UInt128(number)
    require(refusal(.v6(mapped)) == plain, "\(IPAddress.v6(mapped)) is judged as IPv4")
    for prefix in [
        UInt128(0x64_ff9b) << 96, // NAT64
        UInt128(0x2606_4700) << 96 | UInt128(0x5efe) << 32, // ISATAP
        UInt128(0x2606_4700) << 96 | UInt128(0x0200_5efe) << 32,
    ] {
        let dressed = IPAddress.v6(prefix | UInt128(number))
        require((refusal(dressed) == nil) == (plain == nil), "\(dressed) is as public as \(IPAddress.v4(number))")
    }
    for prefix in [UInt128(0), UInt128(0x2002) << 112 | UInt128(number) << 80, UInt128(0x2001_0000) << 96] {
        let dressed = IPAddress.v6(prefix | UInt128(number))
        require(refusal(dressed) != nil, "\(dressed) is refused whatever it holds")
    }
    let bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    let isPrivate =
        switch (bytes[0], bytes[1]) {
        case (0, _), (10, _), (127, _), (169, 254), (192, 168), (172, 16...31), (100, 64...127), (224..., _): true
        default: false
        }
    if isPrivate { require(plain != nil, "\(IPAddress.v4(number)) is refused") }
}

/// What the system says of a socket, cut short or of another family.
private func checkSocketAddress(_ bytes: [UInt8]) {
    let read = bytes.withUnsafeBytes { IPAddress.read(socketAddress: $0) }
    guard let (address, port) = read else { return }
    require(bytes.count >= 16, "a short address is none")
    var copy: [UInt8]
    switch address {
    case .v4(let number):
        var four = sockaddr_in()
        (four.sin_family, four.sin_port) = (sa_family_t(AF_INET), port.bigEndian)
        four.sin_addr.s_addr = number.bigEndian
        copy = withUnsafeBytes(of: four) { Array($0) }
    case .v6(let number):
        var six = sockaddr_in6()
        (six.sin6_family, six.sin6_port) = (sa_family_t(AF_INET6), port.bigEndian)
        withUnsafeMutableBytes(of: &six.sin6_addr) { $0.storeBytes(of: number.bigEndian, as: UInt128.self) }
        copy = withUnsafeBytes(of: six) { Array($0) }
    }
    let again = copy.withUnsafeBytes { IPAddress.read(socketAddress: $0) }
    require(again?.0 == address && again?.port == port, "\(address) is read as it was written")
}

private func width(_ address: IPAddress) -> Int {
    switch address {
    case .v4: 32
    case .v6: 128
    }
}

/// An allowance as a configuration would have it.
private func render(_ allowance: AddressPolicy.Allowance) -> String {
    let port = allowance.port.map { ":\($0)" } ?? ""
    switch allowance.place {
    case .host(let name):
        require(!name.isEmpty, "a host has a name")
        return name + port
    case .network(let network):
        if port.isEmpty { return "\(network.first)/\(network.bits)" }
        require(network.bits == width(network.first), "only an address has a port")
        return "[\(network.first)]" + port
    }
}
