// swift-tools-version:6.0
import PackageDescription

// Strict everywhere, and no outside packages: what this project needs is libpq, PostgreSQL's parser and the
// standard library.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-warnings-as-errors"]),
]

let package = Package(
    name: "concierge",
    products: [.executable(name: "concierge", targets: ["concierge"])],
    targets: [
        // System libraries: a module map and a shim.
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CPgQuery", providers: [.apt(["libpg-query-dev"])]),

        // Libraries, from the ground up.
        .target(name: "Postgres", dependencies: ["CLibPQ"], swiftSettings: strict),
        .target(name: "Migrations", dependencies: ["Postgres", "CPgQuery"], swiftSettings: strict),
        .target(name: "Daemon", dependencies: ["Postgres"], swiftSettings: strict),

        // The command line.
        .executableTarget(
            name: "concierge", dependencies: ["Postgres", "Migrations", "Daemon"], swiftSettings: strict),

        // Tests. Those that need a server make databases of their own in the development cluster.
        .target(
            name: "TestSupport", dependencies: ["concierge", "Postgres", "Migrations"], path: "Tests/Support",
            swiftSettings: strict),
        .testTarget(
            name: "PostgresTests", dependencies: ["Postgres", "Migrations", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "MigrationsTests", dependencies: ["Migrations", "Postgres", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "DaemonTests", dependencies: ["Daemon", "Postgres", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "ConciergeTests", dependencies: ["concierge", "Migrations", "Postgres", "TestSupport"],
            swiftSettings: strict),
    ])
