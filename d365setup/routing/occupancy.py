"""How busy a contact center is at the moment of a simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Occupancy:
    """What is known of the load; what is not named is idle. Keys are row ids.

    ``waiting`` are open work items of a queue, ``wait`` its predicted wait in seconds, ``taken`` a person's units in
    use (they mean nothing where capacity goes by profiles), ``away`` the people who are not there.
    """

    waiting: Mapping[str, int] = field(default_factory=dict)
    wait: Mapping[str, int] = field(default_factory=dict)
    taken: Mapping[str, int] = field(default_factory=dict)
    away: frozenset[str] = frozenset()


IDLE = Occupancy()
