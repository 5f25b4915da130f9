extension JSON {
    /// The value as UTF-8, without white space.
    public var bytes: [UInt8] {
        var output: [UInt8] = []
        write(to: &output)
        return output
    }

    private func write(to output: inout [UInt8]) {
        switch self {
        case .null: output += "null".utf8
        case .bool(let value): output += (value ? "true" : "false").utf8
        case .integer(let number): output += number.description.utf8
        // JSON has no word for what is not finite.
        case .number(let number): output += (number.isFinite ? number.description : "null").utf8
        case .string(let text): Self.write(text, to: &output)
        case .array(let elements):
            output.append(0x5b)
            for (index, element) in elements.enumerated() {
                if index > 0 { output.append(0x2c) }
                element.write(to: &output)
            }
            output.append(0x5d)
        case .object(let members):
            output.append(0x7b)
            for (index, member) in members.enumerated() {
                if index > 0 { output.append(0x2c) }
                Self.write(member.name, to: &output)
                output.append(0x3a)
                member.value.write(to: &output)
            }
            output.append(0x7d)
        }
    }

    private static func write(_ text: String, to output: inout [UInt8]) {
        output.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5c: output += [0x5c, byte]
            case 0x0a: output += [0x5c, 0x6e]
            case 0x00..<0x20:
                let digits = String(byte, radix: 16)
                output += (digits.count == 1 ? "\\u000\(digits)" : "\\u00\(digits)").utf8
            default: output.append(byte)
            }
        }
        output.append(0x22)
    }
}
