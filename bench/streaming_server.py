"""A local server of answers, in the form OpenAI's has, that notes when each request came and each piece of an answer left.

    streaming_server.py                 the port is the first line it prints

    POST /v1/chat/completions           an answer, streamed if "stream" is true, to a question with a number: "turn-bh-" is 17
    POST /settings                      {"pieces": 100, "pause": 0.05, "together": 1, "spread": 0}: of each answer, from now on
    GET /notes                          {"17": {"arrived": …, "sent": […]}, …}, CLOCK_MONOTONIC; they are forgotten then

A piece is a word and a space, the last cites [S1]. With "together" no answer begins before so many questions are there,
and then each within "spread" seconds, by chance.
"""

import asyncio
import json
import random
import re
import sys
import time

settings = {"pieces": 100, "pause": 0.05, "together": 1, "spread": 0}
notes = {}
waiting = asyncio.Condition()
count = 0
draw = random.Random(1)
DIGITS = str.maketrans("abcdefghij", "0123456789")


def pieces():
    return ["word "] * (settings["pieces"] - 1) + ["[S1]."]


def chunk(choices, **more):
    value = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1795000000, "model": "bench",
             "choices": choices, **more}
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def choice(delta, finish=None):
    return [{"index": 0, "delta": delta, "finish_reason": finish}]


def usage():
    return {"prompt_tokens": 1000, "completion_tokens": settings["pieces"], "total_tokens": 1000 + settings["pieces"]}


async def stream(note, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    await together()
    begin = time.monotonic() + draw.uniform(0, settings["spread"])
    for number, piece in enumerate(pieces()):
        await asyncio.sleep(max(0, begin + number * settings["pause"] - time.monotonic()))
        data = chunk(choice({"role": "assistant", "content": piece}))
        note["sent"].append(time.monotonic())
        writer.write(data)
        await writer.drain()
    writer.write(chunk(choice({}, "stop")) + chunk([], usage=usage()) + b"data: [DONE]\n\n")
    await writer.drain()


async def together():
    global count
    async with waiting:
        count += 1
        waiting.notify_all()
        await waiting.wait_for(lambda: count >= settings["together"])


async def serve(reader, writer):
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            arrived = time.monotonic()
            lines = head.decode("latin-1").split("\r\n")
            length = next((line.split(":")[1] for line in lines if line.lower().startswith("content-length:")), 0)
            body = await reader.readexactly(int(length))
            path = lines[0].split()[1]
            if path.endswith("/chat/completions"):
                asked = json.loads(body)
                number = re.findall(rb"turn-([a-j]+)-", body)[-1].decode().translate(DIGITS)
                note = notes.setdefault(number, {"arrived": arrived, "sent": [], "requests": 0})
                note["requests"] += 1
                if asked.get("stream"):
                    await stream(note, writer)
                    break
                message = {"role": "assistant", "content": "".join(pieces())}
                answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1795000000, "model": "bench",
                          "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage()}
            elif path == "/settings":
                answer = configure(json.loads(body))
            elif path == "/notes":
                answer = dict(notes)
                notes.clear()
            else:
                answer = {"object": "list", "data": [{"id": "bench", "object": "model"}]}
            text = json.dumps(answer).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # whoever asked is gone
    finally:
        writer.close()


def configure(new):
    global count
    settings.update(new)
    count = 0
    notes.clear()
    return settings


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
