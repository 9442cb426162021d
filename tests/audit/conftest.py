from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.audit.harness import Handoff
from tests.survey.site import Site, site


@pytest.fixture(scope="session")
def _running_audited() -> Iterator[Site]:
    """One emulator for all tests of this folder."""
    with site() as found:
        yield found


@pytest.fixture
def here(_running_audited: Site) -> Iterator[Site]:
    """A fresh environment: Omnichannel installed, nobody there."""
    _running_audited.emulator.reset("empty")
    fresh = Site(_running_audited.emulator, _running_audited.client)
    yield fresh
    fresh.session.close()


@pytest.fixture
def handoff(here: Site) -> Handoff:
    """A sound hand-off in it."""
    return Handoff.built(here)
