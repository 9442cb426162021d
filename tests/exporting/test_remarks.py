"""What format 1 has no word for: told in a comment at its place with the reason, and left as it is by any apply."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from d365setup.outcome import Status
from tests.engine.driver import applied, decided
from tests.exporting.driver import export
from tests.survey import rule_text
from tests.survey.rule_text import compares, equals, rule, sends, sets, splits
from tests.survey.site import BOOLEAN, Site

OVERFLOWS = "prequeue_overflow_ruleset.msdyn_decisionruleset.msdyn_decisionrulesetid"
SETTLED = "versionnumber", "modifiedon", "_modifiedby_value"  # of a row that something else of was written

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """An environment with a queue, a work stream and two rules, between which something can be put."""

    here: Site
    nurses: str
    billing: str
    chat: str

    def rules_with(self, *between: str, hit_policy: str = "all", **columns: Any) -> str:
        """The two rules and these between them; the rule set's id."""
        first = rule("First", equals("Topic", "no"), sends(self.nurses))
        text = rule_text.text([first, *between, rule("Last", None, sends(self.billing))], hit_policy)
        return self.here.make_rule_text(self.chat, text, **columns)


@dataclass(frozen=True)
class Case:
    """``make`` answers the rows that must stay; the comment stands below ``below`` and above ``above``."""

    make: Callable[[Place], list[tuple[str, str]]]
    words: tuple[str, ...]
    about: str
    state: str
    below: str = "- name: Nurses"
    above: str = "workstreams:"


def overflow(where: str, *line: Any) -> Callable[[Place], list[tuple[str, str]]]:
    def make(place: Place) -> list[tuple[str, str]]:
        found = place.here.make_overflow(place.nurses, [line], inqueue=where == "in")
        place.rules_with()
        return [("msdyn_decisionrulesets", found)]

    return make


def hours(place: Place) -> list[tuple[str, str]]:
    found = place.here.make_hours("Office hours")
    place.here.change(
        "queues", place.nurses, **place.here._bind("msdyn_operatinghourid", "msdyn_operatinghours", found)
    )
    place.rules_with()
    return [("msdyn_operatinghours", found)]


def own_bot(place: Place) -> list[tuple[str, str]]:
    bot = place.here.make_bot("Greeter", msdyn_botprovider=192350001, accessmode=4)
    place.here.change("msdyn_liveworkstreams", place.chat, **place.here._bind("msdyn_bot_user", "systemusers", bot))
    place.rules_with()
    return [("msdyn_liveworkstreams", place.chat)]


def profile(place: Place) -> list[tuple[str, str]]:
    place.rules_with()
    found = place.here.make_profile("Chats at once", 3)
    place.here.attach_profile(place.chat, found)
    return [("msdyn_capacityprofiles", found), ("msdyn_liveworkstreams", place.chat)]


def step(kind: str, *rules: str) -> Callable[[Place], list[tuple[str, str]]]:
    def make(place: Place) -> list[tuple[str, str]]:
        found = place.here.make_rule_text(place.chat, rule_text.text(rules), step=kind)
        place.rules_with()
        return [("msdyn_decisionrulesets", found)]

    return make


def question(place: Place) -> list[tuple[str, str]]:
    place.rules_with()
    return [("msdyn_surveyquestions", place.here.ask(place.chat, "Age"))]


def legacy(place: Place) -> list[tuple[str, str]]:
    place.rules_with()
    return [("msdyn_ocruleitems", place.here.make_legacy_rule(place.chat, "Old times", place.nurses))]


def policy(place: Place) -> list[tuple[str, str]]:
    place.rules_with(hit_policy="first")
    return []


def boolean(place: Place) -> list[tuple[str, str]]:
    place.rules_with()
    found = place.here.make_variable(place.chat, "Consent", BOOLEAN)
    return [("msdyn_ocliveworkstreamcontextvariables", found)]


def between(*rules: Callable[[Place], str]) -> Callable[[Place], list[tuple[str, str]]]:
    def make(place: Place) -> list[tuple[str, str]]:
        place.rules_with(*(each(place) for each in rules))
        return []

    return make


def on_rule(name: str) -> dict[str, str]:
    return {"about": f"routing_rule:Patient chat/{name}", "below": "name: First", "above": "name: Last"}


STREAM = {"about": "workstream:Patient chat", "state": "in part", "below": "routing_rules:", "above": ""}
QUEUE = {"about": "queue:Nurses", "state": "in part"}

