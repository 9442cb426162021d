from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.survey.site import Site, site


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test works in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("D365_GATE_DIR", str(tmp_path / "gates"))
    monkeypatch.delenv("D365_URL", raising=False)


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
