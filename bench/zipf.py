"""Chunks nobody wrote, as many as are wanted: words as often as Zipf found them, vectors in clusters.

A word's rank is drawn from a power law without end (Zipf-Mandelbrot), so that the vocabulary grows with the text as
Heaps found, and the commonest word is as common as one that is no stop word; a third of a chunk's words are of its topic,
whose ranks begin elsewhere. A vector is its topic's centre and
noise, of unit length. The same seed makes the same chunks.
"""

import struct
import uuid

import numpy as np

TOPICS, DIMENSIONS = 2000, 384
TAIL, SHIFT = 0.6, 40  # of the share of words rarer than rank r: ((1 + SHIFT) / (r + SHIFT)) ** TAIL
CONSONANTS = "bcdfghjklmnpqrstvwxz"
LARGEST = 50_000_000


class Zipf:
    def __init__(self, count, seed=7):
        self.count = count
        self.chance = np.random.default_rng(seed)
        self.centres = unit(self.chance.standard_normal((TOPICS, DIMENSIONS), dtype=np.float32))
        self.topics = self.chance.integers(TOPICS, size=count)
        self.begins = self.chance.integers(200, 40_000, size=TOPICS)
        # 20 to 300 words, about 100: what a chunk of 256 tokens has without stop words.
        self.lengths = np.clip(self.chance.lognormal(np.log(90), 0.45, size=count), 20, 300).astype(np.int32)
        self.ends = np.cumsum(self.lengths)
        ranks = self.ranks(int(self.ends[-1]))
        own = self.chance.random(len(ranks)) < 1 / 3
        ranks[own] += np.repeat(self.begins[self.topics], self.lengths)[own]
        self.vocabulary, self.ids = np.unique(ranks, return_inverse=True)
        self.words = [spell(rank) for rank in self.vocabulary]

    def ranks(self, count):
        """By the inverse of the distribution, which a power law has in closed form."""
        share = 1 - self.chance.random(count)
        return np.minimum((1 + SHIFT) * share ** (-1 / TAIL) - SHIFT, LARGEST).astype(np.int64)

    def word_ids(self, i):
        return self.ids[self.ends[i] - self.lengths[i]:self.ends[i]]

    def text(self, i):
        return " ".join([self.words[word] for word in self.word_ids(i)])

    def vectors(self, start, end):
        """Of the chunks from start to end; always the same ones."""
        chance = np.random.default_rng([start, 11])
        noise = chance.standard_normal((end - start, DIMENSIONS), dtype=np.float32) / DIMENSIONS**0.5
        return unit(self.centres[self.topics[start:end]] + noise)

    def queries(self, count, seed=3):
        """[(text, vector)]: two to eight words of a chunk, and its topic with other noise."""
        chance = np.random.default_rng(seed)
        queries = []
        for i in chance.integers(self.count, size=count):
            words = np.unique(self.word_ids(i))
            some = chance.choice(words, size=min(int(chance.integers(2, 9)), len(words)), replace=False)
            noise = chance.standard_normal(DIMENSIONS).astype(np.float32) / DIMENSIONS**0.5
            vector = unit(self.centres[self.topics[i]] + noise)
            queries.append((" ".join(self.words[word] for word in some), vector))
        return queries


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def spell(number):
    """A word no stemmer or stop list knows: two letters or more, all consonants."""
    word = CONSONANTS[number % 20]
    number //= 20
    while number:
        word += CONSONANTS[number % 20]
        number //= 20
    return word + "q"


HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
END = struct.pack("!h", -1)


def row(*fields):
    """A row of a binary copy; fields are bytes."""
    return struct.pack("!h", len(fields)) + b"".join(struct.pack("!i", len(field)) + field for field in fields)


def write(connection, statement, rows, at_once=2000):
    """Copies rows, each made by row()."""
    with connection.cursor() as cursor, cursor.copy(f"{statement} (format binary)") as copy:
        copy.write(HEADER)
        held = []
        for each in rows:
            held.append(each)
            if len(held) == at_once:
                copy.write(b"".join(held))
                held.clear()
        copy.write(b"".join(held) + END)


