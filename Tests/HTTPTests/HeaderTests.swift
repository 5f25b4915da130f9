import Testing

@testable import HTTP

struct HeaderTests {
    private func parse(_ text: String) -> [String]? { parse(Array(text.utf8)) }

    private func parse(_ bytes: [UInt8]) -> [String]? {
        HTTPHeaders.parse(lastHeadOf: bytes)?.fields.map { "\($0.name)=\($0.value)" }
    }

    @Test("Names and values come without the blanks around them")
    func plain() {
        #expect(
            parse("HTTP/1.1 200 OK\r\nA: b\r\nC:d\r\nE:\t f g \t\r\nH:\r\nI: j:k\r\n\r\n") == [
                "A=b", "C=d", "E=f g", "H=", "I=j:k",
            ])
        #expect(parse("HTTP/2 200\nA: b\n\n") == ["A=b"])
        #expect(parse("HTTP/1.1 200 OK\r\n\r\n") == [])
    }

    @Test("Of several heads the last counts, and what stands between heads does not")
    func lastHead() {
        #expect(parse("HTTP/1.1 100 Continue\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\nB: 2\r\n\r\n") == ["B=2"])
        #expect(parse("HTTP/1.1 200 OK\r\nA: 1\r\n\r\nX-Trailer: 2\r\n\r\n") == ["A=1"])
        #expect(parse("HTTP/1.1 200 OK\r\nA: 1\r\nHTTP/1.1 500 No\r\nB: 2\r\n\r\n") == ["A=1", "B=2"])
    }

    @Test(
        "Where there is no whole head there are no headers",
        arguments: [
            "", "\r\n\r\n\r\n", "A: 1\r\n\r\n", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nA: 1\r\n",
            "HTTP/1.1 200 OK\r\nA: 1", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\n",
        ])
    func noHead(_ text: String) {
        #expect(parse(text) == nil)
    }

    @Test("A line that is no header is left out")
    func noHeaders() {
        let head = "HTTP/1.1 200 OK\r\n"
        #expect(parse(head + "no colon\r\n: no name\r\nA: 1\r\n\r\n") == ["A=1"])
        #expect(parse(head + "Content-Length : 3\r\nA B: 2\r\nÄ: 3\r\nA\0: 4\r\nA: 1\r\n\r\n") == ["A=1"])
        #expect(parse(head + "HTTP/1.1 200 OK: x\r\nA: 1\r\n\r\n") == ["A=1"])
    }

    @Test("A line that begins with a blank goes on with the one before")
    func folded() {
        let head = "HTTP/1.1 200 OK\r\n"
        #expect(parse(head + "A: 1\r\n  2\r\n\t3\r\nB: 4\r\n\r\n") == ["A=1 2 3", "B=4"])
        #expect(parse(head + "A:\r\n 2\r\n \r\n\r\n") == ["A=2"])
        #expect(parse(head + " lost\r\nA: 1\r\n\r\n") == ["A=1"])
    }

    @Test("Control characters become spaces, and what is not UTF-8 becomes U+FFFD")
    func hostileValues() {
        let (head, end) = (Array("HTTP/1.1 200 OK\r\nA: ".utf8), Array("\r\n\r\n".utf8))
        #expect(parse(head + [0x61, 0x00, 0x62, 0x0d, 0x63, 0x7f, 0x64] + end) == ["A=a b c d"])
        #expect(parse(head + [0xff, 0xfe] + end) == ["A=\u{fffd}\u{fffd}"])
        #expect(parse(head + Array("日本".utf8) + end) == ["A=日本"])
        #expect(parse(head + [0x00, 0x00] + end) == ["A="])
    }

    @Test("Any bytes at all are taken, and no field holds a line's end")
    func noise() {
        var random = Noise(seed: 20)
        let words = ["HTTP/1.1 200 OK", "\r\n", "\n", "\r", ":", " ", "\t", "A", "\0", "é", "X-B: c"].map {
            Array($0.utf8)
        }
        for _ in 0..<3000 {
            var bytes: [UInt8] = random.next() % 2 == 0 ? Array("HTTP/1.1 200 OK\r\n".utf8) : []
            for _ in 0..<(random.next() % 40) {
                bytes +=
                    random.next() % 3 == 0
                    ? [UInt8(truncatingIfNeeded: random.next())] : words[Int(random.next() % 11)]
            }
            for field in HTTPHeaders.parse(lastHeadOf: bytes + [0x0a, 0x0a])?.fields ?? [] {
                #expect(field.name.isToken)
                #expect(field.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f })
            }
        }
    }

    @Test("Names are compared without regard to the case of A to Z")
    func names() {
        let headers: HTTPHeaders = ["Set-Cookie": "a", "SET-COOKIE": "b", "K": "c"]
        #expect(headers["set-cookie"] == "a")
        #expect(headers.all("sEt-cOOkie") == ["a", "b"])
        #expect(headers["\u{212a}"] == nil, "the Kelvin sign is no K")
        #expect(headers[""] == nil)
    }
}

/// The same numbers on every run (splitmix64).
struct Noise: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
