import Migrations

/// `concierge dev …`: the private cluster.
let devCommands = [
    Command(
        words: ["dev", "up"],
        summary: "Starts the project's private PostgreSQL cluster, making it first if need be."
    ) {
        _ in
        let began = ContinuousClock.now
        let cluster = try Cluster(project: projectRoot())
        try cluster.up()
        Terminal.say(
            Terminal.row("PostgreSQL \(cluster.server.major)", "up, \(began.duration(to: .now).brief)"))
        Terminal.say("  data    \(cluster.data)")
        Terminal.say("  log     \(cluster.log)")
        Terminal.say("  psql    psql '\(cluster.url())'")
        Terminal.say("  url     \(cluster.url())")
        return 0
    },
    Command(words: ["dev", "down"], summary: "Stops the private cluster; its data stays.") { _ in
        try Cluster(project: projectRoot()).down()
        Terminal.say(Terminal.row("PostgreSQL", "down"))
        return 0
    },
    Command(
        words: ["dev", "reset"],
        summary: "Deletes the private cluster with all its data and starts a new one."
    ) { _ in
        let cluster = try Cluster(project: projectRoot())
        try cluster.remove()
        try cluster.up()
        Terminal.say(Terminal.row("PostgreSQL \(cluster.server.major)", "new and up"))
        return 0
    },
    Command(
        words: ["dev", "url"], summary: "Prints the private cluster's URL, for psql, drivers and --database."
    ) { _ in
        Terminal.say(try Cluster(project: projectRoot()).url())
        return 0
    },
    Command(
        words: ["dev", "psql"], operands: "[-- ARGUMENT ...]", summary: "Opens psql on the private cluster."
    ) { invocation in
        let cluster = try Cluster(project: projectRoot())
        try become(["psql", cluster.url()] + invocation.operands)
    },
]
