"""The engine against a second, slow reading of the documented semantics, on random centers and conversations.

Steps after one that leaves in doubt what the next starts from are not compared; `test_engine.py` has cases of those.
"""

from __future__ import annotations

from collections import Counter

import pytest

from d365setup.routing import Leg, Reading, is_open, simulate

from .generated import STREAM, Case, case
from .slow_model import Told, converse

CASES, PARTS = 10_000, 10
LEAST = {  # of what must be reached by each tenth of the cases, under the strict reading
    "by overflow": 100,
    "spilled": 50,
    "transferred by overflow": 20,
    "ended by overflow": 25,
    "escalate": 300,
    "transfer": 80,
    "tie": 100,
    "same bot left out": 100,
    "closed queue": 300,
    "cannot decide": 100,
    "unknown answer": 100,
    "waits for ever": 100,
    "waits for somebody busy": 10,
    "closed by the system": 50,
    "fallback queue": 100,
    "percentage": 25,
    "work stream bot": 40,
    "classified": 50,
    "classification in doubt": 20,
    "circle": 4,
    "a bot": 100,
    "a person": 200,
    "readings differ": 40,
}

FIRST, *OTHERS = range(PARTS)


@pytest.mark.parametrize(
    "part",
    [FIRST, *(pytest.param(each, marks=pytest.mark.no_cover) for each in OTHERS)],  # tracing would double the time
)
def test_the_engine_agrees_with_the_slow_model(part: int) -> None:
    reached: Counter[str] = Counter()
    for seed in range(part, CASES, PARTS):
        made = case(seed)
        found = simulate(made.center, STREAM, made.engine_events, made.world.at, occupancy=made.occupancy)
        for reading, journey in ((Reading.STRICT, found.strict), (Reading.LOOSE, found.loose)):
            told = converse(made.world, made.members, made.events, loose=reading is Reading.LOOSE)
            for step, expected in enumerate(told):
                where = f"case {seed}, {reading}, step {step}"
                assert compared(journey.legs[step]) == told_again(expected), where
                eligible = frozenset(each.row_id for each in journey.legs[step].candidates if each.eligible)
                assert expected.eligible is None or eligible - {""} == expected.eligible, where
            if reading is Reading.STRICT:
                reached.update(tags(made, told, journey.legs))
        reached["readings differ"] += not found.agrees
    assert {name: reached[name] for name, least in LEAST.items() if reached[name] < least} == {}


def compared(leg: Leg) -> tuple[object, ...]:
    return leg.chosen_by, leg.rule, leg.queue, leg.answer, leg.answered_by, leg.closed, leg.waits


def told_again(told: Told) -> tuple[object, ...]:
    return told.chosen_by, told.rule, told.queue, told.answer, told.answered_by, told.closed, told.waits


def tags(made: Case, told: list[Told], legs: tuple[Leg, ...]) -> list[str]:
    found = [tag for each in told for tag in each.tags]
    for each, leg in zip(told, legs, strict=False):
        found += ["by overflow"] if each.chosen_by == "overflow" else []
        found += [each.chosen_by] if each.chosen_by in {"cannot decide", "fallback queue"} else []
        found += ["unknown answer"] if each.answer == "unknown" and each.chosen_by != "cannot decide" else []
        found += ["waits for ever"] if each.waits else []
        found += [f"a {each.answer}"] if each.answer in {"bot", "person"} else []
        matched = [made.center.queue(rule.queue_id) for rule in leg.rules if rule.result == "matched"]
        found += ["closed queue" for queue in matched if queue and is_open(queue, made.world.at) is False]
        splits = [rule for rule in made.world.stream.routes or () if isinstance(rule.to, list)]
        found += ["percentage"] if each.rule and each.rule in {rule.name for rule in splits} else []
    return found
