from __future__ import annotations

from collections.abc import Iterator

import pytest

from .site import Site, site


@pytest.fixture(scope="session")
def _running_site() -> Iterator[Site]:
    """One emulator for all tests of this folder."""
    with site() as found:
        yield found


@pytest.fixture
def here(_running_site: Site) -> Iterator[Site]:
    """A fresh environment: Omnichannel installed, nobody there."""
    _running_site.emulator.reset("empty")
    fresh = Site(_running_site.emulator, _running_site.client)
    yield fresh
    fresh.session.close()
