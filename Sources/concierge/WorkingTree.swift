import Glibc
import Migrations

/// From where the files of a project come, as git says; no commit where they are under no version control.
func origin(of root: String) throws -> Origin {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let login = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? "uid \(geteuid())"
    let user = "\(login)@\(host)"
    func git(_ words: String...) throws -> ChildResult { try runChild(["git", "-C", root] + words) }
    // Where there is no git, or no repository, nothing is known.
    guard let head = try? git("rev-parse", "HEAD"), head.status == 0 else {
        return Origin(commit: nil, isDirty: false, user: user)
    }
    let changes = try git("status", "--porcelain", "--", ".")
    guard changes.status == 0 else { throw Failure("git cannot say what has changed: \(changes.text)") }
    let commit = String(head.text.prefix { !$0.isNewline })
    return Origin(commit: commit, isDirty: !changes.output.isEmpty, user: user)
}

/// The place a command writes to, when it was named with `--env`: a service of libpq. Whoever writes to
/// another one than dev or test sees first what will be done, and is asked.
struct Environment {
    let name: String
    let root: String

    var isGuarded: Bool { name != "dev" && name != "test" }

    init?(_ invocation: Invocation, _ root: String) {
        guard let name = invocation["env"] else { return nil }
        self.name = name
        self.root = root
    }

    /// Refuses files that are no commit; asks. `--yes` answers.
    func mayWrite(_ invocation: Invocation, _ what: String) throws -> Bool {
        guard isGuarded else { return true }
        guard try !origin(of: root).isDirty else {
            throw Failure(
                "the working tree differs from its commit, and \(name) takes commits only",
                hint: "Commit what shall be applied, or stash it: git status shows what differs.")
        }
        return try invocation.has("yes") || Terminal.confirm("\(what) in \(name)?")
    }
}
