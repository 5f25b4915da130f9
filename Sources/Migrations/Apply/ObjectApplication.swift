import Postgres

/// One transaction that makes the objects of `sql/` what the files say.
///
/// Only the planned files are run, in the manifest's order. A file that can no longer replace what it made,
/// because a function returns something else or a view has other columns, has it dropped with all that stands
/// on it; the files of those are then run, too, and everything gets back the grants and comments it had. What
/// a file no longer makes is dropped in the end. Whatever no file of `sql/` makes is never dropped: it is
/// named in a refusal, and all is undone.
final class ObjectApplication {
    private let project: Project
    private let plan: Plan
    private let ledger: Ledger
    private let execution: Execution
    private let report: (Runner.Progress) -> Void
    private var connection: Connection { execution.connection }

    /// What each file has made in this transaction.
    private var made: [String: Set<MadeObject>] = [:]
    private var known: Set<String> = []
    /// Grants and comments of what was dropped, until it is there again.
    private var lost: [MadeObject: [String]] = [:]
    /// Places in `project.objects` still to be run.
    private var work: Set<Int> = []
    private var runs: [String: Int] = [:]
    private var hasRun: Set<String> { Set(runs.keys) }

    /// Materialized views built beside the old ones, which are still in their place.
    private var waiting: [Build] = []
    private var builtInputs: [String: String] = [:]
    /// To be built again though their own definition is the same.
    private var outdated: Set<MadeObject> = []
    private var temporaryNames = 0

    private struct Build {
        let old: MadeObject
        let file: String
        let view: MaterializedView
        /// The names until the swap, by the file's names.
        let names: [String: String]
    }

    init(
        _ project: Project, _ plan: Plan, _ ledger: Ledger, _ execution: Execution,
        _ report: @escaping (Runner.Progress) -> Void
    ) {
        self.project = project
        self.plan = plan
        self.ledger = ledger
        self.execution = execution
        self.report = report
    }

    /// Runs the files. The ledger is `record`'s, which must follow.
    func run() throws {
        for file in project.preamble { try execution.run(file.source) }
        known = Set(try MadeObjects.versions(connection))
        let planned = Set(plan.objects.map(\.path))
        work = Set(project.objects.indices.filter { planned.contains(project.objects[$0].path) })
        repeat {
            repeat {
                while let next = work.min() {
                    work.remove(next)
                    try apply(next)
                }
                try swap()
                work.formUnion(try unfinished())
            } while !work.isEmpty
            try dropStale()
        } while !work.isEmpty
    }

    // MARK: One file

    private func apply(_ place: Int) throws {
        let file = project.objects[place]
        runs[file.path, default: 0] += 1
        guard runs[file.path, default: 0] <= 5 else {
            throw Refusal(
                Problem(
                    file: file.source.path, "what it makes is dropped again by another file",
                    hint: "Move it in sql/manifest below the files it needs."))
        }
        // From the first file on that may use them, the new views must be in their place; in the end where the
        // ledger does not know yet whose the objects are that stand on the old ones.
        let uses = { [self] (build: Build) in
            build.file != file.path && note(of: build.old) != nil && file.source.mentions(build.view.name)
        }
        if waiting.contains(where: uses) {
            try swap()
        }
        try connection.execute(script: "savepoint concierge_file")
        do {
            try runStatements(file)
        } catch let error as ScriptError where isInTheWay(error.error.sqlState) {
            // Of an undone attempt nothing is left, not even a view built beside.
            try connection.execute(script: "rollback to savepoint concierge_file")
            waiting.removeAll { $0.file == file.path }
            // Its materialized views are not in the way, as long as they are to be some.
            let views = try MaterializedView.all(in: file.source).compactMap(existing)
            let own = Set(noted(file.path)).union(made[file.path] ?? []).subtracting(views)
                .intersection(try MadeObjects.all(connection))
            guard !own.isEmpty else { throw error }
            let gone = try drop(own)
            runAgain(gone, besides: file.path)
            checkCallers(of: gone, besides: file.path)
            try runStatements(file)
        }
        try connection.execute(script: "release savepoint concierge_file")
        try noteTouched(file)
    }

