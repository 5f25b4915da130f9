import TestSupport
import Testing

@testable import Models

/// Feeds bytes in pieces of every small size and in one, and says whether all tell the same.
private func inEveryCut<Item: Equatable>(_ bytes: [UInt8], _ read: ([[UInt8]]) throws -> Item) throws -> Item
{
    let whole = try read([bytes])
    for size in 1...7 {
        let pieces = stride(from: 0, to: bytes.count, by: size).map {
            Array(bytes[$0..<min($0 + size, bytes.count)])
        }
        #expect(try read(pieces) == whole, "in pieces of \(size)")
    }
    return whole
}

struct ServerSentEventTests {
    private func events(_ text: String, limit: Int = 1000) throws -> [ServerSentEvent] {
        try inEveryCut(Array(text.utf8)) { pieces in
            var parser = ServerSentEvents(limit: limit)
            var events: [ServerSentEvent] = []
            for piece in pieces {
                parser.append(piece)
                while let event = try parser.next() { events.append(event) }
            }
            return events
        }
    }

    private func data(_ text: String) throws -> [String] { try events(text).map(\.data) }

    @Test("The standard's own examples")
    func standard() throws {
        #expect(try data("data: YHOO\ndata: +2\ndata: 10\n\n") == ["YHOO\n+2\n10"])
        let ids = try events(
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n")
        #expect(ids.map(\.data) == ["first event", "second event", " third event"])
        #expect(ids.map(\.id) == ["1", "", ""])
        #expect(try data("data\n\ndata\ndata\n\ndata:") == ["", "\n"])
        #expect(try data("data:test\n\ndata: test\n\n") == ["test", "test"])
    }

    @Test("Lines end with LF, CRLF or CR, mixed as they come", arguments: ["\n", "\r\n", "\r"])
    func lineEnds(_ end: String) throws {
        let text = "event: a" + end + "data: 1" + end + "data: 2" + end + end + "data: 3" + end + end
        #expect(try events(text).map(\.data) == ["1\n2", "3"])
        #expect(try data("data: 1\r\ndata: 2\rdata: 3\n\rdata: 4\r\r\n") == ["1\n2\n3", "4"])
    }

    @Test("A byte order mark counts only at the beginning, comments and unknown fields nowhere")
    func passedOver() throws {
        #expect(try data("\u{feff}data: 1\n\n") == ["1"])
        #expect(try data("data: 0\n\n\u{feff}data: 1\n\n") == ["0"])
        #expect(try data(": c\n:\n:data: no\nfoo: bar\nfoo\ndata: 1\n: c\n\n:\n\n") == ["1"])
    }

    @Test("An event has a type for itself alone, and an id that lasts")
    func typeAndID() throws {
        let events = try events("id: 7\nevent: x\ndata: 1\n\ndata: 2\n\nevent: y\n\nid: a\u{0}b\ndata: 3\n\n")
        #expect(events.map(\.type) == ["x", "message", "message"])
        #expect(events.map(\.id) == ["7", "7", "7"])
        #expect(events.map(\.data) == ["1", "2", "3"])
    }

    @Test("Characters may be cut anywhere; an event without its empty line is none")
    func cuts() throws {
        #expect(try data("data: Grüße 👋🏽\n\ndata: cut\n") == ["Grüße 👋🏽"])
        #expect(try data("") == [])
    }

    @Test("A time to wait is digits alone")
    func retry() throws {
        var parser = ServerSentEvents()
        parser.append(Array("retry: 1500\nretry: 2x\nretry:\nretry: -1\n".utf8))
        #expect(try parser.next() == nil)
        #expect(parser.retry == 1500)
        parser.append(Array("retry: 99999999999999999999999\n".utf8))
        #expect(try parser.next() == nil)
        #expect(parser.retry == 1500)
    }

    @Test("A line or an event above the limit ends it, wherever it is cut")
    func limits() throws {
        #expect(try events("data: 1234\n\n", limit: 10).map(\.data) == ["1234"])
        for text in ["data: 12345\n\n", "data: 12345", ":2345678901", "data: 123\ndata: 123\ndata:123\n\n"] {
            for pieces in [[text], text.map { String($0) }] {
                #expect(throws: ModelFault.self, "\(text)") {
                    var parser = ServerSentEvents(limit: 10)
                    for piece in pieces {
                        parser.append(piece.utf8)
                        while try parser.next() != nil {}
                    }
                }
            }
        }
    }
}

struct NewlineJSONTests {
    private func lines(_ text: String, limit: Int = 1000) throws -> [String] {
        try inEveryCut(Array(text.utf8)) { pieces in
            var parser = NewlineJSON(limit: limit)
            var lines: [String] = []
            for piece in pieces {
                parser.append(piece)
                while let line = try parser.next() { lines.append(String(decoding: line, as: UTF8.self)) }
            }
            if let rest = parser.rest() { lines.append(String(decoding: rest, as: UTF8.self)) }
            return lines
        }
    }

