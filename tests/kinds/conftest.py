from __future__ import annotations

from collections.abc import Iterator

import pytest

from .site import Site, site


@pytest.fixture(scope="session")
def _running() -> Iterator[Site]:
    """One emulator for all tests of this folder; `clinic` begins anew each time."""
    with site() as found:
        yield found


@pytest.fixture
def clinic(_running: Site) -> Site:
    """A fresh environment with the fixture `clinic`."""
    _running.emulator.reset("clinic")
    return Site(_running.emulator, _running.client)
