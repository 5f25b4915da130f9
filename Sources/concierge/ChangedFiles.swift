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
            let main = try mains.first { try git(["rev-parse", "--verify", "--quiet", $0]).status == 0 }
            let fork = try main.map { try git(["merge-base", "HEAD", $0]) }
            base = fork?.status == 0 ? fork?.line ?? "HEAD" : "HEAD"
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
            let version = "\(commit.line):./\(path)"
            let wasThere = try git(["rev-parse", "--verify", "--quiet", version]).status == 0
            return TestChoice.Change(path: path, before: wasThere ? try git(["show", version]).text : nil)
        }
    }
}

extension ChildResult {
    /// The first line of the output.
    fileprivate var line: String { String(text.prefix { !$0.isNewline }) }
}
