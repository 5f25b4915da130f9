"""The queue beside pgqueuer and procrastinate: jobs a second, time to the effect, enqueueing from many connections,
what a killed worker and an old snapshot cost. (Not queue.py: that is a module of Python's own.)"""

import json
import random
import re
import statistics
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import psycopg

from daemon import words
from receiver import Receiver
from stage import Figure, log_file, percentile, program, say
from systems import BATCH, Ours, Pgqueuer, Procrastinate


def measure(stage, report, quick):
    peers = [peer for peer in (Pgqueuer(stage), Procrastinate(stage)) if peer.is_installed()]
    for name in {"pgqueuer", "procrastinate"} - {peer.name for peer in peers}:
        report.notes.append(f"queue: without {name} of the Python package index, which is not installed")
    with ExitStack() as stack:
        systems = [stack.enter_context(system) for system in [Ours(stage), *peers]]
        forgotten = [threading.Thread(target=peer.recover, daemon=True) for peer in peers]
        for thread in forgotten:
            thread.start()
        recovery(systems[0], report, 3 if quick else 8)
        throughput(systems, report, quick)
        latency_idle(systems, report, 20 if quick else 200)
        latency_busy(systems, report, 2 if quick else 10)
        enqueueing(systems, report, quick)
        snapshot(systems[0], report, 20_000 if quick else 200_000)
        transactions(systems[0], report, 200)
        say("recovery of the peers")
        for thread in forgotten:
            thread.join()
        for peer in peers:
            report.figures.append(Figure(f"queue: recovery after kill -9, {peer.name}, once", "", peer.recovered))


# MARK: Jobs a second


