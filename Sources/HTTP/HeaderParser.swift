/// Reads the bytes of one or more heads, as they came from a server nobody vouches for.
///
/// It takes any bytes at all, and what is no header line is left out.
extension HTTPHeaders {
    /// The fields of the last head in `bytes`: interim answers (100, 103) come before it, trailers after it.
    /// Nil when there is no head, or the last one lacks the empty line at its end.
    ///
    /// A name that is no token is left out with its line, so that `Content-Length : 3` hides nothing. A line
    /// that begins with a blank goes on with the one before. A control character in a value becomes a space,
    /// and bytes that are not UTF-8 become U+FFFD.
    static func parse(lastHeadOf bytes: [UInt8]) -> HTTPHeaders? {
        var fields: [Field]?
        var isInHead = false
        // What follows the last end of a line is no line yet.
        for line in bytes.split(separator: 0x0a, omittingEmptySubsequences: false).dropLast() {
            let line = line.last == 0x0d ? line.dropLast() : line
            if line.isEmpty {
                isInHead = false
            } else if !isInHead {
                guard line.starts(with: "HTTP/".utf8) else { continue }
                isInHead = true
                fields = []
            } else if line.first?.isBlank == true {
                extend(&fields, with: text(line))
            } else if let field = field(line) {
                fields?.append(field)
            }
        }
        return isInHead ? nil : fields.map { HTTPHeaders($0) }
    }

    private static func extend(_ fields: inout [Field]?, with more: String) {
        guard !more.isEmpty, let field = fields?.popLast() else { return }
        fields?.append(Field(field.name, field.value.isEmpty ? more : field.value + " " + more))
    }

    private static func field(_ line: ArraySlice<UInt8>) -> Field? {
        guard let colon = line.firstIndex(of: 0x3a) else { return nil }
        let name = String(decoding: line[..<colon], as: UTF8.self)
        guard name.isToken else { return nil }
        return Field(name, text(line[(colon + 1)...]))
    }

    /// A value without the blanks around it.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        let clean = bytes.map { $0 < 0x20 || $0 == 0x7f ? 0x20 : $0 }
        guard let first = clean.firstIndex(where: { $0 != 0x20 }),
            let last = clean.lastIndex(where: { $0 != 0x20 })
        else { return "" }
        return String(decoding: clean[first...last], as: UTF8.self)
    }
}
