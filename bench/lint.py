"""What our lint and squawk find in the same statements, and what they say about harmless ones."""

import os
import shutil
import sys
from pathlib import Path

import corpus
from stage import CONCIERGE, Figure, say


def measure(stage, report, quick):
    squawk = shutil.which("squawk") or Path(sys.executable).with_name("squawk")
    if not os.access(squawk, os.X_OK):
        report.notes.append("lint: left out, squawk is not installed (squawk-cli of the Python package index)")
        return
    say("lint and squawk over the corpus")
    dangerous, harmless = corpus.read("dangerous.sql"), corpus.read("harmless.sql")
    # How exceptions are written is each tool's own.
    dangerous = [case for case in dangerous if not set(case.codes) & {"L602", "L603"}]
    for case in dangerous + harmless:
        corpus.lint(case, CONCIERGE)
        corpus.ask_squawk(case, squawk)

    def caught(cases, rules):
        return sum(1 for case in cases if rules(case))

    def of(cases, rules):
        return f"{caught(cases, rules)} of {len(cases)}"

    ours, loud, all_rules = (lambda c: c.ours), (lambda c: c.loud), (lambda c: c.squawk)
    everything = all(case.ours for case in dangerous)
    silent = not caught(harmless, ours)
    missed = [case for case in dangerous if case.loud and not case.ours]
    report.figures += [
        Figure("lint: dangerous statements caught", of(dangerous, ours), of(dangerous, loud), "all", everything),
        Figure("lint: by both", of(dangerous, lambda c: c.ours and c.loud)),
        Figure("lint: by neither", of(dangerous, lambda c: not c.ours and not c.loud)),
        Figure("lint: by one alone", of(dangerous, lambda c: c.ours and not c.loud),
               of(dangerous, lambda c: c.loud and not c.ours), "peer 0", not missed),
        Figure("lint: false alarms", of(harmless, ours), of(harmless, loud), "0", silent),
        Figure("lint: false alarms, all squawk's rules", "", of(harmless, all_rules)),
    ]
    report.notes.append("lint: squawk with its default rules but " + ", ".join(sorted(corpus.NOISE)) + ".")
    alone = [case.what for case in dangerous if case.ours and not case.loud]
    report.notes.append("lint, found by ours alone: " + "; ".join(alone) + ".")
