"""The peers of `queue`, each in a process of its own, as their manuals have them run:

    peers.py pgqueuer|procrastinate  version | install | statement | enqueue COUNT | work NUMBER

The database is PEER_DATABASE. NUMBER is pgqueuer's batch, or procrastinate's concurrency. A job's function does nothing
but note when it began: what came of that is printed at SIGTERM, as JSON. A job told to hang says so and never ends.
"""

import asyncio
import json
import os
import signal
import sys
import time
from importlib.metadata import version

DATABASE = os.environ.get("PEER_DATABASE", "")
BATCH = 1000  # jobs one call enqueues, as ours

delays = []  # milliseconds from the time a job carries to its function's first line


def begin(at):
    if at:
        delays.append((time.time() - float(at)) * 1000)


def leave(*_):
    """At once: what is still in hand is of no interest."""
    print(json.dumps(delays), flush=True)
    os._exit(0)


async def hang():
    print("hangs", flush=True)
    await asyncio.sleep(3600)


class Pgqueuer:
    async def connect(self):
        import asyncpg

        return await asyncpg.connect(DATABASE)

    async def install(self):
        from pgqueuer.queries import Queries

        connection = await self.connect()
        await Queries.from_asyncpg_connection(connection).install()
        await connection.close()

    def statement(self):
        """Its own, with one job in it."""
        from pgqueuer.adapters.persistence.qb import QueryQueueBuilder

        at = "convert_to(extract(epoch from clock_timestamp())::text, 'UTF8')"
        values = ["array[0]", "array['job']", f"array[{at}]", "array[interval '0']", "array[null]", "array['{}']"]
        text = QueryQueueBuilder().build_enqueue_query()
        for number, value in enumerate(values, 1):
            text = text.replace(f"${number}", value)
        return text

    async def enqueue(self, count):
        from pgqueuer.queries import Queries

        connection = await self.connect()
        queries = Queries.from_asyncpg_connection(connection)
        began = time.perf_counter()
        for _ in range(count // BATCH):
            await queries.enqueue(["job"] * BATCH, [None] * BATCH, [0] * BATCH)
        return time.perf_counter() - began

    async def work(self, batch):
        from pgqueuer import PgQueuer

        worker = PgQueuer.from_asyncpg_connection(await self.connect())

        @worker.entrypoint("job")
        async def job(job):
            begin(job.payload)

        @worker.entrypoint("hang")
        async def hanging(job):
            await hang()

        await worker.run(batch_size=batch)


class Procrastinate:
    def app(self):
        import procrastinate

        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=DATABASE))

        @app.task(name="job")
        async def job(at=None):
            begin(at)

        @app.task(name="hang")
        async def hanging(at=None):
            await hang()

        return app

    async def install(self):
        app = self.app()
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    def statement(self):
        at = "jsonb_build_object('at', extract(epoch from clock_timestamp()))"
        return f"""select procrastinate_defer_jobs_v1(array[
            row('default', 'job', 0, null, null, {at}, null)::procrastinate_job_to_defer_v1])"""

    async def enqueue(self, count):
        app = self.app()
        async with app.open_async():
            began = time.perf_counter()
            for _ in range(count // BATCH):
                await app.tasks["job"].batch_defer_async(*[{}] * BATCH)
            return time.perf_counter() - began

    async def work(self, concurrency):
        app = self.app()
        async with app.open_async():
            await app.run_worker_async(concurrency=concurrency, install_signal_handlers=False)


def run(coroutine):
    """pgqueuer's own command runs on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(coroutine)
    return uvloop.run(coroutine)


def main(name, command, *words):
    peer = {"pgqueuer": Pgqueuer, "procrastinate": Procrastinate}[name]()
    match command:
        case "version":
            print(version(name))
            run(imports(name))
        case "install":
            run(peer.install())
        case "statement":
            print(peer.statement())
        case "enqueue":
            print(run(peer.enqueue(int(words[0]))))
        case "work":
            signal.signal(signal.SIGTERM, leave)
            run(peer.work(int(words[0])))


async def imports(name):
    """Fails where a driver is missing."""
    __import__({"pgqueuer": "asyncpg", "procrastinate": "psycopg_pool"}[name])


if __name__ == "__main__":
    main(*sys.argv[1:])