def throughput(systems, report, quick):
    """In turns, so that all have the same machine; the median of each."""
    size = 2_000 if quick else 20_000
    # procrastinate would take minutes for as many.
    counts = {system.name: max(BATCH, size // 10) if system.name == "procrastinate" else size for system in systems}
    drains = {(system.name, batch): [] for system in systems for batch in system.batches}
    mixed = {system.name: [] for system in systems}
    for _ in range(1 if quick else 3):
        for system in systems:
            for batch in system.batches:
                drains[system.name, batch].append(drain(system, batch, counts[system.name]))
    for system in systems:
        rates = {batch: statistics.median(run[1] for run in drains[system.name, batch]) for batch in system.batches}
        system.batch = max(rates, key=rates.get)
    for _ in range(1 if quick else 3):
        for system in systems:
            mixed[system.name].append(together(system, counts[system.name]))

    best = {system.name: drains[system.name, system.batch] for system in systems}
    enqueued, drained = ({name: statistics.median(run[part] for run in runs) for name, runs in best.items()}
                         for part in (0, 1))
    memory = {name: max(run[2] for run in runs) for name, runs in best.items()}
    ours = systems[0].name
    times = drained[ours] / drained["pgqueuer"] if "pgqueuer" in drained else None
    report.figures += [
        Figure("queue: enqueue, 1,000 a call", *beside(enqueued, ours)),
        Figure("queue: drain, no-op jobs", *beside(drained, ours), "5 x pgqueuer" if times else "",
               times and times >= 5),
        Figure("queue: enqueue while draining",
               *beside({name: statistics.median(rates) for name, rates in mixed.items()}, ours)),
        Figure("daemon, under load: resident memory", f"{memory[ours]:.0f} MB",
               ", ".join(f"{value:.0f} MB {name}" for name, value in memory.items() if name != ours),
               "< 30 MB", memory[ours] < 30),
    ]
    chosen = [f"{system.name} {system.batch}" for system in systems if system.batch]
    report.notes += [f"queue: batch of {chosen[0]}, concurrency of {chosen[1]}"] if len(chosen) == 2 else []


def drain(system, batch, count):
    """Enqueued a second with nobody there, then done a second by one worker; its memory at most."""
    say(f"{system.name}{f', {batch} at once' if batch else ''}: drain {count:,} jobs")
    with system.worker(batch) as worker:
        system.warm()
    since = system.clock()
    taken = system.enqueue(count)
    with system.worker(batch) as worker:
        system.wait()
        resident = int(words(f"/proc/{worker.process.pid}/status", "VmHWM:")[1]) / 1024
    done, _, first, last = spanned(system, since, count)
    return count / taken, done / (last - first).total_seconds(), resident


def together(system, count):
    """Jobs a second from the first enqueued to the last done, the worker waiting for them."""
    say(f"{system.name}: enqueue while draining")
    with system.worker() as worker:
        system.warm()
        since = system.clock()
        system.enqueue(count)
        system.wait()
    done, first, _, last = spanned(system, since, count)
    return done / (last - first).total_seconds()


def spanned(system, since, count):
    """That a run did what its name says is not taken on trust. A peer that stalls counts with what it did."""
    with system.connect() as connection:
        row = connection.execute(system.span, [since]).fetchone()
    if row[0] != count:
        say(f"{system.name}: {count:,} jobs were enqueued, {row[0]:,} are done")
        if isinstance(system, Ours):
            sys.exit(1)
        system.empty()
        return row[0], row[1], row[2], system.clock()
    return row


def beside(rates, ours):
    peers = [f"{rate:,.0f}/s {name}" for name, rate in rates.items() if name != ours]
    return f"{rates[ours]:,.0f}/s", ", ".join(peers)


# MARK: From commit to effect


def latency_idle(systems, report, count):
    """One job at a time for each system in turn, so that all have the same machine."""
    ours, peers = systems[0], systems[1:]
    draw = random.Random(1)
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver())
        stack.enter_context(ours.worker(allow="127.0.0.1"))
        workers = {peer.name: stack.enter_context(peer.worker()) for peer in peers}
        connections = {system.name: stack.enter_context(system.connect()) for system in systems}
        for system in systems:
            system.warm()
        say(f"commit to effect, idle: {count} jobs each")
        since = ours.clock()
        deliver = """select queue.enqueue('deliver', jsonb_build_object('url', %s::text,
            'body', extract(epoch from clock_timestamp())::text))"""
        for _ in range(count):
            for system in systems:
                connections[system.name].execute(system.one)
                time.sleep(draw.uniform(0.05, 0.15) / (len(systems) + 1))
            connections[ours.name].execute(deliver, [f"{receiver.address}/now"])
            time.sleep(draw.uniform(0.05, 0.15) / (len(systems) + 1))
        for system in systems:
            system.wait(30)
        claimed = claims(ours, since)
        arrived = receiver.delays
    # The first is the one that warmed it.
    peer = [f"{spread(worker.delays[1:])} {name}" for name, worker in workers.items()]
    p99 = percentile(arrived, 0.99)
    report.figures += [
        Figure("queue: commit to claim, idle, p50 / p99", spread(claimed), ""),
        Figure("queue: commit to effect, idle, p50 / p99", spread(arrived), ", ".join(peer), "p99 < 20 ms", p99 < 20),
    ]


def latency_busy(systems, report, seconds):
    rate = 1000
    said = {}
    for system in systems:
        say(f"{system.name}: commit to effect, {rate:,} jobs a second for {seconds} s")
        with system.worker() as worker:
            system.warm()
            since = system.clock()
            offered = pgbench(system, system.one, 32, seconds, f"--rate={rate}")
            done = system.wait(10)
        delays = claims(system, since) if isinstance(system, Ours) else worker.delays[1:]
        said[system.name] = spread(delays) if done else f"did {len(delays):,} of {offered * seconds:,.0f}"
        if not done:
            system.empty()
    ours = systems[0].name
    peers = ", ".join(f"{text} {name}" for name, text in said.items() if name != ours)
    report.figures.append(Figure("queue: commit to claim, 1,000/s, p50 / p99", said[ours], peers))


def claims(system, since):
    """Milliseconds from commit to claim, both by the server's clock."""
    with system.connect() as connection:
        return [row[0] for row in connection.execute(
            """select extract(epoch from claimed_at - (payload ->> 'at')::timestamptz)::double precision * 1000
               from queue.history where created_at >= %s and payload ? 'at'""", [since])]


def spread(delays):
    return f"{statistics.median(delays):.1f} / {percentile(delays, 0.99):.1f} ms"


def pgbench(system, statement, connections, seconds, *options):
    """Transactions a second."""
    script = log_file().with_name("bench-pgbench.sql")
    script.write_text(statement + ";\n")
    done = subprocess.run(
        [program("pgbench"), "--no-vacuum", "--protocol=prepared", f"--file={script}", f"--client={connections}",
         "--jobs=2", f"--time={seconds}", *options, system.conninfo()], capture_output=True, text=True)
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.M)
    if done.returncode or not found:
        raise SystemExit(f"pgbench failed:\n{done.stdout}{done.stderr}")
    return float(found[1])


# MARK: Enqueueing from many connections


