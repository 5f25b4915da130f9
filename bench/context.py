"""chat.context for one attendee, beside the plain SQL one would write first (context_plain.sql), and beside
it tuned."""

import json
import random
import re
import time
from typing import NamedTuple

from psycopg.types.string import TextLoader

from stage import HERE, Figure, percentile, say

FACETS = [("now_sessions", "session_id"), ("next60_sessions", "session_id"),
          ("sponsor_shortlist", "sponsor_id")]
PLAIN = dict(re.findall(r"^-- :(\w+)\n(.*?)(?=^-- :|\Z)", (HERE / "context_plain.sql").read_text(),
                        re.M | re.S))


class Answer(NamedTuple):
    minute: str
    names: list  # the ids of each facet, in order


def one_value(query):
    """An asker whose one statement returns the context as one JSON value."""
    def ask(connection, attendee):
        value = connection.execute(query, attendee).fetchone()[0]
        return lambda: read(json.loads(value)["event"])
    return ask


def read(event):
    return Answer(event["clock"][:16], [[item[key] for item in event[facet]] for facet, key in FACETS])


def plain(connection, attendee):
    """A round trip for each facet; the last needs to know where the attendee will be."""
    rows, near = {}, None
    for name, query in PLAIN.items():
        rows[name] = connection.execute(query, {**attendee, "near": near}).fetchall()
        if name == "next60_sessions" and rows[name]:
            near = rows[name][0][5]
    return lambda: Answer(rows["event"][0][4].strftime("%Y-%m-%dT%H:%M"),
                          [[str(row[0]) for row in rows[facet]] for facet, _ in FACETS])


OURS = one_value("select chat.context(%(event_id)s, %(contractor_id)s)")
TUNED = one_value((HERE / "context_tuned.sql").read_text())


def measure(stage, report, quick):
    count = 200 if quick else 2000
    with (stage.owner() as owner, stage.app(stage.token) as app, stage.app(stage.token) as other,
          stage.app(stage.token) as third):
        for connection in (owner, app, other, third):
            # JSON stays text: what the client's parser costs is nobody's merit.
            connection.adapters.register_loader("jsonb", TextLoader)
            connection.execute("set time zone 'UTC'")
        attendees = [row[0] for row in owner.execute(
            "select contractor_id from contractor.contractors order by key")]
        askers = [(app, OURS), (other, plain), (third, TUNED), (owner, TUNED)]

        with stage.daemon():
            stage.wait_until_exact()
            add(report, "cached", *compare(stage, askers, attendees, count, "cached"))

        # Nobody refreshes now, so one write sends every read to the base tables.
        owner.execute("update event.events set title = title || ' ' where event_id = %s", [stage.event])
        add(report, "event dirty", *compare(stage, askers, attendees, count, "event dirty"))
        owner.execute("call event.refresh()")


def compare(stage, askers, attendees, count, state):
    """Milliseconds until all facts are there, a list for each asker. They take turns at going first, and
    must name the same rows."""
    say(f"context, {state}: {count:,} attendees")
    draw = random.Random(1)
    taken = [[] for _ in askers]
    for turn in range(-20, count):
        attendee = {"event_id": stage.event, "contractor_id": draw.choice(attendees)}
        answers = [None] * len(askers)
        for i in range(len(askers)):
            asker = (turn + i) % len(askers)
            connection, ask = askers[asker]
            before = time.perf_counter()
            answers[asker] = ask(connection, attendee)
            if turn >= 0:  # the first ones only warm up
                taken[asker].append((time.perf_counter() - before) * 1000)
        answers = [answer() for answer in answers]
        # At the turn of a minute the schedule itself moves on between two statements.
        if (len({answer.minute for answer in answers}) == 1
                and any(answer.names != answers[0].names for answer in answers)):
            raise SystemExit(f"context: not the same rows for attendee {attendee['contractor_id']}\n"
                             + "\n".join(str(answer.names) for answer in answers))
    return taken


def add(report, state, ours, plain, tuned, unguarded):
    for share, word in [(0.5, "p50"), (0.99, "p99")]:
        ms = [percentile(taken, share) for taken in (ours, plain, tuned, unguarded)]
        ratio = ms[1] / ms[0]
        report.figures.append(Figure(
            f"context, {state}: {word}", f"{ms[0]:.2f} ms",
            f"{ms[1]:.2f} ms plain SQL = {ratio:.1f} x; tuned {ms[2]:.2f}, and without RLS {ms[3]:.2f}",
            "5 x" if word == "p50" else "< 5 ms", ratio >= 5 if word == "p50" else ms[0] < 5))