    /// What the server says when an object cannot be replaced by what the file makes now.
    private func isInTheWay(_ state: SQLState) -> Bool {
        [
            .invalidFunctionDefinition, .invalidTableDefinition, .wrongObjectType, .duplicateObject,
            .duplicateTable, .duplicateFunction,
        ].contains(state)
    }

    private func runStatements(_ file: ObjectFile) throws {
        let views = try MaterializedView.all(in: file.source)
        var standing: [MaterializedView] = []
        var builds: [Build] = []
        for view in views {
            guard let old = try existing(view) else { continue }
            standing.append(view)
            let isSame = note(of: old)?.definition == view.definition || builtInputs[old.identity] != nil
            if isSame, outdated.remove(old) == nil { continue }
            builds.append(Build(old: old, file: file.path, view: view, names: temporaryNames(for: view)))
        }
        for statement in file.source.statements {
            let build = builds.first { $0.view.isMade(by: statement) }
            let isDrop = statement.verb == "drop"
            if standing.contains(where: { $0.isMade(by: statement) }), build == nil || isDrop { continue }
            let said = builds.reduce(statement) { said, build in
                build.view.beside(said) { build.names[$0] ?? $0 }
            }
            try execution.run(said, of: file.source)
            if let build, statement.tokens.starts(with: ["create", "materialized"]) {
                try attach(
                    MadeObjects.attachments(connection)[build.old] ?? [],
                    to: MadeObject(kind: build.old.kind, identity: try temporaryIdentity(build)))
            }
            try giveBack()
        }
        waiting += builds
        let inputs = views.isEmpty ? [:] : try MaterializedInputs.read(connection)
        for build in builds { builtInputs[build.old.identity] = inputs[try temporaryIdentity(build)] }
        for view in views where !standing.contains(view) {
            if let new = try existing(view) { builtInputs[new.identity] = inputs[new.identity] }
        }
    }

    /// Notes what a file has written that nobody had written before.
    private func noteTouched(_ file: ObjectFile) throws {
        for found in try MadeObjects.touched(since: known, connection) {
            known.insert(found.version)
            made[file.path, default: []].insert(found.object)
        }
    }

    // MARK: Dropping and giving back

    /// Drops objects and whatever stands on them, and returns all that is gone. What no file makes stands in
    /// the way.
    private func drop(_ objects: Set<MadeObject>) throws -> Set<MadeObject> {
        let attachments = try MadeObjects.attachments(connection)
        let before = try Catalogue(within: connection)
        try connection.execute(script: "savepoint concierge_drop")
        for object in objects { try connection.execute(script: object.dropCascade) }
        let gone = Set(attachments.keys).subtracting(try MadeObjects.all(connection))
        let rest = before.rest(without: gone)
        let strangers =
            gone.filter { maker(of: $0) == nil && !objects.contains($0) }.map(\.description)
            + (try Catalogue(within: connection).rest(without: gone)).differences(from: rest).map(\.name)
        guard strangers.isEmpty else {
            let named = objects.map(\.description).sorted()
            throw Refusal(
                Problem(
                    file: "sql/" + (objects.compactMap(maker).min() ?? ""),
                    "what it made before must be dropped, and is used by what no file of sql/ makes",
                    detail: "To be dropped: " + named.joined(separator: ", ") + ". Used by: "
                        + strangers.sorted().joined(separator: ", ") + ".",
                    hint: "Free it in a migration first, or keep the old shape under the old name."))
        }
        try connection.execute(script: "release savepoint concierge_drop")
        for object in gone { lost[object] = attachments[object] }
        return gone
    }

    /// Has the files run again that make these objects.
    private func runAgain(_ objects: Set<MadeObject>, besides path: String) {
        for object in objects.sorted(by: { $0.description < $1.description }) {
            report(.recreating(object))
            let maker = maker(of: object)
            guard maker != path else { continue }
            if let place = project.objects.firstIndex(where: { $0.path == maker }) { work.insert(place) }
        }
    }

