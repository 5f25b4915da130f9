import HTTP

@testable import Daemon

/// Where metrics are served: what is said back is what was asked for, and nothing that would be cut where the
/// system stops reading.
func check(_ input: Input) {
    let text = input.text
    guard let address = MetricsAddress(text) else { return }
    require(MetricsAddress("\(address)") == address, "\(text.debugDescription) is itself")
    require("\(address)".isIdentical(to: text) || text.holds(":0"), "\(text.debugDescription) is said back")
    require(!text.utf8.contains(0), "a zero would end it early")
    switch address {
    case .ip(let host, _): require(IPAddress(host) != nil, "\(host.debugDescription) is a number, not a name")
    case .unix(let path): require(path.hasPrefix("/") && path.utf8.count <= 107, "\(path) fits")
    }
}
