/// A number the database reports about itself, one row of its own function: queue depth, view age, the like.
struct DatabaseSample: Equatable, Sendable {
    var name: String
    /// The sentence for the whole family; the first row's counts.
    var help: String?
    var labels: [String: String] = [:]
    var value: Double
}

/// The rows that can be shown. SQL decides what there is to know, so they are checked here: one bad row must
/// not make the whole page unreadable, and too many of them must not fill a monitoring server up.
struct DatabaseSamples {
    static let limit = 1000
    static let longestValue = 128

    private var families: [(name: String, samples: [DatabaseSample])] = []
    /// How many rows could not be shown.
    private(set) var dropped = 0

    /// - Parameter taken: names of families that exist already.
    init(_ rows: [DatabaseSample], besides taken: Set<String>) {
        var places: [String: Int] = [:]
        var seen: Set<[String]> = []
        for var row in rows {
            row.labels = row.labels.mapValues { String($0.prefix(Self.longestValue)) }
            let identity = [row.name] + row.labels.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
            guard seen.count < Self.limit, Self.isSound(row), !taken.contains(row.name),
                seen.insert(identity).inserted
            else {
                dropped += 1
                continue
            }
            if let place = places[row.name] {
                families[place].samples.append(row)
            } else {
                places[row.name] = families.count
                families.append((row.name, [row]))
            }
        }
    }

    func render(into text: inout Exposition) {
        for (name, samples) in families {
            let help = samples.first?.help ?? "Reported by the database."
            text.open(name, name.hasSuffix("_total") ? .counter : .gauge, help: help)
            for sample in samples {
                let labels = sample.labels.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
                text.sample(name, labels, sample.value)
            }
        }
    }

    /// Ours by its prefix, made of the signs that names are made of, and no part of a histogram, whose parts
    /// only make sense together.
    private static func isSound(_ row: DatabaseSample) -> Bool {
        row.name.hasPrefix("concierge_") && isName(row.name)
            && !["_bucket", "_sum", "_count"].contains { row.name.hasSuffix($0) }
            && row.labels.keys.allSatisfy {
                isName($0) && !$0.hasPrefix("__") && $0 != "le" && $0 != "quantile"
            }
    }

    private static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy {
            switch $0 {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f: true // digits, letters, underscore
            default: false
            }
        }
    }
}
