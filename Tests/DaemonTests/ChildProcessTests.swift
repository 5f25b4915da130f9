import Foundation
import Testing

@testable import Daemon

/// Waits for a child as the daemon's loop does: by its descriptors and its deadline.
func finish(_ child: ChildProcess, from start: ContinuousClock.Instant = .now) -> ChildProcess.Ending {
    while true {
        let now = ContinuousClock.now - start
        if let ending = child.advance(at: now) { return ending }
        var entries = child.pollEntries
        let left = max((child.nextWake ?? .seconds(3600)) - now, .zero)
        poll(&entries, nfds_t(entries.count), Int32(clamping: min(left, .seconds(30)).milliseconds + 1))
    }
}

@Suite("A child process")
struct ChildProcessTests {
    static let shell = Program(name: "sh", package: "dash")

    private func shell(
        _ script: String, input: ChildProcess.Input = .standardInput([]),
        limits adjust: (inout ChildLimits) -> Void = { _ in }
    ) throws -> ChildProcess {
        var limits = ChildLimits()
        limits.time = .seconds(20)
        adjust(&limits)
        return try ChildProcess(Self.shell, ["-c", script], input: input, limits: limits, at: .zero)
    }

    /// What a script writes, if it ends well.
    private func output(_ script: String, input: ChildProcess.Input = .standardInput([])) throws -> String {
        String(decoding: try finish(try shell(script, input: input)).get(), as: UTF8.self)
    }

    /// Why a script does not end well.
    private func failure(
        _ script: String, limits: (inout ChildLimits) -> Void = { _ in }
    ) throws -> ChildProcess.Failure? {
        switch finish(try shell(script, limits: limits)) {
        case .success: nil
        case .failure(let failure): failure
        }
    }

    @Test("Bytes go in, bytes come out, however many")
    func bytes() throws {
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let cat = Program(name: "cat", package: "coreutils")
        let child = try ChildProcess(cat, [], input: .standardInput(bytes), limits: ChildLimits(), at: .zero)
        #expect(finish(child) == .success(bytes))
        #expect(child.pollEntries.isEmpty && child.nextWake == nil && child.leftover == nil)
        #expect(child.advance(at: .zero) == child.ending)
    }

