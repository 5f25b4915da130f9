"""A server for the daemon to deliver to: it answers at once, after three seconds, or never."""

import asyncio
import threading
import time


class Receiver:
    """POST /now is answered at once and may carry the time it was meant at, /slow after `seconds`, /never not."""

    def __init__(self, seconds=3):
        self.seconds = seconds
        self.delays = []  # of /now: from the time in the body to its arrival, in milliseconds
        self.count = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        start = asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=512)
        self.server = asyncio.run_coroutine_threadsafe(start, self.loop).result()
        self.address = "http://127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self.close(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    async def close(self):
        self.server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                arrived = time.time()
                lines = head.decode("latin-1").split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                path = lines[0].split()[1]
                self.count += 1
                if path == "/now" and body:
                    self.delays.append((arrived - float(body)) * 1000)
                elif path == "/slow":
                    await asyncio.sleep(self.seconds)
                elif path == "/never":
                    await reader.read()
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # whoever asked is gone, or the bench is over
        finally:
            writer.close()
