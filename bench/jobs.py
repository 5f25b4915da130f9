"""The queue beside pgqueuer and procrastinate: jobs a second, time to the effect, enqueueing from many connections, what a
killed worker and an old snapshot cost. (Not queue.py: that is a module of Python's own.)"""

import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg

from daemon import words
from receiver import Receiver
from stage import HERE, Daemon, Figure, log_file, percentile, program, say

WORKER = "concierge_bench_queue_worker"
BATCH = 1000  # jobs one call enqueues; peers.py has the same


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
        report.figures.append(Figure(
            "recovery after kill -9, peers, once", "", ", ".join(f"{p.name} {p.recovered}" for p in peers)))


# MARK: The systems


class System:
    """A queue in a database of its own."""

    def __init__(self, stage):
        self.stage = stage
        self.database = f"concierge_bench_{self.name}"
        self.batch = None

    def conninfo(self, **changes):
        return self.stage.conninfo(dbname=self.database, **changes)

    def owner(self):
        return psycopg.connect(self.conninfo(), autocommit=True)

    def connect(self):
        """As whoever enqueues."""
        return self.owner()

    def ask(self, *query):
        with self.connect() as connection:
            return connection.execute(*query).fetchone()[0]

    def __enter__(self):
        self.stage.recreate(self.database)
        self.install()
        return self

    def __exit__(self, *_):
        self.stage.drop(self.database)

    def clock(self):
        return self.ask("select clock_timestamp()")

    def warm(self):
        """Until a worker is there: it has done a job."""
        with self.connect() as connection:
            connection.execute(self.one)
        self.wait()

    def wait(self, seconds=300):
        """Until nothing is left to do; False when time is up."""
        with self.connect() as connection:
            end = time.monotonic() + seconds
            while connection.execute(self.left).fetchone()[0]:
                if time.monotonic() > end:
                    return False
                time.sleep(0.05)
        return True