    /// Has the files run again whose functions name these objects in their text, where the server knows of no
    /// dependency: it then checks them against the new shape.
    private func checkCallers(of objects: Set<MadeObject>, besides path: String?) {
        let names = Set(objects.map(\.name))
        for (place, file) in project.objects.enumerated() where file.path != path {
            let hasRoutine = noted(file.path).contains { $0.isRoutine }
            if hasRoutine, names.contains(where: file.source.mentions) { work.insert(place) }
        }
    }

    /// Gives what is there again its grants and comments, before its file says what else it wants.
    private func giveBack() throws {
        guard !lost.isEmpty else { return }
        for object in try MadeObjects.all(connection) {
            guard let statements = lost.removeValue(forKey: object) else { continue }
            try attach(statements, to: object)
        }
    }

    private func attach(_ statements: [String], to object: MadeObject) throws {
        for statement in statements {
            guard statement != MadeObjects.revokeAll else {
                for revocation in try MadeObjects.revocations(object, connection) {
                    try connection.execute(script: revocation)
                }
                continue
            }
            let parts = statement.split(separator: "\u{1}", maxSplits: 1, omittingEmptySubsequences: false)
            try connection.execute(script: parts.joined(separator: object.identity))
        }
    }

    /// The file that makes an object: the one that did in this transaction, or the one the ledger names.
    private func maker(of object: MadeObject) -> String? {
        project.objects.first { made[$0.path]?.contains(object) == true }?.path
            ?? project.objects.first { noted($0.path).contains(object) }?.path
            ?? plan.orphans.first { noted($0).contains(object) }
    }

    private func noted(_ path: String) -> [MadeObject] { (ledger.made?[path] ?? []).map(\.object) }

    private func note(of object: MadeObject) -> Ledger.Made? {
        for notes in (ledger.made ?? [:]).values {
            if let note = notes.first(where: { $0.object == object }) { return note }
        }
        return nil
    }

    /// Drops what files no longer make: objects of files that left the manifest, and those of a file that was
    /// run and did not write them.
    private func dropStale() throws {
        let existing = Set(try MadeObjects.all(connection))
        let current = made.values.reduce(into: Set<MadeObject>()) { $0.formUnion($1) }
        var stale: Set<MadeObject> = []
        for path in plan.orphans { stale.formUnion(noted(path)) }
        for file in project.objects where hasRun.contains(file.path) {
            stale.formUnion(noted(file.path).filter { !mayStillMake($0, file) })
        }
        stale = stale.subtracting(current).intersection(existing)
        // What a file that was not run made is not another one's to drop.
        for file in project.objects where !hasRun.contains(file.path) { stale.subtract(noted(file.path)) }
        guard !stale.isEmpty else { return }
        for object in stale.sorted(by: { $0.description < $1.description }) { report(.dropping(object)) }
        let users = try drop(stale).subtracting(stale)
        guard users.isEmpty else {
            let files = Set(users.compactMap(maker)).sorted().map { "sql/" + $0 }
            throw Refusal(
                Problem(
                    file: files.first ?? "sql/manifest", "uses what no file of sql/ makes any more",
                    detail: "Gone: " + stale.map(\.description).sorted().joined(separator: ", ")
                        + ". Used by: "
                        + users.map(\.description).sorted().joined(separator: ", ") + ".",
                    hint: "Change the file, or bring back what it uses."))
        }
        lost = [:]
        checkCallers(of: stale.filter(\.isRoutine), besides: nil)
    }

    /// Whether a file that was run and did not write an object may want it nevertheless: it has a way to see
    /// that the object is there, and names it.
    private func mayStillMake(_ object: MadeObject, _ file: ObjectFile) -> Bool {
        if made[file.path]?.contains(object) == true { return true }
        let looks = file.source.statements.contains { statement in
            statement.verb == "do" || statement.verb == "select" || statement.tokens.contains("exists")
        }
        let isReplaced =
            object.isRoutine
            && made[file.path]?.contains { $0.isRoutine && $0.name == object.name } == true
        return looks && !isReplaced && file.source.mentions(object.name)
    }

