@testable import Models

/// Server-sent events: told the same in every cut, as a plain reading of the standard has them, and read again from
/// what they are written as. In front: how the bytes are cut.
func check(_ input: Input) {
    var input = input
    let cut = Int(input.number(UInt8.self) % 16) + 1
    let events = read([input.rest])
    require(read(input.rest.pieces(of: cut)) == events, "cut or whole, it is the same")
    require(events == plainly(Array(input.rest)), "the standard has them so: \(events)")
    let written = events.map { event in
        let data = event.data.utf8.split(separator: 0x0a, omittingEmptySubsequences: false)
            .map { "data: \(String(decoding: $0, as: UTF8.self))\n" }.joined()
        return "id: \(event.id)\nevent: \(event.type)\n\(data)\n"
    }.joined()
    require(read([Array(written.utf8)[...]]) == events, "they are read as they are written")
}

private func read(_ pieces: [ArraySlice<UInt8>]) -> [ServerSentEvent] {
    var parser = ServerSentEvents()
    var events: [ServerSentEvent] = []
    for piece in pieces {
        parser.append(piece)
        while let event = require(Result { try parser.next() }.success, "nothing is too large") { events.append(event) }
    }
    return events
}

extension Result {
    fileprivate var success: Success? { try? get() }
}

/// All at once: line ends made one, the mark taken off, the rest line by line.
private func plainly(_ bytes: [UInt8]) -> [ServerSentEvent] {
    var ends: [UInt8] = []
    for (index, byte) in bytes.enumerated() where !(byte == 0x0a && index > 0 && bytes[index - 1] == 0x0d) {
        ends.append(byte == 0x0d ? 0x0a : byte)
    }
    if ends.starts(with: [0xef, 0xbb, 0xbf]) { ends.removeFirst(3) }
    var events: [ServerSentEvent] = []
    var (type, data, id): (String, [[UInt8]], String) = ("", [], "")
    for line in ends.split(separator: 0x0a, omittingEmptySubsequences: false).dropLast() {
        guard !line.isEmpty else {
            if !data.isEmpty {
                let text = String(decoding: Array(data.joined(separator: [0x0a])), as: UTF8.self)
                events.append(ServerSentEvent(type: type.isEmpty ? "message" : type, data: text, id: id))
            }
            (type, data) = ("", [])
            continue
        }
        let name = line.prefix { $0 != 0x3a }
        var value = line.dropFirst(name.count + 1)
        if value.first == 0x20 { value = value.dropFirst() }
        if name.elementsEqual("data".utf8) { data.append(Array(value)) }
        if name.elementsEqual("event".utf8) { type = String(decoding: value, as: UTF8.self) }
        if name.elementsEqual("id".utf8), !value.contains(0) { id = String(decoding: value, as: UTF8.self) }
    }
    return events
}
