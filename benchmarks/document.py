"""`python -m benchmarks.document`: measure everything anew and put the tables into docs/performance.md."""

from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path

from benchmarks.environment import ROOT, Latency
from benchmarks.jobs import JOBS
from benchmarks.run import LATENCIES, SHOWN, measured, table

PAGE = ROOT / "docs" / "performance.md"
SIDE_BY_SIDE = ["d365setup", "tuned", "minimum", "proved"]  # those whose width the hint decides
WITHOUT_TESTS = [name for name in SHOWN if name != "untested"]  # the large job has none to skip
MATRIX = (
    ("small", "80ms/20ms", 4, list(SHOWN)),
    ("large", "80ms/20ms", 8, WITHOUT_TESTS),
    ("large", "80ms/20ms", 4, SIDE_BY_SIDE),
    ("small", "none", 4, list(SHOWN)),
    ("large", "none", 8, WITHOUT_TESTS),
)


def main(repeat: int = 3) -> None:
    for job, latency, width, names in MATRIX:
        found = measured(JOBS[job], Latency(*LATENCIES[latency], width), names, repeat, _told)
        put(PAGE, f"{job} {latency} {width}", "\n".join(table(found)))
        day = datetime.datetime.now(datetime.UTC).date()
        busy = f"{day}, best of {repeat}; busy processes in its last minute: {os.getloadavg()[0]:.1f}"
        put(PAGE, f"{job} {latency} {width} when", f"Measured {busy}.")


def put(page: Path, mark: str, text: str) -> None:
    """Replace what stands behind a mark, up to its end."""
    begin, end = f"<!-- measured: {mark} -->\n", "\n<!-- end -->"
    before, found, rest = page.read_text().partition(begin)
    if not found or end not in rest:
        message = f"{page.name} has no place marked {begin.strip()}"
        raise ValueError(message)
    page.write_text(before + begin + text + rest[rest.index(end) :])


def _told(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:2]))
