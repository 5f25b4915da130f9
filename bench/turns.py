"""Turns that a model answers: what we add before its request leaves, and before its words can be read; two hundred answers
at once from one daemon. Beside the litellm proxy, which passes the same answers, and a client that asks the server itself."""

import asyncio
import json
import random
import secrets
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

from daemon import used, words
from stage import HERE, WORKER, Daemon, Figure, log_file, percentile, say

STREAMS = 200
PIECES = 100
PAUSE = 0.05  # twenty words a second, as a fast model writes
SPREAD = 2.0  # seconds in which answers begin that are given at once: not all with the same tick
LETTERS = str.maketrans("0123456789", "abcdefghij")


def question(number):
    """Without digits, which are looked at more closely: they may be private."""
    return "What is on right now? turn-%s-" % str(number).translate(LETTERS)


def measure(stage, report, quick):
    alone, pieces, streams = (10, 40, STREAMS) if quick else (200, PIECES, STREAMS)
    with Server() as server:
        prepare(stage, server)
        with Daemon(stage.conninfo(user=WORKER), allow="127.0.0.1") as daemon:
            stage.wait_until_exact()
            ours = {"alone": one_by_one(stage, server, alone), "read": read_alone(stage, server, 3 if quick else 10),
                    "many": at_once(stage, server, daemon, streams, pieces)}
        peers = {}
        proxy = Litellm(server)
        if proxy.is_installed():
            with proxy:
                peers["litellm"] = passed(proxy, server, alone, streams, pieces)
        else:
            report.notes.append("turns: without litellm of the Python package index, which is not installed")
        peers["directly"] = passed(Direct(server), server, alone, streams, pieces)
    tell(report, ours, peers, streams)


def tell(report, ours, peers, streams):
    alone, read, many = ours["alone"], ours["read"], ours["many"]
    called, committed, asked = ([row[part] for row in alone] for part in range(3))

    def beside(kind):
        return ", ".join(f"{spread(peer[kind])} {name}" for name, peer in peers.items())

    def share(peer):
        return f"{peer['memory']:.0f} MB, {peer['cpu']:.1f} s"

    litellm = f"{share(peers['litellm'])} litellm" if "litellm" in peers else ""
    wire, late, crowd = (percentile(delays, 0.99) for delays in (committed, read["delays"], many["delays"]))
    report.figures += [
        Figure("turns: `ask` itself, p50 / p99", spread(asked)),
        Figure("turns: ask committed to request on the wire, p50 / p99", spread(committed), beside("arrival"),
               "p99 < 10 ms", wire < 10),
        Figure("turns: the same with the commit itself, p50 / p99", spread(called)),
        Figure("turns: word sent to word readable, one answer, p50 / p99", spread(read["delays"]), beside("alone"),
               "p99 < 80 ms", late < 80),
        Figure(f"turns: the same, {streams} answers at once, p50 / p99", spread(many["delays"]), beside("many"),
               "p99 < 80 ms", crowd < 80),
        Figure(f"turns: {streams} answers at once, memory and CPU", share(many), litellm, "< 60 MB", many["memory"] < 60),
        Figure(f"turns: {streams} answers at once, first question to last", f"{many['asking']:.1f} s",
               f"its server's processes used {many['server']:.1f} s of CPU"),
    ]
    report.notes.append(
        f"turns: {many['pieces']:,} words of {streams} answers at once, {many['at_end']:,} of them with the answer's end and not before")


def spread(delays):
    return f"{statistics.median(delays):.1f} / {percentile(delays, 0.99):.1f} ms"


# MARK: The model's side


class Server:
    """streaming_server.py in a process of its own, and its notes."""

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, HERE / "streaming_server.py"], stdout=subprocess.PIPE, text=True)
        self.address = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def set(self, **settings):
        return self.ask("/settings", json.dumps(settings).encode())

    def notes(self):
        return {int(number): note for number, note in self.ask("/notes").items()}

    def ask(self, path, body=None):
        with urllib.request.urlopen(self.address + path, body, timeout=60) as answer:
            return json.load(answer)


