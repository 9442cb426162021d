"""The hand-off converges whatever the answers the sources disagree about (web-api.md 9), and disturbed meanwhile.

All six topics of the issue are multiplied out; undisturbed, `tests/test_shipped_switches.py` goes through each of
the 144 combinations. Here it is the half in which any three topics still say whatever they can say together. The
emulator's other switches ride along, each taking its second value in half of the combinations. In each, the first
apply meets a deadlock inside a change set, so that the layout of a failed one is read, and the second a lost answer to
a change set with links.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import closing

import pytest

from d365setup.emulator import Emulator, Options, Switches, fault_of
from d365setup.outcome import Status
from tests.engine.driver import HAND_OFF, Applied, applied

pytestmark = pytest.mark.no_cover  # other tests measure what this repeats; tracing would double the time

TOPICS: Mapping[str, tuple[str, ...]] = {
    "contract": ("at once", "late", "never"),
    "mappings": ("complete", "second write", "never"),
    "repeated_link": ("204", "412"),
    "failed_changeset": ("wrapper", "single"),
    "bot_columns": ("accepted", "refused"),
    "full_name": ("kept", "entra"),
}
RIDERS: Mapping[str, tuple[str, str]] = {
    "default_queue_column": ("present", "missing"),
    "disabled_rules_column": ("present", "absent"),
    "memo_line_ends": ("as sent", "crlf"),
    "not_equal_null": ("included", "excluded"),
    "delete_enabled_user": ("refused", "accepted"),
}
EVERY = [dict(zip(TOPICS, values, strict=True)) for values in itertools.product(*TOPICS.values())]
RULES = {
    "routing_rule:Patient chat/Hand off to a nurse",
    "routing_rule:Patient chat/Any other hand-off",
    "routing_rule:Patient chat/Everyone meets the bot first",
}
FAULTS = (fault_of("deadlock:method=PATCH|POST:skip=2"), fault_of(r"drop-after:path=queuemembership_association/\$ref"))
BOT = "bot_user:Contoso Health Bot"


def switches(number: int) -> Switches:
    """Combination by number, with riders by the digits of a number that shares no factor with the topics'."""
    riding = {name: values[(number * 7 // 3**place) % 2] for place, (name, values) in enumerate(RIDERS.items())}
    return Switches(**EVERY[number], **riding)  # type: ignore[arg-type]


def half(number: int) -> bool:
    """Whether an even number of the topics with two answers give their second one."""
    return sum(EVERY[number][name] == values[1] for name, values in TOPICS.items() if len(values) == 2) % 2 == 0


def test_the_half_has_whatever_three_topics_say_together() -> None:
    said = [{*itertools.combinations(sorted(each.items()), 3)} for each in EVERY]
    assert set().union(*(each for number, each in enumerate(said) if half(number))) == set().union(*said)


def test_every_switch_is_here() -> None:
    assert set(TOPICS) | set(RIDERS) | {"contract_delay_reads"} == set(Switches.__dataclass_fields__)
    for name, values in RIDERS.items():
        assert {getattr(switches(number), name) for number in range(len(EVERY))} == set(values)


@pytest.mark.parametrize("contract", TOPICS["contract"])
@pytest.mark.parametrize("mappings", TOPICS["mappings"])
def test_the_hand_off_converges_whatever_the_answers(contract: str, mappings: str) -> None:
    mine = [
        n for n, each in enumerate(EVERY) if (each["contract"], each["mappings"]) == (contract, mappings) and half(n)
    ]
    assert len(mine) == 8
    for number in mine:
        chosen = switches(number)
        emulator = Emulator(None, Options(switches=chosen, faults=FAULTS))
        with closing(emulator), emulator.serve():
            applied(emulator, HAND_OFF, contract_wait=5)
            _check_end(applied(emulator, HAND_OFF, contract_wait=5), chosen)
            assert emulator.faults.waiting == [], (chosen, "both have struck by now")
            _check_next(applied(emulator, HAND_OFF, contract_wait=5), chosen)


def _check_end(run: Applied, chosen: Switches) -> None:
    """After the run everything is as wanted, but what the platform's answers keep from being so."""
    for key, status in run.statuses.items():
        if key in RULES and chosen.contract == "never":
            assert status == Status.NOT_WRITTEN, (chosen, key)
        elif key == BOT and chosen.full_name == "entra":
            assert status in {Status.VERIFIED, Status.NOT_VERIFIED}, (chosen, key)
        else:
            assert status == Status.VERIFIED, (chosen, run.outcomes)


def _check_next(run: Applied, chosen: Switches) -> None:
    """The next run writes nothing, and has nothing to change but the rules an unextended contract keeps away."""
    left = {str(change.id) for change in run.decision.plan.changes}
    assert left == (RULES if chosen.contract == "never" else set()), (chosen, left)
    assert run.writes == [], chosen
    assert {run.statuses[key] for key in left} <= {Status.NOT_WRITTEN}
