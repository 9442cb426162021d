"""Plans over the wire, and against what was kept over the same wire, side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from d365setup.against import Planning, keep
from d365setup.against.answering import Answers, Gap
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client
from d365setup.emulator import Emulator
from d365setup.errors import Unresolvable
from d365setup.journal import Runs
from d365setup.live import path, wanted
from d365setup.model import Desired, Plan, Query
from d365setup.playbook import Playbook
from d365setup.report.as_json import data
from d365setup.session import Decides, Session
from d365setup.survey import Kept, dump, load
from d365setup.survey.reading import read_center
from tests.engine.driver import KINDS


def client(emulator: Emulator) -> Client:
    return Client(emulator.url, StaticToken("anything"), read_only=True)


def kept(emulator: Emulator, desired: Desired | None = None) -> Kept:
    """What is kept of an environment, out of a snapshot's text."""
    with client(emulator) as own:
        center, found = read_center(own), keep(own, KINDS, desired)
    again = load(dump(center, found)).kept
    assert again is not None
    assert again == replace(found, environment=replace(found.environment, taken_at=center.taken_at))
    return again


def outcome(session: Decides) -> Any:
    """The plan's document without the moment, or every reason why there is none."""
    try:
        decision = session.decide(session.look())
    except Unresolvable as error:
        return error.exit_code, error.notes
    plan: Plan = decision.plan
    return data(replace(plan, environment=replace(plan.environment, taken_at=""))), decision.writes


def both(emulator: Emulator, held: Kept, playbook: Playbook, runs: Runs | None = None, *, prune: bool = False) -> Any:
    """The outcome on the environment and against what was kept."""
    with client(emulator) as own:
        there: Decides = Session(own, KINDS, playbook, runs)
        here: Decides = Planning(held, "the snapshot", KINDS, playbook, runs)
        if prune:
            there, here = there.pruning(), here.pruning()
        return outcome(there), outcome(here)


def differing(emulator: Emulator, held: Kept, desired: Desired) -> dict[Query, tuple[Any, Any]]:
    """The queries of these things that are answered otherwise than over the wire."""
    queries, answers = list(wanted(KINDS, desired)), Answers(held)
    with client(emulator) as own:
        rows = own.read([path(each) for each in queries])
    found = {
        each: (_shown(each, over), _shown(each, answers.to(each))) for each, over in zip(queries, rows, strict=True)
    }
    return {each: (over, own_) for each, (over, own_) in found.items() if over != own_}


def _shown(query: Query, rows: list[dict[str, Any]] | Gap) -> Any:
    """The columns that were asked for, in the order they came in."""
    if isinstance(rows, Gap):
        return rows
    names = (*query.select, *(each.partition("(")[0] for each in query.expand))
    return [{name: row.get(name) for name in (names if query.select else row)} for row in rows]
