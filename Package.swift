// swift-tools-version:6.0
import PackageDescription

// Strict everywhere, and no outside packages: what this project needs are Debian's libpq, libcurl, OpenSSL, an
// HTTP server for metrics and PostgreSQL's parser, and the standard library.
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
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CPgQuery", providers: [.apt(["libpg-query-dev"])]),
        .systemLibrary(
            name: "CMicroHTTPD", pkgConfig: "libmicrohttpd", providers: [.apt(["libmicrohttpd-dev"])]),
        .systemLibrary(name: "CLinux"),

        // Libraries, from the ground up.
        .target(name: "Postgres", dependencies: ["CLibPQ"], swiftSettings: strict),
        .target(name: "HTTP", dependencies: ["CCurl"], swiftSettings: strict),
        .target(name: "Models", dependencies: ["HTTP", "CCrypto"], swiftSettings: strict),
        .target(name: "Migrations", dependencies: ["Postgres", "CPgQuery"], swiftSettings: strict),
        .target(
            name: "Daemon", dependencies: ["Postgres", "HTTP", "Models", "CCrypto", "CMicroHTTPD", "CLinux"],
            swiftSettings: strict),

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
        .testTarget(name: "HTTPTests", dependencies: ["HTTP", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "ModelsTests", dependencies: ["Models", "HTTP", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "MigrationsTests", dependencies: ["Migrations", "Postgres", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "DaemonTests", dependencies: ["Daemon", "Postgres", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "FaultTests", dependencies: ["concierge", "Migrations", "Postgres", "TestSupport"],
            path: "Tests/faults", exclude: ["checker.sql", "turns.sql", "workload.sql"], swiftSettings: strict),
        .testTarget(
            name: "ConciergeTests", dependencies: ["concierge", "Migrations", "Postgres", "TestSupport"],
            swiftSettings: strict),
    ])
