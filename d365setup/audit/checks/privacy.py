"""What is handed over with a conversation: names that tell of identity or illness, and texts that give it away.

A playbook's scenarios hand over constants, so that no patient's words can be in them. What can be seen is a name that
asks for such words, a constant that looks like somebody's data, and a text that was meant to be filled in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, about_variable, check, finding
from d365setup.audit.checks.handed_over import about_scenario
from d365setup.audit.findings import Subject, Unchecked
from d365setup.playbook import Playbook, Scenario

BACKUP = "what the bot's own scenarios send is in the bot: `d365setup healthbot check` looks there"
IDENTITY_KEYS = ("Name", "Email", "Phone", "CaseNumber")  # each makes Omnichannel link a record

# Parts of a name, as words: `PatientName`, `date_of_birth` and `Your symptoms?` all hold one.
_TELLING = (
    ("patient", "name"), ("first", "name"), ("last", "name"), ("full", "name"), ("birth",), ("birthday",), ("dob",),
    ("ssn",), ("social", "security"), ("mrn",), ("insurance",), ("passport",), ("address",), ("symptom",),
    ("symptoms",), ("diagnosis",), ("diagnoses",), ("medication",), ("medications",), ("medicine",), ("allergy",),
    ("allergies",), ("condition",), ("complaint",), ("disease",), ("illness",), ("pregnant",), ("pregnancy",),
)  # fmt: skip
_PERSONAL = (
    (re.compile(r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}"), "an e-mail address"),
    (re.compile(r"\d{3}-\d{2}-\d{4}"), "a social security number"),
    (re.compile(r"(?:19|20)\d\d-\d\d-\d\d"), "a date, such as one of birth"),
    (re.compile(r"\+?\d[\d ()/-]{7,}\d"), "a telephone number"),
)
_EXPRESSION = re.compile(r"\b(?:scenario|user|conversation|session)\s*[.\[]|\$\{|\{\{|<[A-Za-z_ ]+>|\bgetEnv\(")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@check("C01")
def health_data_in_context(seen: Seen) -> Iterator[Result]:
    """No context variable asks for who the patient is or what is wrong with them."""
    for subject, name in _names(seen):
        if telling(name):
            told = "its name asks for what tells who a patient is or what is wrong with them"
            yield finding("C01", subject, told, level="warning", variable=name)
    for scenario in _escalating(seen.playbook):
        for name, value in scenario.escalate.context.items() if scenario.escalate else ():
            what = personal(str(value))
            if what:
                told = f"the value it hands over as {name} looks like {what}"
                yield finding("C01", about_scenario(scenario), told, variable=name)
    yield Unchecked("C01", BACKUP)


@check("C02")
def identity_keys(seen: Seen) -> Iterator[Result]:
    """Four names make Omnichannel link a record to the conversation."""
    for subject, name in _names(seen):
        if name in IDENTITY_KEYS:
            told = "it has one of the names by which Omnichannel links a customer or case to the conversation"
            yield finding("C02", subject, told, level="info", variable=name)
    for scenario in _escalating(seen.playbook):
        for name in scenario.escalate.context if scenario.escalate else ():
            if name in IDENTITY_KEYS:
                told = (
                    f"it hands over {name} as a constant: every conversation is linked to the same record, or to none"
                )
                yield finding("C02", about_scenario(scenario), told, variable=name)


@check("C03")
def clinical_summary(seen: Seen) -> Iterator[Result]:
    """The summary for the person who takes over is a fixed text that gives nothing away."""
    for scenario in _escalating(seen.playbook):
        summary = scenario.escalate.summary if scenario.escalate else ""
        what = "what a script would fill in" if _EXPRESSION.search(summary) else personal(summary)
        if what:
            yield finding("C03", about_scenario(scenario), f"its summary holds {what}", summary=summary[:200])
    yield Unchecked("C03", BACKUP)


def telling(name: str) -> bool:
    """Whether a name is one for a patient's identity or health."""
    words = [word.lower() for word in _WORD.findall(name)]
    runs = {tuple(words[at : at + size]) for size in (1, 2) for at in range(len(words))}
    return any(each in runs for each in _TELLING)


def personal(text: str) -> str:
    """What of a person's data a text looks like; "" for nothing."""
    return next((what for pattern, what in _PERSONAL if pattern.search(text)), "")


def _names(seen: Seen) -> Iterator[tuple[Subject, str]]:
    """Every name under which a work stream's conversations carry a value."""
    for stream in seen.workstreams:
        names = [*(each.name for each in stream.variables or ()), *(each.name for each in stream.questions or ())]
        for name in dict.fromkeys(names):
            yield about_variable(stream, name), name


def _escalating(playbook: Playbook | None) -> Iterator[Scenario]:
    return (each for each in (playbook.scenarios if playbook else ()) if each.escalate)
