import Foundation
import Postgres
import TestSupport
import Testing

@testable import Daemon

@Suite("The service manager is told")
struct ServiceManagerTests {
    /// systemd's end: a datagram socket, at a path or at a name outside the file system.
    final class Listener {
        let name: String
        private let descriptor: Int32

        init(_ name: String) throws {
            self.name = name
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            let address = try #require(UnixAddress(name))
            try #require(address.withSockaddr { bind(descriptor, $0, $1) } == 0)
        }

        deinit {
            close(descriptor)
            if name.hasPrefix("/") { unlink(name) }
        }

        /// The next datagram; nil if there is none.
        func next() -> String? {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            return count < 0 ? nil : String(decoding: bytes.prefix(count), as: UTF8.self)
        }
    }

    static let names = [
        "\(NSTemporaryDirectory())/concierge-notify-\(getpid())", "@concierge-notify-\(getpid())",
    ]

    @Test("A start, a ping and a stop are a datagram each, by path or by abstract name", arguments: names)
    func life(name: String) throws {
        let listener = try Listener(name)
        let manager = ServiceManager(environment: ["NOTIFY_SOCKET": name])
        #expect(manager.notify(.ready, .status("listening")))
        #expect(manager.notify(.watchdog))
        #expect(manager.notify(.stopping, .extendTimeout(.milliseconds(10_500))))
        #expect(listener.next() == "READY=1\nSTATUS=listening")
        #expect(listener.next() == "WATCHDOG=1")
        #expect(listener.next() == "STOPPING=1\nEXTEND_TIMEOUT_USEC=10500000")
        #expect(listener.next() == nil)
    }

    @Test("A reload carries the time at which it began, on the clock systemd uses")
    func reloading() throws {
        let listener = try Listener("@concierge-reload-\(getpid())")
        ServiceManager(environment: ["NOTIFY_SOCKET": listener.name]).notify(.reloading)
        let lines = try #require(listener.next()).split(separator: "\n")
        #expect(lines.first == "RELOADING=1")
        let microseconds = try #require(lines.last?.wholeMatch(of: /MONOTONIC_USEC=(\d+)/)?.1)
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        #expect(abs(try #require(Int(microseconds)) / 1_000_000 - time.tv_sec) < 60)
    }

    @Test("A status stays one line, whatever it quotes")
    func oneLine() {
        let text = ServiceManager.text([.status("lost:\nREADY=1\u{7f}\té")], at: 0)
        #expect(text == "STATUS=lost: READY=1  é")
    }

    @Test("Nobody listens: nothing happens")
    func nobody() {
        #expect(ServiceManager(environment: [:]).notify(.ready))
        // vsock addresses are for virtual machines, whose manager is told by another way
        #expect(ServiceManager(environment: ["NOTIFY_SOCKET": "vsock:2:1234"]).notify(.ready))
        #expect(!ServiceManager(environment: ["NOTIFY_SOCKET": "/nowhere/at/all"]).notify(.ready))
        let long = "/" + String(repeating: "x", count: 200)
        #expect(!ServiceManager(environment: ["NOTIFY_SOCKET": long]).notify(.ready))
    }

    @Test("A listener that went away does no harm, and neither does one that does not read")
    func deadListener() throws {
        var listener: Listener? = try Listener("@concierge-dead-\(getpid())")
        let manager = ServiceManager(environment: ["NOTIFY_SOCKET": try #require(listener?.name)])
        var sent = 0
        while sent < 100_000, manager.notify(.watchdog) { sent += 1 }
        #expect((1..<100_000).contains(sent))
        listener = nil
        #expect(!manager.notify(.stopping))
    }

    @Test("The longest name the system takes is taken", arguments: [107, 108])
    func longest(length: Int) {
        #expect((UnixAddress(String(repeating: "x", count: length)) != nil) == (length == 107))
        #expect(UnixAddress("") == nil)
    }

    @Test("The watchdog's interval is read, unless it is meant for another process", arguments: [
        (["WATCHDOG_USEC": "30000000"], Duration.seconds(30)),
        (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"], .seconds(30)),
        (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"], nil),
        (["WATCHDOG_USEC": "0"], nil), (["WATCHDOG_USEC": "soon"], nil), ([:], nil),
    ] as [([String: String], Duration?)])
    func interval(environment: [String: String], interval: Duration?) {
        #expect(ServiceManager(environment: environment, process: 7).watchdogInterval == interval)
    }
}

@Suite("The watchdog")
struct WatchdogTests {
    @Test("No interval, no watchdog")
    func none() {
        #expect(Watchdog(interval: nil, at: .zero) == nil)
    }

    @Test("A ping is due at half of the interval, once")
    func half() throws {
        var watchdog = try #require(Watchdog(interval: .seconds(60), at: .seconds(5)))
        watchdog.moved(.loop)
        watchdog.moved(.database)
        #expect(watchdog.nextWake(at: .seconds(6)) == .seconds(35))
        let answers = [34, 35, 35].map { watchdog.isDue(at: .seconds($0)) }
        #expect(answers == [false, true, false])
        #expect(watchdog.nextWake(at: .seconds(35)) == .seconds(65))
    }

    @Test("A part that stands still withholds the ping; when it moves, the ping follows at once", arguments: [
        (Watchdog.Part.loop, Watchdog.Part.database), (.database, .loop),
    ])
    func standstill(still: Watchdog.Part, moving: Watchdog.Part) throws {
        var watchdog = try #require(Watchdog(interval: .seconds(60), at: .zero))
        for second in 1...100 {
            watchdog.moved(moving)
            let isDue = watchdog.isDue(at: .seconds(second))
            #expect(!isDue)
        }
        #expect(watchdog.nextWake(at: .seconds(100)) == nil)
        watchdog.moved(still)
        let isDue = watchdog.isDue(at: .seconds(100))
        #expect(isDue)
    }

    @Test("A database that is away for an hour, retried all the time, does not trip it")
    func outage() throws {
        // The default limits: 30 s for an attempt that nobody answers, then a pause of 5 s.
        let configuration = Configuration()
        let unit = try String(
            contentsOfFile: TestServer.projectRoot + "/systemd/concierge.service", encoding: .utf8)
        let seconds = try #require(unit.firstMatch(of: /\nWatchdogSec=(\d+)\n/)?.1)
        let interval = Duration.seconds(try #require(Int(seconds)))
        var watchdog = try #require(Watchdog(interval: interval, at: .zero))
        var pings: [Duration] = [.zero]
        var moves = Duration.zero
        for second in 1...3600 {
            let now = Duration.seconds(second)
            watchdog.moved(.loop)
            if now >= moves + configuration.connectLimit + configuration.backOff.cap {
                watchdog.moved(.database)
                moves = now
            }
            if watchdog.isDue(at: now) { pings.append(now) }
        }
        #expect(zip(pings, pings.dropFirst()).allSatisfy { $1 - $0 < interval })
        #expect(pings.count > 20)
    }

    @Test("Parts that are not registered are not waited for")
    func parts() throws {
        var watchdog = try #require(Watchdog(interval: .seconds(2), parts: [.loop], at: .zero))
        watchdog.moved(.loop)
        let isDue = watchdog.isDue(at: .seconds(1))
        #expect(isDue)
    }
}
