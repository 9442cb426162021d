"""The suite may run in a pipeline; the commands it calls must not take that pipeline for their own."""

from __future__ import annotations

import gc
import os

for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "TF_BUILD"):
    os.environ.pop(name, None)


def pytest_collection_finish() -> None:
    """What is imported and collected stays: looking through it again and again would be a tenth of the time."""
    gc.collect()
    gc.freeze()
