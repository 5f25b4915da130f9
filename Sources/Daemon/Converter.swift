/// Turns documents into text, by programs of Debian's: pdftotext for PDF, pandoc for the rest.
///
/// Which program runs, and with which options, follows from the media type alone; nothing of a job's payload
/// but the document itself ever reaches it.
struct Converter: Equatable, Sendable {
    /// What comes out; PDF knows no structure and is plain text either way.
    enum Form: String, CaseIterable, Sendable {
        case plain
        /// Headings, lists and tables in GitHub's Markdown, which a splitter can use.
        case markdown
    }

    /// Why a conversion did not begin.
    enum Refusal: Error, Equatable, CustomStringConvertible {
        case unknown(mediaType: String)

        var description: String {
            switch self {
            case .unknown(let mediaType):
                "no program is known that converts \"\(mediaType)\"; known are \(Converter.mediaTypes)"
            }
        }
    }

    /// A program with its options.
    struct Command: Equatable {
        let program: Program
        let arguments: [String]
        /// The name of the file the program wants to read; nil: it reads standard input.
        let fileName: String?
    }

    static let pdftotext = Program(name: "pdftotext", package: "poppler-utils")
    static let pandoc = Program(name: "pandoc", package: "pandoc")

    /// pandoc's names for what it reads.
    private static let readers: KeyValuePairs = [
        "text/html": "html",
        "application/xhtml+xml": "html",
        "text/markdown": "markdown",
        "text/x-rst": "rst",
        "text/prs.fallenstein.rst": "rst",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
        "application/vnd.oasis.opendocument.text": "odt",
        "application/epub+zip": "epub",
    ]

    static var mediaTypes: String {
        (["application/pdf"] + readers.map(\.key)).joined(separator: ", ")
    }

    var limits = ChildLimits()

    /// The command for a media type as HTTP writes it: parameters and capitals do not matter.
    static func command(mediaType: String, to form: Form) throws(Refusal) -> Command {
        let name = mediaType.prefix { $0 != ";" }.lowercased().filter { !$0.isWhitespace }
        if name == "application/pdf" {
            // A PDF is read from its end, so pdftotext wants a file.
            return Command(
                program: pdftotext, arguments: ["-enc", "UTF-8", "-nopgbrk", "in.pdf", "-"],
                fileName: "in.pdf")
        }
        guard let reader = readers.first(where: { $0.key == name })?.value else {
            throw .unknown(mediaType: String(mediaType.prefix(100)))
        }
        // --sandbox: a document that names other files or addresses does not get them read.
        let writer = form == .plain ? "plain" : "gfm-raw_html"
        return Command(
            program: pandoc, arguments: ["--sandbox", "--wrap=none", "-f", reader, "-t", writer],
            fileName: nil)
    }

    /// Starts the conversion of a document. The error is a `Refusal` or a `ChildProcess.Failure`.
    func start(_ document: [UInt8], mediaType: String, to form: Form, at now: Duration) throws -> ChildProcess
    {
        let command = try Self.command(mediaType: mediaType, to: form)
        let input: ChildProcess.Input =
            if let name = command.fileName { .file(name: name, document) } else { .standardInput(document) }
        return try ChildProcess(command.program, command.arguments, input: input, limits: limits, at: now)
    }

    /// A program's output as text the database takes: without the zero characters that it has no place for,
    /// and with a replacement character for what is not UTF-8.
    static func text(_ output: [UInt8]) -> String {
        String(decoding: output.filter { $0 != 0 }, as: UTF8.self)
    }
}
