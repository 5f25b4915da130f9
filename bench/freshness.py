"""Reads that began after a write was committed and do not show it (there must be none), and how soon the
cache is back."""

import datetime
import random
import threading
import time

from stage import Figure, percentile, say

HOUR, SECOND = datetime.timedelta(hours=1), datetime.timedelta(seconds=1)
THREADS = 4

# One statement, one snapshot: the rows of both reads, their "now", and whether they came from the cache.
READ = """
select now(), event.cache_is_exact(%(event)s, now()), coalesce(jsonb_object_agg(r.key, r.shown), '{}')
from (select key, jsonb_agg(jsonb_build_array(facet, title, extract(epoch from starts)) order by facet)
          as shown
      from (select 'now' as facet, s.session_id::text as key, s.session_title as title,
                s.session_start as starts
            from event.sessions_now(%(event)s) as s
            union all
            select 'next', s.session_id::text, s.session_title, s.session_start
            from event.sessions_next(%(event)s) as s) as r
      where key = any (%(mine)s)
      group by key) as r
"""


class Writer(threading.Thread):
    """Changes sessions of its own and reads after each change, on another connection. Bursts of writes by
    all writers at once, then a lull in which all read on until the cache is back: so reads meet every
    state there is."""

    def __init__(self, stage, number, share, barrier, lull):
        super().__init__(daemon=True)
        self.stage, self.share, self.barrier, self.lull = stage, share, barrier, lull
        self.draw = random.Random(number)
        self.sessions = {}  # what was committed: id -> (title, start, end), or None once cancelled
        self.writes = self.reads = self.cached = self.stale = 0
        self.error = None

    def run(self):
        try:
            with self.stage.owner() as self.write, self.stage.app(self.stage.token) as self.read:
                self.tenant = self.write.execute(
                    "select tenant_id from event.events where event_id = %s",
                    [self.stage.event]).fetchone()[0]
                bursts = random.Random(5)  # the same for all writers
                while self.writes < self.share:
                    for _ in range(min(bursts.randint(1, 12), self.share - self.writes)):
                        self.change()
                        self.check()
                    self.barrier.wait()
                    end = time.monotonic() + self.lull
                    while not self.check() and time.monotonic() < end:
                        time.sleep(self.draw.uniform(0, 0.02))
                    self.barrier.wait()
        except Exception as error:
            self.error = error
            self.barrier.abort()

    def change(self):
        standing = [key for key, session in self.sessions.items() if session]
        start = (datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
                 + self.draw.randint(-5400, 5400) * SECOND)
        title = f"Session {self.draw.random()}"
        kind = "insert"
        if len(standing) > 8:
            kind = self.draw.choice(["insert", "title", "time", "time", "cancel"])
        if kind == "insert":
            row = self.write.execute(
                """insert into event.event_speakers (
                       tenant_id, event_id, session_title, session_start, session_end)
                   values (%s, %s, %s, %s, %s) returning session_id::text""",
                [self.tenant, self.stage.event, title, start, start + HOUR]).fetchone()
            self.sessions[row[0]] = (title, start, start + HOUR)
        else:
            key = self.draw.choice(standing)
            old = self.sessions[key]
            if kind == "title":
                self.write.execute("update event.event_speakers set session_title = %s where session_id = %s",
                                   [title, key])
                self.sessions[key] = (title, old[1], old[2])
            elif kind == "time":
                self.write.execute(
                    "update event.event_speakers set session_start = %s, session_end = %s "
                    "where session_id = %s",
                    [start, start + HOUR, key])
                self.sessions[key] = (old[0], start, start + HOUR)
            else:
                self.write.execute(
                    "update event.event_speakers set cancelled_at = now() where session_id = %s", [key])
                self.sessions[key] = None
        self.writes += 1

    def check(self):
        """One read, held against what was committed; whether the cache answered."""
        now, cached, shown = self.read.execute(
            READ, {"event": self.stage.event, "mine": list(self.sessions)}).fetchone()
        expected = {}
        for key, session in self.sessions.items():
            if session:
                title, start, end = session
                if start <= now < end:
                    expected[key] = [["now", title, start.timestamp()]]
                elif now < start <= now + HOUR:
                    expected[key] = [["next", title, start.timestamp()]]
        got = {key: [[facet, title, float(at)] for facet, title, at in items] for key, items in shown.items()}
        self.reads += 1
        self.cached += cached
        self.stale += got != expected
        return cached


