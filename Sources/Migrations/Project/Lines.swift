/// The lines of a text as the scanner, the server and every editor number them: they end with a line feed, and a
/// carriage return before it is no part of them.
///
/// Swift's `Character` would do neither: "\r\n" is one that is not "\n", and `isNewline` holds for others, too.
func lines(of text: String) -> [Substring] {
    text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
        Substring($0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0)
    }
}
