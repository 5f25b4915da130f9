"""The figures of `evaluation.metrics` are those of trec_eval, on random runs: graded, with ties, with documents nobody judged,
with queries for which nothing was found.

Needs pytrec_eval (pytrec-eval-terrier of the Python package index), psycopg, and DATABASE_URL of a superuser on a server where
a scratch database may be made; CONCIERGE is the command.
"""

import json
import os
import pathlib
import random
import subprocess
import unittest

import psycopg
import pytrec_eval
from psycopg.conninfo import conninfo_to_dict, make_conninfo

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONCIERGE = str(ROOT / os.environ["CONCIERGE"])
SERVER = os.environ["DATABASE_URL"]
DATABASE = "concierge_evaluation"
PEER = {"ndcg": "ndcg_cut_{}", "recall": "recall_{}", "precision": "P_{}", "reciprocal_rank": "recip_rank"}
NUMBER_OF_RUNS, NUMBER_OF_QUERIES = 20, 25


def random_case(seed: int) -> tuple[dict, dict]:
    """Judgements {query: {document: grade}} and a run {query: {document: score}}."""
    chance = random.Random(seed)
    # Keys whose order by bytes differs from that of a language.
    documents = [chance.choice(["d", "D", "é", "_", ""]) + str(number) for number in range(60)]
    judgements, run = {}, {}
    for number in range(NUMBER_OF_QUERIES):
        query = f"q{number}"
        judged = chance.sample(documents, chance.choice([0, 1, 2, 5, 30]))
        judgements[query] = {document: chance.choice([-1, 0, 0, 1, 1, 2, 3, 4]) for document in judged}
        found = chance.sample(documents, chance.choice([0, 1, 5, 9, 40]))
        # Few different scores make many ties; two that differ in double precision alone are a tie as well.
        ties = [0.0, 0.5, 0.5 + 1e-12, 1.0, -2.0]
        coarse = chance.random() < 0.5
        run[query] = {document: chance.choice(ties) if coarse else chance.gauss(0, 5) for document in found}
    return judgements, run


class TrecEval(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.tearDownClass()
        with psycopg.connect(SERVER, autocommit=True) as server:
            server.execute(f"create database {DATABASE}")
        url = make_conninfo(**{**conninfo_to_dict(SERVER), "dbname": DATABASE})
        subprocess.run([CONCIERGE, "migrate", "--database", url], check=True, capture_output=True, cwd=ROOT)
        cls.database = psycopg.connect(url, autocommit=True)
        cls.database.execute("select access.create_token_key('test')")
        cls.database.execute("select access.create_tenant('acme', 'Acme')")
        cls.database.execute("select access.create_person('acme', 'sam', 'S', '{service}')")
        cls.database.execute("select access.sign_in(access.issue_token('acme', 'sam'), for_session => true)")
        cls.cases = [random_case(seed) for seed in range(NUMBER_OF_RUNS)]
        cls.runs = [cls.record(*case) for case in cls.cases]

    @classmethod
    def tearDownClass(cls) -> None:
        if hasattr(cls, "database"):
            cls.database.close()
        with psycopg.connect(SERVER, autocommit=True) as server:
            server.execute(f"drop database if exists {DATABASE} with (force)")
        with psycopg.connect(make_conninfo(SERVER, dbname="postgres"), autocommit=True) as home:
            if home.execute("select to_regnamespace('cron') is not null").fetchone()[0]:
                home.execute("select cron.unschedule(jobid) from cron.job where database = %s", [DATABASE])

    @classmethod
    def record(cls, judgements: dict, run: dict) -> int:
        def rows(by_query: dict, name: str) -> str:
            return json.dumps([{"query": query, "document": document, name: value}
                               for query, documents in by_query.items() for document, value in documents.items()])

        ask = lambda text, *values: cls.database.execute(text, values).fetchone()[0]  # noqa: E731
        queries = json.dumps([{"key": query, "text": query} for query in judgements])
        ask("select evaluation.load_collection('random', 'Random', %s, %s)", queries, rows(judgements, "grade"))
        run_id = ask("select evaluation.start_run('random')")
        ask("select evaluation.add_results(%s, %s)", run_id, rows(run, "score"))
        ask("select evaluation.finish_run(%s)", run_id)
        # The next case has other judgements: what is computed is kept now.
        cls.computed = getattr(cls, "computed", {})
        for k in (1, 5, 10, 100):
            rows_of_metrics = cls.database.execute("select * from evaluation.metrics(%s, %s)", [run_id, k])
            cls.computed[run_id, k] = {row[0]: dict(zip(PEER, row[1:])) for row in rows_of_metrics}
            summary = cls.database.execute("select metric, mean from evaluation.summary(%s, %s, 10)", [run_id, k])
            cls.computed[run_id, k, "mean"] = dict(summary.fetchall())
        return run_id

    def expected(self, judgements: dict, run: dict, k: int) -> dict:
        measures = {name.format(k).replace("_" + str(k), "." + str(k)) for name in PEER.values()}
        judgements = {query: documents for query, documents in judgements.items() if documents}
        # A query for which nothing was found is not evaluated there: one document nobody judged makes it 0.
        run = {query: run.get(query) or {"nobody judged it": 1.0} for query in judgements}
        figures = pytrec_eval.RelevanceEvaluator(judgements, measures).evaluate(run)
        return {query: {ours: values[peer.format(k)] for ours, peer in PEER.items()} for query, values in figures.items()}

    def test_every_query_has_the_figures_of_trec_eval(self) -> None:
        compared = 0
        for run_id, case in zip(self.runs, self.cases):
            for k in (1, 5, 10, 100):
                expected, computed = self.expected(*case, k), self.computed[run_id, k]
                self.assertEqual(computed.keys(), expected.keys())
                for query, figures in expected.items():
                    for name, value in figures.items():
                        self.assertAlmostEqual(computed[query][name], value, delta=1e-6, msg=f"{name}@{k} of {query}")
                        compared += 0 < value < 1
        # Figures that are all 0 or 1 would prove little.
        self.assertGreater(compared, 1000)

    def test_the_mean_is_that_of_trec_eval(self) -> None:
        for run_id, case in zip(self.runs, self.cases):
            for k in (1, 5, 10, 100):
                expected = self.expected(*case, k)
                for name in PEER:
                    mean = sum(figures[name] for figures in expected.values()) / len(expected)
                    self.assertAlmostEqual(self.computed[run_id, k, "mean"][name], mean, delta=1e-6)

    def test_the_cases_tell_orders_among_ties_apart(self) -> None:
        # With ties broken the other way, most cases have other figures: a wrong order would be found above.
        differences = 0
        for judgements, run in self.cases:
            backwards = {query: {document: (round(score, 6), document) for document, score in found.items()}
                         for query, found in run.items()}
            forwards = {query: {document: float(-place) for place, document in enumerate(
                sorted(found, key=lambda d: (-found[d][0], found[d][1])))} for query, found in backwards.items()}
            differences += self.expected(judgements, forwards, 5) != self.expected(judgements, run, 5)
        self.assertGreater(differences, 10)


if __name__ == "__main__":
    unittest.main(verbosity=2)
