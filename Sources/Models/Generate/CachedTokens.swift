/// Counts of a provider that leaves what its cache had out of the input, and tells them again and again.
struct CachedTokens: Hashable {
    private var uncached = 0
    private var read = 0
    private var written = 0
    private var output = 0

    /// A count that is told stands for the one before; one that is not leaves it.
    mutating func overwrite(uncached: JSON?, read: JSON?, written: JSON?, output: JSON?) {
        self.uncached = uncached?.count ?? self.uncached
        self.read = read?.count ?? self.read
        self.written = written?.count ?? self.written
        self.output = output?.count ?? self.output
    }

    var usage: Usage {
        Usage(input: uncached + read + written, cachedInput: read, cacheWrite: written, output: output)
    }
}
