@testable import Models

/// Answers of Bedrock: as they are, and each line as a frame of its own, its first word the event's type, since no
/// mutation finds a checksum. In front: how the bytes are cut.
func check(_ input: Input) {
    var input = input
    let cut = input.number(UInt8.self)
    checkStream(.bedrock, input.rest, cut: cut)
    let frames = input.rest.split(separator: 0x0a).flatMap { line in
        let type = line.prefix { $0 != 0x20 }
        return frame(type, Array(line.dropFirst(type.count + 1)))
    }
    checkStream(.bedrock, frames[...], cut: cut)
}

private func frame(_ type: ArraySlice<UInt8>, _ payload: [UInt8]) -> [UInt8] {
    // `!name` is an exception.
    let isEvent = type.first != 0x21
    let name = isEvent ? type.prefix(100) : type.dropFirst().prefix(100)
    let headers =
        header(":message-type", Array((isEvent ? "event" : "exception").utf8))
        + header(isEvent ? ":event-type" : ":exception-type", Array(name))
    var frame = bytes(headers.count + payload.count + 16) + bytes(headers.count)
    frame += bytes(Int(CRC32.checksum(frame))) + headers + payload
    return frame + bytes(Int(CRC32.checksum(frame)))
}

private func header(_ name: String, _ value: [UInt8]) -> [UInt8] {
    [UInt8(name.utf8.count)] + Array(name.utf8) + [7, 0, UInt8(value.count)] + value
}

private func bytes(_ number: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) } }