def measure(stage, report, quick):
    total = 1000 if quick else 10000
    for state, share, options in [
        ("daemon running", 0.4, {"lull": 1}),
        ("daemon stopped", 0.3, {"running": False}),
        ("daemon killed -9", 0.3, {"lull": 1, "kill": True}),
    ]:
        add(report, state, *interleave(stage, state, int(total * share), **options))

    # A test that cannot fail proves nothing: without the marks that make reads exact, it must find stale
    # ones.
    with stage.owner() as owner:
        owner.execute("alter table event.event_speakers disable trigger user")
    writers, _ = interleave(stage, "control without dirty marks", 200, lull=0.2)
    with stage.owner() as owner:
        owner.execute("alter table event.event_speakers enable trigger user")
    add(report, "control without dirty marks", writers, 0, control=True)
    clean(stage)

    rounds = 20 if quick else 120
    add_back(report, "lone writes", cache_back(stage, rounds, 0.6, 1.2))
    add_back(report, "5 writes/s", cache_back(stage, rounds, 0, 0.4))
    shift(stage, "+")
    add_back(report, "lone writes, all 21 conferences on at once", cache_back(stage, rounds // 2, 0.6, 1.2))
    shift(stage, "-")


def add_back(report, state, back):
    p50, p99 = percentile(back, 0.5) * 1000, percentile(back, 0.99) * 1000
    report.figures.append(Figure(f"cache back, {state}: p50, p99", f"{p50:.0f}, {p99:.0f} ms", "",
                                 "p99 < 150 ms", p99 < 150))


def shift(stage, sign):
    """Moves the sessions of the other conferences to the hours of the first, or back."""
    with stage.owner() as owner:
        owner.execute(f"""
            update event.event_speakers as s
            set session_start = s.session_start {sign} (f.starts_at - e.starts_at),
                session_end = s.session_end {sign} (f.starts_at - e.starts_at)
            from event.events as e, event.events as f
            where s.event_id = e.event_id and f.event_id = %s and e.event_id <> f.event_id""", [stage.event])
        owner.execute("call event.refresh()")
    clean(stage)


def add(report, state, writers, kills, control=False):
    stale, reads, cached, writes = (
        sum(getattr(w, name) for w in writers) for name in ("stale", "reads", "cached", "writes"))
    peer = f"{writes:,} writes; {cached:,} reads cached" + (f"; {kills} kills" if kills else "")
    report.figures.append(Figure(f"stale reads, {state}", f"{stale:,} of {reads:,}", peer,
                                 "> 0" if control else "0", stale > 0 if control else stale == 0))


def interleave(stage, state, total, running=True, kill=False, lull=0.02):
    """Runs the writers to their end; returns them and how often the daemon was killed."""
    say(f"freshness, {state}: {total:,} writes by {THREADS} writers")
    daemon = stage.daemon()
    if running:
        daemon.start()
        stage.wait_until_exact()
    barrier = threading.Barrier(THREADS)
    writers = [Writer(stage, number, total // THREADS, barrier, lull) for number in range(THREADS)]
    for writer in writers:
        writer.start()
    kills, draw = 0, random.Random(7)
    while any(writer.is_alive() for writer in writers):
        time.sleep(draw.uniform(0.2, 1.5) if kill else 0.1)
        if kill:
            daemon.kill()
            kills += 1
            time.sleep(draw.uniform(0, 0.5))
            daemon.start()
    daemon.stop()
    for writer in writers:
        if writer.error and not isinstance(writer.error, threading.BrokenBarrierError):
            raise writer.error
    return writers, kills


def clean(stage):
    with stage.owner() as owner:
        owner.execute("delete from event.event_speakers where event_id = %s and source_key is null",
                      [stage.event])
        owner.execute(
            "vacuum analyze event.event_speakers, event.dirty_marks, event.mv_sessions_now, "
            "event.mv_sessions_next_60")


def cache_back(stage, rounds, shortest, longest):
    """Seconds from the commit of a write until reads of its event come from the cache again; pauses between
    the writes."""
    say(f"freshness, cache back: {rounds} writes, {shortest} to {longest} s apart")
    draw, taken = random.Random(3), []
    with stage.owner() as owner, stage.daemon():
        stage.wait_until_exact()
        sessions = [row[0] for row in owner.execute(
            "select session_id from event.event_speakers where event_id = %s order by source_key",
            [stage.event])]
        for _ in range(rounds):
            time.sleep(draw.uniform(shortest, longest))
            owner.execute(
                "update event.event_speakers set session_title = session_title || '.' where session_id = %s",
                [draw.choice(sessions)])
            committed = time.monotonic()
            while not owner.execute("select event.cache_is_exact(%s, now())", [stage.event]).fetchone()[0]:
                time.sleep(0.001)
                if time.monotonic() > committed + 30:
                    raise SystemExit("freshness: the cache did not come back within 30 s")
            taken.append(time.monotonic() - committed)
    return taken
