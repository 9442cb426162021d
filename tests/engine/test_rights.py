"""What a pipeline needs: the hand-off as other callers than a System Administrator (routing.md 7)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from d365setup.dataverse.errors import DataverseError
from d365setup.emulator import Emulator
from d365setup.outcome import Status
from tests.engine.driver import HAND_OFF, applied, converged

LACKING = "prvAppendToBusinessUnit"
"""The one privilege the hand-off needs beyond Omnichannel administrator: a new user is bound to a business unit."""


def test_an_omnichannel_administrator_lacks_one_privilege(served: Callable[..., Emulator]) -> None:
    emulator = served(users={"anything": "Ada:Omnichannel administrator"})
    run = applied(emulator, HAND_OFF)
    failed = [each for each in run.outcomes if each.status is Status.FAILED]
    assert [str(each.change.id) for each in failed] == ["bot_user:Contoso Health Bot"]
    assert f"is missing {LACKING} privilege" in str(failed[0])
    assert emulator.sql("SELECT 1 FROM systemuser WHERE fullname = 'Contoso Health Bot'") == []


def test_with_that_one_it_converges(served: Callable[..., Emulator]) -> None:
    emulator = served(users={"anything": "Ada:Omnichannel administrator"})
    emulator.add_role("Binds users", [LACKING])
    emulator.link("systemuser", _ada(emulator), "systemuserroles_association", _role(emulator, "Binds users"))
    converged(emulator, HAND_OFF)


@pytest.mark.parametrize("role", ["Omnichannel agent", "Omnichannel supervisor"])
def test_others_cannot_even_read_all_of_it(served: Callable[..., Emulator], role: str) -> None:
    emulator = served(users={"anything": f"Ada:{role}"})
    with pytest.raises(DataverseError, match="is missing prvRead"):
        applied(emulator, HAND_OFF)


def _ada(emulator: Emulator) -> str:
    return str(emulator.sql("SELECT systemuserid FROM systemuser WHERE fullname = 'Ada'")[0][0])


def _role(emulator: Emulator, name: str) -> str:
    return str(emulator.sql("SELECT roleid FROM role WHERE name = ? ORDER BY parentroleid IS NOT NULL", [name])[0][0])