    @Test("A file lies in the folder the child runs in, for its eyes only; standard input is then empty")
    func file() throws {
        let input = ChildProcess.Input.file(name: "in.txt", Array("hello".utf8))
        #expect(
            try output("ls; stat -c %a . in.txt; cat in.txt -", input: input) == "in.txt\n700\n600\nhello")
    }

    @Test("A reader that stops early breaks nothing")
    func earlyReader() throws {
        let much = [UInt8](repeating: UInt8(ascii: "x"), count: 10_000_000)
        #expect(try output("head -c 3", input: .standardInput(much)) == "xxx")
    }

    @Test("Nothing is inherited: no variable, no descriptor, no group, no signal that is ignored or blocked")
    func inheritsNothing() throws {
        let inheritable = dup(1)
        defer { close(inheritable) }
        // The one descriptor above 2 is that of ls itself.
        #expect(try output("ls /proc/self/fd").split(separator: "\n") == ["0", "1", "2", "3"])
        let variables = try output("tr '\\0' '\\n' < /proc/self/environ").split(separator: "\n").sorted()
        #expect(variables.count == 3)
        #expect(variables.first == "LANG=C.UTF-8" && variables[1] == "PATH=/usr/local/bin:/usr/bin:/bin")
        #expect(try output("test $TMPDIR = $PWD && echo same") == "same\n")
        #expect(try output("read -r _ _ _ _ group _ < /proc/$$/stat; echo $((group == $$))") == "1\n")
        let before = signal(SIGPIPE, SIG_IGN)
        defer { signal(SIGPIPE, before) }
        // But for 32 and 33, which belong to the C library and which it lets nobody change.
        let signals = try output("grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f 2")
            .split(separator: "\n").map { UInt64($0, radix: 16).map { $0 & ~(3 << 31) } }
        #expect(signals == [0, 0])
    }

    @Test("The folder goes with the child, whatever is in it")
    func folder() throws {
        let folder = try output("mkdir -p a/b; echo x > a/b/c; ln -s /etc a/etc; pwd").dropLast()
        #expect(folder.contains("/concierge-") && access(String(folder), F_OK) != 0)
        #expect(access("/etc/passwd", F_OK) == 0)
    }

    @Test("An exit code and a signal are failures, with what the child said in one line")
    func endings() throws {
        let exit = try failure("echo \"first\n$PWD/in: bad\" >&2; exit 3")
        #expect(exit == .exit(code: 3, words: "first; in: bad"))
        #expect(exit?.description == "ended with exit code 3: first; in: bad")
        #expect(try failure("exit 1")?.description == "ended with exit code 1")
        #expect(try failure("kill -SEGV $$") == .signal(SIGSEGV, words: ""))
        let long = try failure("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1")
        #expect(long == .exit(code: 1, words: String(repeating: "x", count: 300)))
    }

    @Test("A program is found by name in fixed folders, and one that is missing is named with its package")
    func missing() throws {
        let nothing = Program(name: "no-such-program", package: "no-such-package")
        #expect {
            try ChildProcess(nothing, [], input: .standardInput([]), limits: ChildLimits(), at: .zero)
        } throws: {
            "\($0)" == "there is no no-such-program: install Debian's no-such-package"
        }
        #expect(Program(name: "/bin/sh", package: "").path == nil)
        #expect(Program(name: "../bin/sh", package: "").path == nil)
    }

    @Test("A child that takes too long is killed with all it started")
    func time() throws {
        let began = ContinuousClock.now
        let child = try shell("sleep 60 & sleep 60") { $0.time = .milliseconds(200) }
        #expect(finish(child) == .failure(.tooLong(limit: .milliseconds(200))))
        #expect(ContinuousClock.now - began < .seconds(10))
    }

    @Test("A child that ends while another holds its pipes is at its end, and the other one's, too")
    func orphan() throws {
        let began = ContinuousClock.now
        let process = try output("sleep 60 & echo $!")
        #expect(ContinuousClock.now - began < .seconds(10))
        let number = try #require(pid_t(process.dropLast()))
        // Whoever adopts it takes note of its end in their own time; until then it is there, as a zombie.
        func status() -> String? { try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8) }
        func hasEnded() -> Bool { status()?.contains(/\) [^ZX] [0-9]/) != true }
        for _ in 0..<200 where !hasEnded() { usleep(10_000) }
        #expect(hasEnded(), "\(status() ?? "")")
    }

    @Test("A process that leaves the group holds nobody up, though it holds the pipes")
    func deserter() throws {
        let began = ContinuousClock.now
        #expect(try output("setsid sleep 20 & sleep 0.2; echo done") == "done\n")
        #expect(ContinuousClock.now - began < .seconds(10))
    }

    @Test("A child that closes its output is waited for by its life")
    func silent() throws {
        #expect(try failure("exec >&- 2>&-; sleep 0.3; exit 7") == .exit(code: 7, words: ""))
    }

    @Test("Output without end is cut off, on either stream", arguments: ["yes", "yes >&2"])
    func outputBomb(script: String) throws {
        #expect(try failure(script) { $0.output = 1_000_000 } == .tooMuchOutput(limit: 1_000_000))
    }

    @Test("The last byte that may be written may be written")
    func outputLimit() throws {
        let script = "head -c 100000 /dev/zero"
        #expect(try failure(script) { $0.output = 100_000 } == nil)
        #expect(try failure(script) { $0.output = 99_999 } == .tooMuchOutput(limit: 99_999))
    }

    @Test("Output without end leaves the loop its turns")
    func fairness() throws {
        let child = try shell("yes") {
            $0.output = .max
            $0.time = .milliseconds(300)
        }
        var turns = 0
        let start = ContinuousClock.now
        while child.advance(at: ContinuousClock.now - start) == nil { turns += 1 }
        #expect(turns > 5)
        #expect(child.ending == .failure(.tooLong(limit: .milliseconds(300))))
    }

    @Test("Memory without end is refused by the system, and the child fails")
    func memoryBomb() throws {
        // tail keeps the last line, which never ends
        let failure = try failure("tail -n 1 /dev/zero") { $0.memory = 64 << 20 }
        guard case .exit(code: 1, let words) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(words.contains("memory exhausted"))
    }

    @Test("Processor time, file size, descriptors and core dumps have limits")
    func limits() throws {
        let cpu = try failure("while :; do :; done") { $0.cpuSeconds = 1 }
        #expect(
            cpu == .signal(SIGXCPU, words: "") && cpu?.description == "used more processor time than it may")
        let file = try failure("exec head -c 100000 /dev/zero > big") { $0.fileSize = 4096 }
        #expect(file?.description == "wrote a longer file than it may")
        #expect(try output("ulimit -n; ulimit -c; ulimit -f") == "64\n0\n\((256 << 20) / 512)\n")
    }

    @Test("Nobody may get more than this process has")
    func hardLimit() throws {
        var current = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &current)
        let child = try shell("ulimit -n") { $0.openFiles = UInt64(current.rlim_max) * 2 }
        #expect(finish(child) == .success(Array("\(current.rlim_max)\n".utf8)))
    }

    @Test("A child can be cancelled; one that is forgotten is killed")
    func cancel() throws {
        var child: ChildProcess? = try shell("sleep 60")
        child?.cancel()
        #expect(finish(try #require(child)) == .failure(.cancelled))
        child = try shell("sleep 60")
        child = nil
    }

    @Test("A fork bomb ends with its time")
    func forkBomb() throws {
        // Every shell starts one more, a hundred deep, and waits.
        let script = "f() { [ $1 = 0 ] || { f $(($1 - 1)) & sleep 60; }; }; f 100; sleep 60"
        #expect(try failure(script) { $0.time = .milliseconds(500) } == .tooLong(limit: .milliseconds(500)))
    }

    @Test("Many children leave nothing open, and nothing behind")
    func leaks() throws {
        let before = try #require(ProcessFigures.current().openFiles)
        for _ in 0..<100 { _ = finish(try shell("exit 0")) }
        // other tests open files meanwhile
        #expect(try #require(ProcessFigures.current().openFiles) < before + 60)
    }
}

