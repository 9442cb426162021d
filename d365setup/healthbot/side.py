"""Scenarios as a kind: what the playbook wants in the Health Bot against what is there. Pure.

A kind as `plan.decide` knows them, beside those of Dataverse. Scenarios are found by name, because an import overwrites
by name. The management API can neither delete a scenario nor switch one on: such a step is a person's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from urllib.parse import quote

from d365setup.healthbot.generate import first_step, generate
from d365setup.healthbot.meaning import changed, said
from d365setup.healthbot.scenario import StoredScenario, import_body
from d365setup.model import Action, Change, FieldChange, Live, LiveState, Named, Note, Spec, Stage, Write
from d365setup.playbook import Playbook
from d365setup.scope import Scope

KIND = "scenario"
_SCENARIOS = "/scenarios/"
UNDELETABLE = (
    "delete the scenario in the Health Bot's portal, under Scenarios: its management API has no call that would"
)
SWITCHED_OFF = "switch the scenario on in the Health Bot's portal, under Scenarios: its management API has no such call"


@dataclass(frozen=True, kw_only=True)
class WantedScenario(Spec):
    """A scenario, as a playbook wants it or as the bot holds it."""

    kind: ClassVar[str] = KIND

    stored: StoredScenario


def wanted(playbook: Playbook) -> tuple[WantedScenario, ...]:
    """One for each entry of `scenarios`. Raises PlaybookError for what no message could carry."""
    pairs = zip(generate(playbook), playbook.scenarios, strict=True)
    return tuple(WantedScenario(name=made.name, stored=made, source=entry.source) for made, entry in pairs)


def seen(live: LiveState, found: Sequence[StoredScenario]) -> LiveState:
    """The live state with these scenarios in it."""
    lives = tuple(_live(each, place) for place, each in enumerate(found, 1))
    names = tuple(Named(KIND, each.spec.identity, each.spec.name, each.row_id) for each in lives)
    return replace(live, lives=(*live.lives, *lives), facts=(*live.facts, *names))


def _live(stored: StoredScenario, place: int) -> Live[WantedScenario]:
    return Live(WantedScenario(name=stored.name, stored=stored), stored.id or f"number {place}", version(stored))


def version(stored: StoredScenario) -> str:
    """A hash of all an import would overwrite, whatever the order of keys: the service has no versions of its own."""
    told = json.dumps([stored.name, stored.trigger, stored.description, stored.graph.raw], sort_keys=True)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Scenarios:
    """What planning needs of this kind; ``portal`` is the link of the bot, ``specs`` what the playbook declares."""

    portal: str
    specs: tuple[WantedScenario, ...] = ()

    kind: ClassVar[str] = KIND
    changes_users: ClassVar[bool] = False
    fate: ClassVar[str] = ""
    unmarked: ClassVar[str] = "this playbook did not make it"

    def resolve(self, desired: WantedScenario, scope: Scope) -> Iterator[WantedScenario | Note]:
        """As it is; a trigger can start one scenario only."""
        yield desired
        for live in scope.live.of(WantedScenario):
            if live.spec.stored.trigger == desired.stored.trigger and live.spec.name != desired.name:
                told = (
                    f"the Health Bot has the trigger {desired.stored.trigger!r} in its scenario {live.spec.name!r}: "
                    "write that name here, or delete or rename that one in the portal"
                )
                yield Note("error", desired.id, told, desired.source)

    def removals(self, scope: Scope) -> Iterator[Live[WantedScenario]]:
        """Nothing: a playbook cannot ask for it."""
        del scope
        yield from ()

    def strays(self, scope: Scope) -> Iterator[Live[WantedScenario]]:
        """For destroy, what begins with this playbook's step, declared or not. Pruning leaves scenarios alone."""
        if scope.prune is None or not scope.prune.everything:
            return
        for live in scope.live.of(WantedScenario):
            if _first(live.spec) == first_step(scope.ids.playbook, live.spec.name):
                yield live

    def diff(self, desired: WantedScenario | None, live: Live[WantedScenario] | None) -> Change | None:
        """What an import would change; what only a person can do is a manual step."""
        if desired is not None and live is not None:
            return _updated(desired, live)
        if desired is not None:
            return Change(Action.CREATE, desired.id, desired, tuple(said(desired.stored)))
        if live is not None:
            return Change(Action.DELETE, live.spec.id, live.spec, row_id=live.row_id, manual=UNDELETABLE)
        return None

    def writes(self, changes: Sequence[Change], scope: Scope) -> Iterator[Write]:
        """One for each scenario to import, with what it overwrites."""
        for change in changes:
            spec: Any = change.desired
            live = scope.live.find(KIND, spec.identity)
            if not change.manual:
                yield written(self.portal, change, spec.stored, live.spec.stored if live else None)


def _updated(desired: WantedScenario, live: Live[WantedScenario]) -> Change | None:
    fields = tuple(changed(live.spec.stored, desired.stored))
    manual = "" if fields or live.spec.stored.active is not False else SWITCHED_OFF
    if manual:
        fields = (FieldChange("active", before=False, after=True),)
    if not fields:
        return None
    return Change(Action.UPDATE, desired.id, desired, fields, row_id=live.row_id, etag=live.etag, manual=manual)


def written(portal: str, change: Change, stored: StoredScenario, overwritten: StoredScenario | None) -> Write:
    """The import of one scenario. The condition is checked by us, right before: the service knows none."""
    path = f"{portal}{_SCENARIOS}{quote(stored.name, safe='')}"
    condition = {"If-Match": version(overwritten)} if overwritten else {"If-None-Match": "*"}
    before = import_body(overwritten) if overwritten else None
    return Write(Stage.ROUTES, "POST", path, import_body(stored), (change.id,), condition, before=before)


def portal_in(path: str) -> str:
    """The link of the bot that an import went to, by the address a journal knows it by."""
    return path.rpartition(_SCENARIOS)[0]


def is_as_expected(condition: Mapping[str, str], found: StoredScenario | None) -> bool:
    """Whether what is there now is what an import was planned against."""
    if found is None:
        return "If-None-Match" in condition
    return condition.get("If-Match") == version(found)


def _first(spec: WantedScenario) -> str:
    """The id of the step it begins with: made from the playbook's name and its own, so it tells whose it is."""
    steps = spec.stored.graph.steps
    return steps[0].id if steps else ""
