"""`plan --against`: the session on what a snapshot kept, and which options go with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from d365setup.against import Planning
from d365setup.cli.beside import Beside
from d365setup.cli.environment import Surroundings, loaded
from d365setup.cli.options import Given, Target
from d365setup.cli.output import Output
from d365setup.errors import UsageError
from d365setup.evidence.chain import sha256
from d365setup.journal import Runs
from d365setup.kinds import discover
from d365setup.model import Note, ResourceId
from d365setup.playbook import Playbook
from d365setup.survey import open_snapshot

_CURE = "take a new one with d365setup audit --save"


def planning(path: Path, playbook: Path, given: Given, target: Target, output: Output) -> Planning:
    """The playbook and what the snapshot kept. Raises PlaybookError and UsageError; nothing is asked of anybody."""
    around = Surroundings.here()
    wished = loaded(playbook, given, around, examples=False)
    name = f"the snapshot {path}"
    kept = open_snapshot(path).kept
    if kept is None:
        raise UsageError(f"{name} holds no rows to plan against, as those of earlier versions do not; {_CURE}")
    for file, text in wished.texts:
        output.notebook.took("playbook", file, sha256(text.encode("utf-8", "surrogatepass")))
    output.notebook.took("snapshot", str(path), sha256(path.read_bytes()))
    runs = Runs(around.state_dir(target.state_dir))
    return Planning(kept, name, discover(), wished, runs, remarks=_remarks(wished))


def check_apart(out: Path | None, target: Target, beside: Beside) -> None:
    """Raises UsageError for options that are about an environment, where --against looks at none."""
    if out is not None:
        raise UsageError(
            "--out and --against exclude each other: what a snapshot shows may have changed since, so a plan made "
            "against one is never applied; save the plan of the environment itself"
        )
    given: Mapping[str, bool] = {
        "--url": target.url is not None,
        "--emulator": target.emulator,
        "--emulator-data": target.emulator_data is not None,
        "--device-code": target.device_code,
        "--ca-bundle": target.ca_bundle is not None,
        "--healthbot-resource": beside.healthbot_resource is not None,
        "--require-healthbot": beside.require_healthbot,
    }
    for option, is_given in given.items():
        if is_given:
            raise UsageError(f"{option} and --against exclude each other: a snapshot is looked at, and nothing is sent")


def _remarks(playbook: Playbook) -> tuple[Note, ...]:
    bot = playbook.health_bot
    if bot is None or not playbook.scenarios:
        return ()
    from d365setup.healthbot.portal import Portal  # noqa: PLC0415  # few playbooks have scenarios

    told = "its scenarios are not looked at: a snapshot holds nothing of the Health Bot"
    return (Note("warning", ResourceId("health_bot", Portal.parse(bot.portal).tenant), told, bot.source),)
