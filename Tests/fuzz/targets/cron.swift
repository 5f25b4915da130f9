import Glibc

@testable import Postgres

/// `queue.next_time` on a server (DATABASE_URL): it answers within a second, with one of its own refusals or a
/// later time; and that is the next one for every instant before it.
///
/// In front: the instant it is asked about, the zone, and an instant between the two. What is left is the timing;
/// bytes that are no printable characters stand for words of timings, so that chance meets them.
func check(_ input: Input) {
    var input = input
    let (base, offset) = instant(input.number(UInt64.self))
    let zone = zones[Int(input.number(UInt8.self)) % zones.count]
    let part = input.number(UInt8.self)
    let timing = words(input.rest)
    let after = "\(base) + \(offset)"
    do {
        let answer = try server.query(
            """
            select n.t > i.after, n.t < i.after + interval '41 years', n.t, m.between, m.t, m.t = n.t
            from (select $2::timestamptz + $5::interval as after) as i,
                queue.next_time($1, i.after, $3) as n (t),
                lateral (select b.between, queue.next_time($1, b.between, $3)
                    from (select least(n.t - interval '1 microsecond', i.after + (n.t - i.after) * $4::float8))
                        as b (between)
                ) as m (between, t)
            """,
            [Parameter(timing), Parameter(base), Parameter(zone), Parameter(Double(part) / 256), Parameter(offset)])
        let row = require(answer.first, "\(timing.debugDescription) after \(after) has an answer")
        let what = "\(timing.debugDescription) after \(after) in \(zone) is \(row[2] ?? "null")"
        require(row[0] == "t", "\(what): later than that")
        require(row[1] == "t", "\(what): not a lifetime later")
        require(row[5] == "t", "\(what), and nothing between; after \(row[3] ?? "null") it is \(row[4] ?? "null")")
        tell("answered")
    } catch let error as PostgresError {
        require(refusals.contains(error.sqlState), "\(timing.debugDescription) after \(after), \(zone): \(error)")
        tell(error.message)
    } catch {
        require(false, "\(error)")
    }
}

private let refusals: [SQLState] = [
    SQLState("QC203"), SQLState("QC213"), SQLState("QC214"), .characterNotInRepertoire, SQLState("22P05"),
]

nonisolated(unsafe) private let server: Connection = {
    do {
        let connection = try Connection.connect(getenv("DATABASE_URL").map { String(cString: $0) } ?? "")
        // Two calls in one statement. By the server's clock: this process may itself have had to wait.
        try connection.execute(script: "set statement_timeout = '1s'")
        return connection
    } catch {
        fatalError("DATABASE_URL names no server: \(error)")
    }
}()

// MARK: What bytes stand for

/// The words of timings, for bytes that are no printable characters.
private let wordList = [
    "every ", "second", "minute", "hour", "day", "week", "s ", "from ", "2027-05-03 ", "2024-02-29", "09:00", ":30",
    "@hourly", "@daily", "@weekly", "@monthly", "@yearly", "* * * * *", "0 0 29 2 *", "*/15 ", "0-59/7 ", "30 2 ",
    "1-5", "L ", "mon", "sun", "sat-sun", "jan", "feb", "oct-dec", "* ", "0 ", "12 ", "31 ", "59 ", "23 ", "7 ",
    "2 ", "3,4 ", "/2 ", "-", ",", "86400 ", "90 ", "50 ", "366 ", "31622400 ", "\u{e4}", "\u{2003}", "\u{0}",
    "\t", "\n", "9999", "0000", "l", "SUN", "0-sun", "-7",
]

private func words(_ bytes: ArraySlice<UInt8>) -> String {
    bytes.map { byte in
        switch byte {
        case 0x20..<0x7f: String(decoding: [byte], as: UTF8.self)
        case 0x80...: wordList[Int(byte - 0x80) % wordList.count]
        default: wordList[Int(byte) % wordList.count]
        }
    }.joined()
}

private let zones = [
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns",
    "Africa/Casablanca", "Asia/Kathmandu", "Antarctica/Troll", "America/Nuuk", "Africa/Cairo", "EST5EDT", "utc",
    "nowhere", "", "UTC+25", "+05:30", "Europe/Berlin ", "<x>-3", "posixrules",
]

/// Instants near changes of the clock, near today, and anywhere at all: where to begin, and how far from there.
private func instant(_ number: UInt64) -> (base: String, offset: String) {
    let amount = Int64(number >> 8)
    let day: Int64 = 86_400
    switch number & 7 {
    case 0: return (edges[Int(amount % 12)], "\(amount / 12 % (4 * day * 1_000_000) - 2 * day * 1_000_000) microseconds")
    case 1...3: return (edges[Int(amount % 12)], "\(amount / 12 % 400 * 900 - 2 * day) seconds")
    case 4...5: return ("2000-01-01 00:00+00", "\(amount % (40 * 365 * day)) seconds")
    case 6: return ("0001-01-01 00:00+00", "\(amount % (9999 * 366 * day)) seconds")
    default: return (amount & 1 == 0 ? "infinity" : "-infinity", "0")
    }
}

private let edges = [
    "2027-03-28 01:00+00", "2027-10-31 01:00+00", "2027-03-14 07:00+00", "2027-11-07 06:00+00",
    "2027-04-03 15:00+00", "2027-10-02 15:30+00", "2011-12-30 10:00+00", "2024-02-29 00:00+00",
    "2096-02-29 00:00+00", "0001-01-01 00:00+00", "9999-12-31 00:00+00", "2028-03-26 01:00+00",
]

// MARK: What libFuzzer sees of the server

/// libFuzzer counts what is in this section beside the branches of our own code.
@section("__libfuzzer_extra_counters") @used
nonisolated(unsafe) private var counters: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) =
    (0, 0, 0, 0, 0, 0, 0, 0)

/// Another sentence is another way through the functions; the words quoted in it and its numbers are not.
private func tell(_ sentence: String) {
    let shape = sentence.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
        .filter { $0.offset % 2 == 0 }.flatMap { $0.element.utf8.filter { !(0x30...0x39).contains($0) } }
    let hash = shape.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
    withUnsafeMutableBytes(of: &counters) { $0[Int(hash) % $0.count] = 1 }
}
