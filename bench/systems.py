"""The queues that are compared, ours and its peers, each in a database of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from stage import HERE, Daemon, log_file, say

WORKER = "concierge_bench_queue_worker"
BATCH = 1000  # jobs one call enqueues; peers.py has the same


class System:
    """A queue in a database of its own."""

    batches = (None,)

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

    def empty(self):
        with self.owner() as owner:
            owner.execute(f"truncate {self.table} cascade")

    def clock(self):
        return self.ask("select clock_timestamp()")

    def warm(self):
        """Until a worker is there: it has done a job."""
        with self.connect() as connection:
            connection.execute(self.one)
        self.wait()

    def wait(self, seconds=60):
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
    table = "queue.job"
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

    def worker(self, _=None, **settings):
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

    def __exit__(self, *error):
        super().__exit__(*error)
        self.stage.drop(self.database + "_killed")

    def call(self, *words):
        done = subprocess.run([python(), HERE / "peers.py", self.name, *words], env=self.environment(),
                              capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{self.name}: {done.stderr}")
        return done.stdout.strip()

    def environment(self):
        server = self.stage.server
        return {**os.environ, "PEER_DATABASE": f"postgresql://{server['user']}@/{self.database}"
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
        """Kills a worker in the middle of a job; how long until another one begins it anew. In a database of its own,
        beside what else is measured: two processes that wait."""
        stage, database = self.stage, self.database + "_killed"
        stage.recreate(database)
        twin = type(self)(stage)
        twin.database = database
        twin.install()
        workers = [twin.worker(self.batches[0]).start() for _ in range(2)]
        with twin.connect() as connection:
            connection.execute(twin.call("statement").replace("'job'", "'hang'"))
        while not any(worker.hangs() for worker in workers):
            time.sleep(0.1)
        killed, other = sorted(workers, key=PeerWorker.hangs, reverse=True)
        killed.kill()
        began = time.monotonic()
        while not other.hangs() and time.monotonic() - began < limit:
            time.sleep(0.05)
        self.recovered = f"{time.monotonic() - began:.0f} s" if other.hangs() else f"not within {limit} s"
        other.kill()
        stage.drop(database)


class Pgqueuer(Peer):
    name = "pgqueuer"
    table = "pgqueuer"
    batches = (10, 100)
    left = "select exists (select from pgqueuer)"
    span = """select count(*) filter (where status = 'successful'), min(created) filter (where status = 'queued'),
                  min(created) filter (where status = 'picked'), max(created) filter (where status = 'successful')
              from pgqueuer_log where created >= %s"""


class Procrastinate(Peer):
    name = "procrastinate"
    table = "procrastinate_jobs"
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
        self.output.unlink()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def python():
    """The one that has the peers."""
    own = Path(".concierge/bench-venv/bin/python")
    return str(own) if own.exists() else sys.executable
