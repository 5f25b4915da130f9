import FoundationEssentials

/// `convert`: a document to text. `{"media_type", "base64" or "text", "to"?}`; `to` is plain or markdown.
///
/// The result is `{"text"}`.
struct Conversion {
    private struct Payload: Decodable {
        let media_type: String
        let base64: String?
        let text: String?
        let to: String?
    }

    struct Answer: Encodable { let text: String }

    private let document: [UInt8]
    private let mediaType: String
    private let form: Converter.Form

    init(payload: String) throws {
        let payload = try decoded(Payload.self, from: payload, of: "convert")
        mediaType = payload.media_type
        guard let form = Converter.Form(rawValue: payload.to ?? "plain") else {
            throw Failure(error: "a document is converted to plain or markdown")
        }
        self.form = form
        if let text = payload.text {
            document = Array(text.utf8)
        } else if let data = payload.base64.flatMap({ Data(base64Encoded: $0, options: .ignoreUnknownCharacters) }) {
            document = Array(data)
        } else {
            throw Failure(error: "the payload of a convert has neither \"text\" nor \"base64\"")
        }
    }

    func start(at now: Duration) throws -> ChildProcess {
        do {
            return try Converter().start(document, mediaType: mediaType, to: form, at: now)
        } catch let failure as ChildProcess.Failure {
            throw Self.failure(failure)
        } catch {
            throw Failure(error: "\(error)")
        }
    }

    static func outcome(_ ending: ChildProcess.Ending) -> Outcome {
        switch ending {
        case .success(let output): encoded(Answer(text: Converter.text(output)))
        case .failure(let failure): .failed(self.failure(failure))
        }
    }

    /// A program that is missing is for a person to install; a machine that can start none just now may do so
    /// later; all else is the document.
    private static func failure(_ failure: ChildProcess.Failure) -> Failure {
        let fault: Failure.Fault =
            switch failure {
            case .missing: .config
            case .notStarted: .provider
            case .exit, .signal, .tooMuchOutput, .tooLong, .cancelled: .item
            }
        return Failure(error: "\(failure)", fault: fault)
    }
}
