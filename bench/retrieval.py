"""Search: how good, how exact, how fast, how fresh, beside bm25s, tantivy, ts_rank and a naive hybrid."""

import json
import os
import threading
import time
from pathlib import Path

import psycopg

import texts
from rankers import Bm25s, PlainTables, Tantivy, importable
from stage import Figure, percentile, say

DATABASE = "concierge_bench_retrieval"
SIZES = {False: (300_000, 1_000_000), True: (3_000,)}


def measure(stage, report, quick):
    sizes = SIZES[quick]
    if os.environ.get("CONCIERGE_CHUNKS"):
        sizes = [int(size) for size in os.environ["CONCIERGE_CHUNKS"].replace(",", " ").split()]
    if not importable("numpy"):
        report.notes.append("retrieval: left out, numpy of the Python package index is not installed")
        return
    missing = [name for name in ("bm25s", "tantivy") if not importable(name)]
    if missing:
        report.notes.append(f"retrieval: without {' and '.join(missing)}, which is not installed")
    with Arena(stage) as arena:
        for name in ("cranfield",) if quick else texts.KNOWN:
            quality(arena, report, name, 0.1 if quick else 1)
        ingest(arena, report, 0.1 if quick else 1)
        freshness(arena, report, 50 if quick else 500)
        repeated(arena, report, 2 if quick else 20, quick)
        for size in sizes:
            generated(arena, report, size, quick)


class Arena:
    """The database, a service signed in, and the owner."""

    def __init__(self, stage):
        self.stage = stage
        self.conninfo = stage.conninfo(dbname=DATABASE)

    def __enter__(self):
        self.stage.recreate(DATABASE)
        self.stage.migrate(DATABASE)
        self.owner = psycopg.connect(self.conninfo, autocommit=True)
        self.owner.execute("select access.create_token_key('bench')")
        self.owner.execute("select access.create_tenant('bench', 'Bench')")
        self.owner.execute("select access.create_person('bench', 'app', 'A', '{service}')")
        # Its vectors come from files; nobody is asked.
        self.owner.execute("select model.set_provider('bench', 'openai', 'http://localhost')")
        self.owner.execute("select model.set_model(%s, 'embed', 'bench')", [texts.MODEL])
        self.tenant_id = self.ask("select tenant_id from access.tenants where slug = 'bench'")
        self.app = self.signed_in()
        return self

    def __exit__(self, *_):
        self.app.close()
        self.owner.close()
        self.stage.drop(DATABASE)

    def ask(self, *query):
        return self.owner.execute(*query).fetchone()[0]

    def signed_in(self):
        token = self.ask("select access.issue_token('bench', 'app', '10 hours')")
        connection = psycopg.connect(self.conninfo, autocommit=True, prepare_threshold=2)
        connection.execute("set role concierge_app")
        connection.execute("select access.sign_in(%s, for_session => true)", [token])
        return connection

    def workspace(self, slug, **settings):
        """A workspace without vectors."""
        return self.app.execute("select knowledge.create_workspace(%s, %s, %s, model => null)",
                                [slug, slug, json.dumps(settings)]).fetchone()[0]

    def drop(self, slug, workspace_id):
        """With its tables: the queue would take them away, but nobody works at it here."""
        self.app.execute("select knowledge.drop_workspace(%s)", [slug])
        self.owner.execute("select knowledge.remove_tables(null, null)")
        self.owner.execute("delete from queue.job")

    def forget(self):
        """Answers to earlier searches: what is measured is a search, unless it says otherwise."""
        self.owner.execute("truncate knowledge.found_before")

    def count_words(self, workspace_id):
        """What the daemon would be told to."""
        while self.ask("select knowledge.count_some_words(%s, 5000)", [workspace_id]):
            pass
        self.owner.execute(f"vacuum analyze knowledge.lexical_{workspace_id}")

    def generation(self, slug, workspace_id, vectors_by_key):
        """Real vectors, as if their model had sent them."""
        number = self.app.execute("select knowledge.open_generation(%s, %s, 384)", [slug, texts.MODEL]).fetchone()[0]
        self.owner.execute("create temp table given (key text primary key, embedding extensions.vector)")
        with self.owner.cursor() as cursor, cursor.copy("copy given from stdin") as copy:
            for key, values in vectors_by_key.items():
                copy.write_row((key, literal(values)))
        self.owner.execute(f"""
            insert into knowledge.embeddings_{number}
                (generation_id, chunk_id, document_id, audience_id, content_hash, embedding)
            select {number}, c.chunk_id, c.document_id, d.audience_id, c.content_hash, g.embedding
            from knowledge.chunks_{workspace_id} as c
            join knowledge.documents_{workspace_id} as d using (document_id) join given as g using (key)""")
        self.owner.execute("""select knowledge.mean_vectors(g, array(select e.chunk_id from knowledge.embeddings as e
            where e.generation_id = g.generation_id)) from knowledge.generations as g where g.generation_id = %s""", [number])
        self.owner.execute("drop table given; delete from queue.job")
        self.owner.execute(f"vacuum analyze knowledge.embeddings_{number}")
        self.app.execute("select knowledge.switch_generation(%s, %s)", [slug, number])
        return number