class Ours(System):
    name = "queue"
    # The time a job was committed at, nearly: read in the statement that is the whole transaction.
    one = "select queue.enqueue('call', jsonb_build_object('at', clock_timestamp()))"
    left = "select exists (select from queue.job)"
    # Jobs done since then; enqueued first, claimed first, finished last.
    span = """select count(*), min(created_at), min(claimed_at), max(finished_at)
              from queue.history where created_at >= %s"""

    def install(self):
        say("concierge migrate")
        self.stage.migrate(self.database)
        with self.owner() as owner:
            owner.execute(f"drop role if exists {WORKER}")
            owner.execute(f"create role {WORKER} login")
            owner.execute(f"grant concierge_worker to {WORKER}")

    def __exit__(self, *error):
        super().__exit__(*error)
        with psycopg.connect(self.stage.conninfo(dbname="postgres"), autocommit=True) as server:
            server.execute(f"drop role {WORKER}")

    def connect(self):
        """As the owner of the queue, who alone enqueues."""
        return psycopg.connect(self.conninfo(options="-c role=concierge_owner"), autocommit=True)

    def worker(self, batch=None, **settings):
        return Daemon(self.conninfo(user=WORKER), **settings)

    def enqueue(self, count):
        """Seconds for so many jobs."""
        jobs = json.dumps([{"kind": "call"}] * BATCH)
        with self.connect() as connection:
            began = time.perf_counter()
            for _ in range(count // BATCH):
                connection.execute("select count(*) from queue.enqueue_many(%s)", [jobs])
            return time.perf_counter() - began

    def deliver(self, url, count):
        with self.connect() as connection:
            job = {"kind": "deliver", "payload": {"url": url, "body": "", "seconds": 600}}
            connection.execute("select count(*) from queue.enqueue_many(%s)", [json.dumps([job] * count)])


class Peer(System):
    """A library of the Python package index, run by peers.py in the Python that has it."""

    def __enter__(self):
        super().__enter__()
        self.one = self.call("statement")
        return self

    def call(self, *words):
        done = subprocess.run([python(), HERE / "peers.py", self.name, *words], env=self.environment(),
                              capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{self.name}: {done.stderr}")
        return done.stdout.strip()

    def environment(self, database=None):
        server = self.stage.server
        return {**os.environ, "PEER_DATABASE": f"postgresql://{server['user']}@/{database or self.database}"
                f"?host={server['host']}&port={server['port']}"}

    def is_installed(self):
        return not subprocess.run([python(), HERE / "peers.py", self.name, "version"], capture_output=True).returncode

    def install(self):
        self.call("install")

    def enqueue(self, count):
        return float(self.call("enqueue", str(count)))

    def worker(self, batch=None):
        return PeerWorker(self, batch or self.batch)

    def recover(self, limit=120):
        """Kills a worker in the middle of a job; how long until another one begins it anew. In a database of its own, beside
        what else is measured: two processes that wait."""
        stage, database = self.stage, self.database + "_killed"
        stage.recreate(database)
        twin = type(self)(stage)
        twin.database = database
        twin.install()
        with twin.worker(self.batches[0]) as killed, twin.worker(self.batches[0]) as other:
            with twin.connect() as connection:
                connection.execute(twin.call("statement").replace("'job'", "'hang'"))
            while not (killed.hangs() or other.hangs()):
                time.sleep(0.1)
            if other.hangs():
                killed, other = other, killed
            killed.kill()
            began = time.monotonic()
            while not other.hangs() and time.monotonic() - began < limit:
                time.sleep(0.05)
            taken = time.monotonic() - began
            self.recovered = f"{taken:.0f} s" if other.hangs() else f"not within {limit} s"
            other.kill()
        stage.drop(database)


class Pgqueuer(Peer):
    name = "pgqueuer"
    batches = (10, 100)
    left = "select exists (select from pgqueuer)"
    span = """select count(*) filter (where status = 'successful'), min(created) filter (where status = 'queued'),
                  min(created) filter (where status = 'picked'), max(created) filter (where status = 'successful')
              from pgqueuer_log where created >= %s"""


class Procrastinate(Peer):
    name = "procrastinate"
    batches = (10,)
    left = "select exists (select from procrastinate_jobs where status in ('todo', 'doing'))"
    span = """select count(*) filter (where type = 'succeeded'), min(at) filter (where type = 'deferred'),
                  min(at) filter (where type = 'started'), max(at) filter (where type = 'succeeded')
              from procrastinate_events where at >= %s"""


class PeerWorker:
    """`peers.py NAME work`, as stage.Daemon is `concierge daemon`."""

    def __init__(self, peer, batch):
        self.command = [python(), HERE / "peers.py", peer.name, "work", str(batch)]
        self.environment = peer.environment()
        self.output = log_file().with_name(f"bench-{peer.database}-{id(self)}.out")
        self.process = None
        self.delays = []

    def start(self):
        self.process = subprocess.Popen(self.command, env=self.environment, stdout=open(self.output, "w"),
                                        stderr=open(log_file(), "a"))
        return self

    def hangs(self):
        return "hangs" in self.output.read_text()

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None
            self.delays = json.loads(self.output.read_text().splitlines()[-1])
            self.output.unlink()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def python():
    """The one that has the peers."""
    own = Path(".concierge/bench-venv/bin/python")
    return str(own) if own.exists() else sys.executable


# MARK: Jobs a second


def throughput(systems, report, quick):
    enqueued, drained, both, memory = {}, {}, {}, {}
    rounds = 1 if quick else 3
    for system in systems:
        # procrastinate would take minutes for as many.
        count = (2_000 if quick else 20_000) // (10 if system.name == "procrastinate" else 1)
        count = max(count, BATCH)
        runs = {}
        for batch in getattr(system, "batches", (None,)):
            runs[batch] = [drain(system, batch, count) for _ in range(rounds)]
        rate = {batch: statistics.median(run[1] for run in runs[batch]) for batch in runs}
        system.batch = max(rate, key=rate.get)
        drained[system.name] = rate[system.batch]
        enqueued[system.name] = statistics.median(run[0] for run in sum(runs.values(), []))
        memory[system.name] = max(run[2] for run in runs[system.batch])
        both[system.name] = statistics.median(together(system, count) for _ in range(rounds))
    ours = systems[0].name
    times = drained[ours] / drained["pgqueuer"] if "pgqueuer" in drained else None
    report.figures += [
        Figure("queue: enqueue, 1,000 a call", *beside(enqueued, ours)),
        Figure("queue: drain, no-op jobs", *beside(drained, ours), "5 x pgqueuer" if times else "",
               times and times >= 5),
        Figure("queue: enqueue while draining", *beside(both, ours)),
        Figure("daemon, under load: resident memory", f"{memory[ours]:.0f} MB",
               ", ".join(f"{name} {value:.0f} MB" for name, value in memory.items() if name != ours),
               "< 30 MB", memory[ours] < 30),
    ]


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
    """That a run did what its name says is not taken on trust."""
    with system.connect() as connection:
        row = connection.execute(system.span, [since]).fetchone()
    if row[0] != count:
        sys.exit(f"{system.name}: {count:,} jobs were enqueued, {row[0]:,} are done")
    return row


def beside(rates, ours):
    peers = [f"{name} {rate:,.0f}/s" for name, rate in rates.items() if name != ours]
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
    peer = [f"{name} {spread(worker.delays[1:])}" for name, worker in workers.items()]
    p99 = percentile(claimed, 0.99)
    report.figures += [
        Figure("queue: commit to claim, idle, p50 / p99", spread(claimed), "", "p99 < 20 ms", p99 < 20),
        Figure("queue: commit to effect, idle, p50 / p99", spread(arrived), ", ".join(peer)),
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
        said[system.name] = spread(delays) if done else f"behind: {len(delays) / seconds:,.0f} of {offered:,.0f}/s"
        if not done:
            with system.connect() as connection:
                connection.execute(f"truncate {'procrastinate_jobs' if system.name == 'procrastinate' else system.name} cascade")
    ours = systems[0].name
    peers = ", ".join(f"{name} {text}" for name, text in said.items() if name != ours)
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
    """One job a transaction, nobody draining: against rows of the same content in a table with its primary key alone."""
    rounds, seconds = (1, 2) if quick else (3, 4)
    ours = systems[0]
    with ours.owner() as owner:
        owner.execute("""
            create table plain (like queue.job including defaults including generated including identity,
                primary key (job_id))""")
    plain = """insert into plain (kind, payload, run_at, max_attempts, priority, rate_units, trace_id)
        values ('call', '{}', clock_timestamp(), 5, 1, 0, replace(gen_random_uuid()::text, '-', ''))"""
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
    peers = ", ".join(f"{name} {rate:,.0f}/s" for name, rate in median.items() if name not in ("plain", ours.name))
    report.figures += [
        Figure("queue: enqueue, 64 connections", f"{median[ours.name]:,.0f}/s = {share:.0f} %",
               f"{median['plain']:,.0f}/s plain insert", ">= 80 %", share >= 80),
        Figure("queue: enqueue, 64 connections, peers", "", peers),
    ]
    with ours.owner() as owner:
        owner.execute("drop table plain; truncate queue.job")
    for peer in systems[1:]:
        peer.stage.recreate(peer.database)  # they are not needed any more


# MARK: A killed worker


def recovery(ours, report, count):
    """So many daemons with five deliveries each that nobody answers; all are killed, at different ages of their leases, and a
    last one takes over."""
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
        until(ours, f"select count(*) from queue.job where state = 'running' and worker like '%:{survivor.process.pid}:%'",
              5 * count)
        with ours.connect() as connection:
            for pid, jobs in workers.items():
                for row in connection.execute(
                        "select extract(epoch from claimed_at - %s)::double precision from queue.job where job_id = any (%s)",
                        [killed[pid], jobs]):
                    delays.append(row[0])
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
        return connection.execute("select * from queue.claim(%s, '{call}', %s, '5 minutes')", [worker, count]).fetchall()

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
                create table plain_queue (id bigint generated always as identity primary key, state text default 'ready',
                    run_at timestamptz default clock_timestamp(), payload jsonb default '{}');
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
    """Milliseconds of claims of one job, every 20 ms on a connection of their own, while `count` jobs are enqueued, claimed
    and finished by the 500: those of the first tenth and of the last."""
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
            old = stack.enter_context(psycopg.connect(ours.conninfo(options="-c default_transaction_isolation=repeatable\\ read")))
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


def transactions(ours, report, count):
    say(f"{count} deliveries that hang for 3 s")
    oldest = []
    with Receiver(seconds=3) as receiver, ours.worker(allow="127.0.0.1"), ours.connect() as connection:
        ours.warm()
        ours.deliver(f"{receiver.address}/slow", count)
        while connection.execute(ours.left).fetchone()[0]:
            with ours.owner() as owner:
                for _ in range(50):
                    oldest.append(owner.execute("""
                        select coalesce(max(extract(epoch from clock_timestamp() - xact_start)), 0)::double precision
                        from pg_stat_activity
                        where datname = current_database() and application_name = 'concierge-daemon'""").fetchone()[0])
                    time.sleep(0.01)
        if receiver.count != count:
            sys.exit(f"{count} jobs, {receiver.count} deliveries")
    report.figures.append(Figure(
        f"daemon: oldest transaction, {count} effects hang for 3 s", f"{max(oldest) * 1000:.0f} ms",
        f"{len(oldest)} looks", "< 1 s", max(oldest) < 1))
