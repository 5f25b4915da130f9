import Testing

@testable import HTTP

struct RetryAfterTests {
    /// Sun, 06 Nov 1994 08:49:37 GMT
    private let then = 784_111_777
    private let hour = Duration.seconds(3600)

    @Test("The three forms of a date mean the same second")
    func dates() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
            "sun, 06 nov 1994 08:49:37 gmt", "Mon, 06 Nov 1994 08:49:37 GMT",
        ] {
            #expect(HTTPDate.parse(text, now: then) == then, "\(text)")
        }
    }

    @Test("Days are counted right across leap years and centuries")
    func calendar() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
            ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600), ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
            ("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800),
            ("Sun, 28 Feb 2100 23:59:59 GMT", 4_107_542_399),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
            ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ] {
            #expect(HTTPDate.parse(text, now: then) == seconds, "\(text)")
        }
    }

    @Test("A year of two digits is the nearest, at most 50 years ahead")
    func twoDigits() {
        let now = 1_800_000_000 // January 2027
        #expect(HTTPDate.parse("Saturday, 01-Jan-77 00:00:00 GMT", now: now) == 3_376_684_800) // 2077
        #expect(HTTPDate.parse("Sunday, 01-Jan-78 00:00:00 GMT", now: now) == 252_460_800) // 1978
        #expect(HTTPDate.parse("Friday, 01-Jan-27 00:00:00 GMT", now: now) == 1_798_761_600) // 2027
    }

    @Test("No clock is too wrong to read a year of two digits by", arguments: [Int.min, Int.max])
    func anyClock(_ now: Int) {
        for year in ["00", "49", "99"] { #expect(HTTPDate.parse("Friday, 01-Jan-\(year) 00:00:00 GMT", now: now) != nil) }
    }

    @Test(
        "What is no date is none",
        arguments: [
            "", " ", "Sun", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT", "Wed, 29 Feb 2023 00:00:00 GMT", "Mon, 29 Feb 2100 00:00:00 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 99999 08:49:37 GMT",
            "Sun, 06 Nov -994 08:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT", "Foo, 06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 8:49:37 GMT",
            "Sun, ٠٦ Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT GMT", "1994-11-06T08:49:37Z",
            "Sun, 06 Nov 1994 08::37 GMT", "Sun Nov 6 08:49:37 94", "Sunday, 06-Nov-1994 08:49:37 GMT",
        ])
    func noDates(_ text: String) {
        #expect(HTTPDate.parse(text, now: then) == nil)
    }

    @Test("Seconds are taken, and so are dates, counted from now")
    func delays() {
        #expect(RetryAfter.delay("120", now: then) == .seconds(120))
        #expect(RetryAfter.delay(" 0 ", now: then) == .zero)
        #expect(RetryAfter.delay("1.5", now: then) == .milliseconds(1500))
        #expect(RetryAfter.delay("Sun, 06 Nov 1994 08:50:37 GMT", now: then) == .seconds(60))
        #expect(RetryAfter.delay("Sunday, 06-Nov-94 08:50:37 GMT", now: then) == .seconds(60))
        #expect(RetryAfter.delay("Sun Nov  6 08:50:37 1994", now: then) == .seconds(60))
    }

    @Test("The past is now, and the far future is the cap")
    func bounds() {
        #expect(RetryAfter.delay("Sun, 06 Nov 1994 08:00:00 GMT", now: then) == .zero)
        #expect(RetryAfter.delay("Sun, 06 Nov 1994 09:00:00 GMT", now: Int.max) == .zero)
        #expect(RetryAfter.delay("Fri, 31 Dec 9999 23:59:59 GMT", now: then) == hour)
        #expect(RetryAfter.delay("Fri, 31 Dec 9999 23:59:59 GMT", now: Int.min) == hour)
        #expect(RetryAfter.delay("7200", now: then) == hour)
        #expect(RetryAfter.delay("7200", now: then, cap: .seconds(10_000)) == .seconds(7200))
        for digits in [19, 20, 40, 400, 5000] {
            #expect(RetryAfter.delay(String(repeating: "9", count: digits), now: then) == hour)
            #expect(RetryAfter.milliseconds(String(repeating: "9", count: digits)) == hour)
            #expect(RetryAfter.interval(String(repeating: "9", count: digits) + "h") == hour)
        }
        #expect(RetryAfter.interval(String(repeating: "59m", count: 1000)) == hour)
    }

    @Test(
        "Garbage is nil",
        arguments: [
            "", " ", "-1", "+1", "1e3", "0x10", "١٢", "１２", "1 2", "1,5", ".", "1.", ".5", "1.2.3", "soon",
            "NaN",
            "inf", "infinity", "\0", "1\0", "12\n", "🕐", "--", "1-", "é", "e", "1:00",
        ])
    func garbage(_ text: String) {
        #expect(RetryAfter.delay(text, now: then) == nil)
        #expect(RetryAfter.milliseconds(text) == nil)
        #expect(RetryAfter.interval(text) == nil)
    }

    @Test(
        "Times with units are added up",
        arguments: [
            ("1s", .seconds(1)), ("6m0s", .seconds(360)), ("120ms", .milliseconds(120)), ("0s", .zero),
            ("1m30.951s", .milliseconds(90_951)), ("1h", .seconds(3600)), ("7.66s", .milliseconds(7660)),
            ("500us", .microseconds(500)), ("1500ns", .nanoseconds(1500)), ("1d", .seconds(3600)),
            ("2m59.5s", .milliseconds(179_500)),
        ] as [(String, Duration)])
    func intervals(_ text: String, _ expected: Duration) throws {
        let read = try #require(RetryAfter.interval(text))
        // Fractions go through binary numbers.
        #expect(abs((read - expected) / .microseconds(1)) < 1)
    }

    @Test(
        "What is not a time with units is nil",
        arguments: ["5", "s", "5x", "5 s", "5S", "-5s", "5s-", "5s5", "5µ", "1y"])
    func noIntervals(_ text: String) {
        #expect(RetryAfter.interval(text) == nil)
    }

    @Test("Of several headers the most exact counts")
    func precedence() {
        let cases: [(HTTPHeaders, Duration?)] = [
            (
                ["retry-after-ms": "250", "Retry-After": "1", "x-ratelimit-reset-requests": "9s"],
                .milliseconds(250)
            ),
            (
                ["Retry-After-Ms": "soon", "retry-after": "1", "x-ratelimit-reset-requests": "9s"],
                .seconds(1)
            ),
            (["Retry-After": "soon", "x-ratelimit-reset-requests": "6m0s"], .seconds(360)),
            (["x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "20s"], .seconds(20)),
            (["x-ratelimit-reset-requests": "later"], nil), ([:], nil),
        ]
        for (headers, expected) in cases { #expect(RetryAfter.delay(in: headers, now: then) == expected) }
    }

    @Test("A rate limit is full again after a time, or at an instant; one that is not used up does not count")
    func rateLimits() {
        let cases: [(HTTPHeaders, Duration?)] = [
            (["x-ratelimit-reset-tokens": "59"], .seconds(59)), (["x-ratelimit-reset-tokens": "-1"], nil),
            (["anthropic-ratelimit-tokens-reset": "1994-11-06T08:50:07Z"], .seconds(30)),
            (["anthropic-ratelimit-tokens-reset": "1994-11-06T09:50:07.25+01:00"], .seconds(31)),
            (["anthropic-ratelimit-input-tokens-reset": "1994-11-06T08:00:00Z"], .zero),
            (["anthropic-ratelimit-requests-reset": "1994-02-29T08:00:00Z"], nil),
            (
                [
                    "anthropic-ratelimit-requests-reset": "1994-11-06T08:49:47Z",
                    "anthropic-ratelimit-requests-remaining": "0",
                    "anthropic-ratelimit-output-tokens-reset": "1994-11-06T08:59:37Z",
                    "anthropic-ratelimit-output-tokens-remaining": "4000",
                ], .seconds(10)
            ),
            (
                ["x-ratelimit-reset-requests": "1s", "x-ratelimit-remaining-requests": "7",
                 "x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "12"], .seconds(360)
            ),
        ]
        for (headers, expected) in cases { #expect(RetryAfter.delay(in: headers, now: then) == expected, "\(headers)") }
    }

    @Test("A date is counted from the answer's own Date, where it has one")
    func serverClock() {
        let date = "Sun, 06 Nov 1994 08:50:37 GMT"
        #expect(RetryAfter.delay(in: ["Retry-After": date], now: then) == .seconds(60))
        #expect(
            RetryAfter.delay(in: ["Retry-After": date, "Date": "Sun, 06 Nov 1994 08:50:07 GMT"], now: then)
                == .seconds(30))
        #expect(RetryAfter.delay(in: ["Retry-After": date, "Date": "yesterday"], now: then) == .seconds(60))
    }

    @Test("Any text at all is taken")
    func noise() {
        var random = Noise(seed: 21)
        let words = [
            "Sun, ", "06", " Nov ", "1994 ", "08:49:37", " GMT", "-", "9", "ms", ".", "\0", "é", "٣", "h",
        ]
        for _ in 0..<5000 {
            let text = (0..<(random.next() % 12)).map { _ in words[Int(random.next() % UInt64(words.count))] }
                .joined()
            for read in [
                RetryAfter.delay(text, now: then), RetryAfter.milliseconds(text), RetryAfter.interval(text),
            ] {
                #expect(read.map { (.zero...hour).contains($0) } ?? true)
            }
        }
    }
}
