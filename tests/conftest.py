"""The suite may run in a pipeline; the commands it calls must not take that pipeline for their own."""

from __future__ import annotations

import os

for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "TF_BUILD"):
    os.environ.pop(name, None)
