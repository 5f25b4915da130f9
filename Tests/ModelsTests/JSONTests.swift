import Foundation
import Testing

@testable import Models

struct JSONTests {
    @Test(
        "What is JSON is read, and written as it was",
        arguments: [
            "null", "true", "[]", "{}", "0", "-1", "9223372036854775807", "1.5", "-0.25",
            "[1,[2,{\"a\":[]}],\"x\"]",
            #"{"b":1,"a":{"c":null},"b":2}"#, #""ü 👋 \" \\ \n""#,
        ])
    func roundTrip(_ text: String) throws {
        #expect(try JSON(parsing: text).string == text)
    }

    @Test("White space, exponents and escapes have other forms")
    func forms() throws {
        #expect(try JSON(parsing: " [ 1e2 , 1E-2,\t-0 ]\r\n") == [.number(100), .number(0.01), 0])
        #expect(try JSON(parsing: #""\u00fc\ud83d\udc4b\/\b\f\r\t\u0001""#) == "ü👋/\u{8}\u{c}\r\t\u{1}")
        #expect(try JSON(parsing: "18446744073709551616") == .number(18_446_744_073_709_551_616))
        #expect(JSON.string("\u{1}\u{1f}").string == #""\u0001\u001f""#)
    }

    @Test("What PostgreSQL cannot hold, and halves of characters, become U+FFFD")
    func replacements() throws {
        #expect(try JSON(parsing: #""a\u0000b""#) == "a\u{FFFD}b")
        #expect(try JSON(parsing: #""\ud83d!\udc4b\ud83d\u0041""#) == "\u{FFFD}!\u{FFFD}\u{FFFD}A")
        #expect(try JSON(parsing: [0x22, 0xff, 0x22]) == "\u{FFFD}")
    }

    @Test(
        "What is no JSON is refused",
        arguments: [
            "", " ", "nul", "tru", "{", "[1,]", "[1 2]", "{\"a\"}", "{a:1}", "{\"a\":1,}", "01", "1.", ".5",
            "+1", "1e",
            "1e999", "--1", "\"", "\"\n\"", #""\x""#, #""\u12""#, "1 2", "NaN", "\u{feff}1", "[\u{00a0}]",
        ])
    func refusals(_ text: String) {
        #expect(throws: JSON.Malformed.self) { try JSON(parsing: text) }
    }

    @Test("Depth has an end")
    func depth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(throws: Never.self) { try JSON(parsing: nested(200)) }
        #expect(throws: JSON.Malformed.self) { try JSON(parsing: nested(201)) }
        #expect(throws: JSON.Malformed.self) { try JSON(parsing: nested(1_000_000)) }
    }

    @Test("Foundation's decoder and encoder read and write the same values")
    func coding() throws {
        let text = #"{"a":[null,true,-3,2.5,"ü",[],{}],"b":{"c":9007199254740993}}"#
        let decoded = try JSONDecoder().decode(JSON.self, from: Data(text.utf8))
        #expect(decoded["a"] == (try JSON(parsing: text))["a"])
        #expect(decoded["b"]?["c"] == 9_007_199_254_740_993)
        #expect(try JSON(parsing: [UInt8](try JSONEncoder().encode(decoded)))["a"] == decoded["a"])
    }

    @Test("The last of two members counts, and what is something else is nil")
    func access() throws {
        let json = try JSON(parsing: #"{"a":1,"a":2,"n":-1,"f":3.0,"h":1.5,"big":9223372036854775807}"#)
        #expect(json["a"]?.int == 2)
        #expect(json["b"] == nil && JSON.null["a"] == nil && json["a"]?.text == nil)
        #expect(json["n"]?.count == 0 && json["f"]?.count == 3 && json["h"]?.count == nil)
        #expect(json["big"]?.count == 1 << 50)
    }
}
