/// libFuzzer calls this with every input it thinks of. A target is a file of targets/, whose `check` says what
/// must be true of an input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    check(Input(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// Bytes as libFuzzer gives them: some numbers in front, if the target wants any, and then a text.
struct Input {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: UnsafeBufferPointer<UInt8>) { rest = ArraySlice(bytes) }

    /// The rest as text. What is no UTF-8 becomes U+FFFD: that never reaches our parsers.
    var text: String { String(decoding: rest, as: UTF8.self) }

    /// The next number; zero when the bytes are used up.
    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) -> Number {
        var number: Number = 0
        withUnsafeMutableBytes(of: &number) { $0.copyBytes(from: rest.prefix($0.count)) }
        rest = rest.dropFirst(MemoryLayout<Number>.size)
        return number
    }
}

/// A sentence that must be true. Where it is not the process ends, and libFuzzer keeps the input.
func require(
    _ isTrue: Bool, _ sentence: @autoclosure () -> String, file: StaticString = #file, line: UInt = #line
) {
    if !isTrue { fatalError("not true: \(sentence())", file: file, line: line) }
}

/// The value; that there is none is a finding.
func require<Value>(
    _ value: Value?, _ sentence: @autoclosure () -> String, file: StaticString = #file, line: UInt = #line
) -> Value {
    guard let value else { fatalError("there is none: \(sentence())", file: file, line: line) }
    return value
}

/// The lines of a text as an editor numbers them.
func editorLines(_ text: String) -> [String] {
    text.utf8.split(separator: 0x0a, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
}

extension String {
    /// Byte for byte. Swift's == takes two spellings of é for the same.
    func isIdentical(to other: String) -> Bool { utf8.elementsEqual(other.utf8) }

    /// Whether the bytes of the other are somewhere in it.
    func holds(_ other: String) -> Bool {
        let (all, wanted) = (Array(utf8), Array(other.utf8))
        guard let first = wanted.first else { return true }
        return all.indices.contains { all[$0] == first && all[$0...].starts(with: wanted) }
    }

    /// Every end of a line as some editors write it; nil where carriage returns mean something already.
    var withCarriageReturns: String? {
        utf8.contains(0x0d) ? nil : String(decoding: utf8.flatMap { $0 == 0x0a ? [0x0d, 0x0a] : [$0] }, as: UTF8.self)
    }
}
