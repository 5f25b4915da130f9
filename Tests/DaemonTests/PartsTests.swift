import Testing

@testable import Daemon

@Suite("Log lines")
struct LogTests {
    @Test("An event is one line of words, quoted where they are not plain")
    func text() {
        let line = LogLine(
            level: .info, event: "refreshed", fields: [("call", "call event.refresh()"), ("ms", "12"), ("empty", "")])
        #expect(line.text == #"event=refreshed call="call event.refresh()" ms=12 empty="""#)
    }

    @Test("No value can break the line, or pretend to be another field")
    func quoting() {
        #expect(LogLine.quoted("a\nb\"c\\d\u{1b}[0m\te=f") == #""a\nb\"c\\d?[0m\te=f""#)
        #expect(LogLine.quoted("späte") == "späte")
    }

    @Test("The journal gets its prefix, a terminal does not; what matters less than asked for is left out")
    func rendering() {
        let line = LogLine(level: .warning, event: "lost")
        #expect(LogWriter(least: .info, prefixed: true).rendered(line) == "<4>event=lost\n")
        #expect(LogWriter(least: .info, prefixed: false).rendered(line) == "event=lost\n")
        #expect(LogWriter(least: .error, prefixed: false).rendered(line) == nil)
    }
}

@Suite("Connection strings")
struct ConninfoTests {
    let words = "keepalives_idle=15 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=8000 "

    @Test("Defaults come before the words, so that the words win")
    func keywords() {
        #expect(addingNetworkDefaults(to: "") == words)
        #expect(addingNetworkDefaults(to: "host=db dbname=x") == words + "host=db dbname=x")
        #expect(addingNetworkDefaults(to: "host=db tcp_user_timeout=1").hasPrefix("keepalives_idle=15 "))
        #expect(!addingNetworkDefaults(to: "host=db tcp_user_timeout=1").contains("8000"))
    }

    @Test("A bare name is a database")
    func name() {
        #expect(addingNetworkDefaults(to: "it's") == words + #"dbname='it\'s'"#)
    }

    @Test("A URI stays a URI")
    func uri() {
        let query = "keepalives_idle=15&keepalives_interval=5&keepalives_count=3&tcp_user_timeout=8000"
        #expect(addingNetworkDefaults(to: "postgres://u@h/d") == "postgres://u@h/d?" + query)
        #expect(addingNetworkDefaults(to: "postgresql:///d?host=/run") == "postgresql:///d?host=/run&" + query)
    }
}

@Suite("When to look next")
struct ScanScheduleTests {
    func fresh() -> ScanSchedule { ScanSchedule(quiet: .milliseconds(20), longest: .milliseconds(50)) }

    @Test("Before the first look a notification is looked at at once")
    func first() {
        var schedule = fresh()
        #expect(schedule.moment == nil)
        schedule.notified(at: .seconds(3))
        #expect(schedule.moment == .seconds(3))
    }

    @Test("A burst soon after a look gathers until it is quiet, or has lasted long enough")
    func burst() {
        var schedule = fresh()
        schedule.looking(at: .zero)
        schedule.notified(at: .milliseconds(10))
        #expect(schedule.moment == .milliseconds(30))
        for time in stride(from: 20, through: 100, by: 10) { schedule.notified(at: .milliseconds(time)) }
        #expect(schedule.moment == .milliseconds(60))
    }

    @Test("The earliest reason wins; a look that failed holds all of them back")
    func reasons() {
        var schedule = fresh()
        schedule.plan(noLaterThan: .seconds(2))
        schedule.plan(noLaterThan: .seconds(1))
        schedule.plan(noLaterThan: .seconds(3))
        #expect(schedule.moment == .seconds(1))
        schedule.looking(at: .seconds(1))
        #expect(schedule.moment == nil)
        schedule.hold(until: .seconds(9))
        schedule.notified(at: .seconds(4))
        #expect(schedule.moment == .seconds(9))
        schedule.looking(at: .seconds(9))
        schedule.looked()
        schedule.notified(at: .seconds(10))
        #expect(schedule.moment == .seconds(10))
    }
}
