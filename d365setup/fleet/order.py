"""What to do in each environment: the same for all, without a secret in it, and picklable."""

from __future__ import annotations

from dataclasses import dataclass, field

from d365setup.fleet.entries import Limits
from d365setup.fleet.results import Command


@dataclass(frozen=True)
class Order:
    """What to do in each environment."""

    command: Command
    options: tuple[str, ...] = ()
    reach: tuple[str, ...] = ()  # options of every command: how patient, which certificates
    state_dir: str = ".d365setup/fleet"
    timeout: float = 900.0
    limits: Limits = field(default_factory=Limits)
    references: frozenset[str] = frozenset()  # variables with secrets of the fleet