@Suite("Conversion")
struct ConverterTests {
    private func convert(
        _ document: [UInt8], _ mediaType: String, to form: Converter.Form = .markdown
    ) throws -> ChildProcess.Ending {
        finish(try Converter().start(document, mediaType: mediaType, to: form, at: .zero))
    }

    private func text(_ document: String, _ mediaType: String, to form: Converter.Form) throws -> String {
        Converter.text(try convert(Array(document.utf8), mediaType, to: form).get())
    }

    @Test(
        "The media type alone decides what runs",
        arguments: [
            ("application/pdf", "pdftotext", "-enc UTF-8 -nopgbrk in.pdf -"),
            ("text/html; charset=utf-8", "pandoc", "--sandbox --wrap=none -f html -t gfm-raw_html"),
            ("Text/Markdown", "pandoc", "--sandbox --wrap=none -f markdown -t gfm-raw_html"),
            (" text/x-rst ", "pandoc", "--sandbox --wrap=none -f rst -t gfm-raw_html"),
            (
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "pandoc",
                "--sandbox --wrap=none -f docx -t gfm-raw_html"
            ),
            (
                "application/vnd.oasis.opendocument.text", "pandoc",
                "--sandbox --wrap=none -f odt -t gfm-raw_html"
            ),
            ("application/epub+zip", "pandoc", "--sandbox --wrap=none -f epub -t gfm-raw_html"),
        ])
    func commands(mediaType: String, program: String, arguments: String) throws {
        let command = try Converter.command(mediaType: mediaType, to: .markdown)
        #expect(command.program.name == program)
        #expect(command.arguments.joined(separator: " ") == arguments)
        #expect((command.fileName != nil) == (program == "pdftotext"))
        #expect(try Converter.command(mediaType: "text/html", to: .plain).arguments.last == "plain")
    }