    @Test("Lines come whole, the last one with or without its end, and blank ones not at all")
    func lines() throws {
        #expect(try lines("1\n\n \r\n2\r\n3") == ["1", "2\r", "3"])
        #expect(try lines("\"ü👋\"\n") == ["\"ü👋\""])
        #expect(try lines("a\rb\n") == ["a\rb"])
        #expect(try lines("\n \n") == [])
    }

    @Test("A line above the limit ends it")
    func limit() throws {
        #expect(try lines("12345\n", limit: 5) == ["12345"])
        #expect(throws: ModelFault.self) { try lines("123456\n", limit: 5) }
        #expect(throws: ModelFault.self) { try lines("123456", limit: 5) }
    }
}

struct EventStreamTests {
    private func frames(_ bytes: [UInt8]) throws -> [EventStreamFrame] {
        try inEveryCut(bytes) { pieces in
            var parser = EventStream()
            var frames: [EventStreamFrame] = []
            for piece in pieces {
                parser.append(piece)
                while let frame = try parser.next() { frames.append(frame) }
            }
            return frames
        }
    }

    @Test("The checksum is the one everybody knows")
    func checksum() {
        #expect(CRC32.checksum("123456789".utf8) == 0xcbf4_3926)
        #expect(CRC32.checksum([]) == 0)
    }

    @Test("Frames come whole, however they are cut")
    func frames() throws {
        let one = EventStreamBytes.frame([":message-type": "event", ":event-type": "ü"], Array("{}".utf8))
        let empty = EventStreamBytes.frame([:], [])
        let read = try frames(one + empty + one + one.dropLast())
        #expect(read.count == 3)
        #expect(read[0][":event-type"] == "ü" && read[0].payload == Array("{}".utf8))
        #expect(read[1].headers.isEmpty && read[1].payload.isEmpty)
    }

    @Test("Headers have all types")
    func headers() throws {
        var block: [UInt8] = []
        for (name, type, value) in [
            ("a", 0, []), ("b", 1, []), ("c", 2, [0xff]), ("d", 3, [0x01, 0x00]),
            ("e", 4, [0xff, 0xff, 0xff, 0xfe]),
            ("f", 5, [0, 0, 0, 1, 0, 0, 0, 0]), ("g", 6, [0, 2, 7, 8]), ("h", 7, [0, 1, 0x78]),
            ("i", 8, [0, 0, 0, 0, 0, 0, 3, 0xe8]), ("j", 9, Array(repeating: 5, count: 16)),
        ] as [(String, UInt8, [UInt8])] {
            block += [1] + Array(name.utf8) + [type] + value
        }
        let frame = try #require(try frames(EventStreamBytes.frame(headerBlock: block, [])).first)
        #expect(
            frame.headers == [
                "a": .bool(true), "b": .bool(false), "c": .integer(-1), "d": .integer(256), "e": .integer(-2),
                "f": .integer(1 << 32), "g": .bytes([7, 8]), "h": .string("x"), "i": .timestamp(1000),
                "j": .uuid(Array(repeating: 5, count: 16)),
            ])
    }

    @Test("A byte that is not what it was is noticed, wherever it is")
    func corruption() throws {
        let frame = EventStreamBytes.frame([":message-type": "event"], Array("{\"a\":1}".utf8))
        for index in frame.indices {
            var broken = frame
            broken[index] ^= 0x10
            #expect(throws: ModelFault.self, "byte \(index)") { try frames(broken) }
        }
    }

    @Test("Lengths that cannot be are refused before anything is waited for")
    func lengths() {
        func prelude(_ total: UInt32, _ headers: UInt32) -> [UInt8] {
            let lengths = EventStreamBytes.bytes(total) + EventStreamBytes.bytes(headers)
            return lengths + EventStreamBytes.bytes(EventStreamBytes.checksum(lengths))
        }
        for (total, headers) in [
            (0, 0), (15, 0), (100, 85), (200_000, 131_073), (25_165_824 + 17, 0), (.max, .max),
        ]
            as [(UInt32, UInt32)]
        {
            #expect(throws: ModelFault.self, "\(total), \(headers)") { try frames(prelude(total, headers)) }
        }
    }

    @Test(
        "Headers that end too late or are of no type are refused",
        arguments: [[5, 0x61], [1, 0x61], [1, 0x61, 10], [1, 0x61, 7, 0, 9, 0x61], [1, 0x61, 9, 0]]
            as [[UInt8]])
    func badHeaders(_ block: [UInt8]) {
        #expect(throws: ModelFault.self) { try frames(EventStreamBytes.frame(headerBlock: block, [])) }
    }
}
