"""The examples of the README, run as an app service would: a login of its own that is only a member of concierge_app.

Needs psycopg, psql, and DATABASE_URL of a superuser on a server where a scratch database may be made; CONCIERGE is the command.
"""

import os
import pathlib
import subprocess
import sys
import unittest

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONCIERGE = os.environ["CONCIERGE"]
SERVER = os.environ["DATABASE_URL"]
DATABASE = "concierge_examples"
LOGIN = "concierge_examples_app"
KEY = bytes(range(32))


def url(**changes: str) -> str:
    return make_conninfo(**{**conninfo_to_dict(SERVER), "dbname": DATABASE, **changes})


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        with psycopg.connect(SERVER, autocommit=True) as server:
            server.execute(f"drop database if exists {DATABASE} with (force)")
            server.execute(f"drop role if exists {LOGIN}")
            server.execute(f"create database {DATABASE}")
        subprocess.run([CONCIERGE, "migrate", "--database", url()], check=True, capture_output=True, cwd=ROOT)
        with psycopg.connect(url(), autocommit=True) as database:
            database.execute(f"create role {LOGIN} login in role concierge_app inherit")
            database.execute("select access.create_tenant('demo', 'Demo')")
            database.execute("select access.create_token_key('example', %s)", [KEY])
            database.execute("select access.create_person('demo', 'organizer', 'O', '{organizer}')")
            database.execute("select access.create_person('demo', 'maria-alvarez', 'M')")
        cls.sys_path = sys.path
        sys.path = [str(ROOT / "examples"), *sys.path]
        import ask

        cls.ask = ask
        organizer = ask.signed_token("demo", "organizer", "example", KEY)
        with psycopg.connect(url(user=LOGIN)) as app, app.transaction():
            app.execute("select access.sign_in(%s)", [organizer])
            app.execute("select event.import_schedule(%s)", [(ROOT / "demo/conference.json").read_text()])
            app.execute(
                "select event.import_exhibition(event.event_id('hearth-beam-2027'), %s)",
                [(ROOT / "demo/exhibition.json").read_text()],
            )

    @classmethod
    def tearDownClass(cls) -> None:
        sys.path = cls.sys_path
        with psycopg.connect(SERVER, autocommit=True) as server:
            server.execute(f"drop database if exists {DATABASE} with (force)")
            server.execute(f"drop role if exists {LOGIN}")
        # The safety net of a database that is gone would fail every minute.
        with psycopg.connect(make_conninfo(SERVER, dbname="postgres"), autocommit=True) as home:
            if home.execute("select to_regnamespace('cron') is not null").fetchone()[0]:
                home.execute("select cron.unschedule(jobid) from cron.job where database = %s", [DATABASE])

    def environment(self, key: bytes = KEY) -> dict:
        return {**os.environ, "DATABASE_URL": url(user=LOGIN), "CONCIERGE_KEY_ID": "example", "CONCIERGE_KEY": key.hex()}

    def run_python(self, *words: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, str(ROOT / "examples/ask.py"), *words, "--event", "hearth-beam-2027", "--tenant", "demo", "--as", "maria-alvarez"],
            capture_output=True, text=True, env=self.environment(**options),
        )

    def test_python_asks(self) -> None:
        run = self.run_python("Which sponsors should I visit?")
        self.assertEqual(run.stderr, "")
        self.assertRegex(run.stdout, r"^Sponsors worth your time:\n- Borealine Heat Pumps \(booth B2, platinum.*\) \[P1\]\n")

    def test_python_shows_a_refusal_with_its_code_and_hint(self) -> None:
        run = self.run_python("Which sponsors?", key=bytes(32))
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stderr, r"^QC403: the token is not valid \(")

    def test_psql_asks(self) -> None:
        token = self.ask.signed_token("demo", "maria-alvarez", "example", KEY)
        run = subprocess.run(
            ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", f"token={token}", "-v", "event=hearth-beam-2027", "-v", "me=maria-alvarez",
             "-f", str(ROOT / "examples/ask.sql"), url(user=LOGIN)],
            capture_output=True, text=True,
        )
        self.assertEqual(run.stderr, "")
        self.assertIn("maria-alvarez", run.stdout)
        self.assertIn("Borealine Heat Pumps", run.stdout)

    def test_an_app_login_sees_nothing_without_a_token(self) -> None:
        with psycopg.connect(url(user=LOGIN)) as app:
            with self.assertRaises(psycopg.Error) as refused:
                app.execute("select * from event.events")
        self.assertEqual(refused.exception.sqlstate, "QC401")

    def test_an_app_login_cannot_set_the_clock(self) -> None:
        with psycopg.connect(url(user=LOGIN)) as app:
            app.execute("set concierge.clock = '2000-01-01'")
            self.assertTrue(app.execute("select access.clock() = now()").fetchone()[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
