import FoundationEssentials

@testable import Models

/// JSON of providers: read again from what it is written as, and nothing is taken that Foundation would not take.
func check(_ input: Input) {
    guard let value = try? JSON(parsing: input.rest) else { return }
    require((try? JSON(parsing: value.bytes)) == value, "\(value) is read as it is written")
    require(!value.bytes.contains(0), "what is written holds no zero")
    require(value.count ?? 0 >= 0, "a count is one")
    // Halves of characters are U+FFFD to us, and refused by Foundation.
    guard !input.text.holds(#"\u"#), String(validating: input.rest, as: UTF8.self) != nil else { return }
    let theirs = try? JSONDecoder().decode(JSON.self, from: Data(input.rest))
    require(theirs != nil, "\(input.text.debugDescription) is no JSON to Foundation")
}
