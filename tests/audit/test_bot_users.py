"""What two users share (R19, R20), and what was changed lately (R26): findings that come in numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from d365setup.center import ContactCenter, Queue, User
from tests.audit.cases_bots import TWINS
from tests.audit.harness import Handoff, judged
from tests.audit.judging import NOW, audited


def test_one_bot_id_on_two_users_is_told_of_both(handoff: Handoff) -> None:
    breaks, repairs = TWINS
    breaks(handoff)
    found = [
        each for each in judged(handoff.site).findings if each.id == "R19" and "same bot application ID" in each.message
    ]
    assert [str(each.subject) for each in found] == ["bot_user:Health Bot", "bot_user:Left Over"]
    repairs(handoff)
    assert "R19" in judged(handoff.site).passed


def test_one_application_on_two_users() -> None:
    """No Web API lets it come to this; copies of environments and older versions did."""
    bots = [User(row_id, f"Bot {row_id}", bot_id=row_id, application_id="AB" * 16) for row_id in ("1", "2")]
    found = audited(ContactCenter(users=tuple(bots)), "", "R20")
    assert [(each.level, each.message) for each in found.findings] == [
        ("warning", "Bot 2 has the same application ID"),
        ("warning", "Bot 1 has the same application ID"),
    ]
    mended = (bots[0], replace(bots[1], application_id="cd" * 16))
    result = audited(ContactCenter(users=mended), "", "R20")
    assert not result.findings
    assert [str(each.subject) for each in result.unchecked] == ["bot_user:Bot 1", "bot_user:Bot 2"]
    assert "Entra" in result.unchecked[0].reason


def test_changed_just_now_and_a_quarter_of_an_hour_ago(handoff: Handoff) -> None:
    center = handoff.site.center()
    now = datetime.fromisoformat(center.taken_at)
    found = audited(center, "", "R26", now=now).findings
    assert {"queue:Nurses", "bot_user:Health Bot", "workstream:Patient chat", "rule_set:Rules 2"} <= {
        str(each.subject) for each in found
    }
    assert {each.level for each in found} == {"info"}
    assert audited(center, "", "R26", now=now + timedelta(minutes=15)).passed == ("R26",)


@pytest.mark.parametrize(("seconds", "told"), [(0, "0 min"), (899, "14 min"), (900, ""), (-30, "0 min")])
def test_how_long_ago(seconds: int, told: str) -> None:
    changed = (NOW - timedelta(seconds=seconds)).isoformat()
    found = audited(ContactCenter(queues=(Queue("1", "Nurses", modified_on=changed),)), "", "R26").findings
    assert [told in each.message for each in found] == ([True] if told else [])


@pytest.mark.parametrize("modified_on", ["", "yesterday", "2026-13-45T00:00:00Z"])
def test_a_time_that_is_none_says_nothing(modified_on: str) -> None:
    bot = User("1", "Bot", bot_id="1", modified_on=modified_on)
    assert audited(ContactCenter(users=(bot,)), "", "R26").passed == ("R26",)
