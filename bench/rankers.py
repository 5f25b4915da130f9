"""What search is compared with: bm25s and tantivy in this process, ts_rank and a naive hybrid on the same server."""

import copy
import re

import psycopg


def importable(*names):
    """Whether all can be imported; what is missing is said by who asks."""
    try:
        for name in names:
            __import__(name)
    except ImportError:
        return False
    return True


class Bm25s:
    """Fed lexemes, so that only the ranking differs. Lucene's BM25; ties as they come.

    rows: (key, lexemes, repeated ones repeated), taken one by one: a million would not fit otherwise."""

    name = "bm25s"

    def __init__(self, rows):
        import bm25s
        import numpy as np

        self.keys, vocabulary, ids = [], {}, []
        for key, words in rows:
            self.keys.append(key)
            ids.append([vocabulary.setdefault(word, len(vocabulary)) for word in words])
        self.vocabulary = vocabulary
        self.index = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
        self.index.index((ids, vocabulary), show_progress=False, create_empty_token=False)
        self.numpy = np

    def search(self, tokens, k=10):
        """[(key, score)], best first, without those that have no word of the query."""
        known = [self.vocabulary[word] for word in tokens if word in self.vocabulary]
        if not known:
            return []
        scores = self.index.get_scores_from_ids(known)
        k = min(k, len(scores))
        best = self.numpy.argpartition(-scores, k - 1)[:k]
        best = best[self.numpy.argsort(-scores[best], kind="stable")]
        return [(self.keys[i], float(scores[i])) for i in best if scores[i] > 0]


class Tantivy:
    """As its manual has it: one writer, one segment, its English stemmer or words as they are."""

    name = "tantivy"

    def __init__(self, keys, texts, tokenizer="en_stem"):
        import tantivy

        schema = tantivy.SchemaBuilder()
        schema.add_integer_field("id", stored=True)
        schema.add_text_field("body", stored=False, tokenizer_name=tokenizer)
        self.keys = keys
        self.index = tantivy.Index(schema.build())
        writer = self.index.writer(200_000_000, 1)
        for i, text in enumerate(texts):
            writer.add_document(tantivy.Document(id=i, body=text))
        writer.commit()
        writer.wait_merging_threads()
        self.index.reload()
        self.searcher = self.index.searcher()

    def search(self, text, k=10):
        words = re.sub(r"[^\w\s]", " ", text).lower()
        if not words.strip():
            return []
        hits = self.searcher.search(self.index.parse_query(words, ["body"]), k).hits
        return [(self.keys[self.searcher.doc(place)["id"][0]], score) for score, place in hits]


class PlainTables:
    """What one would write first, on the same server: tsvectors with GIN, vectors in a narrow table, ts_rank.

    Made from ours, so that words and vectors are the same."""

    WORDS = """select c.key, ts_rank(c.words, %(query)s::tsquery) as score from plain.chunks as c
               where c.words @@ %(query)s::tsquery order by score desc limit %(k)s"""
    BOTH = """select c.key, 0.5 * ts_rank(c.words, %(query)s::tsquery)
                  + 0.5 * (1 - (e.embedding <=> %(vector)s::vector)) as score
              from plain.chunks as c join plain.embeddings as e using (id)
              where c.words @@ %(query)s::tsquery order by score desc limit %(k)s"""

    def __init__(self, conninfo, workspace_id, generation_id):
        with psycopg.connect(conninfo, autocommit=True) as owner:
            owner.execute(f"""
                set maintenance_work_mem = '512MB';
                drop schema if exists plain cascade;
                create schema plain;
                create table plain.chunks as
                select c.chunk_id as id, d.key, w.words from knowledge.chunk_words_{workspace_id} as w
                join knowledge.chunks_{workspace_id} as c using (chunk_id)
                join knowledge.documents_{workspace_id} as d using (document_id);
                alter table plain.chunks add primary key (id);
                create index on plain.chunks using gin (words);
                create table plain.embeddings (id bigint primary key, embedding extensions.vector);
                alter table plain.embeddings alter column embedding set storage plain;""")
            if generation_id:
                owner.execute(f"""insert into plain.embeddings
                    select chunk_id, embedding from knowledge.embeddings_{generation_id}""")
            owner.execute("vacuum analyze plain.chunks")
            owner.execute("vacuum analyze plain.embeddings")
        self.conninfo = conninfo
        self.connection = self.connect()

    def connect(self):
        # What compiling would cost is not held against it.
        return psycopg.connect(self.conninfo, autocommit=True, prepare_threshold=2,
                               options="-c search_path=extensions,public -c jit=off")

    def twin(self):
        """The same tables by a connection of its own."""
        twin = copy.copy(self)
        twin.connection = self.connect()
        return twin

    def words(self, query, k=10):
        return self.connection.execute(self.WORDS, {"query": query, "k": k}).fetchall() if query else []

    def both(self, query, vector, k=10):
        if not query:
            return []
        return self.connection.execute(self.BOTH, {"query": query, "vector": vector, "k": k}).fetchall()
