/// A connection string with the daemon's defaults added; what the string says itself wins.
///
/// Only for connections over TCP: a peer that vanished without a word is found out in half a minute even when
/// nobody waits for an answer, and a host that does not answer makes room for the next of a list.
func addingNetworkDefaults(to conninfo: String) -> String {
    let defaults = [
        ("keepalives_idle", "15"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
        ("tcp_user_timeout", "8000"),
    ].filter { !conninfo.contains($0.0) }

    if conninfo.hasPrefix("postgres://") || conninfo.hasPrefix("postgresql://") {
        let words = defaults.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
        if words.isEmpty { return conninfo }
        return conninfo + (conninfo.contains("?") ? "&" : "?") + words
    }
    let words = defaults.map { "\($0.0)=\($0.1) " }.joined()
    // As libpq has it: a string without "=" is the name of a database.
    if conninfo.isEmpty || conninfo.contains("=") { return words + conninfo }
    let escaped = conninfo.flatMap { $0 == "'" || $0 == "\\" ? ["\\", $0] : [$0] }
    return words + "dbname='" + String(escaped) + "'"
}
