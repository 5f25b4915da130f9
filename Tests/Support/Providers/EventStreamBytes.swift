/// Frames of `application/vnd.amazon.eventstream`, written after AWS's description and not by the code under
/// test.
public enum EventStreamBytes {
    /// A frame with text headers, in the order of their names.
    public static func frame(_ headers: [String: String], _ payload: [UInt8]) -> [UInt8] {
        let block = headers.sorted { $0.key < $1.key }.flatMap { name, value -> [UInt8] in
            [UInt8(name.utf8.count)] + Array(name.utf8) + [7] + bytes(UInt16(value.utf8.count))
                + Array(value.utf8)
        }
        return frame(headerBlock: block, payload)
    }

    /// A frame around headers as bytes, which may be any.
    public static func frame(headerBlock: [UInt8], _ payload: [UInt8]) -> [UInt8] {
        var frame = bytes(UInt32(headerBlock.count + payload.count + 16)) + bytes(UInt32(headerBlock.count))
        frame += bytes(checksum(frame)) + headerBlock + payload
        return frame + bytes(checksum(frame))
    }

    /// CRC-32, bit by bit.
    public static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var rest: UInt32 = ~0
        for byte in bytes {
            for bit in 0..<8 {
                let differs = (rest ^ UInt32(byte) >> UInt32(bit)) & 1 == 1
                rest = rest >> 1 ^ (differs ? 0xedb8_8320 : 0)
            }
        }
        return ~rest
    }

    public static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }
}
