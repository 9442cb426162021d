"""The other side of a call: the Health Bot that a playbook or a journal names.

Nothing of it is loaded for a playbook without one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from d365setup.beside import OtherSide
from d365setup.cli.options import Target, gathered, healthbot_resource
from d365setup.cli.output import Output
from d365setup.journal import Recording
from d365setup.model import Note
from d365setup.playbook import Playbook

if TYPE_CHECKING:
    from d365setup.emulator import Emulator


@dataclass(frozen=True)
class Beside:
    """How to get at the Health Bot, and whether the call fails where that cannot be."""

    healthbot_resource: str | None = None
    require_healthbot: bool = False


with_beside = gathered(
    Beside,
    "beside",
    healthbot_resource,
    click.option(
        "--require-healthbot",
        is_flag=True,
        help="Fail, before anything is sent, where the playbook's Health Bot has to be left out because its secret is "
        "not known.",
    ),
)


@dataclass(frozen=True)
class Surrounding:
    """What decides how a Health Bot is reached: the call's options, and the emulator where one is served."""

    beside: Beside
    target: Target
    output: Output
    emulator: Emulator | None = None
    read_only: bool = False


@dataclass(frozen=True)
class Found:
    """The other side, or what is to be said of its absence; neither where there is nothing to look at."""

    side: OtherSide | None = None
    remarks: tuple[Note, ...] = ()


@contextmanager
def of_playbook(playbook: Playbook, around: Surrounding) -> Iterator[Found]:
    """What the playbook's Health Bot and scenarios amount to. Raises NotReachable where one is required."""
    if playbook.health_bot is None or not playbook.scenarios:
        yield Found()
        return
    from d365setup.cli.healthbot_side import wanted_side  # noqa: PLC0415  # only a playbook with scenarios needs it

    with wanted_side(playbook, playbook.health_bot, around) as found:
        yield found


@contextmanager
def of_recording(recording: Recording, around: Surrounding) -> Iterator[Found]:
    """The Health Bot that a run went to, if it went to one."""
    if not recording.elsewhere.sent:
        yield Found()
        return
    from d365setup.cli.healthbot_side import recorded_side  # noqa: PLC0415  # only a run that went there needs it

    with recorded_side(recording, around) as found:
        yield found
