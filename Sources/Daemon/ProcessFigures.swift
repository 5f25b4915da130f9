import Glibc

/// What this process uses, in the words every Prometheus client has for it.
struct ProcessFigures: Equatable, Sendable {
    var residentMemoryBytes: Double?
    var cpuSeconds: Double
    var openFiles: Double?

    /// Asks the kernel (getrusage(2), proc(5)). What a closed-off /proc does not say is left out.
    static func current() -> ProcessFigures {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        return ProcessFigures(
            residentMemoryBytes: residentMemory(),
            cpuSeconds: usage.ru_utime.seconds + usage.ru_stime.seconds,
            openFiles: openFiles())
    }

    func render(into text: inout Exposition) {
        text.single(
            "process_cpu_seconds_total", .counter, help: "User and system CPU time, in seconds.", cpuSeconds)
        if let residentMemoryBytes {
            text.single(
                "process_resident_memory_bytes", .gauge, help: "Memory that is really there, in bytes.",
                residentMemoryBytes)
        }
        if let openFiles {
            text.single("process_open_fds", .gauge, help: "Descriptors that are open.", openFiles)
        }
    }

    /// The second number of /proc/self/statm, which counts in pages.
    private static func residentMemory() -> Double? {
        guard let file = fopen("/proc/self/statm", "re") else { return nil }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 256)
        guard fgets(&buffer, Int32(buffer.count), file) != nil else { return nil }
        let words = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            .split(separator: " ")
        guard words.count > 1, let pages = Double(words[1]) else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// One entry each in /proc/self/fd, but for the one that reads it and the two dots.
    private static func openFiles() -> Double? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        return Double(count - 3)
    }
}

extension timeval {
    fileprivate var seconds: Double { Double(tv_sec) + Double(tv_usec) / 1_000_000 }
}
