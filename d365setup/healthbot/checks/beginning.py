"""Whether what the playbook wants is on the bot, is begun by somebody, and reaches Omnichannel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from d365setup.audit.checking import Result, finding
from d365setup.audit.findings import Level, Subject, Unchecked
from d365setup.healthbot.checking import Seen, about_bot, about_scenario, check, needs_backup
from d365setup.healthbot.collected import Found
from d365setup.healthbot.walking import CALLING, called

# Not documented: the name follows the portal's other settings, and was seen in no public backup (`docs/healthbot.md`).
BRIDGE = ("handoff", "omnichannel", "bridge")
_FOLDER = "a folder may hold only some of the bot's scenarios; a backup (--backup) or the bot itself (--live) tells"


@check("H01")
def bridge(seen: Seen) -> Iterator[Result]:
    """What the bot says reaches the patient: messages are bridged."""
    yield from needs_backup("H01", seen)
    if seen.bot.backup is None:
        return
    found, name = seen.bot.backup.setting(*BRIDGE), ".".join(BRIDGE)
    if found is False:
        told = "messages are not bridged to Omnichannel: patients do not see what the bot says"
        yield finding("H01", about_bot(seen), told, setting=f"{name} = off")
    elif found is not True:
        why = "is not in the backup" if found is None else f"is {_short(found)} there, which is not understood"
        told = f"cannot verify: the setting `{name}` {why}, and its name is not documented; look into the portal"
        yield Unchecked("H01", f"{told} (`d365setup healthbot checklist` says where)")


@check("H04")
def begun(seen: Seen) -> Iterator[Result]:
    """Each scenario is begun by an intent, by another scenario or by a setting."""
    yield from needs_backup("H04", seen)
    if seen.bot.backup is None:
        return
    mentioned = frozenset(_mentions(seen.bot.backup.configuration, seen.bot.triggers)) | _begun_by_scenarios(seen)
    computed = _computed(seen)
    for found in seen.bot.scenarios:
        if found.scenario.trigger in mentioned:
            continue
        told = f"no intent, no scenario and no setting begins it (trigger {found.scenario.trigger})"
        if computed:
            why = f"{told}, but {computed} computes which scenario it begins"
            yield Unchecked("H04", why, about_scenario(found))
        else:
            level: Level = "warning" if _is_wanted(seen, found) else "info"
            yield finding("H04", about_scenario(found), told, level=level, trigger=found.scenario.trigger)


@check("H05")
def present(seen: Seen) -> Iterator[Result]:
    """Each scenario that the playbook describes is on the bot, by name and by trigger."""
    names = {each.scenario.name: each for each in seen.bot.scenarios}
    triggers = {each.scenario.trigger: each for each in seen.bot.scenarios}
    for wanted in seen.playbook.scenarios:
        subject = Subject("scenario", wanted.name, source=wanted.source)
        named, begun_so = names.get(wanted.name), triggers.get(wanted.trigger)
        if named is not None and named.scenario.trigger != wanted.trigger:
            told = f"its trigger is {named.scenario.trigger!r}, and the playbook calls it {wanted.trigger!r}"
            yield finding("H05", about_scenario(named, named.place()), told, playbook=wanted.source)
        elif named is None and begun_so is not None:
            told = f"its trigger {wanted.trigger} is that of another scenario: {begun_so.scenario.name!r}"
            yield finding("H05", subject, told, found_in=begun_so.place() if begun_so.text else seen.bot.name)
        elif named is None and not seen.bot.is_whole:
            yield Unchecked("H05", f"it is not here, and {_FOLDER}", subject)
        elif named is None:
            yield finding("H05", subject, f"it is not on the bot ({seen.bot.name})", trigger=wanted.trigger)


@check("H06")
def active(seen: Seen) -> Iterator[Result]:
    """Each scenario that hands over or ends is active."""
    for found in seen.bot.scenarios:
        if not _is_wanted(seen, found):
            continue
        if found.scenario.active is None:
            told = "whether it is active is not told: a file made for an import leaves that out"
            yield Unchecked("H06", told, about_scenario(found))
        elif not found.scenario.active:
            yield finding("H06", about_scenario(found), "it is switched off", trigger=found.scenario.trigger)


@check("H07")
def leading_somewhere(seen: Seen) -> Iterator[Result]:
    """Whatever an intent or a step begins is there."""
    yield from needs_backup("H07", seen)
    if seen.bot.backup is None:
        return
    for intent, trigger in seen.bot.backup.handlers.items():
        if trigger and trigger not in seen.bot.triggers:
            told = f"the intent {intent!r} begins {trigger}, and no scenario has that trigger"
            yield finding("H07", about_bot(seen), told, intent=intent, trigger=trigger)
    for found in seen.bot.scenarios:
        for step in found.scenario.graph.steps:
            trigger = called(step)
            if trigger and trigger not in seen.bot.triggers:
                told = f"the step {step.label or step.id!r} begins {trigger}, and no scenario has that trigger"
                yield finding("H07", about_scenario(found, found.place(step)), told, trigger=trigger)


def _is_wanted(seen: Seen, found: Found) -> bool:
    """Whether it hands over or ends, or the playbook describes it."""
    trigger = found.scenario.trigger
    declared = any(trigger == each.trigger or found.scenario.name == each.name for each in seen.playbook.scenarios)
    return declared or trigger in seen.triggers_handing_over


def _begun_by_scenarios(seen: Seen) -> frozenset[str]:
    """Triggers that steps begin, or that scripts name as the bot's own code does (`/scenarios/…`)."""
    steps = [(found, step) for found in seen.bot.scenarios for step in found.scenario.graph.steps]
    begun_so = {called(step) for found, step in steps if called(step) != found.scenario.trigger}
    scripts = [step.raw.get("onInit") for _, step in steps]
    named = {name for each in scripts for name in _mentions(each, seen.bot.triggers, whole=False)}
    return frozenset(begun_so | named)


def _computed(seen: Seen) -> str:
    """A step that begins a scenario nobody can tell beforehand; "" where there is none."""
    for found in seen.bot.scenarios:
        for step in found.scenario.graph.steps:
            if step.type in CALLING and not called(step):
                return f"the step {step.label or step.id!r} of {found.scenario.name!r}"
    return ""


def _mentions(value: Any, triggers: frozenset[str], *, whole: bool = True) -> Iterator[str]:
    """The triggers that texts in here name: as `/scenarios/…`, or (``whole``) alone."""
    if isinstance(value, str):
        parts = value.split("/scenarios/")[1:]
        names = ["".join(_until_end(part)) for part in parts] + ([value] if whole else [])
        yield from (name for name in names if name in triggers)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _mentions(each, triggers, whole=whole)
    elif isinstance(value, list):
        for each in value:
            yield from _mentions(each, triggers, whole=whole)


def _until_end(part: str) -> Iterator[str]:
    """The characters of a trigger at the beginning of a text."""
    for char in part:
        if not (char.isalnum() or char in "_.-"):
            return
        yield char


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
