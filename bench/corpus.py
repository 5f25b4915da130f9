"""The corpus of dangerous and harmless statements, and what our lint and squawk say about it.

Each statement is a file of its own to both: to squawk as it stands, to `concierge migrate lint` as the migration
after Tests/fixtures/lint/base.sql, whose tables it names.
"""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

CORPUS = Path(__file__).parent.parent / "Tests/fixtures/lint"

# What a runner that sets its own timeouts, keeps a ledger and tries again makes needless, and tastes of which this
# project has others: a checked domain is a rule said once, and an integer that counts nothing needs no 64 bits.
NOISE = ["require-timeout-settings", "require-lock-timeout", "require-statement-timeout", "prefer-robust-stmts",
         "prefer-bigint-over-int", "prefer-bigint-over-smallint", "ban-create-domain-with-constraint"]


@dataclass
class Case:
    """One statement of the corpus: the codes it must get, what it is, and what was said about it."""

    codes: list[str]
    what: str
    sql: str
    ours: set[str] = field(default_factory=set)
    squawk: set[str] = field(default_factory=set)

    @property
    def loud(self):
        """squawk's rules without the noise."""
        return self.squawk - set(NOISE)


def read(name):
    cases = []
    for part in ("\n" + (CORPUS / name).read_text()).split("\n--- ")[1:]:
        title, sql = part.split("\n", 1)
        codes, _, what = title.rpartition(": ") if re.match(r"[A-Z]\d{3}", title) else ("", "", title)
        cases.append(Case(codes.split(), what, sql))
    return cases


def lint(case, concierge):
    """Fills in what ours says."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(CORPUS / "sql", root / "sql")
        (root / "migrations").mkdir()
        shutil.copy(CORPUS / "base.sql", root / "migrations/0001_base.sql")
        (root / "migrations/0002_case.sql").write_text(case.sql)
        said = subprocess.run([concierge, "migrate", "lint", "--json"], cwd=root, capture_output=True, text=True)
        if said.returncode not in (0, 1) or said.stderr:
            raise RuntimeError(f"{case.what}: {said.stderr}")
        case.ours = {finding["code"] for finding in json.loads(said.stdout)}


def ask_squawk(case, squawk):
    """Fills in what squawk says, with the rules it has on by itself."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(case.sql)
        file.flush()
        command = [squawk, "--reporter", "json", "--pg-version", "15.0"]
        if "-- transaction: none" not in case.sql:
            command.append("--assume-in-transaction")
        said = subprocess.run([*command, file.name], capture_output=True, text=True)
        case.squawk = {finding["rule_name"] for finding in json.loads(said.stdout)}