def literal(values):
    return "[" + ",".join(f"{float(value):.9g}" for value in values) + "]"


class Ours:
    """knowledge.search, as an app calls it."""

    ASK = {
        "words": """select document_key, score from knowledge.search(%(slug)s, %(text)s, null, %(filters)s, %(k)s)""",
        "vectors": """select document_key, score from knowledge.search(%(slug)s, %(text)s,
                          %(vector)s::extensions.vector, %(filters)s, %(k)s, lexical_weight => 0)""",
        "hybrid": """select document_key, score from knowledge.search(%(slug)s, %(text)s,
                         %(vector)s::extensions.vector, %(filters)s, %(k)s)""",
    }

    def __init__(self, connection, slug):
        self.connection, self.slug = connection, slug

    def search(self, leg, text, vector=None, k=10, filters="{}"):
        return self.connection.execute(self.ASK[leg], {"slug": self.slug, "text": text, "vector": vector, "k": k,
                                                       "filters": filters}).fetchall()


def lexemes(arena, workspace_id, query):
    """A query as search reads it, repeated words repeated: what peers are fed."""
    row = arena.owner.execute("""select r.lexemes, r.counts from knowledge.workspaces as w
        cross join knowledge.read_query(%s, w.languages) as r where w.workspace_id = %s""", [query, workspace_id]).fetchone()
    return [word for word, count in zip(*row) for _ in range(int(count))]


def any_of(words):
    """The tsquery for any of them."""
    quoted = ["'" + word.replace("\\", "\\\\").replace("'", "''") + "'" for word in dict.fromkeys(words)]
    return " | ".join(quoted)


def stored_lexemes(arena, workspace_id):
    """(key, lexemes as often as the chunk has them) of every chunk, from the index itself."""
    with arena.owner.transaction(), arena.owner.cursor(name="lexemes") as cursor:
        cursor.itersize = 5000
        cursor.execute(f"""
            select d.key, w.lexemes, w.counts
            from knowledge.chunk_words_{workspace_id} as l
            join knowledge.chunks_{workspace_id} as c using (chunk_id)
            join knowledge.documents_{workspace_id} as d using (document_id)
            cross join lateral (
                select coalesce(array_agg(u.lexeme), '{{}}') as lexemes,
                    array_agg(greatest(coalesce(cardinality(u.positions), 1), 1)) as counts
                from unnest(l.words) as u) as w""")
        for key, words, counts in cursor:
            yield key, [word for word, count in zip(words, counts or []) for _ in range(count)]


# How good.


