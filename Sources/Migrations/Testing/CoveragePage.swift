extension Coverage {
    /// One HTML page, complete in itself: all functions, lowest first, and below each its lines with how
    /// often they ran.
    public func page(of project: String) -> String {
        let ran = measured.reduce(0) { $0 + $1.ran }
        let all = measured.reduce(0) { $0 + $1.all }
        var lines = [
            "<!doctype html>", "<html lang=\"en\"><head><meta charset=\"utf-8\">",
            "<meta name=\"viewport\" content=\"width=device-width\">",
            "<title>Coverage of \(escaped(project))</title>", "<style>\(style)</style></head><body>",
            "<h1>Coverage of \(escaped(project))</h1>",
            "<p>\(ran) of \(all) statements ran (\(percent(ran, all))), in "
                + "\(measured.count { $0.ran > 0 }) of \(measured.count) functions. Lowest first.</p>",
            "<table><tr><th>function<th>ran<th>of<th>share<th>calls</tr>",
        ]
        for (index, function) in measured.enumerated() {
            lines.append(
                "<tr><td><a href=\"#f\(index)\">\(escaped(function.name))</a><td>\(function.ran)"
                    + "<td>\(function.all)<td>\(percent(function.ran, function.all))<td>\(function.calls)</tr>"
            )
        }
        lines.append("</table>")
        if !unknown.isEmpty {
            lines += [
                "<h2>Not measured</h2>",
                "<p>The planner may put these into the queries that call them, and was never seen to call them. "
                    + "They may have run.</p>",
                "<ul>" + unknown.map { "<li>\(escaped($0.name))" }.joined() + "</ul>",
            ]
        }
        for (index, function) in measured.enumerated() {
            lines.append(
                "<details id=\"f\(index)\"\(function.share < 1 ? " open" : "")><summary>\(escaped(function.name)) "
                    + "<small>\(percent(function.ran, function.all)), \(function.calls) calls</small></summary><pre>"
            )
            lines.append(marked(function).joined(separator: "\n") + "</pre></details>")
        }
        return (lines + ["</body></html>", ""]).joined(separator: "\n")
    }

    /// The lines of a function: how often the statement that begins there ran, and its colour, which lasts
    /// to the end of the statement.
    private func marked(_ function: Function) -> [String] {
        var colour = function.steps.isEmpty ? (function.calls > 0 ? "ran" : "missed") : ""
        return function.source.enumerated().map { index, text in
            let here = function.steps.filter { $0.line == index + 1 && $0.kind != "statement block" }
            if !here.isEmpty {
                let counts = here.map(\.count)
                colour = counts.allSatisfy { $0 > 0 } ? "ran" : counts.contains { $0 > 0 } ? "part" : "missed"
            } else if !function.steps.isEmpty, isBetweenStatements(text) {
                colour = ""
            }
            let gutter = here.isEmpty ? "" : "\(here.map(\.count).min() ?? 0)"
            let padding = String(repeating: " ", count: max(0, 7 - gutter.count))
            return "<span class=\"\(colour)\"><i>\(padding)\(gutter) </i>\(escaped(String(text)))</span>"
        }
    }

    private func isBetweenStatements(_ line: Substring) -> Bool {
        let first = line.drop { $0.isWhitespace }.prefix { $0.isLetter || $0 == "-" }.lowercased()
        return first.isEmpty || first.hasPrefix("--")
            || ["begin", "declare", "end", "else", "elsif", "exception", "loop", "when"].contains(first)
    }

    private var style: String {
        """
        :root{color-scheme:light dark;--ran:#dcf5dc;--part:#fdf0c8;--missed:#fbdada}\
        @media(prefers-color-scheme:dark){:root{--ran:#17391b;--part:#463a0f;--missed:#521d1d}}\
        body{font:15px/1.45 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}\
        table{border-collapse:collapse}th,td{padding:.15rem .8rem .15rem 0;text-align:right}\
        th:first-child,td:first-child{text-align:left}td,pre,summary,li{font-family:ui-monospace,monospace}\
        td,li,pre{font-size:13px}pre{overflow-x:auto;line-height:1.35}pre span{display:inline-block;min-width:100%}\
        pre i{opacity:.6;font-style:normal;user-select:none}small{opacity:.7}details{margin:.7rem 0}\
        .ran{background:var(--ran)}.part{background:var(--part)}.missed{background:var(--missed)}
        """
    }
}

/// A part of a whole in per cent, never rounded up to all of it.
public func percent(_ part: Int, _ whole: Int) -> String { "\(whole == 0 ? 100 : part * 100 / whole) %" }

private func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
        switch character {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        default: result.append(character)
        }
    }
    return result
}
