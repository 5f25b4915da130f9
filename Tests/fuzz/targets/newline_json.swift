@testable import Models

/// Lines of JSON: the same in every cut, all there and in order. In front: how the bytes are cut.
func check(_ input: Input) {
    var input = input
    let cut = Int(input.number(UInt8.self) % 16) + 1
    let lines = read([input.rest])
    require(read(input.rest.pieces(of: cut)) == lines, "cut or whole, it is the same")
    let blanks: [UInt8] = [0x20, 0x09, 0x0d]
    let expected = input.rest.split(separator: 0x0a).filter { !$0.allSatisfy(blanks.contains) }
    require(lines == expected.map { Array($0) }, "every line with words is there")
}

private func read(_ pieces: [ArraySlice<UInt8>]) -> [[UInt8]] {
    var parser = NewlineJSON()
    var lines: [[UInt8]] = []
    for piece in pieces {
        parser.append(piece)
        while let line = try? parser.next() { lines.append(Array(line)) }
    }
    if let line = parser.rest() { lines.append(Array(line)) }
    require(parser.rest() == nil, "the rest is told once")
    return lines
}
