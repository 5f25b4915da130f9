// Numbers for Prometheus, as values: counted in plain structures, rendered as its text format 0.0.4.

/// A label and every value it may have. Anything else is counted as "other": no payload, no tenant and no
/// message may ever make a series of its own, for series are what fills a monitoring server up.
struct Label: Equatable, Sendable {
    static let other = "other"

    let name: String
    let values: [String]

    init(_ name: String, _ values: [String]) {
        self.name = name
        self.values = values
    }

    func bounded(_ value: String) -> String { values.contains(value) ? value : Self.other }
}

/// What the three kinds of metric have in common: a name, a sentence, labels.
struct Family: Equatable, Sendable {
    let name: String
    let help: String
    let labels: [Label]

    /// The values as this family knows them, one for each label, whatever was given.
    func key(_ values: [String]) -> [String] {
        labels.enumerated().map { place, label in
            place < values.count ? label.bounded(values[place]) : Label.other
        }
    }

    /// Every combination of values.
    var keys: [[String]] {
        labels.reduce([[]]) { keys, label in keys.flatMap { key in label.values.map { key + [$0] } } }
    }

    func pairs(_ key: [String]) -> [(String, String)] { Array(zip(labels.map(\.name), key)) }
}

/// A number that only grows.
struct Counter: Equatable, Sendable {
    let family: Family
    private var totals: [[String]: Double] = [:]

    /// - Parameter startsAtZero: whether what never happened is shown as 0, so that its first time is seen as
    ///   an increase. Not for labels of many values.
    init(_ name: String, _ help: String, labels: [Label] = [], startsAtZero: Bool = true) {
        family = Family(name: name, help: help, labels: labels)
        if startsAtZero { for key in family.keys { totals[key] = 0 } }
    }

    /// A negative amount is ignored.
    mutating func add(_ labels: String..., amount: Double = 1) {
        totals[family.key(labels), default: 0] += max(amount, 0)
    }

    func render(into text: inout Exposition) {
        text.open(family.name, .counter, help: family.help)
        for (key, total) in totals.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            text.sample(family.name, family.pairs(key), total)
        }
    }
}

/// A number that comes and goes.
struct Gauge: Equatable, Sendable {
    let family: Family
    private var values: [[String]: Double] = [:]

    init(_ name: String, _ help: String, labels: [Label] = [], startsAtZero: Bool = true) {
        family = Family(name: name, help: help, labels: labels)
        if startsAtZero { for key in family.keys { values[key] = 0 } }
    }

    mutating func set(_ value: Double, _ labels: String...) { values[family.key(labels)] = value }

    func render(into text: inout Exposition) {
        text.open(family.name, .gauge, help: family.help)
        for (key, value) in values.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            text.sample(family.name, family.pairs(key), value)
        }
    }
}

/// How often something took how long: counts by upper limit.
struct Histogram: Equatable, Sendable {
    private struct Record: Equatable {
        /// How many fell between the limit before and this one; the last is beyond all limits.
        var counts: [UInt64]
        var sum = 0.0
    }

    let family: Family
    let limits: [Double]
    private var records: [[String]: Record] = [:]

    /// - Parameter limits: the upper ends of the buckets, each of which includes its limit.
    init(_ name: String, _ help: String, labels: [Label] = [], limits: [Double]) {
        family = Family(name: name, help: help, labels: labels)
        self.limits = limits.sorted()
        if labels.isEmpty { records[[]] = Record(counts: emptyCounts) }
    }

    private var emptyCounts: [UInt64] { Array(repeating: 0, count: limits.count + 1) }

    mutating func observe(_ value: Double, _ labels: String...) {
        guard value.isFinite else { return }
        let index = limits.firstIndex { value <= $0 } ?? limits.count
        let key = family.key(labels)
        var record = records[key] ?? Record(counts: emptyCounts)
        record.counts[index] += 1
        record.sum += value
        records[key] = record
    }

    func render(into text: inout Exposition) {
        text.open(family.name, .histogram, help: family.help)
        for (key, record) in records.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let pairs = family.pairs(key)
            var count: UInt64 = 0
            for (limit, number) in zip(limits + [.infinity], record.counts) {
                count += number
                let bucket = pairs + [("le", Exposition.number(limit))]
                text.sample(family.name + "_bucket", bucket, Double(count))
            }
            text.sample(family.name + "_sum", pairs, record.sum)
            text.sample(family.name + "_count", pairs, Double(count))
        }
    }
}

/// The text Prometheus reads (exposition format 0.0.4), written family by family.
struct Exposition {
    static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

    enum Kind: String {
        case counter, gauge, histogram
    }

    private(set) var text = ""
    /// Families already written: a name may begin only once.
    private(set) var names: Set<String> = []

    mutating func open(_ name: String, _ kind: Kind, help: String) {
        names.insert(name)
        text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(kind.rawValue)\n"
    }

    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Double) {
        text += name
        if !labels.isEmpty {
            let pairs = labels.map { "\($0)=\"\(Self.escaped($1, quotes: true))\"" }
            text += "{" + pairs.joined(separator: ",") + "}"
        }
        text += " \(Self.number(value))\n"
    }

    /// A family of one sample.
    mutating func single(_ name: String, _ kind: Kind, help: String, _ value: Double) {
        open(name, kind, help: help)
        sample(name, [], value)
    }

    /// Whole numbers without a fraction, the rest as short as they can be read back.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return abs(value) < 1e15 && value == value.rounded() ? "\(Int64(value))" : "\(value)"
    }

    static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
