"""What the daemon costs when there is nothing to do, how large the program is and how fast it starts."""

import os
import statistics
import subprocess
import time
from pathlib import Path

from stage import CONCIERGE, Figure, say

TICK = os.sysconf("SC_CLK_TCK")


def measure(stage, report, quick):
    seconds = 5 if quick else 30
    with stage.daemon() as daemon:
        stage.wait_until_exact()
        time.sleep(3)  # start-up and the looks that linger after work are not idling
        say(f"daemon, idle for {seconds} s")
        pid = daemon.process.pid
        before, began = used(pid), time.monotonic()
        time.sleep(seconds)
        share = (used(pid) - before) / (time.monotonic() - began) * 100
        resident = int(words(f"/proc/{pid}/status", "VmRSS:")[1]) / 1024
    report.figures += [
        Figure("daemon, idle: CPU", f"{share:.2f} %", "of one core", "< 0.2 %", share < 0.2),
        Figure("daemon, idle: resident memory", f"{resident:.1f} MB", "", "< 30 MB", resident < 30),
        Figure("program: size", f"{Path(CONCIERGE).stat().st_size / 1e6:.1f} MB"),
        Figure("program: start to end of `help`", f"{start_time():.1f} ms"),
    ]


def used(pid):
    """Seconds of CPU, in user and kernel mode. To the nanosecond where the kernel keeps count; else by
    clock ticks."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK


def words(path, start):
    return next(line for line in Path(path).read_text().splitlines() if line.startswith(start)).split()


def start_time():
    taken = []
    for _ in range(20):
        before = time.perf_counter()
        subprocess.run([CONCIERGE, "help"], stdout=subprocess.DEVNULL, check=True)
        taken.append((time.perf_counter() - before) * 1000)
    return statistics.median(taken)