    /// Files of which something is missing now, and materialized views that would hold other rows.
    private func unfinished() throws -> [Int] {
        let existing = Set(try MadeObjects.all(connection))
        let inputs = try MaterializedInputs.read(connection)
        return try project.objects.indices.filter { place in
            let file = project.objects[place]
            let expected = hasRun.contains(file.path) ? Array(made[file.path] ?? []) : noted(file.path)
            if expected.contains(where: { !existing.contains($0) }) { return true }
            for view in try MaterializedView.all(in: file.source) {
                guard let object = try self.existing(view) else { continue }
                let built = builtInputs[object.identity] ?? note(of: object)?.inputs
                if built != inputs[object.identity] { outdated.insert(object) }
            }
            return outdated.contains(where: { maker(of: $0) == file.path })
        }
    }

    // MARK: Materialized views

    /// The view in its place, if there is one.
    private func existing(_ view: MaterializedView) throws -> MadeObject? {
        try connection.query(
            """
            select i.identity
            from pg_catalog.pg_class as c
            cross join pg_catalog.pg_identify_object('pg_catalog.pg_class'::regclass, c.oid, 0) as i
            where c.oid = pg_catalog.to_regclass($1) and c.relkind = 'm'
            """, [Parameter(view.name)]
        ).scalar.map { MadeObject(kind: "materialized view", identity: $0) }
    }

    private func temporaryNames(for view: MaterializedView) -> [String: String] {
        Dictionary(
            ([view.name] + view.indexes).map { name in
                temporaryNames += 1
                return (name, "concierge_beside_\(temporaryNames)")
            }, uniquingKeysWith: { first, _ in first })
    }

    private func temporaryIdentity(_ build: Build) throws -> String {
        let schema = try connection.query(
            "select pg_catalog.quote_ident((pg_catalog.parse_ident($1))[1])", [Parameter(build.old.identity)])
        return (schema.scalar ?? "") + "." + (build.names[build.view.name] ?? "")
    }

    /// Puts the new views into the old ones' place. From here to the commit readers of these views wait.
    private func swap() throws {
        let builds = waiting
        waiting = []
        for build in builds {
            runAgain(try drop([build.old]).subtracting([build.old]), besides: build.file)
            // They are with the new one already.
            lost[build.old] = nil
            let new = try temporaryIdentity(build)
            let schema = new.prefix { $0 != "." }
            try connection.execute(
                script: "alter materialized view \(new) rename to \(lastPart(build.view.name))")
            for index in build.view.indexes {
                try connection.execute(
                    script: "alter index \(schema).\(build.names[index] ?? "") rename to \(lastPart(index))")
            }
            made[build.file]?.remove(MadeObject(kind: build.old.kind, identity: new))
            made[build.file, default: []].insert(build.old)
            for found in try MadeObjects.touched(since: known, connection) { known.insert(found.version) }
            report(.rebuilt(build.old))
        }
    }

    private func lastPart(_ name: String) -> String {
        Scanner.pieces(of: name).last?.token ?? name
    }

    // MARK: The ledger

    /// Writes down what was run and what it made. To be called as the migrator itself.
    func record() throws {
        let existing = Set(try MadeObjects.all(connection))
        let inputs = try MaterializedInputs.read(connection)
        for file in project.preamble { try LedgerStore.record(file, connection) }
        for path in plan.orphans { try LedgerStore.forget(path, connection) }
        for file in project.objects where hasRun.contains(file.path) {
            let views = try MaterializedView.all(in: file.source)
            let own = (made[file.path] ?? []).union(noted(file.path))
                .filter { existing.contains($0) && maker(of: $0) == file.path }
            let notes = try own.map { object in
                Ledger.Made(
                    object: object,
                    definition: try views.first { try self.existing($0) == object }?.definition,
                    inputs: inputs[object.identity])
            }
            try LedgerStore.record(file, connection)
            try LedgerStore.record(notes, of: file, connection)
        }
    }
}