def enqueueing(systems, report, quick):
    """One job a transaction, nobody draining: against the same rows in a table with its primary key alone."""
    rounds, seconds = (1, 2) if quick else (3, 4)
    ours = systems[0]
    with ours.owner() as owner:
        owner.execute("""
            create table plain (like queue.job including defaults including generated including identity,
                primary key (job_id))""")
    plain = """insert into plain (kind, payload, run_at, max_attempts, priority, rate_units)
        values ('call', '{}', clock_timestamp(), 5, 1, 0)"""
    contenders = [("plain", ours, plain), (ours.name, ours, "select queue.enqueue('call')")]
    contenders += [(peer.name, peer, peer.one) for peer in systems[1:]]
    rates = {name: [] for name, _, _ in contenders}
    for number in range(rounds):
        for name, system, statement in contenders:
            say(f"enqueue, 64 connections, round {number + 1} of {rounds}: {name}")
            with system.owner() as owner:
                owner.execute("checkpoint")
            rates[name].append(pgbench(system, statement, 64, seconds))
    median = {name: statistics.median(values) for name, values in rates.items()}
    share = median[ours.name] / median["plain"] * 100
    peers = ", ".join(f"{rate:,.0f}/s {name}" for name, rate in median.items() if name not in ("plain", ours.name))
    report.figures += [
        Figure("queue: enqueue, 64 connections", f"{median[ours.name]:,.0f}/s = {share:.0f} %",
               f"{median['plain']:,.0f}/s plain insert", ">= 80 %", share >= 80),
        Figure("queue: enqueue, 64 connections, peers", "", peers),
    ]
    with ours.owner() as owner:
        owner.execute("drop table plain; truncate queue.job")


# MARK: A killed worker


def recovery(ours, report, count):
    """So many daemons with five deliveries each that nobody answers; all are killed, at different ages of their
    leases, and a last one takes over."""
    say(f"recovery: {count} daemons killed")
    delays = []
    with Receiver() as receiver, ExitStack() as stack:
        settings = {"allow": "127.0.0.1", "capacity": 5}
        victims = []
        for number in range(count):
            victims.append(stack.enter_context(ours.worker(**settings)))
            ours.deliver(f"{receiver.address}/never", 5)
            until(ours, "select count(*) from queue.job where state = 'running'", 5 * (number + 1))
        workers = {}
        with ours.connect() as connection:
            for worker, jobs in connection.execute("select worker, array_agg(job_id) from queue.job group by worker"):
                workers[int(worker.split(":")[1])] = jobs
        survivor = stack.enter_context(ours.worker(allow="127.0.0.1"))
        killed = {}
        draw = random.Random(2)
        for victim in victims:
            time.sleep(draw.uniform(0.2, 1.5))
            pid = victim.process.pid
            killed[pid] = ours.clock()
            victim.kill()
        until(ours, f"""select count(*) from queue.job
            where state = 'running' and worker like '%:{survivor.process.pid}:%'""", 5 * count)
        with ours.connect() as connection:
            for pid, jobs in workers.items():
                delays += [row[0] for row in connection.execute(
                    """select extract(epoch from claimed_at - %s)::double precision
                       from queue.job where job_id = any (%s)""", [killed[pid], jobs])]
        survivor.kill()
    with ours.owner() as owner:
        owner.execute("truncate queue.job, queue.worker")
    p99 = percentile(delays, 0.99)
    report.figures.append(Figure(
        "queue: recovery after kill -9, p50 / p99", f"{statistics.median(delays):.1f} / {p99:.1f} s", "lease 15 s",
        "<= lease + 1 s", p99 <= 16))


def until(system, query, value, seconds=60):
    with system.connect() as connection:
        end = time.monotonic() + seconds
        while connection.execute(query).fetchone()[0] != value:
            if time.monotonic() > end:
                sys.exit(f"{system.name}: {query} is not {value} after {seconds} s")
            time.sleep(0.05)


# MARK: An old snapshot


class OurTable:
    def __init__(self, ours):
        self.ours = ours
        self.jobs = json.dumps([{"kind": "call"}] * 500)

    def add(self, connection, count):
        if count == 1:
            connection.execute("select queue.enqueue('call')")
        else:
            connection.execute("select count(*) from queue.enqueue_many(%s)", [self.jobs])

    def claim(self, connection, worker, count):
        claim = "select * from queue.claim(%s, '{call}', %s, '5 minutes')"
        return connection.execute(claim, [worker, count]).fetchall()

    def finish(self, connection, jobs):
        connection.execute("select queue.finish_many(%s, %s, array_fill('{}'::jsonb, array[%s]))",
                           [[job[0] for job in jobs], [job[1] for job in jobs], len(jobs)])

    def empty(self, owner):
        owner.execute("truncate queue.job, queue.worker")
        owner.execute("update queue.floor set floors = '{}', candidate = null")
        owner.execute("vacuum queue.job, queue.worker, queue.floor")


