@testable import Models

/// AWS's frames: any bytes at all, and frames whose checksums are right around headers that are not. Told the same in
/// every cut. In front: how the bytes are cut, and how many are headers.
func check(_ input: Input) {
    var input = input
    let cut = Int(input.number(UInt8.self) % 16) + 1
    let headers = input.rest.count > 1 ? Int(input.number(UInt8.self)) : 0
    let raw = read([input.rest])
    require(raw == read(input.rest.pieces(of: cut)), "cut or whole, it is the same")
    require(raw.frames.reduce(0) { $0 + $1.payload.count + 16 } <= input.rest.count, "nothing is told twice")

    let block = Array(input.rest.prefix(headers))
    let payload = Array(input.rest.dropFirst(headers))
    var frame = bytes(block.count + payload.count + 16) + bytes(block.count)
    frame += bytes(Int(CRC32.checksum(frame))) + block + payload
    frame += bytes(Int(CRC32.checksum(frame)))
    let framed = read([(frame + frame)[...]])
    require(framed == read((frame + frame)[...].pieces(of: cut)), "cut or whole, it is the same")
    guard !framed.isBroken else { return require(!block.isEmpty, "only headers can be wrong") }
    require(framed.frames.count == 2 && framed.frames[0] == framed.frames[1], "two frames are two")
    require(framed.frames[0].payload == payload, "the payload is what it was")
    require(block.isEmpty == framed.frames[0].headers.isEmpty, "headers are there when they are")
}

private struct Told: Equatable {
    var frames: [EventStreamFrame] = []
    var isBroken = false
}

private func read(_ pieces: [ArraySlice<UInt8>]) -> Told {
    var parser = EventStream()
    var told = Told()
    do {
        for piece in pieces {
            parser.append(piece)
            while let frame = try parser.next() { told.frames.append(frame) }
        }
    } catch {
        told.isBroken = true
    }
    return told
}

private func bytes(_ number: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) } }
