"""One JavaScript engine for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .node import Engine
from .node import engine as opened


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A process that runs what we generate, and what people write."""
    with opened() as found:
        yield found