class PlainTable:
    """The queue one would write first, as good as it gets."""

    def __init__(self, ours):
        with ours.owner() as owner:
            owner.execute("""
                create table plain_queue (id bigint generated always as identity primary key,
                    state text default 'ready', run_at timestamptz default clock_timestamp(),
                    payload jsonb default '{}');
                create index on plain_queue (run_at) where state = 'ready';
                grant all on plain_queue to concierge_owner""")

    def add(self, connection, count):
        connection.execute("insert into plain_queue (state) select 'ready' from generate_series(1, %s)", [count])

    def claim(self, connection, worker, count):
        return connection.execute("""
            update plain_queue set state = 'running' where id = any (array(
                select id from plain_queue where state = 'ready' and run_at <= now() order by run_at limit %s
                for update skip locked))
            returning id""", [count]).fetchall()

    def finish(self, connection, jobs):
        connection.execute("delete from plain_queue where id = any (%s)", [[job[0] for job in jobs]])

    def empty(self, owner):
        owner.execute("truncate plain_queue")
        owner.execute("vacuum analyze plain_queue")


def snapshot(ours, report, count):
    found = {}
    for name, table in (("ours", OurTable(ours)), ("plain", PlainTable(ours))):
        for held in (False, True):
            say(f"{name}: {count:,} jobs {'beside an old snapshot' if held else 'pass through'}")
            found[name, held] = pass_through(ours, table, count, held)
    for number, part in enumerate(("first", "last")):
        with_it, without = (percentile(found["ours", held][number], 0.99) for held in (True, False))
        plain, plain_without = (percentile(found["plain", held][number], 0.99) for held in (True, False))
        report.figures.append(Figure(
            f"queue: claim p99 beside an old snapshot, {part} tenth", f"{with_it:.1f} ms, {without:.1f} without",
            f"{plain:.1f} ms, {plain_without:.1f} without (plain table)", "<= 2 x without", with_it <= 2 * without))


def pass_through(ours, table, count, held):
    """Milliseconds of claims of one job, every 20 ms on a connection of their own, while `count` jobs are enqueued,
    claimed and finished by the 500: those of the first tenth and of the last."""
    with ours.owner() as owner:
        table.empty(owner)
    claims, passed, over = [], 0, threading.Event()

    def probe():
        with ours.connect() as connection:
            while not over.is_set():
                table.add(connection, 1)
                began = time.perf_counter()
                jobs = table.claim(connection, "probe", 1)
                claims.append((passed, (time.perf_counter() - began) * 1000))
                if jobs:
                    table.finish(connection, jobs)
                time.sleep(0.02)

    with ExitStack() as stack:
        if held:
            old = stack.enter_context(psycopg.connect(ours.conninfo()))
            old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            old.execute("select count(*) from pg_class")
        thread = threading.Thread(target=probe)
        thread.start()
        connection = stack.enter_context(ours.connect())
        try:
            while passed < count:
                table.add(connection, 500)
                jobs = table.claim(connection, "passing", 500)
                table.finish(connection, jobs)
                passed += len(jobs)
        finally:
            over.set()
            thread.join()
    return ([taken for at, taken in claims if at < count / 10], [taken for at, taken in claims if at >= count * 0.9])


# MARK: Transactions

AGE = """
    select coalesce(max(extract(epoch from clock_timestamp() - xact_start)), 0)::double precision
    from pg_stat_activity where datname = current_database() and application_name = 'concierge-daemon'"""


def transactions(ours, report, count):
    say(f"{count} deliveries that hang for 3 s")
    oldest = []
    with Receiver(seconds=3) as receiver, ours.worker(allow="127.0.0.1"), ours.connect() as connection:
        ours.warm()
        ours.deliver(f"{receiver.address}/slow", count)
        while connection.execute(ours.left).fetchone()[0]:
            with ours.owner() as owner:
                for _ in range(50):
                    oldest.append(owner.execute(AGE).fetchone()[0])
                    time.sleep(0.01)
        if receiver.count != count:
            sys.exit(f"{count} jobs, {receiver.count} deliveries")
    report.figures.append(Figure(
        f"daemon: oldest transaction, {count} effects hang for 3 s", f"{max(oldest) * 1000:.0f} ms",
        f"{len(oldest)} looks", "< 1 s", max(oldest) < 1))
