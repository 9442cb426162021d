"""Bots to check: a backup in which everything is well, and what can be done to one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from d365setup.audit import Audit
from d365setup.healthbot import StoredScenario, import_body
from d365setup.healthbot.checking import Seen, checked
from d365setup.healthbot.collecting import of_backup
from d365setup.healthbot.generate import generate
from d365setup.intended import of_playbook
from d365setup.kinds import discover, specs
from d365setup.playbook import Playbook, load_file

ROOT = Path(__file__).parents[2]
PLAYBOOKS = ROOT / "playbooks"
SAMPLES = Path(__file__).parent / "samples"
Bot = dict[str, Any]


@cache
def playbook(name: str = "health-bot.yaml") -> Playbook:
    """A shipped one, with its examples."""
    return load_file(PLAYBOOKS / name, specs(discover()), {}, {}, examples=True)


def in_backup(scenario: StoredScenario) -> Bot:
    """A scenario as a backup holds it: its graph is an object, and more is told of it."""
    told = {"RowKey": "1", "active": True, "updated": "2026-01-01T00:00:00.000Z", "userDisplayName": ""}
    return {**import_body(scenario), **told, "code": json.loads(import_body(scenario)["code"])}


def bot(scenarios: Iterable[StoredScenario] | None = None) -> Bot:
    """A backup in which everything is well, with these scenarios, or the playbook's."""
    made = generate(playbook()) if scenarios is None else tuple(scenarios)
    found: Bot = json.loads((SAMPLES / "backup-skeleton.json").read_text(encoding="utf-8"))
    handlers = {f"intent {each.trigger}": {"handler": f"/scenarios/{each.trigger}"} for each in made}
    found["scenarios"] = [in_backup(each) for each in made]
    found["configuration"]["language_understanding"]["intent_handler_map"] = handlers
    found["configuration"]["handoff"]["omnichannel"] = {"bridge": True}
    found["configuration"]["dataRetentionDays"] = 30
    return found


def text(found: Mapping[str, Any]) -> str:
    """As the portal writes it."""
    return json.dumps(found, indent=1)


def audit(found: Mapping[str, Any], wished: Playbook | None = None) -> Audit:
    """What the check comes to."""
    wished = wished or playbook()
    return checked(Seen(wished, of_playbook(wished), of_backup(text(found), "backup.json", "backup")))


def script(found: Bot, to: str, trigger: str = "escalate_nurse") -> Bot:
    """The same bot with another script in the step that hands over."""
    of(found, trigger)["code"]["steps"][1]["onInit"] = to
    return found


def of(found: Bot, trigger: str = "escalate_nurse") -> Bot:
    """The scenario with this trigger."""
    return next(each for each in found["scenarios"] if each["scenario_trigger"] == trigger)


def steps(found: Bot, trigger: str = "escalate_nurse") -> list[dict[str, Any]]:
    """The steps of its graph."""
    listed: list[dict[str, Any]] = of(found, trigger)["code"]["steps"]
    return listed


def handing_over(context: str, summary: str = "'Patient asked for a nurse'") -> str:
    """A script that hands this context over, as people write it."""
    return (
        f"session.sendChannelData({summary}, {{ tags: JSON.stringify({{ type: 'Escalate', context: {context} }}) }});"
    )