def quality(arena, report, name, share):
    collection = texts.load(name)
    if not collection:
        report.notes.append(f"{name}: left out, it is not in {texts.DATA}")
        return
    say(f"{name}: {len(collection.documents):,} documents, {len(collection.queries):,} queries")
    workspace_id = arena.workspace(name, chunking="whole", languages=["english"])
    add(arena.app, name, collection.documents.items())
    arena.count_words(workspace_id)

    keys = list(collection.queries)
    document_vectors = texts.embed(collection.texts())
    query_vectors = texts.embed(list(collection.queries.values()))
    generation_id = None
    if document_vectors is None:
        report.notes.append(f"{name}: without vectors, {texts.MISSING}")
    else:
        generation_id = arena.generation(name, workspace_id, dict(zip(collection.documents, document_vectors)))
        query_vectors = {key: literal(vector) for key, vector in zip(keys, query_vectors)}

    arena.app.execute("select evaluation.load_collection(%s, %s, %s, %s)", [
        name, name, json.dumps([{"key": key, "text": text} for key, text in collection.queries.items()]),
        json.dumps([{"query": query, "document": document, "grade": grade}
                    for query, grades in collection.judgements.items() for document, grade in grades.items()])])
    asked = [key for key in keys if key in collection.judgements]
    asked = asked[:max(20, int(len(asked) * share))]

    runs = {}

    def run(label, search):
        say(f"{name}: {label}")
        results = [{"query": key, "document": document, "score": float(score)}
                   for key in asked for document, score in search(key, collection.queries[key])]
        run_id = arena.app.execute("select evaluation.start_run(%s, %s, %s)", [name, name, label]).fetchone()[0]
        arena.app.execute("select evaluation.add_results(%s, %s)", [run_id, json.dumps(results)])
        arena.app.execute("select evaluation.finish_run(%s)", [run_id])
        runs[label] = run_id

    ours = Ours(arena.app, name)
    words = {key: lexemes(arena, workspace_id, collection.queries[key]) for key in asked}
    run("words", lambda key, text: ours.search("words", text, k=100))
    if importable("bm25s"):
        peer = Bm25s(stored_lexemes(arena, workspace_id))
        run("bm25s", lambda key, text: peer.search(words[key], 100))
    if importable("tantivy"):
        tantivy = Tantivy(list(collection.documents), collection.texts())
        run("tantivy", lambda key, text: tantivy.search(text, 100))
    plain = PlainTables(arena.conninfo, workspace_id, generation_id)
    run("ts_rank", lambda key, text: plain.words(any_of(words[key]), 100))
    if generation_id:
        exact = dict(zip(collection.documents, document_vectors))
        matrix, names = document_vectors, list(exact)
        by_key = dict(zip(keys, texts.embed(list(collection.queries.values()))))

        def nearest(key, _):
            scores = matrix @ by_key[key]
            return [(names[i], scores[i]) for i in (-scores).argsort()[:100]]

        run("vectors", lambda key, text: ours.search("vectors", text, query_vectors[key], 100))
        run("exact cosine", nearest)
        run("hybrid", lambda key, text: ours.search("hybrid", text, query_vectors[key], 100))
        run("naive hybrid", lambda key, text: plain.both(any_of(words[key]), query_vectors[key], 100))
    plain.connection.close()

    # Queries that were not asked in a quick run would count 0: all figures are means of those that were.
    def mean(label, metric, k):
        return arena.app.execute(f"select avg(m.{metric}) from evaluation.metrics(%s, %s) as m where m.query = any (%s)",
                                 [runs[label], k, asked]).fetchone()[0]

    def shown(label, metric="ndcg", k=10):
        return f"{mean(label, metric, k):.4f}" if label in runs else ""

    def line(title, label, *peers, **more):
        report.figures.append(Figure(
            f"{name}: {title}", shown(label, **more),
            ", ".join(f"{peer} {shown(peer, **more)}" for peer in peers if peer in runs)))

    gap = abs(mean("words", "ndcg", 10) - mean("bm25s", "ndcg", 10)) if "bm25s" in runs else None
    line("nDCG@10, words", "words", "bm25s")
    report.figures[-1].aim, report.figures[-1].met = "± .002", None if gap is None else gap <= 0.002
    line("nDCG@10, words", "words", "tantivy", "ts_rank")
    if "hybrid" in runs:
        line("nDCG@10, vectors", "vectors", "exact cosine")
        line("nDCG@10, hybrid", "hybrid", "naive hybrid")
        if share == 1:
            legs = [mean(leg, "ndcg", 10) for leg in ("words", "vectors")]
            report.figures[-1].aim = "above both legs"
            report.figures[-1].met = mean("hybrid", "ndcg", 10) > max(legs)
            for peer in ("words", "vectors", "naive hybrid"):
                difference, low, high = arena.app.execute("""select c.difference, c.low, c.high
                    from evaluation.compare(%s, %s) as c where c.metric = 'ndcg'""", [runs[peer], runs["hybrid"]]).fetchone()
                report.figures.append(Figure(f"{name}: nDCG@10, hybrid above {peer}", f"{difference:+.3f}",
                                             f"95 %: {low:+.3f} to {high:+.3f}"))
    best = "hybrid" if "hybrid" in runs else "words"
    line(f"Recall@100, {best}", best, "words", "vectors", "bm25s", "naive hybrid", metric="recall", k=100)
    line(f"MRR, {best}", best, "words", "vectors", "bm25s", "naive hybrid", metric="reciprocal_rank")
    exactness(arena, report, name, workspace_id, ours, max(20, int(1000 * share)))
    arena.drop(name, workspace_id)


