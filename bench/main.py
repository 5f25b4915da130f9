"""Runs the figures asked for and prints one table. See README.md for what each prints and why it is fair."""

import argparse
import sys
from contextlib import nullcontext

import context
import daemon
import freshness
import jobs
import lint
import migrate
import retrieval
import turns
import writers
from stage import Report, Stage, machine

FIGURES = {"context": context, "freshness": freshness, "writers": writers, "daemon": daemon,
           "lint": lint, "migrate": migrate, "queue": jobs, "retrieval": retrieval,
           "turns": turns}


def main():
    parser = argparse.ArgumentParser(
        prog="bench/run", description="Prints the figures we claim, each beside its peer or its aim.")
    parser.add_argument("name", nargs="*", help=f"{', '.join(FIGURES)}; all without one")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, to see that it runs")
    options = parser.parse_args()
    unknown = [name for name in options.name if name not in FIGURES]
    if unknown:
        parser.error(f"there is no figure named {unknown[0]}; there are {', '.join(FIGURES)}")

    report = Report()
    facts = machine()
    names = options.name or list(FIGURES)
    stage = Stage()
    # These alone need no data: what they need they make themselves.
    with nullcontext() if set(names) <= {"lint", "queue", "retrieval"} else stage:
        for name in names:
            FIGURES[name].measure(stage, report, options.quick)
    print_table(report, facts, options.quick)


def print_table(report, facts, quick):
    words = {True: "met", False: "MISSED", None: ""}
    rows = [("figure", "ours", "peer", "aim", "")]
    rows += [(f.name, f.ours, f.peer, f.aim, words[f.met]) for f in report.figures]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    print(facts + (", --quick" if quick else ""))
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    for note in report.notes:
        print(f"\n{note}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
