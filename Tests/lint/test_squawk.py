"""Whatever squawk finds in the corpus of dangerous statements, `concierge migrate lint` finds too.

Needs squawk (squawk-cli of the Python package index) beside this Python; CONCIERGE is the command.
"""

import os
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import corpus  # noqa: E402

CONCIERGE = str(ROOT / os.environ["CONCIERGE"])
SQUAWK = pathlib.Path(sys.executable).with_name("squawk")


class Squawk(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.dangerous, cls.harmless = corpus.read("dangerous.sql"), corpus.read("harmless.sql")
        for case in cls.dangerous + cls.harmless:
            corpus.lint(case, CONCIERGE)
            corpus.ask_squawk(case, SQUAWK)

    def test_what_squawk_finds_is_found(self) -> None:
        self.assertEqual([(case.what, case.loud) for case in self.dangerous if case.loud and not case.ours], [])

    def test_the_peer_is_a_peer(self) -> None:
        # A squawk that finds nothing would prove nothing.
        self.assertGreater(sum(1 for case in self.dangerous if case.loud), 40)

    def test_nothing_dangerous_is_missed_and_nothing_harmless_found(self) -> None:
        self.assertEqual([case.what for case in self.dangerous if case.ours != set(case.codes)], [])
        self.assertEqual([(case.what, case.ours) for case in self.harmless if case.ours], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