def add(connection, slug, documents, at_once=200):
    """Through knowledge.add_texts, a transaction each 200. documents: [(key, (title, text))]."""
    documents = list(documents)
    for start in range(0, len(documents), at_once):
        batch = [{"key": key, "title": title, "content": text} for key, (title, text) in documents[start:start + at_once]]
        connection.execute("select count(*) from knowledge.add_texts(%s, %s)", [slug, json.dumps(batch)])


# How exact.


def random_queries(arena, workspace_id, count, seed=1):
    """Words of random chunks, one to twelve, from rare to common, as they stand in the text."""
    import random

    chance = random.Random(seed)
    rows = arena.owner.execute(f"""select c.content from knowledge.chunks_{workspace_id} as c
        order by hashint8extended(c.chunk_id, {seed}) limit {count}""").fetchall()
    queries = []
    while len(queries) < count:
        words = [word for word in chance.choice(rows)[0].split() if word.isalnum()]
        if words:
            queries.append(" ".join(chance.choices(words, k=chance.randint(1, 12))))
    return queries


def exactness(arena, report, name, workspace_id, ours, count):
    say(f"{name}: {count:,} random queries, beside every chunk scored")
    same = 0
    for query in random_queries(arena, workspace_id, count):
        found = [score for _, score in scores_of(ours, query)]
        same += agree(found, exhaustive(arena, workspace_id, query))
    report.figures.append(Figure(f"{name}: top 10 as if all were scored", f"{same:,} of {count:,}", "", "all", same == count))


def scores_of(ours, query):
    return ours.connection.execute(
        "select document_key, lexical_score from knowledge.search(%s, %s)", [ours.slug, query]).fetchall()


def exhaustive(arena, workspace_id, query, k=10):
    """The scores of the best when every chunk is scored."""
    rows = arena.owner.execute(f"""
        with asked as materialized (
            select knowledge.query_vector(array_agg(t.lexeme), array_agg(t.factor)) as vector
            from knowledge.workspaces as w
            cross join knowledge.read_query(%(query)s, w.languages) as r
            cross join knowledge.weigh_terms(w.workspace_id, r.lexemes, r.counts, '{{}}') as t
            where w.workspace_id = %(workspace)s
        )
        select (- (l.weights operator(extensions.<#>) (select vector from asked)))::real as score
        from knowledge.lexical_{workspace_id} as l
        order by l.weights operator(extensions.<#>) (select vector from asked) limit %(k)s""",
        {"query": query, "workspace": workspace_id, "k": k}).fetchall()
    return [score for (score,) in rows if score and score > 0]


def agree(scores, others):
    return len(scores) == len(others) and all(abs(a - b) <= 1e-5 * max(1, abs(b)) for a, b in zip(scores, others))


# How fast.


class Timing:
    """Milliseconds of every call."""

    def __init__(self, calls):
        self.times = []
        for call in calls:
            began = time.perf_counter()
            call()
            self.times.append((time.perf_counter() - began) * 1000)

    @property
    def p50(self):
        return percentile(self.times, 0.5)

    @property
    def p99(self):
        return percentile(self.times, 0.99)

    def __str__(self):
        return f"{self.p50:.2f} / {self.p99:.1f} ms"


def timed(queries, ask, forget=lambda: None):
    """Once over a few to warm up, then all."""
    for query in queries[:10]:
        ask(query)
    forget()
    return Timing([lambda query=query: ask(query) for query in queries])


