"""The pipeline this runs in, if any: annotations at the lines of a playbook, and a summary of the job."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d365setup.report.annotations import Pipeline

SUMMARY_BYTES = 1_048_576  # what GitHub takes as one step's summary

_ROOTS = ("GITHUB_WORKSPACE", "BUILD_SOURCESDIRECTORY")  # where the repository is checked out


def pipeline() -> Pipeline | None:
    """GitHub Actions or Azure Pipelines, by the variable each says it sets in every step."""
    if os.environ.get("GITHUB_ACTIONS", "").lower() == "true":
        return "github"
    return "azure" if os.environ.get("TF_BUILD", "").lower() == "true" else None


def below_root(file: str) -> str:
    """A file as it is called from the root of the repository; as it is where it lies elsewhere."""
    root = next((os.environ[name] for name in _ROOTS if os.environ.get(name)), "") or Path.cwd()
    try:
        return Path(os.path.abspath(file)).relative_to(os.path.abspath(root)).as_posix()  # noqa: PTH100  # as written: links not followed
    except (ValueError, OSError):
        return Path(file).as_posix()


def room(found: Pipeline) -> int:
    """How many bytes a summary may take: GitHub counts those that earlier commands of the step wrote, too."""
    file = os.environ.get("GITHUB_STEP_SUMMARY", "")
    if found == "azure":
        return SUMMARY_BYTES
    if not file:
        return 0
    return max(0, SUMMARY_BYTES - (Path(file).stat().st_size if Path(file).exists() else 0) - 1)


def summarize(found: Pipeline, text: str) -> Iterator[Path]:
    """Hand the summary over; yields the file that the log must name. Raises OSError."""
    data = text.encode()
    if found == "github":
        with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("ab") as file:
            file.write(b"\n" + data)
        return
    folder = os.environ.get("AGENT_TEMPDIRECTORY") or None  # emptied when the job ends
    descriptor, name = tempfile.mkstemp(".md", "d365setup-", folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    yield Path(name)
