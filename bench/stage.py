"""What every figure stands on: the database with its data, connections to it, a daemon, and the table of
figures."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

HERE = Path(__file__).parent
CONCIERGE = os.environ["CONCIERGE"]
DATABASE = "concierge_bench"
APP, WORKER = "concierge_bench_app", "concierge_bench_worker"


@dataclass
class Figure:
    """One line of the table. `met` is None where nothing is aimed at."""

    name: str
    ours: str
    peer: str = ""
    aim: str = ""
    met: bool | None = None


@dataclass
class Report:
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def say(text):
    """Progress: on a terminal, or plain lines in a pipe; never in the table."""
    print(f"  {text}", file=sys.stderr, flush=True)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class Stage:
    """The bench database: made anew, filled, and dropped at the end."""

    def __init__(self):
        url = subprocess.run([CONCIERGE, "dev", "url"], check=True, capture_output=True,
                             text=True).stdout.strip()
        self.server = conninfo_to_dict(url)
        self.daemons = []

    def conninfo(self, **changes):
        return make_conninfo(**{**self.server, "dbname": DATABASE, **changes})

    def owner(self, **options):
        """A superuser, past row-level security: for set-up, for looking on, and for the peers."""
        return psycopg.connect(self.conninfo(), autocommit=True, **options)

    def app(self, token):
        """What an app service holds: a login in concierge_app, signed in with the service's token."""
        connection = psycopg.connect(self.conninfo(user=APP), autocommit=True)
        connection.execute("select access.sign_in(%s, for_session => true)", [token])
        return connection

    def daemon(self):
        self.daemons.append(Daemon(self.conninfo(user=WORKER)))
        return self.daemons[-1]

    def recreate(self, database):
        """An empty database of a figure's own."""
        self.drop(database)
        with psycopg.connect(self.conninfo(dbname="postgres"), autocommit=True) as server:
            server.execute(f"create database {database}")

    def drop(self, database):
        self._remove_cron_jobs(database)
        with psycopg.connect(self.conninfo(dbname="postgres"), autocommit=True) as server:
            server.execute(f"drop database if exists {database} with (force)")

    def migrate(self, database):
        done = subprocess.run([CONCIERGE, "migrate", "--database", self.conninfo(dbname=database)],
                              capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"concierge migrate failed:\n{done.stdout}{done.stderr}")
        # What is measured is the daemon, not its safety net.
        self._remove_cron_jobs(database)

    def __enter__(self):
        self._clear()
        self.recreate(DATABASE)
        with psycopg.connect(self.conninfo(dbname="postgres"), autocommit=True) as server:
            server.execute(f"create role {APP} login")
            server.execute(f"create role {WORKER} login")
        say("concierge migrate")
        self.migrate(DATABASE)
        say("bench/data.sql: 21 conferences of 1,000 sessions, 20,000 attendees")
        with self.owner() as owner:
            owner.execute(f"grant concierge_app to {APP}; grant concierge_worker to {WORKER}")
            with owner.transaction():
                owner.execute((HERE / "data.sql").read_text())
            owner.execute("vacuum analyze")
            owner.execute("call event.refresh()")
            self.token = owner.execute(
                "select access.issue_token('bench-0', 'app', '10 hours')").fetchone()[0]
            self.event = owner.execute(
                "select event_id from event.events where slug = 'bench-0'").fetchone()[0]
        return self

    def __exit__(self, *_):
        for daemon in self.daemons:
            daemon.stop()
        self._clear()

    def _clear(self):
        self.drop(DATABASE)
        with psycopg.connect(self.conninfo(dbname="postgres"), autocommit=True) as server:
            server.execute(f"drop role if exists {APP}, {WORKER}")

    def _remove_cron_jobs(self, database):
        with psycopg.connect(self.conninfo(dbname="postgres"), autocommit=True) as server:
            if server.execute("select to_regclass('cron.job') is not null").fetchone()[0]:
                server.execute("select cron.unschedule(jobid) from cron.job where database = %s", [database])

    def wait_until_exact(self, seconds=10):
        """Until reads of the event come from the cache again."""
        with self.owner() as owner:
            end = time.monotonic() + seconds
            while not owner.execute("select event.cache_is_exact(%s, now())", [self.event]).fetchone()[0]:
                if time.monotonic() > end:
                    sys.exit(f"the cache is not exact again after {seconds} s: does the daemon run?")
                time.sleep(0.01)


class Daemon:
    """`concierge daemon` as its worker role, with settings of its own: this machine's do not count."""

    def __init__(self, conninfo, **settings):
        self.conninfo = conninfo
        self.process = None
        self.settings = tempfile.NamedTemporaryFile("w", prefix="concierge-bench-", suffix=".conf")
        self.settings.write("".join(f"{name} = {value}\n" for name, value in settings.items()))
        self.settings.flush()

    def start(self):
        self.process = subprocess.Popen(
            [CONCIERGE, "daemon", "--database", self.conninfo, "--config", self.settings.name],
            stdout=subprocess.DEVNULL, stderr=open(log_file(), "a"))
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def log_file():
    folder = Path(".build/logs")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "bench-daemon.log"


def program(name):
    """A program of the server's own version: newest first where several are installed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[-3]))
    return str(found[-1]) if found else name


def machine():
    """The facts that make a figure comparable: how many cores, how fast a commit can be, how busy it is
    already."""
    with psycopg.connect(Stage().conninfo(dbname="postgres")) as server:
        version = server.execute("show server_version").fetchone()[0].split()[0]
        buffers = server.execute("show shared_buffers").fetchone()[0]
        fsync = server.execute("show fsync").fetchone()[0]
    return (f"{os.cpu_count()} cores, {sync_rate():,.0f} fdatasync/s, "
            f"load {os.getloadavg()[0]:.1f} at the start; "
            f"PostgreSQL {version}, fsync {fsync}, shared_buffers {buffers}")


def sync_rate(seconds=1):
    """Writes of a page, each forced to disk, a second: what a lone writer's commits can reach at most."""
    path = log_file().with_name("sync")
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        count, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            os.pwrite(file, os.urandom(8192), 0)
            os.fdatasync(file)
            count += 1
        return count / seconds
    finally:
        os.close(file)
        path.unlink()
