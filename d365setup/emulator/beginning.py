"""The data file an emulator begins with, made once in a process: a rehearsal has many, and so has a suite of tests."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Literal

from . import bots, fixtures
from .options import Switches
from .platform import Platform
from .schema import Schema, load_schema
from .store import Row, Rows, in_memory
from .write import Writer


@cache
def schema_with(disabled_rules: Literal["present", "absent"]) -> Schema:
    """The tables, with or without that column."""
    schema = load_schema()
    if disabled_rules == "absent":
        return schema.without("msdyn_decisionruleset", "msdyn_disabledrules")
    return schema


def writer(rows: Rows, switches: Switches, caller: Row | None = None) -> Writer:
    """One that writes as the fixture's caller, or as somebody else."""
    acting = caller or rows.get("systemuser", fixtures.CALLER) or {}
    return Writer(rows, schema_with(switches.disabled_rules_column), Platform(rows, switches, acting))


def fill(rows: Rows, fixture: str, switches: Switches, number: int) -> None:
    """Put a fixture into empty tables; raises ValueError for one there is not."""
    fixtures.load(fixture, rows, lambda given, caller: writer(given, switches, caller), number)
    bots.load(fixture, rows)


@lru_cache(maxsize=8)  # about half a megabyte each
def image(fixture: Literal["clinic", "empty"], switches: Switches, number: int) -> bytes:
    """A data file with a fixture in it. Two of one organization have the same rows, ids the platform chose included."""
    with in_memory(load_schema()) as rows:
        fill(rows, fixture, switches, number)
        return rows.connection.serialize()
