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
    count = 200 if quick else 2000
    with stage.owner() as owner, stage.app(stage.token) as app, stage.app(stage.token) as guarded:
        # JSON stays text: what the client's parser costs is nobody's merit.
        for connection in (owner, app, guarded):
            connection.adapters.register_loader("jsonb", TextLoader)
        attendees = [row[0] for row in owner.execute("select contractor_id from contractor.contractors order by key")]
        askers = [(app, CALL), (owner, PLAIN), (guarded, PLAIN)]

        with stage.daemon():
            stage.wait_until_exact()
            add(report, "cached", *compare(stage, askers, attendees, count, "cached"))

        # Nobody refreshes now, so one write sends every read to the base tables.
        owner.execute("update event.events set title = title || ' ' where event_id = %s", [stage.event])
        add(report, "event dirty", *compare(stage, askers, attendees, count, "event dirty"))
        owner.execute("call event.refresh()")


def compare(stage, askers, attendees, count, state):
    """Round trips in milliseconds, a list for each asker. They take turns at going first, and must name the same rows."""
    say(f"context, {state}: {count:,} attendees")
    draw = random.Random(1)
    taken = [[] for _ in askers]
    for turn in range(-20, count):
        attendee = {"event_id": stage.event, "contractor_id": draw.choice(attendees)}
        answers = [None] * len(askers)
        for i in range(len(askers)):
            asker = (turn + i) % len(askers)
            connection, query = askers[asker]
            before = time.perf_counter()
            answers[asker] = connection.execute(query, attendee).fetchone()[0]
            if turn >= 0:  # the first ones only warm up
                taken[asker].append((time.perf_counter() - before) * 1000)
        events = [json.loads(answer)["event"] for answer in answers]
        # At the turn of a minute the schedule itself moves on between two statements.
        if len({event["clock"][:16] for event in events}) == 1 and any(names(event) != names(events[0]) for event in events):
            raise SystemExit(f"context: not the same rows for attendee {attendee['contractor_id']}\n"
                             + "\n".join(str(names(event)) for event in events))
    return taken


def names(event):
    return [[item[key] for item in event[facet]] for facet, key in FACETS]


def add(report, state, ours, plain, guarded):
    ratio = statistics.median(plain) / statistics.median(ours)
    p99 = percentile(ours, 0.99)
    report.figures += [
        Figure(f"context, {state}: p50", f"{statistics.median(ours):.2f} ms",
               f"{statistics.median(plain):.2f} ms plain SQL; {statistics.median(guarded):.2f} under RLS", "1/5 of plain", ratio >= 5),
        Figure(f"context, {state}: p99", f"{p99:.2f} ms",
               f"{percentile(plain, 0.99):.2f} ms plain SQL; {percentile(guarded, 0.99):.2f} under RLS", "< 5 ms", p99 < 5),
    ]
