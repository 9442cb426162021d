"""Whether two items of playbooks mean the same, entry by entry, whatever words they say it in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from d365setup.conditions import same
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.queue import Queue
from d365setup.kinds.routing_rule import RoutingRule
from d365setup.model import Spec, fold

_APART = ("application_id", "existing", "context_variables", "routing_rules")  # no entries that are compared


def differing_keys(mine: Spec, theirs: Spec, keys: Sequence[str], numbers: frozenset[str]) -> Iterator[str]:
    """Those of these keys, and of those that mean something where they are left out, that do not agree.

    ``numbers`` are bots whose capacity is to be a number, whatever word it was.
    """
    for key in (*keys, *(each for each in _MEANT.get(mine.kind, ()) if each not in keys)):
        if key not in _APART and not _agree(key, mine, theirs, numbers):
            yield key


def _agree(key: str, mine: Spec, theirs: Spec, numbers: frozenset[str]) -> bool:
    if isinstance(mine, BotUser) and key == "capacity" and mine.capacity in ("highest", "maximum"):
        return mine.name not in numbers
    agree = _AGREE.get((mine.kind, key))
    return agree(mine, theirs) if agree else bool(getattr(mine, key) == getattr(theirs, key))


def _members(spec: Any) -> frozenset[str]:
    return frozenset(map(fold, spec.members.users if spec.members else ()))


def _text(spec: Any) -> str:
    return (spec.description or "").replace("\r\n", "\n")


# What is meant where nothing is written: it is compared all the same.
_MEANT = {RoutingRule.kind: ("when",), BotUser.kind: ("roles", "capacity")}
_AGREE: dict[tuple[str, str], Callable[[Any, Any], bool]] = {
    (Queue.kind, "members"): lambda mine, theirs: _members(mine) == _members(theirs),
    (Queue.kind, "description"): lambda mine, theirs: _text(mine) == _text(theirs),
    (BotUser.kind, "roles"): lambda mine, theirs: set(mine.roles) <= set(theirs.roles),
    (RoutingRule.kind, "when"): lambda mine, theirs: same(mine.condition, theirs.condition),
}
