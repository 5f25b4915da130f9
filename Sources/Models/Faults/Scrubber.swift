/// Takes out of a provider's words what nobody may read in a log: credentials, whole or half masked, and what
/// was said to the model.
struct Scrubber {
    private let credential: String?
    private let prompts: [String]
    /// A sentence of the provider's and one of a prompt have shorter runs in common by chance.
    private static let run = 24

    init(credential: String?, prompts: [String]) {
        self.credential = credential
        self.prompts = prompts
    }

    /// The fault with the provider's part of its sentence cleaned; our own words stay.
    func clean(_ fault: ModelFault) -> ModelFault {
        var fault = fault
        let ours = fault.sentence.hasPrefix(fault.reason.words) ? fault.reason.words : ""
        let theirs = clean(String(fault.sentence.dropFirst(ours.count)))
        fault.sentence =
            ours + (theirs.isEmpty || theirs.hasPrefix(":") || ours.isEmpty ? theirs : " " + theirs)
        return fault
    }

    /// One line of at most 300 characters.
    func clean(_ text: String) -> String {
        let line = String(decoding: text.utf8.prefix(4000), as: UTF8.self).map { $0.isPrintable ? $0 : " " }
        let words = String(line).split(separator: " ").map { isSecret($0) ? "…" : String($0) }
        let clean = withoutPrompts(words.joined(separator: " "))
        return clean.count <= 300 ? clean : clean.prefix(299) + "…"
    }

    /// A word that has the credential, or a part of it, or hides a key behind stars.
    private func isSecret(_ word: Substring) -> Bool {
        if word.contains("***") || word.contains("…") && word.count > 4 { return true }
        guard let credential else { return false }
        return credential.split(separator: ":").contains { part in
            if part.count < 8 { return word.contains(part) }
            return word.contains(part.prefix(8)) || word.contains(part.suffix(8))
        }
    }

    private func withoutPrompts(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var hidden = [Bool](repeating: false, count: bytes.count)
        var places: [Int: [UInt64: [(hash: UInt64, start: Int)]]] = [:] // by the length of a run
        for prompt in prompts.map({ inOneLine($0) }) where prompt.count >= 4 {
            let run = min(Self.run, prompt.count)
            if places[run] == nil { places[run] = Dictionary(grouping: Runs(of: run, in: bytes), by: \.hash) }
            for (hash, start) in Runs(of: run, in: prompt) {
                guard let found = places[run]?.removeValue(forKey: hash) else { continue }
                for (_, place) in found where bytes[place..<(place + run)] == prompt[start..<(start + run)] {
                    for index in place..<(place + run) { hidden[index] = true }
                }
            }
        }
        guard hidden.contains(true) else { return text }
        var kept: [UInt8] = []
        for index in bytes.indices {
            if !hidden[index] {
                kept.append(bytes[index])
            } else if index == 0 || !hidden[index - 1] {
                kept += "…".utf8
            }
        }
        return String(decoding: kept, as: UTF8.self)
    }

    /// As `clean` has made it of the provider's words: one space for all that is blank.
    private func inOneLine(_ prompt: String) -> [UInt8] {
        Array(prompt.utf8.map { $0 < 0x20 ? 0x20 : $0 }.split(separator: 0x20).joined(separator: [0x20]))
    }
}

/// Every run of so many bytes, by a hash that is carried from one to the next: a prompt may be a book.
private struct Runs: Sequence, IteratorProtocol {
    private let bytes: [UInt8]
    private let count: Int
    private var start = 0
    private var hash: UInt64 = 0
    /// What a byte has been multiplied by when it leaves.
    private let highest: UInt64
    private static let factor: UInt64 = 0x0000_0100_0000_01b3

    init(of count: Int, in bytes: [UInt8]) {
        self.bytes = bytes
        self.count = count
        highest = (0..<count).reduce(1) { power, _ in power &* Self.factor }
        for byte in bytes.prefix(count) { hash = hash &* Self.factor &+ UInt64(byte) }
    }

    mutating func next() -> (hash: UInt64, start: Int)? {
        guard start + count <= bytes.count else { return nil }
        defer {
            if start + count < bytes.count {
                let (leaving, coming) = (UInt64(bytes[start]), UInt64(bytes[start + count]))
                hash = hash &* Self.factor &+ coming &- highest &* leaving
            }
            start += 1
        }
        return (hash, start)
    }
}

extension Character {
    fileprivate var isPrintable: Bool {
        unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) }
    }
}
