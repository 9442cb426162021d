"""Each finding has a broken environment that triggers it and a repaired one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from d365setup.audit.checking import checks
from tests.audit.harness import Case, Handoff, cases, judged, serious, shown
from tests.survey.site import Site, site

CASES = tuple(cases())
NO_CASE = {  # why a check has no broken environment here
    "R20": "no Web API lets two users share an application; test_bot_users.py",
    "R26": "everything a test builds was changed just now; test_bot_users.py",
    "R29": "about a playbook and messages; test_payloads.py",
}


@contextmanager
def environment(here: Site, case: Case) -> Iterator[Site]:
    """The shared one, or one whose platform behaves as the case says."""
    if not case.switches:
        yield here
        return
    with site(**case.switches) as own:
        yield own


@pytest.mark.parametrize("case", CASES, ids=str)
def test_broken_and_repaired(case: Case, here: Site) -> None:
    with environment(here, case) as place:
        handoff = Handoff.built(place)
        case.breaks(handoff)
        broken = judged(place, case.playbook)
        found = [each for each in broken.findings if each.id == case.id]
        assert [(str(each.subject), each.level) for each in found] == [(case.subject, case.level)], shown(broken)
        assert case.told in found[0].message
        assert found[0].consequence
        assert found[0].cure
        assert found[0].source_page
        assert {each.id for each in serious(broken)} - {case.id} == case.also, shown(broken)

        case.repairs(handoff)
        repaired = judged(place, case.playbook)
        assert not [each for each in repaired.findings if each.id == case.id], shown(repaired)
        assert serious(repaired) == [], shown(repaired)
        assert not [each for each in repaired.unchecked if each.id == case.id], shown(repaired)


def test_a_sound_hand_off_has_nothing_serious(handoff: Handoff) -> None:
    result = judged(handoff.site)
    assert serious(result) == [], shown(result)


def test_every_finding_about_routing_has_a_case() -> None:
    routing = {each.id for each in checks() if each.id.startswith("R")}
    assert routing - {each.id for each in CASES} - set(NO_CASE) == set()
