@testable import Migrations

/// The other things a project says line by line: what lint is to allow, what data a test asks for, and the
/// manifest. Lines are those of an editor, and carriage returns change nothing.
func check(_ input: Input) {
    let text = input.text
    let lines = editorLines(text)

    let allowances = Allowance.all(in: text)
    for allowance in allowances {
        require(lines.indices.contains(allowance.line - 1), "there is a line \(allowance.line)")
        require(lines[allowance.line - 1].holds("allow"), "line \(allowance.line) allows something")
        require(!allowance.codes.isEmpty && allowance.codes.allSatisfy { $0.count > 1 }, "it names what it allows")
        require(allowance.codes.allSatisfy { lines[allowance.line - 1].holds($0) }, "it has the codes it names")
        if let target = allowance.target {
            require(target >= allowance.line && target <= lines.count, "what it speaks for is there")
        }
    }
    let data = DataDirective.all(in: text)
    for directive in data {
        require(lines.indices.contains(directive.line - 1), "there is a line \(directive.line)")
        require(lines[directive.line - 1].holds(directive.path), "line \(directive.line) names the data")
    }
    let manifest = manifest(text)
    switch manifest {
    case .success(let entries):
        for entry in entries {
            require(lines.indices.contains(entry.line - 1), "there is a line \(entry.line)")
            require(lines[entry.line - 1].holds(entry.path), "line \(entry.line) names \(entry.path)")
            require(entry.path.hasSuffix(".sql") && !entry.path.hasPrefix("/"), "\(entry.path) is below sql/")
            require(!entry.path.split(separator: "/").contains(".."), "\(entry.path) stays there")
        }
        require(Set(entries.map(\.path)).count == entries.count, "each path is named once")
        let written = entries.map { ($0.role == .object ? "" : "\($0.role) ") + $0.path }.joined(separator: "\n")
        let again = try? Manifest.parse(Array(written.utf8))
        require(again?.map(\.path) == entries.map(\.path), "the manifest is read as it was written")
        require(again?.map(\.role) == entries.map(\.role), "with what each is")
    case .failure(let refusal):
        for problem in refusal.problems {
            require(lines.indices.contains((problem.line ?? 0) - 1), "there is a line \(problem)")
        }
    }

    guard let other = text.withCarriageReturns else { return }
    require(Allowance.all(in: other) == allowances, "carriage returns change no allowance")
    require(DataDirective.all(in: other) == data, "carriage returns change no data")
    if case .success(let entries) = manifest {
        require((try? Manifest.parse(Array(other.utf8))) == entries, "carriage returns change no manifest")
    }
}

private func manifest(_ text: String) -> Result<[ManifestEntry], Refusal> {
    do {
        return .success(try Manifest.parse(Array(text.utf8)))
    } catch let refusal as Refusal {
        return .failure(refusal)
    } catch {
        require(false, "a manifest fails with \(error)")
        return .success([])
    }
}