    @Test(
        "A type nobody converts is refused, with those somebody does",
        arguments: [
            "", "text/plain", "image/png", "application/pdf2", "../../bin/sh", "--help",
        ])
    func unknown(mediaType: String) {
        #expect {
            try Converter.command(mediaType: mediaType, to: .plain)
        } throws: {
            "\($0)".hasPrefix(
                "no program is known that converts \"\(mediaType)\"; known are application/pdf, ")
        }
    }

    @Test("What comes out is text the database takes")
    func cleaning() {
        #expect(Converter.text([0x61, 0, 0xff, 0x62]) == "a\u{fffd}b")
    }

    @Test(
        "A PDF becomes its text; one that is none, or is broken, fails with what the program says",
        .enabled(if: Converter.pdftotext.path != nil, "pdftotext is not installed (poppler-utils)"))
    func pdf() throws {
        #expect(
            try Converter.text(convert(Self.pdf("Hello, PDF"), "application/pdf").get()) == "Hello, PDF\n\n")
        let random = (0..<10_000).map { _ in UInt8.random(in: .min ... .max) }
        for garbage in [[], random, Array("%PDF-1.7\n".utf8) + random, Array(Self.pdf("x").prefix(200))] {
            guard case .failure(.exit(let code, let words)) = try convert(garbage, "application/pdf") else {
                Issue.record("garbage of \(garbage.count) bytes was converted")
                continue
            }
            #expect(code > 0 && !words.isEmpty && !words.contains("/concierge-"), "\(words)")
        }
    }

    @Test(
        "HTML, Markdown and reStructuredText become text or Markdown",
        .enabled(if: Converter.pandoc.path != nil, "pandoc is not installed"))
    func pandoc() throws {
        let html =
            "<h1>Title</h1><p>Some <b>bold</b> <a href='http://x.y/'>words</a> é.</p><script>1</script>"
        #expect(try text(html, "text/html", to: .plain) == "Title\n\nSome bold words é.\n")
        #expect(
            try text(html, "text/html", to: .markdown)
                == "# Title\n\nSome **bold** [words](http://x.y/) é.\n")
        #expect(
            try text("Title\n=====\n\n* one\n* two", "text/markdown", to: .plain)
                == "Title\n\n-   one\n-   two\n")
        #expect(try text("Title\n=====\n\nWords", "text/x-rst", to: .markdown) == "# Title\n\nWords\n")
    }

    @Test(
        "Office documents and books become text; what is none of them fails",
        .enabled(if: Converter.pandoc.path != nil, "pandoc is not installed"),
        arguments: [
            ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            ("odt", "application/vnd.oasis.opendocument.text"), ("epub", "application/epub+zip"),
        ])
    func archives(format: String, mediaType: String) throws {
        let maker = try ChildProcess(
            Converter.pandoc, ["-f", "markdown", "-t", format, "-o", "-", "--metadata", "title=Book"],
            input: .standardInput(Array("# Title\n\nWords\n".utf8)), limits: ChildLimits(), at: .zero)
        let document = try finish(maker).get()
        let text = Converter.text(try convert(document, mediaType).get())
        #expect(text.contains("# Title") && text.contains("Words"), "\(text)")
        let broken = try convert(Array(document.prefix(document.count / 2)), mediaType)
        guard case .failure(.exit(_, let words)) = broken else {
            Issue.record("half a document was converted: \(broken)")
            return
        }
        #expect(!words.isEmpty)
    }

    @Test(
        "A document that names files of the machine does not get them",
        .enabled(if: Converter.pandoc.path != nil, "pandoc is not installed"))
    func sandbox() throws {
        let secret = NSTemporaryDirectory() + "/concierge-secret-\(getpid())"
        try Data("canary".utf8).write(to: URL(fileURLWithPath: secret))
        defer { unlink(secret) }
        let ending = try convert(Array(".. include:: \(secret)\n\nWords\n".utf8), "text/x-rst", to: .plain)
        switch ending {
        case .success(let output): #expect(!Converter.text(output).contains("canary"))
        case .failure(let failure): #expect(!failure.description.contains("canary"))
        }
    }

    /// A PDF of one line.
    private static func pdf(_ line: String) -> [UInt8] {
        let content = "BT /F1 24 Tf 72 720 Td (\(line)) Tj ET"
        let objects = [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
                + "/Resources << /Font << /F1 5 0 R >> >> >>",
            "<< /Length \(content.utf8.count) >>\nstream\n\(content)\nendstream",
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ]
        var file = "%PDF-1.4\n"
        var places: [Int] = []
        for (number, object) in objects.enumerated() {
            places.append(file.utf8.count)
            file += "\(number + 1) 0 obj\n\(object)\nendobj\n"
        }
        let table = file.utf8.count
        file += "xref\n0 \(objects.count + 1)\n0000000000 65535 f \n"
        for place in places {
            file += String(repeating: "0", count: 10 - "\(place)".count) + "\(place) 00000 n \n"
        }
        file += "trailer\n<< /Size \(objects.count + 1) /Root 1 0 R >>\nstartxref\n\(table)\n%%EOF\n"
        return Array(file.utf8)
    }
}
