import FoundationEssentials

/// Reads what a job asks for. What is not there or of another type is named; its value never is.
func decoded<Payload: Decodable>(_ type: Payload.Type, from payload: String, of kind: String) throws -> Payload {
    do {
        return try JSONDecoder().decode(type, from: Data(payload.utf8))
    } catch let DecodingError.keyNotFound(key, _) {
        throw Failure(error: "the payload of a \(kind) has no \"\(key.stringValue)\"")
    } catch let DecodingError.typeMismatch(_, context), let DecodingError.valueNotFound(_, context) {
        let path = context.codingPath.map(\.stringValue).joined(separator: ".")
        throw Failure(error: "in the payload of a \(kind), \(path.isEmpty ? "all" : "\"\(path)\"") is of the wrong type")
    } catch {
        throw Failure(error: "the payload of a \(kind) cannot be read")
    }
}

/// A result, as JSON text.
func encoded(_ result: some Encodable) -> Outcome {
    do {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return .finished(result: String(decoding: try encoder.encode(result), as: UTF8.self))
    } catch {
        return .failed(Failure(error: "the result cannot be written as JSON"))
    }
}

/// A body as a row can hold it: text, where it is UTF-8 without the zero that PostgreSQL's text has no place
/// for, else base64.
struct Content: Encodable, Equatable {
    var text: String?
    var base64: String?

    init(_ bytes: [UInt8]) {
        if !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) {
            self.text = text
        } else {
            base64 = Data(bytes).base64EncodedString()
        }
    }
}
