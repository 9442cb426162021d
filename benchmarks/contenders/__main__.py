"""`python -m benchmarks.contenders NAME JOB URL`: one contender, one run."""

from __future__ import annotations

import importlib
import sys

from benchmarks.jobs import JOBS

NAMES = ("sdk", "plain", "tuned", "minimum", "proved")


def main() -> None:
    name, job, url = sys.argv[1:]
    assert name in NAMES
    importlib.import_module(f"benchmarks.contenders.{name}").run(JOBS[job], url)


if __name__ == "__main__":
    main()