def prepare(stage, server):
    with stage.owner() as owner:
        owner.execute("select model.set_provider('bench', 'openai', %s)", [server.address])
        owner.execute("""select model.set_model('bench', 'generate', 'bench',
            '{"context_tokens": 8000, "output_tokens": 400, "seconds": 600, "first_token_seconds": 300}')""")
    with stage.app(stage.token) as app:
        app.execute("select model.register_prompt('bench', 'You are the host.'), model.label_prompt('bench', 'production', 1)")
        app.execute("select model.register_agent('bench', 'bench', 'bench', '{\"max_tokens\": 400}')")
        app.execute("select model.promote('bench', 1)")


class Guest:
    """Who asks on a connection, each question as another attendee in a conversation of its own."""

    def __init__(self, stage):
        self.stage, self.connection = stage, stage.app(stage.token)
        with stage.owner() as owner:
            self.attendees = [row[0] for row in owner.execute(
                "select contractor_id from event.event_attendees where event_id = %s order by 1 limit 1000", [stage.event])]

    def open(self, number):
        return self.connection.execute(
            "select chat.open('bench', %s, %s)", [self.stage.event, self.attendees[number % 1000]]).fetchone()[0]

    def ask(self, number, conversation=None):
        """The turn, and when it was asked, when its commit began and when it was done."""
        conversation, connection = conversation or self.open(number), self.connection
        connection.execute("begin")
        began = time.monotonic()
        turn = connection.execute("select chat.ask(%s, %s, %s)",
                                  [conversation, question(number), f"turn-{conversation}"]).fetchone()[0]
        asked = time.monotonic()
        connection.execute("commit")
        return turn, began, asked, time.monotonic()

    def wait(self, turn):
        while True:
            told = self.connection.execute("select chat.turn(%s)", [turn]).fetchone()[0]
            if told["state"] in ("done", "refused", "failed"):
                if told.get("answered_by") != "bench":
                    sys.exit(f"turns: a turn was not answered by its model: {told}")
                return told
            time.sleep(0.01)


def one_by_one(stage, server, count):
    """Milliseconds of each question, after a pause: commit to wire with the commit and without, and asking itself."""
    say(f"{count} turns, one after the other")
    draw = random.Random(1)
    server.set(pieces=3, pause=0.001, together=1, spread=0)
    guest, rows = Guest(stage), []
    for number in range(count + 1):
        turn, began, asked, done = guest.ask(number)
        guest.wait(turn)
        rows.append((number, began, asked, done))
        time.sleep(draw.uniform(0.1, 0.3))
    notes = server.notes()
    # The first is the one that warmed it.
    return [[(notes[number]["arrived"] - since) * 1000 for since in (asked, done)] + [(asked - began) * 1000]
            for number, began, asked, done in rows[1:]]


def read_alone(stage, server, count):
    """Words of one answer after the other, as an app reads them: told by a notification, by chat.draft."""
    say(f"{count} answers, read while they are given")
    server.set(pieces=PIECES, pause=PAUSE, together=1, spread=0)
    guest, ear = Guest(stage), stage.app(stage.token)
    ear.execute("listen concierge_text")
    delays = []
    for number in range(count):
        turn, *_ = guest.ask(number)
        readable, state = [], None
        while state not in ("done", "refused", "failed"):
            for _ in ear.notifies(timeout=0.1, stop_after=1):
                draft = guest.connection.execute("select chat.draft(%s)", [turn]).fetchone()[0] or ""
                readable += [time.monotonic()] * (len(draft.split()) - len(readable))
            state = guest.connection.execute("select chat.turn(%s) ->> 'state'", [turn]).fetchone()[0]
        guest.wait(turn)
        sent = server.notes()[number]["sent"]
        delays += late(sent, readable, ended(stage, turn))
    return {"delays": delays}


def ended(stage, turn):
    """When a turn ended, by our clock."""
    with stage.owner() as owner:
        ago = owner.execute("select extract(epoch from clock_timestamp() - ended_at)::float8 from chat.turns where turn_id = %s",
                            [turn]).fetchone()[0]
    return time.monotonic() - ago


