"""Inserts a second into event.event_speakers: with our triggers, without them, and with some of them."""

import re
import statistics
import subprocess

from stage import HERE, Figure, program, say

TABLE = "event.event_speakers"


def variants(owner):
    """What is on during a run: the user triggers, and the daemon. Foreign keys stay, they are nobody's
    addition."""
    names = [row[0] for row in owner.execute(
        "select tgname from pg_trigger "
        "where tgrelid = %s::regclass and not tgisinternal and tgtype & 4 > 0 order by tgname",
        [TABLE])]
    chosen = {"all triggers": ("enable trigger user", True), "no triggers": ("disable trigger user", True)}
    # One kind alone says more only where there are several.
    for name in names if len(names) > 1 else []:
        others = ", ".join(f"disable trigger {other}" for other in names if other != name)
        chosen[f"{name} only"] = (f"enable trigger user, {others}", True)
    chosen["all triggers, daemon stopped"] = ("enable trigger user", False)
    return chosen


def measure(stage, report, quick):
    rounds, seconds = (1, 2) if quick else (3, 5)
    daemon = stage.daemon()
    with stage.owner() as owner:
        tenant = owner.execute("select tenant_id from event.events where event_id = %s",
                               [stage.event]).fetchone()[0]
        chosen = variants(owner)
        for connections in (16, 64):
            rates = {name: [] for name in chosen}
            for number in range(rounds):
                for name, (triggers, running) in chosen.items():
                    say(f"writers, {connections} connections, round {number + 1} of {rounds}: {name}")
                    start_over(owner)
                    if running:
                        daemon.start()
                        stage.wait_until_exact(30)
                    owner.execute(f"alter table {TABLE} {triggers}")
                    marks = marked(owner)
                    rates[name].append(insert(stage, tenant, connections, seconds))
                    daemon.stop()
                    check(name, marked(owner) - marks, rates[name][-1] * seconds)
            add(report, connections, rates)
        start_over(owner)


def start_over(owner):
    """Every run begins with the same rows; what earlier runs left in the audit trail and of marks stays,
    as it would."""
    owner.execute(f"alter table {TABLE} disable trigger user")
    owner.execute(f"delete from {TABLE} where source_key is null")
    owner.execute(f"alter table {TABLE} enable trigger user")
    owner.execute(f"vacuum {TABLE}")
    owner.execute("call event.refresh()")
    owner.execute("checkpoint")


def insert(stage, tenant, connections, seconds):
    done = subprocess.run(
        [program("pgbench"), "--no-vacuum", "--protocol=prepared", f"--file={HERE / 'writers.sql'}",
         f"--client={connections}", "--jobs=2", f"--time={seconds}",
         f"--define=tenant={tenant}", f"--define=event={stage.event}", stage.conninfo()],
        capture_output=True, text=True)
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.M)
    if done.returncode or not found:
        raise SystemExit(f"pgbench failed:\n{done.stdout}{done.stderr}")
    return float(found[1])


def marked(owner):
    """How many dirty marks were ever written: that a run measured what its name says is not taken
    on trust."""
    owner.execute("select pg_stat_force_next_flush()")
    return owner.execute("select pg_stat_get_tuples_inserted('event.dirty_marks'::regclass)").fetchone()[0]


def check(name, marks, inserts):
    if name == "no triggers" and marks > 0 or name == "all triggers" and marks < inserts * 0.9:
        raise SystemExit(f"writers, {name}: {inserts:,.0f} inserts left {marks:,} dirty marks")


def add(report, connections, rates):
    median = {name: statistics.median(values) for name, values in rates.items()}
    free = median["no triggers"]
    for name, rate in median.items():
        if name == "no triggers":
            continue
        share = rate / free * 100
        aimed = name == "all triggers"
        report.figures.append(Figure(
            f"inserts, {connections} connections: {name}", f"{rate:,.0f}/s = {share:.0f} %",
            f"{free:,.0f}/s without triggers", ">= 80 %" if aimed else "", share >= 80 if aimed else None))