def big(number):
    return struct.pack("!q", number)


def vector(values):
    """What pgvector receives."""
    return struct.pack("!hh", len(values), 0) + values.astype(">f4").tobytes()


class Loader:
    """Fills the tables of a workspace as indexing would, without its functions: for a million chunks only bulk will do. Indexes
    that cost a write each are made afterwards. One chunk is one document."""

    def __init__(self, connection, workspace_id, tenant_id, audience_id, k1=1.2, b=0.75):
        self.connection, self.workspace_id = connection, workspace_id
        self.tenant_id, self.audience_id = uuid.UUID(str(tenant_id)).bytes, big(audience_id)
        self.k1, self.b = k1, b

    def load(self, count, words, ids_of, vectors, generation_id, seed=5):
        """count chunks; words: the vocabulary; ids_of(i): its words in chunk i; vectors(start, end): theirs."""
        w, c = self.workspace_id, self.connection
        self.first = c.execute("select setval('knowledge.chunk_id', nextval('knowledge.chunk_id') + %s) - %s",
                               [count, count]).fetchone()[0]
        # Documents named by number; how often each may be found is drawn once.
        self.documents = [uuid.UUID(int=(w << 64) + i).bytes for i in range(count)]
        slots = np.random.default_rng(seed).integers(1000, size=count)
        here, hashes = big(w), [i.to_bytes(32, "big") for i in range(count)]

        indexes = self.without_indexes(w, "documents", "chunks", "chunk_words", "lexical")
        write(c, f"""copy knowledge.documents_{w} (workspace_id, document_id, tenant_id, key, metadata, audience_id, status,
                      language, chunk_count, content_hash) from stdin""",
              (row(here, self.documents[i], self.tenant_id, str(i).encode(), b'\x01{"slot": %d}' % slots[i],
                   self.audience_id, b"processed", b"simple", struct.pack("!i", 1), hashes[i]) for i in range(count)))
        write(c, f"""copy knowledge.chunks_{w} (workspace_id, chunk_id, document_id, tenant_id, ordinal, starts_at, ends_at,
                      content, content_hash) from stdin""", self.chunk_rows(count, words, ids_of, hashes))
        self.load_words(count, words, ids_of)
        self.with_indexes(w, indexes)
        if generation_id:
            self.load_vectors(count, vectors, generation_id, hashes)
        return slots

    def chunk_rows(self, count, words, ids_of, hashes):
        here, zero = big(self.workspace_id), struct.pack("!i", 0)
        for i in range(count):
            content = " ".join([words[word] for word in ids_of(i)]).encode()
            yield row(here, big(self.first + i), self.documents[i], self.tenant_id, zero, zero,
                      struct.pack("!i", max(1, len(content))), content, hashes[i])

    def load_words(self, count, words, ids_of):
        w, c = self.workspace_id, self.connection
        lengths = np.array([len(ids_of(i)) for i in range(count)], dtype=np.float64)
        average = float(lengths.mean())
        # An array parameter of a million words is fine.
        dimensions = np.array([d for (d,) in c.execute(
            """select knowledge.dimension(u.word) from unnest(%s::text[]) with ordinality as u (word, n)
               order by u.n""", [list(words)])])
        spelled = [word.encode() + b"\0" for word in words]
        # A word's places are not asked for, only how many.
        places = [struct.pack(f"!H{n}H", n, *range(1, n + 1)) for n in range(257)]
        strong = np.float32(c.execute("select knowledge.strong_weight()").fetchone()[0])
        found, heavy = np.zeros(len(words), dtype=np.int64), np.zeros(len(words), dtype=np.int64)
        most = np.zeros(len(words), dtype=np.float32)
        here = big(w)

        def worded():
            for i in range(count):
                ids, counts = np.unique(ids_of(i), return_counts=True)
                text = struct.pack("!i", len(ids)) + b"".join(
                    [spelled[word] + places[n] for word, n in zip(ids.tolist(), np.minimum(counts, 256).tolist())])
                yield row(here, big(self.first + i), struct.pack("!i", int(lengths[i])), text)

        def weighed():
            for i in range(count):
                ids, counts = np.unique(ids_of(i), return_counts=True)
                weights = (counts / (counts + self.k1 * (1 - self.b + self.b * lengths[i] / average))).astype(np.float32)
                found[ids] += 1
                heavy[ids] += weights > strong
                most[ids] = np.maximum(most[ids], weights)
                # Of half a million words some share a place: their weights add up there.
                places_of, inverse = np.unique(dimensions[ids], return_inverse=True)
                sums = np.bincount(inverse, weights=weights)
                sparse = (struct.pack("!iii", 1_000_000_000, len(places_of), 0)
                          + (places_of - 1).astype(">i4").tobytes() + sums.astype(">f4").tobytes())
                yield row(here, big(self.first + i), self.documents[i], self.audience_id, sparse)

        write(c, f"copy knowledge.chunk_words_{w} (workspace_id, chunk_id, length, words) from stdin", worded())
        write(c, f"""copy knowledge.lexical_{w} (workspace_id, chunk_id, document_id, audience_id, weights)
                      from stdin""", weighed())
        write(c, f"copy knowledge.terms_{w} (workspace_id, lexeme, chunk_count, max_weight, strong_count) from stdin",
              (row(big(w), spelled[i][:-1], struct.pack("!i", found[i]), struct.pack("!f", most[i]),
                   struct.pack("!i", heavy[i]))
               for i in range(len(words))))
        c.execute("""update knowledge.statistics set chunk_count = %s, word_count = %s, average_length = %s, counted_at = now()
                     where workspace_id = %s""", [count, int(lengths.sum()), average, w])

    def load_vectors(self, count, vectors, generation_id, hashes, at_once=5000):
        g = generation_id
        indexes = self.without_indexes(g, "embeddings", "document_embeddings")

        def rows(named):
            for start in range(0, count, at_once):
                end = min(count, start + at_once)
                for i, values in enumerate(vectors(start, end), start):
                    yield (row(big(g), big(self.first + i), self.documents[i], self.audience_id, hashes[i], vector(values))
                           if named else row(big(g), self.documents[i], vector(values)))

        write(self.connection, f"""copy knowledge.embeddings_{g} (generation_id, chunk_id, document_id, audience_id,
                                    content_hash, embedding) from stdin""", rows(True))
        write(self.connection, f"copy knowledge.document_embeddings_{g} (generation_id, document_id, embedding) from stdin",
              rows(False))
        self.with_indexes(g, indexes)

    def without_indexes(self, number, *parents):
        """Takes a workspace's, or generation's, tables out of their parents and drops the indexes that can be made
        again; returns how, by parent."""
        definitions = {}
        for parent in parents:
            table = f"knowledge.{parent}_{number}"
            self.connection.execute(f"alter table knowledge.{parent} detach partition {table}")
            definitions[parent] = self.connection.execute(
                """select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) from pg_index as i
                   where i.indrelid = %s::regclass and not i.indisprimary""", [table]).fetchall()
            for name, _ in definitions[parent]:
                self.connection.execute(f"drop index {name}")
        return definitions

    def with_indexes(self, number, definitions):
        # pgvector below 0.8.2 may build an index wrongly with several processes.
        self.connection.execute("set maintenance_work_mem = '4GB'; set max_parallel_maintenance_workers = 0")
        for parent, statements in definitions.items():
            for _, statement in statements:
                self.connection.execute(statement)
            self.connection.execute(f"""alter table knowledge.{parent}
                attach partition knowledge.{parent}_{number} for values in ({number})""")
            self.connection.execute(f"vacuum analyze knowledge.{parent}_{number}")