def late(sent, readable, end):
    """Milliseconds of each word; the last ones may be readable with the whole answer only."""
    readable = [min(at, end) for at in readable] + [end] * (len(sent) - len(readable))
    return [(at - since) * 1000 for since, at in zip(sent, readable)]


# MARK: Many at once


def at_once(stage, server, daemon, count, pieces):
    """So many turns asked by eight connections; no answer begins before all are there."""
    say(f"{count} answers at once")
    server.set(pieces=pieces, pause=PAUSE, together=count, spread=SPREAD)
    guests = [Guest(stage) for _ in range(8)]
    conversations = [guests[number % 8].open(number) for number in range(count)]
    turns, pid = {}, daemon.process.pid
    with stage.owner() as owner, Reader(stage) as reader, Memory(pid) as memory:
        before, spent = used(pid), served(owner)
        began = time.monotonic()

        def ask(first):
            for number in range(first, count, 8):
                turns[number] = guests[first].ask(number, conversations[number])[0]

        threads = [threading.Thread(target=ask, args=[first]) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asking = time.monotonic() - began
        reader.turns = {job: number for number, turn in turns.items() for job in [owner.execute(
            "select job_id from chat.turns where turn_id = %s", [turn]).fetchone()[0]]}
        for number, turn in turns.items():
            guests[number % 8].wait(turn)
        cpu = used(pid) - before
        server_cpu = served(owner) - spent
    notes = server.notes()
    if len(notes) != count or any(note["requests"] != 1 or len(note["sent"]) != pieces for note in notes.values()):
        sys.exit("turns: not every turn was one answer")
    delays, at_end = [], 0
    for number, turn in turns.items():
        readable = reader.readable.get(number, [])
        at_end += pieces - len(readable)
        delays += late(notes[number]["sent"], readable, ended(stage, turn))
    for guest in guests:
        guest.connection.close()
    return {"delays": delays, "pieces": count * pieces, "at_end": at_end, "cpu": cpu, "memory": memory.most,
            "server": server_cpu, "asking": asking}


def served(owner):
    """Seconds of CPU of the server's processes that serve daemons."""
    return sum(used(row[0]) for row in owner.execute("""select pid from pg_stat_activity
        where application_name = 'concierge-daemon' and datname = current_database()"""))


class Reader(threading.Thread):
    """Follows all answers at once, on a connection that listens and one that reads: a query for each notification."""

    def __init__(self, stage):
        super().__init__(daemon=True)
        self.ear, self.eye = stage.owner(), stage.owner()
        self.ear.execute("listen concierge_text")
        self.seen = []  # when, job and words of each piece
        self.turns, self.over = {}, False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.join()
        self.readable = {}
        for at, job, number_of_words in self.seen:
            self.readable.setdefault(self.turns[job], []).extend([at] * number_of_words)
        self.ear.close()
        self.eye.close()

    def run(self):
        last = {}
        while not self.over:
            for told in self.ear.notifies(timeout=0.2, stop_after=1):
                jobs = [int(job) for job in told.payload.split(",")]
                rows = self.eye.execute(
                    """select m.job_id, m.number, m.content from unnest(%s::bigint[], %s::int[]) as j (job_id, number)
                       join queue.emission as m on m.job_id = j.job_id and m.number > j.number
                       order by m.job_id, m.number""", [jobs, [last.get(job, 0) for job in jobs]], prepare=True).fetchall()
                at = time.monotonic()
                for job, number, content in rows:
                    last[job] = number
                    self.seen.append((at, job, len(content.split())))


class Memory(threading.Thread):
    """The most a process has had resident, in megabytes, looked at five times a second."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.file, self.most, self.over = f"/proc/{pid}/status", 0, False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.join()

    def run(self):
        while not self.over:
            with suppress(OSError, StopIteration):
                self.most = max(self.most, int(words(self.file, "VmRSS:")[1]) / 1024)
            time.sleep(0.2)


# MARK: Those who pass answers on


class Direct:
    """Nobody between: what the client and the server themselves take."""

    name, pid, key = "directly", None, "none"

    def __init__(self, server):
        self.address = server.address


class Litellm:
    """The proxy, one worker, with no database, no logging and no retries."""

    name = "litellm"
    key = f"sk-{secrets.token_hex(32)}"  # it does not start without one

    def __init__(self, server):
        self.server = server
        self.program = Path(sys.executable).with_name("litellm")
        if not self.program.exists():
            self.program = Path(".concierge/bench-venv/bin/litellm")

    def is_installed(self):
        python = self.program.with_name("python")
        return self.program.exists() and not subprocess.run(
            [python, "-c", "import litellm.proxy.proxy_server"], capture_output=True).returncode

    def __enter__(self):
        say("litellm starts")
        folder = log_file().parent
        config = folder / "bench-litellm.yaml"
        config.write_text(json.dumps({
            "model_list": [{"model_name": "bench", "litellm_params": {
                "model": "openai/bench", "api_base": f"{self.server.address}/v1", "api_key": "none"}}],
            "general_settings": {"master_key": self.key},
            "litellm_settings": {"telemetry": False, "num_retries": 0, "request_timeout": 600}}))
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        with open(folder / "bench-litellm.log", "w") as log:
            self.process = subprocess.Popen(
                [self.program, "--config", config, "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1",
                 "--telemetry", "False"], stdout=log, stderr=log)
        self.pid = self.process.pid
        end = time.monotonic() + 120
        while True:
            try:
                return urllib.request.urlopen(f"{self.address}/health/liveliness", timeout=5) and self
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    sys.exit(f"turns: litellm does not start: {folder}/bench-litellm.log")
                time.sleep(0.5)

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def passed(way, server, alone, streams, pieces):
    """The same questions and answers, by a client of one thread: until the request is on the wire, and until a word is received."""
    say(f"{way.name}: {alone} answers one after the other, one slow one, {streams} at once")
    draw = random.Random(1)
    server.set(pieces=3, pause=0.001, together=1, spread=0)
    arrivals = []
    for number in range(alone + 1):
        begun, _ = asyncio.run(follow(way, number))
        arrivals.append((begun, number))
        time.sleep(draw.uniform(0.01, 0.03))
    notes = server.notes()
    arrival = [(notes[number]["arrived"] - begun) * 1000 for begun, number in arrivals[1:]]

    server.set(pieces=pieces, pause=PAUSE, together=1, spread=0)
    _, received = asyncio.run(follow(way, 0))
    slow = compare(server.notes()[0]["sent"], received)

    server.set(pieces=pieces, pause=PAUSE, together=streams, spread=SPREAD)
    before = used(way.pid) if way.pid else 0

    async def follow_all():
        return await asyncio.gather(*(follow(way, number) for number in range(streams)))

    with Memory(way.pid) if way.pid else nothing() as memory:
        answers = asyncio.run(follow_all())
    notes = server.notes()
    many = [delay for number, (_, received) in enumerate(answers) for delay in compare(notes[number]["sent"], received)]
    return {"arrival": arrival, "alone": slow, "many": many, "cpu": used(way.pid) - before if way.pid else 0,
            "memory": memory.most if way.pid else 0}


@contextmanager
def nothing():
    yield None


def compare(sent, received):
    if len(sent) != len(received):
        sys.exit(f"turns: {len(sent)} words were sent, {len(received)} came")
    return [(at - since) * 1000 for since, at in zip(sent, received)]


async def follow(way, number):
    """When the question was sent, and when each word came."""
    host, port = way.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps({"model": "bench", "stream": True, "max_tokens": 400, "stream_options": {"include_usage": True},
                       "messages": [{"role": "user", "content": question(number)}]}).encode()
    begun, received = time.monotonic(), []
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
                 b"Authorization: Bearer %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                 % (way.key.encode(), len(body)) + body)
    # Lines of a length between events are a transfer coding's.
    while line := await reader.readline():
        if line.startswith(b"data: {"):
            at = time.monotonic()
            for choice in json.loads(line[6:]).get("choices", []):
                if choice["delta"].get("content"):
                    received.append(at)
        elif line.startswith(b"data: [DONE]"):
            break
    writer.close()
    return begun, received
