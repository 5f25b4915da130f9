import Migrations

/// What git says was changed: against a commit, in the working tree, and in files git does not know yet.
struct ChangedFiles {
    /// The commit compared with, shortened.
    let base: String
    let changes: [TestChoice.Change]

    /// Against `reference`, or when it is empty against where this branch left the main one.
    init(root: String, since reference: String) throws {
        func git(_ arguments: [String]) throws -> ChildResult {
            try runChild(["git", "-C", root] + arguments, mergeErrors: false)
        }
        guard try git(["rev-parse", "--is-inside-work-tree"]).status == 0 else {
            throw Failure("\(root) is not under git", hint: "Without git, name the tests to run, or run all.")
        }
        var base = reference
        if base.isEmpty {
            let mains = ["main", "origin/main", "master", "origin/master"]
            let found = try mains.lazy.map { try git(["merge-base", "HEAD", $0]) }.first { $0.status == 0 }
            base = found?.line ?? "HEAD"
        }
        let commit = try git(["rev-parse", "--verify", "--quiet", "--short", base + "^{commit}"])
        guard commit.status == 0 else {
            throw Failure("git knows no commit \"\(base)\" here", hint: "Name another with --changed=REF.")
        }
        let tracked = try git(["diff", "--name-only", "-z", "--no-renames", "--relative", commit.line, "--"])
        let untracked = try git(["ls-files", "--others", "--exclude-standard", "-z"])
        let paths = (tracked.text + untracked.text).split(separator: "\0").map(String.init)
        self.base = commit.line
        changes = try Set(paths).sorted().map { path in
            let before = try git(["show", "\(commit.line):./\(path)"])
            return TestChoice.Change(path: path, before: before.status == 0 ? before.text : nil)
        }
    }
}

extension ChildResult {
    /// The first line of the output.
    fileprivate var line: String { String(text.prefix { !$0.isNewline }) }
}
