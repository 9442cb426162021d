"""Saved plans on the disk: `plan --out` writes one, `apply` tells it from a playbook and reads it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from d365setup import saved
from d365setup.errors import UsageError
from d365setup.kinds import discover, specs
from d365setup.plan import Decision
from d365setup.playbook import Playbook, load_texts
from d365setup.saved import Saved


def save(path: Path, decision: Decision, playbook: Playbook, *, prune: bool = False, skip_tests: bool = False) -> None:
    """Write the plan, readable by its owner only: it holds people's addresses. Raises UsageError where it cannot be."""
    named_secret = [use.name for use in playbook.variables if use.secret]
    if named_secret:
        raise UsageError(
            f"--out would write the value of {named_secret[0]!r} into the plan, and it is named like a secret; give "
            "the variable a format, rename it, or apply the playbook itself"
        )
    values = {use.name: use.value for use in playbook.variables}
    data = saved.document(decision, playbook.texts, values, datetime.now(UTC), prune=prune, skip_tests=skip_tests)
    fresh = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise UsageError(f"--out {path} cannot be written: {error.strerror}") from None


def read_saved(path: Path) -> Saved | None:
    """The saved plan in this file; None where it is a playbook, or nothing that can be read as a file."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
            if not saved.is_saved_plan(start):
                return None
            data = start + file.read(saved.LARGEST + 1)
    except OSError:
        return None  # the playbook's loader says what is wrong with the file
    return saved.parsed(data, str(path))


def playbook_of(plan: Saved) -> Playbook:
    """The playbook that the plan was made from, with the values it had then."""
    return load_texts(plan.texts, specs(discover()), plan.variables)


def check_age(plan: Saved, most: float) -> None:
    """Raises Refused when the plan is older than so many seconds."""
    saved.check_age(plan, datetime.now(UTC), timedelta(seconds=most))
