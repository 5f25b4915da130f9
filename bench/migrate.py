"""What the runner and the tester take: 200 migrations beside yoyo, a run with nothing to do, one changed function, the
whole suite, and how long a writer waits while a table is altered."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg

from stage import CONCIERGE, Figure, say

DATABASE = "concierge_bench_migrate"
ROOT = Path(__file__).parent.parent


def measure(stage, report, quick):
    with tempfile.TemporaryDirectory() as folder:
        place = Place(stage, Path(folder))
        many(place, report, 20 if quick else 200)
        objects(place, report, 30 if quick else 300)
        writers(place, report, 4 if quick else 12)
        place.drop()
    suite(report, quick)


class Place:
    """A project in a temporary folder and its database."""

    def __init__(self, stage, folder):
        self.stage, self.folder = stage, folder
        (folder / "migrations").mkdir()
        (folder / "sql").mkdir()
        (folder / "sql/manifest").touch()

    def drop(self):
        with psycopg.connect(self.stage.conninfo(dbname="postgres"), autocommit=True) as server:
            server.execute(f"drop database if exists {DATABASE} with (force)")

    def renew(self):
        self.drop()
        with psycopg.connect(self.stage.conninfo(dbname="postgres"), autocommit=True) as server:
            server.execute(f"create database {DATABASE}")

    def connect(self):
        return psycopg.connect(self.stage.conninfo(dbname=DATABASE), autocommit=True)

    def write(self, path, text):
        (self.folder / path).write_text(text)

    def migrate(self, check=True):
        """Seconds of a whole `concierge migrate`, from start to end of the process."""
        return timed([CONCIERGE, "migrate", "--database", self.stage.conninfo(dbname=DATABASE)], self.folder, check)


def timed(command, folder, check=True):
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    taken = time.perf_counter() - began
    if check and done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
    return taken


def many(place, report, count):
    say(f"{count} migrations, ours and yoyo's in turns")
    yoyo = shutil.which("yoyo") or Path(sys.executable).with_name("yoyo")
    has_yoyo = os.access(yoyo, os.X_OK)
    peer_folder = place.folder / "yoyo"
    peer_folder.mkdir()
    for number in range(1, count + 1):
        sql = f"create table t_{number} (id int);\n"
        place.write(f"migrations/{number:04}_table_{number}.sql", sql)
        (peer_folder / f"{number:04}.table.sql").write_text(sql)
    server = place.stage.server
    address = f"postgresql+psycopg://{server['user']}@/{DATABASE}?host={server['host']}&port={server['port']}"
    ours, peer, idle, idle_peer = [], [], [], []
    for _ in range(3):
        place.renew()
        ours.append(place.migrate())
        idle.append(place.migrate())
        if has_yoyo:
            place.renew()
            command = [yoyo, "apply", "--batch", "--no-config-file", "--database", address, str(peer_folder)]
            peer.append(timed(command, place.folder))
            idle_peer.append(timed(command, place.folder))
    if not has_yoyo:
        report.notes.append("migrate: without a peer, yoyo-migrations of the Python package index is not installed")
    taken = statistics.median(ours)
    report.figures += [
        Figure(f"{count} migrations, whole process", seconds(taken), peer_seconds(peer), "< 0.5 s", taken < 0.5),
        Figure("the same again, nothing to do", seconds(statistics.median(idle)), peer_seconds(idle_peer)),
    ]


def objects(place, report, count):
    say(f"{count} functions, then one of them changed")
    for path in (place.folder / "migrations").iterdir():
        path.unlink()

    def function(number, value):
        name = f"f_{number}"
        place.write(f"sql/{name}.sql", f"""create or replace function {name}(a int) returns int language sql return a + {value};
            comment on function {name}(int) is 'Adds {value}.';
            revoke execute on function {name}(int) from public;""")

    for number in range(count):
        function(number, number)
    place.write("sql/manifest", "".join(f"f_{number}.sql\n" for number in range(count)))
    place.renew()
    fresh = place.migrate()
    idle = statistics.median(place.migrate() for _ in range(5))
    changed = []
    for turn in range(5):
        function(count // 2, 1000 + turn)
        changed.append(place.migrate())
    again = statistics.median(changed)
    with place.connect() as connection:
        value = connection.execute(f"select f_{count // 2}(0), f_{count // 2 - 1}(0)").fetchone()
        if value != (1004, count // 2 - 1):
            raise RuntimeError(f"the changed function returns {value}")
    report.figures += [
        Figure(f"{count} objects, fresh", seconds(fresh)),
        Figure(f"{count} objects, nothing to do", seconds(idle), "", "< 0.1 s", idle < 0.1),
        Figure(f"{count} objects, one function changed", seconds(again), "", "< 0.3 s", again < 0.3),
    ]


def writers(place, report, duration):
    """A table is altered while pgbench writes to it and a report holds it open for half of the time."""
    say(f"writers during a migration, {duration} s each")
    for path in (place.folder / "sql").glob("*.sql"):
        path.unlink()
    place.write("sql/manifest", "")
    insert = place.folder / "insert.sql"
    insert.write_text("insert into item (name) values ('x');\n")
    waits = {}
    for name, header in [("ours", "-- lock_timeout: 100ms\n-- retries: 100\n"), ("none", "-- lock_timeout: 0\n-- retries: 0\n")]:
        place.renew()
        place.write("migrations/0001_item.sql", "create table item (id bigint generated always as identity, name text);")
        place.write("migrations/0002_size.sql", header + "alter table item add column size text;\n")
        second = place.folder / "migrations/0002_size.sql"
        text = second.read_text()
        second.unlink()
        place.migrate()
        second.write_text(text)
        waits[name] = longest_wait(place, insert, duration)
    ours, peer = waits["ours"], waits["none"]
    report.figures.append(Figure(
        "longest a writer waited, table altered beside a reader", f"{ours:.0f} ms", f"{peer:.0f} ms", "fewer",
        ours < peer))
    report.notes.append(
        f"migrate: the reader holds the table for {duration // 2} s; the peer is the same runner with lock_timeout 0. "
        "Ours waits for 100 ms at most, lets the writers through and comes back.")


def longest_wait(place, script, duration):
    binaries = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True).stdout.strip()
    server = place.stage.server
    prefix = place.folder / "waits"
    load = subprocess.Popen(
        [f"{binaries}/pgbench", "-n", "-c", "4", "-j", "2", "-T", str(duration), "-f", str(script), "-l",
         "--log-prefix", str(prefix), "-h", server["host"], "-p", str(server["port"]), "-U", server["user"], DATABASE],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1)

    def read():
        with place.connect() as connection, connection.transaction():
            connection.execute("select count(*) from item")
            time.sleep(duration / 2)

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(0.3)
    place.migrate()
    reader.join()
    if load.wait():
        raise RuntimeError("pgbench failed")
    longest = 0
    for log in place.folder.glob("waits*"):
        longest = max(longest, max(int(line.split()[2]) for line in log.read_text().splitlines()) / 1000)
        log.unlink()
    return longest


def suite(report, quick):
    say("the suite of pgTAP files, with one job and with two")
    paths = ["access"] if quick else []
    subprocess.run([CONCIERGE, "test", *paths], cwd=ROOT, capture_output=True)  # makes the template
    one, two = (timed([CONCIERGE, "test", "--jobs", jobs, *paths], ROOT) for jobs in ("1", "2"))
    report.figures.append(Figure("pgTAP suite, 2 jobs", seconds(two), f"{seconds(one)} with 1"))


def seconds(value):
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def peer_seconds(values):
    return f"{seconds(statistics.median(values))} yoyo" if values else ""
