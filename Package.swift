// swift-tools-version:6.0
import Foundation
import PackageDescription

// Strict everywhere, and no outside packages: what this project needs is libpq, libcurl and the standard library.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-warnings-as-errors"]),
]

// A target exists as soon as its folder holds a file.
let root = Context.packageDirectory
func exists(_ folder: String) -> Bool {
    !((try? FileManager.default.contentsOfDirectory(atPath: root + "/" + folder)) ?? []).isEmpty
}
let hasModels = exists("Sources/CCurl") && exists("Sources/Models")
let hasDaemon = exists("Sources/Daemon")

var targets: [Target] = [
    // System libraries: a module map and a shim.
    .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),

    // Libraries, from the ground up.
    .target(name: "Postgres", dependencies: ["CLibPQ"], swiftSettings: strict),
    .target(name: "Migrations", dependencies: ["Postgres"], swiftSettings: strict),

    // The command line.
    .executableTarget(
        name: "concierge",
        dependencies: ["Postgres", "Migrations"] + (hasDaemon ? ["Daemon"] : []),
        swiftSettings: strict),
]

if hasModels {
    targets += [
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(name: "Models", dependencies: ["CCurl"], swiftSettings: strict),
    ]
}
if hasDaemon {
    targets.append(.target(
        name: "Daemon", dependencies: ["Postgres"] + (hasModels ? ["Models"] : []), swiftSettings: strict))
}

let tests: [(String, [Target.Dependency])] = [
    ("PostgresTests", ["Postgres"]),
    ("MigrationsTests", ["Migrations", "Postgres"]),
    ("ConciergeTests", ["concierge"]),
    ("ModelsTests", ["Models"]),
    ("DaemonTests", ["Daemon", "Postgres"] + (hasModels ? ["Models"] : [])),
]
for (name, dependencies) in tests where exists("Tests/" + name) {
    targets.append(.testTarget(name: name, dependencies: dependencies, swiftSettings: strict))
}

let package = Package(
    name: "concierge",
    products: [.executable(name: "concierge", targets: ["concierge"])],
    targets: targets)
