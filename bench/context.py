"""chat.context for one attendee, beside the plain SQL one would write first (context_plain.sql)."""

import json
import random
import statistics
import time

from psycopg.types.string import TextLoader

from stage import HERE, Figure, percentile, say

CALL = "select chat.context(%(event_id)s, %(contractor_id)s)"
PLAIN = (HERE / "context_plain.sql").read_text()
FACETS = [("now_sessions", "session_id"), ("next60_sessions", "session_id"), ("sponsor_shortlist", "sponsor_id")]


def measure(stage, report, quick):
    with stage.owner() as owner, stage.app(stage.token) as app:
        # JSON stays text: what the client's parser costs is nobody's merit.
        for connection in (owner, app):
            connection.adapters.register_loader("jsonb", TextLoader)
        attendees = [row[0] for row in owner.execute("select contractor_id from contractor.contractors order by key")]

        with stage.daemon():
            stage.wait_until_exact()
            ours, plain = compare(stage, owner, app, attendees, 200 if quick else 2000, "cached")
        add(report, "cached", ours, plain)

        # Nobody refreshes now, so one write sends every read to the base tables.
        owner.execute("update event.events set title = title || ' ' where event_id = %s", [stage.event])
        ours, plain = compare(stage, owner, app, attendees, 200 if quick else 2000, "dirty")
        add(report, "event dirty", ours, plain)
        owner.execute("call event.refresh()")


def compare(stage, owner, app, attendees, count, state):
    """Round trips in milliseconds, ours and plain taking turns at going first; both must name the same rows."""
    say(f"context, {state}: {count:,} attendees")
    draw = random.Random(1)
    taken = {app: [], owner: []}
    for turn in range(-20, count):
        attendee = dict(event_id=stage.event, contractor_id=draw.choice(attendees))
        answers = {}
        for connection, query in [(app, CALL), (owner, PLAIN)][::1 if turn % 2 else -1]:
            before = time.perf_counter()
            answers[connection] = connection.execute(query, attendee).fetchone()[0]
            if turn >= 0:  # the first ones only warm up
                taken[connection].append((time.perf_counter() - before) * 1000)
        ours, plain = json.loads(answers[app])["event"], json.loads(answers[owner])["event"]
        # An hour's change falls between two statements now and then; both must then differ in their clocks only.
        if names(ours) != names(plain) and ours["clock"][:16] == plain["clock"][:16]:
            raise SystemExit(f"context: the two disagree about attendee {attendee['contractor_id']}\n{names(ours)}\n{names(plain)}")
    return taken[app], taken[owner]


def names(event):
    return [[item[key] for item in event[facet]] for facet, key in FACETS]


def add(report, state, ours, plain):
    ratio = statistics.median(plain) / statistics.median(ours)
    p99 = percentile(ours, 0.99)
    report.figures += [
        Figure(f"context, {state}: p50", f"{statistics.median(ours):.2f} ms", f"{statistics.median(plain):.2f} ms plain SQL",
               "5 times faster", ratio >= 5),
        Figure(f"context, {state}: p99", f"{p99:.2f} ms", f"{percentile(plain, 0.99):.2f} ms plain SQL", "< 5 ms", p99 < 5),
    ]
