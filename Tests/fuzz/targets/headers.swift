@testable import HTTP

/// The heads of an answer: whatever comes, fields are clean, and a clean head is read as it was written.
func check(_ input: Input) {
    let bytes = Array(input.rest)
    guard let headers = HTTPHeaders.parse(lastHeadOf: bytes) else { return }
    require(headers.fields.count < bytes.count { $0 == 0x0a }, "each field has a line of its own, after the first")
    for field in headers.fields {
        require(field.name.isToken, "\(field.name.debugDescription) is a name")
        require(
            field.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f },
            "\(field.value.debugDescription) holds no control character")
        require(
            field.value.utf8.first != 0x20 && field.value.utf8.last != 0x20,
            "\(field.value.debugDescription) has no blank at its ends")
        require(headers[field.name] != nil && headers.all(field.name).contains(field.value), "it is found by its name")
    }

    let lines = headers.fields.map { "\($0.name):\t \($0.value) \r\n" }.joined()
    let head = Array("HTTP/1.1 200 OK\r\n\(lines)".utf8)
    require(HTTPHeaders.parse(lastHeadOf: head) == nil, "a head without its empty line is none")
    require(HTTPHeaders.parse(lastHeadOf: head + [0x0d, 0x0a]) == headers, "a head is read as it was written")
    require(
        HTTPHeaders.parse(lastHeadOf: bytes + head + [0x0d, 0x0a]) == headers, "the last head counts, whatever came first")
}
