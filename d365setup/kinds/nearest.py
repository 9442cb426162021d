"""What to say of a thing that must be there and is not: the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from d365setup.model import LiveState, Named, Spec, fold


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A question with the nearest of the names, to be put behind a message; empty when none is near."""
    by_fold = {fold(each): each for each in names}
    close = difflib.get_close_matches(fold(name), by_fold, n=1)
    return f"; did you mean {by_fold[close[0]]!r}?" if close else ""


def is_confused(desired: Spec, live: LiveState) -> bool:
    """Whether a live name differs only by case, blanks or Unicode form: the plan tells that, and it says enough."""
    wanted = fold(desired.identity)
    return any(
        each.kind == desired.kind and each.identity != desired.identity and fold(each.identity) == wanted
        for each in live.known(Named)
    )


def has_twins(desired: Spec, live: LiveState) -> bool:
    """Whether several rows bear the name: the plan tells that, and which of them is looked at further is chance."""
    return len(live.rows_named(desired.kind, desired.identity)) > 1