def rate(asks, queries, forget=lambda: None):
    """Queries a second when each of these asks its share at the same time; each has a connection of its own."""
    share = [queries[i::len(asks)] for i in range(len(asks))]
    for ask in asks:
        for query in queries[:5]:
            ask(query)
    forget()
    threads = [threading.Thread(target=lambda ask=ask, part=part: [ask(query) for query in part])
               for ask, part in zip(asks, share)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(queries) / (time.perf_counter() - began)


def speed(arena, report, name, slug, workspace_id, generation_id, queries, raw=None, aims=None):
    """queries: [(text, vector literal)]; raw: [(keys, texts)] for tantivy, which reads text."""
    aims = aims or {}
    ours = Ours(arena.app, slug)
    words = [lexemes(arena, workspace_id, text) for text, _ in queries]
    say(f"{name}: ours")
    results = {leg: timed(queries, lambda query, leg=leg: ours.search(leg, *query), arena.forget) for leg in Ours.ASK}
    again = timed(queries, lambda query: ours.search("hybrid", *query))
    systems = [Ours(arena.signed_in(), slug) for _ in range(os.cpu_count())]
    rates = {leg: rate([lambda query, s=s, leg=leg: s.search(leg, *query) for s in systems], queries, arena.forget)
             for leg in Ours.ASK}
    for system in systems:
        system.connection.close()

    peers = {}
    say(f"{name}: ts_rank and the naive hybrid")
    plain = PlainTables(arena.conninfo, workspace_id, generation_id)
    few = list(range(min(len(queries), 100)))  # seconds each
    peers["ts_rank"] = timed(few, lambda i: plain.words(any_of(words[i])))
    peers["naive hybrid"] = timed(few, lambda i: plain.both(any_of(words[i]), queries[i][1]))
    twins = [plain.twin() for _ in range(os.cpu_count())]
    rates["ts_rank"] = rate([lambda i, t=t: t.words(any_of(words[i])) for t in twins], few)
    rates["naive hybrid"] = rate([lambda i, t=t: t.both(any_of(words[i]), queries[i][1]) for t in twins], few)
    for connection in [plain.connection] + [twin.connection for twin in twins]:
        connection.close()
    arena.owner.execute("drop schema plain cascade")
    if importable("bm25s"):
        say(f"{name}: bm25s")
        bm25s = Bm25s(stored_lexemes(arena, workspace_id))
        peers["bm25s"] = timed(list(range(len(queries))), lambda i: bm25s.search(words[i]))
        del bm25s
    if raw and importable("tantivy"):
        say(f"{name}: tantivy")
        tantivy = Tantivy(*raw)
        peers["tantivy"] = timed(queries, lambda query: tantivy.search(query[0]))
        del tantivy

    def line(what, leg, peer, aim="", met=None):
        report.figures.append(Figure(f"{name}: {what}, p50 / p99", str(results[leg]),
                                     f"{peer} {peers[peer]}" if peer in peers else "", aim, met))

    gain = peers["ts_rank"].p50 / results["words"].p50
    line("words", "words", "ts_rank")
    report.figures.append(Figure(f"{name}: words, times faster than ts_rank", f"{gain:.1f}", "", aims.get("gain", ""),
                                 gain >= 15 if "gain" in aims else None))
    line("words", "words", "tantivy", aims.get("words", ""), results["words"].p50 < 8 if "words" in aims else None)
    line("words", "words", "bm25s")
    report.figures.append(Figure(f"{name}: vectors, p50 / p99", str(results["vectors"])))
    line("hybrid", "hybrid", "naive hybrid", aims.get("hybrid", ""), results["hybrid"].p99 < 60 if "hybrid" in aims else None)
    report.figures.append(Figure(f"{name}: hybrid, asked again, p50 / p99", str(again)))
    # Those in this process have one thread of it.
    rates.update({peer: 1000 / (sum(peers[peer].times) / len(peers[peer].times))
                  for peer in ("bm25s", "tantivy") if peer in peers})
    for leg, others in (("words", ("ts_rank", "tantivy", "bm25s")), ("vectors", ()), ("hybrid", ("naive hybrid",))):
        report.figures.append(Figure(
            f"{name}: {leg}, queries/s, {os.cpu_count()} connections", f"{rates[leg]:,.0f}",
            ", ".join(f"{peer} {rates[peer]:,.0f}" for peer in others if peer in rates)))


def repeated(arena, report, times, quick=False):
    """SciFact again and again: document frequencies keep their shares, so it is good for time alone."""
    collection = texts.load("scifact")
    if not collection:
        report.notes.append(f"scifact x {times}: left out, scifact is not in {texts.DATA}")
        return
    import numpy as np

    from zipf import Loader, unit

    vectors = None if quick else texts.embed(collection.texts())
    asked = None if quick else texts.embed(list(collection.queries.values()))
    if vectors is None:
        # Time does not depend on what vectors mean.
        chance = np.random.default_rng(9)
        vectors = unit(chance.standard_normal((len(collection.documents), 384), dtype=np.float32))
        asked = unit(chance.standard_normal((len(collection.queries), 384), dtype=np.float32))
    name, slug = f"scifact x {times}", "repeated"
    say(f"{name}: {times * len(collection.documents):,} chunks")
    words, ids = lexemes_of(arena, collection.texts())
    count = len(collection.documents)
    workspace_id = arena.workspace(slug, languages=["english"])
    generation_id = arena.app.execute("select knowledge.open_generation(%s, %s, 384)", [slug, texts.MODEL]).fetchone()[0]

    def noisy(start, end):
        chance = np.random.default_rng([start, 13])
        here = vectors[np.arange(start, end) % count]
        return unit(here + chance.standard_normal(here.shape, dtype=np.float32) * 0.02)

    loader = Loader(arena.owner, workspace_id, arena.tenant_id, audience(arena))
    loader.load(times * count, words, lambda i: ids[i % count], noisy, generation_id)
    arena.app.execute("select knowledge.switch_generation(%s, %s)", [slug, generation_id])
    queries = [(text, literal(vector)) for text, vector in zip(collection.queries.values(), asked)]
    raw = ([str(i) for i in range(times * count)], (text for _ in range(times) for text in collection.texts()))
    speed(arena, report, name, slug, workspace_id, generation_id, queries, raw,
          aims={} if quick else {"gain": "15", "words": "p50 below 8 ms"})
    arena.drop(slug, workspace_id)


def audience(arena):
    return arena.ask("select knowledge.audience(%s, 0, '{}')", [arena.tenant_id])


def lexemes_of(arena, documents):
    """(vocabulary, word ids of each document), by knowledge.words."""
    import numpy as np

    vocabulary, ids = {}, []
    for text in documents:
        rows = arena.owner.execute("""select u.lexeme, greatest(coalesce(cardinality(u.positions), 1), 1)
            from unnest(knowledge.words(%s, 'english')) as u""", [text]).fetchall()
        ids.append(np.array([vocabulary.setdefault(word, len(vocabulary)) for word, n in rows for _ in range(n)],
                            dtype=np.int64))
    return list(vocabulary), ids


def generated(arena, report, count, quick):
    from zipf import Loader, Zipf

    name, slug = f"{count:,} chunks", "generated"
    say(f"{name}: generating")
    zipf = Zipf(count)
    workspace_id = arena.workspace(slug, languages=["simple"], filters={"slot": "number"})
    generation_id = arena.app.execute("select knowledge.open_generation(%s, %s, 384)", [slug, texts.MODEL]).fetchone()[0]
    say(f"{name}: loading, {len(zipf.words):,} different words")
    began = time.perf_counter()
    loader = Loader(arena.owner, workspace_id, arena.tenant_id, audience(arena))
    slots = loader.load(count, zipf.words, zipf.word_ids, zipf.vectors, generation_id)
    say(f"{name}: loaded in {time.perf_counter() - began:,.0f} s")
    arena.owner.execute("delete from queue.job")
    arena.app.execute("select knowledge.switch_generation(%s, %s)", [slug, generation_id])
    queries = [(text, literal(vector)) for text, vector in zipf.queries(50 if quick else 500)]
    raw = ([str(i) for i in range(count)], (zipf.text(i) for i in range(count)))
    speed(arena, report, name, slug, workspace_id, generation_id, queries, raw,
          aims={300_000: {"gain": "15", "hybrid": "p99 below 60 ms"}, 1_000_000: {"gain": "15"}}.get(count, {}))
    exactness(arena, report, name, workspace_id, Ours(arena.app, slug), 20 if quick else 100)
    filtered(arena, report, name, slug, zipf, slots, 20 if quick else 100)
    arena.drop(slug, workspace_id)


def filtered(arena, report, name, slug, zipf, slots, count):
    """Of what passes a filter, the ten nearest, beside all of them measured."""
    import numpy as np

    say(f"{name}: filtered")
    ours, queries = Ours(arena.app, slug), zipf.queries(count, seed=8)
    # The vectors of the widest filter; the others' are among them.
    kept = np.concatenate([zipf.vectors(start, min(start + 5000, zipf.count))[slots[start:start + 5000] < 100]
                           for start in range(0, zipf.count, 5000)])
    for share, below in (("10 %", 100), ("1 %", 10), ("0.2 %", 2)):
        passing = np.flatnonzero(slots < below)
        matrix = kept[slots[slots < 100] < below]
        wanted = min(10, len(passing))
        right = rows = 0
        times = []
        for text, vector in queries:
            best = {str(passing[i]) for i in np.argsort(-(matrix @ vector))[:wanted]}
            began = time.perf_counter()
            found = ours.search("vectors", text, literal(vector), 10, json.dumps({"slot": {"lt": below}}))
            times.append((time.perf_counter() - began) * 1000)
            rows += len(found)
            right += len(best & {key for key, _ in found})
        recall = right / (wanted * count)
        report.figures += [
            Figure(f"{name}: filter of {share}, recall@10", f"{recall:.3f}", "all measured", "0.99", recall >= 0.99),
            Figure(f"{name}: filter of {share}, rows of {wanted}", f"{rows / count:.1f}", "", "full",
                   rows == wanted * count),
            Figure(f"{name}: filter of {share}, p50 / p99",
                   f"{percentile(times, 0.5):.1f} / {percentile(times, 0.99):.1f} ms"),
        ]


# How much, and how soon.


def ingest(arena, report, share):
    """knowledge.add_texts, chunks of 256 tokens, without a model; a connection for each processor, 200 texts a transaction."""
    collection = texts.load("scifact")
    if collection:
        documents = [(f"{key}", (title, text)) for key, (title, text) in collection.documents.items()]
    else:
        from zipf import Zipf

        zipf = Zipf(5000)
        documents = [(str(i), ("", zipf.text(i))) for i in range(5000)]
    documents = documents[:int(len(documents) * share)]
    say(f"ingest: {len(documents):,} texts")
    workspace_id = arena.workspace("ingest")
    connections = [arena.signed_in() for _ in range(os.cpu_count())]
    threads = [threading.Thread(target=add, args=(connection, "ingest", documents[i::len(connections)]))
               for i, connection in enumerate(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    chunks = arena.ask("select sum(chunk_count) from knowledge.documents where workspace_id = %s", [workspace_id])
    native = arena.ask("select exists (select from pg_extension where extname = 'concierge_native')")
    report.figures.append(Figure(
        f"ingest, chunks/s, {len(connections)} connections, {'native' if native else 'SQL alone'}",
        f"{chunks / seconds:,.0f}", "", "3,000" if native else "", chunks / seconds >= 3000 if native else None))
    for connection in connections:
        connection.close()
    arena.drop("ingest", workspace_id)


def freshness(arena, report, count):
    """From the first byte of an insert to the first answer that has it, on another connection; the offline model's vectors, so
    that both legs count."""
    say(f"freshness: {count:,} inserts")
    workspace_id = arena.app.execute("select knowledge.create_workspace('fresh', 'Fresh')").fetchone()[0]
    generation_id = arena.ask("select generation_id from knowledge.generations where workspace_id = %s", [workspace_id])
    arena.app.execute("select knowledge.switch_generation('fresh', %s)", [generation_id])
    arena.owner.execute("delete from queue.job")
    reader = Ours(arena.signed_in(), "fresh")
    times, at_first = {"words": [], "vectors": []}, {"words": 0, "vectors": 0}
    for i in range(count):
        for leg in times:
            key = f"{leg}-{i}"
            text = f"The pump {key.replace('-', '')} has a pressure of {i} bar and hangs on wall {i * 7 % 13}."
            vector = arena.ask("select model.embed_offline(%s)::text", [text]) if leg == "vectors" else None
            began = time.perf_counter()
            arena.app.execute("select knowledge.add_text('fresh', '', %s, %s)", [text, key])
            looks = 0
            while True:
                looks += 1
                if key in [found for found, _ in reader.search(leg, text, vector)]:
                    break
            times[leg].append((time.perf_counter() - began) * 1000)
            at_first[leg] += looks == 1
    for leg, values in times.items():
        report.figures.append(Figure(
            f"freshness, {leg}: insert to found, p50 / p99",
            f"{percentile(values, 0.5):.1f} / {percentile(values, 0.99):.1f} ms"))
        report.figures.append(Figure(f"freshness, {leg}: found at the first look", f"{at_first[leg]:,} of {count:,}",
                                     "", "all", at_first[leg] == count))
    reader.connection.close()
    arena.drop("fresh", workspace_id)
