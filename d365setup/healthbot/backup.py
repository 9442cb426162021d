"""A Health Bot's backup: everything of a bot but its channels and portal users, in one JSON document.

Facts: one public backup in 64 versions (microsoft/ClinicalTrialsBlueprint), and the portal's own pages on backups. A
scenario's graph is an object in there, where an export holds a text. Keys that are looked at but not documented are
marked where they are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from d365setup.healthbot.graph import ScenarioError, parsed
from d365setup.healthbot.scenario import StoredScenario, read_scenario

LARGEST = 64 * 1024 * 1024  # characters; files that were uploaded to the bot are in it
MOST_SCENARIOS = 5_000
_HANDLER = "/scenarios/"


@dataclass(frozen=True)
class Backup:
    """One backup. ``raw`` is all of it, secrets included: show nothing of it that you did not choose."""

    scenarios: tuple[StoredScenario, ...]
    configuration: Mapping[str, Any] = field(hash=False, repr=False)
    localization: Mapping[str, Any] = field(hash=False, repr=False)
    raw: Mapping[str, Any] = field(hash=False, repr=False)

    def setting(self, *path: str) -> Any:
        """What stands in the configuration at this path; None where nothing does."""
        found: Any = self.configuration
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    @property
    def handlers(self) -> Mapping[str, str]:
        """The trigger each intent of the language models begins, by the intent's name; "" where it begins none."""
        handlers = self.setting("language_understanding", "intent_handler_map")
        found = handlers.items() if isinstance(handlers, Mapping) else ()
        return {intent: _trigger(each.get("handler") if isinstance(each, Mapping) else each) for intent, each in found}


def read_backup(text: str, where: str = "") -> Backup:
    """The backup in a JSON text. Raises ScenarioError, saying ``where`` and what is wrong."""
    raw = parsed(text, where, limit=LARGEST)
    mistake = next(_mistakes(raw), "") if isinstance(raw, Mapping) else "it is no JSON object"
    if mistake:
        raise ScenarioError(f"it is no backup of a Health Bot: {mistake}", where)
    listed = raw["scenarios"]
    if len(listed) > MOST_SCENARIOS:
        raise ScenarioError(f"it has {len(listed):,} scenarios, more than the {MOST_SCENARIOS:,} that are read", where)
    prefix = f"{where}: " if where else ""
    scenarios = tuple(read_scenario(each, f"{prefix}scenarios[{at}]") for at, each in enumerate(listed))
    return Backup(scenarios, raw["configuration"], raw.get("localization") or {}, raw)


def _mistakes(raw: Mapping[str, Any]) -> Iterator[str]:
    if "scenario_trigger" in raw:
        yield "it is one scenario; give the folder it is in with --scenarios"
    if not isinstance(raw.get("scenarios"), list):
        yield "it has no list of `scenarios`"
    if not isinstance(raw.get("configuration"), Mapping):
        yield "it has no `configuration`"
    if not isinstance(raw.get("localization", {}), Mapping | None):
        yield "its `localization` is no object"


def _trigger(handler: Any) -> str:
    """`/scenarios/escalate_nurse` leads to that trigger; a handler of another form to none that is known."""
    begins = isinstance(handler, str) and handler.startswith(_HANDLER)
    return handler[len(_HANDLER) :] if begins else ""