CASES = {
    "overflow before a queue": Case(
        overflow("before", "work items", 7, "end conversation", ""),
        ("overflow before the queue (work items: end conversation)", "no word for overflow"),
        **QUEUE,
    ),
    "overflow in a queue": Case(
        overflow("in", "waited", 60, "assign anyway", ""),
        ("overflow in the queue (waited: assign anyway)", "no word for overflow"),
        **QUEUE,
    ),
    "hours": Case(hours, ("operating hours 'Office hours' stay", "no word for hours"), **QUEUE),
    "a bot of the work stream's own": Case(own_bot, ("a bot of its own, which meets new conversations",), **STREAM),
    "capacity profiles": Case(profile, ("capacity by profiles (Chats at once)",), **STREAM),
    "skills": Case(step("skills", rule("Skill", None, sets("skill", "x"))), ("the finding of skills",), **STREAM),
    "a group of agents": Case(
        step("agent group", rule("Group", None, sets("group", "x"))), ("the choice of a group of agents",), **STREAM
    ),
    "classification": Case(
        step("classification", rule("Class", None, sets("msdyn_ocliveworkitem.x", "1"))),
        ("work classification (Rules", ": 1 rule)"),
        **STREAM,
    ),
    "a question": Case(question, ("1 question asked before a conversation",), **STREAM),
    "a rule of legacy routing": Case(legacy, ("1 rule of legacy routing",), **STREAM),
    "a hit policy": Case(policy, ("the hit policy 'first' of its rules",), **STREAM),
    "a variable of another type": Case(
        boolean,
        ("The variable Consent is left out: it is of type boolean",),
        "context_variable:Patient chat/Consent",
        "left out",
        "context_variables:",
        "routing_rules:",
    ),
    "an operator nobody knows": Case(
        between(lambda place: rule("Sounds like", compares("Topic", "sounds-like", "bill"), sends(place.nurses))),
        ("Here stands the rule 'Sounds like', which stays as it is", "sounds-like"),
        state="left out",
        **on_rule("Sounds like"),
    ),
    "a percentage split": Case(
        between(lambda place: rule("Halves", None, splits([(place.nurses, 50), (place.billing, 50)]))),
        ("Here stands the rule 'Halves', which stays as it is", "no single queue (percentage split)"),
        state="left out",
        **on_rule("Halves"),
    ),
    "a rule that sets something else": Case(
        between(lambda _: rule("Elsewhere", None, sets("assign_to.skill", "x"))),
        ("the rule 'Elsewhere'", "no single queue (sets assign_to.skill)"),
        state="left out",
        **on_rule("Elsewhere"),
    ),
    "a rule without a name": Case(
        between(lambda place: rule("", None, sends(place.nurses), "99999999-cccc-4ccc-8ccc-000000000001")),
        ("the rule '99999999-cccc-4ccc-8ccc-000000000001', which stays as it is: its name",),
        state="left out",
        **on_rule("99999999-cccc-4ccc-8ccc-000000000001"),
    ),
    "overflow of a rule": Case(
        between(
            lambda place: rule(
                "Crowded",
                equals("Topic", "x"),
                sends(place.nurses) + sets(OVERFLOWS, "{99999999-cccc-4ccc-8ccc-00000000000f}"),
            )
        ),
        ("The overflow setting of the next rule stays as it is",),
        state="in part",
        **on_rule("Crowded"),
    ),
}


def comments(text: str) -> str:
    """Every comment, as one text."""
    return " ".join(line.strip().removeprefix("# ") for line in text.splitlines() if line.strip().startswith("#"))


def of_rules(site: Site) -> list[str]:
    """Every rule there is, as stored, without those two that a playbook has."""
    texts = [text for (text,) in site.emulator.sql("SELECT msdyn_rulesetdefinition FROM msdyn_decisionruleset") if text]
    found = [each for text in texts for each in text.split("<rules>")[1].split("</rules>")[0].split("</rule>")]
    return [each for each in found if each and 'name="First"' not in each and 'name="Last"' not in each]


def rows(site: Site, wanted: list[tuple[str, str]]) -> list[Row]:
    """These rows as the Web API shows them."""
    found = []
    for entity_set, row_id in wanted:
        reply = site.session.get(f"{site.root}{entity_set}({row_id})", timeout=10)
        assert reply.status_code == 200, reply.text
        found.append({key: value for key, value in reply.json().items() if key not in SETTLED and "etag" not in key})
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_told_where_it_stands_and_nobody_touches_it(case: Case, here: Site) -> None:
    nurse = here.make_person("nurse.one@contoso.example")
    nurses, billing = here.make_queue("Nurses", members=[nurse]), here.make_queue("Billing")
    chat = here.make_workstream("Patient chat", fallback=nurses)
    here.make_variable(chat, "Topic")
    wanted = case.make(Place(here, nurses, billing, chat))
    found = export(here.emulator, "--out", "it.yaml", "--report", "it.json")
    assert found.code == 0, found.err
    text = Path("it.yaml").read_text(encoding="utf-8")
    section = text[text.index(case.below) :]
    told = comments(section[: section.index(case.above)] if case.above else section)
    assert [words for words in case.words if words not in told] == []
    account = json.loads(Path("it.json").read_text(encoding="utf-8"))
    said = [
        e for e in account["untouched"] if f"{e['kind']}:{e['key']}" == case.about and case.words[0] in e["message"]
    ]
    assert [each["state"] for each in said] == [case.state]
    kept = (rows(here, wanted), of_rules(here))
    for name, value in found.named.items():
        text = text.replace(f"'${{{name}}}'", value)
    assert decided(here.emulator, text).plan.changes == ()
    more = text.replace("priority: 1", "priority: 2").replace("{Topic: no", "{Topic: yes").replace('"no"', '"yes"')
    assert more != text
    assert set(applied(here.emulator, more).statuses.values()) == {Status.VERIFIED}
    assert (rows(here, wanted), of_rules(here)) == kept
