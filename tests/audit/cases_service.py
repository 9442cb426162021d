"""Findings about what queues and people can take, and what the service limits: R23 to R25, R27 to R31, C15."""

from __future__ import annotations

from collections.abc import Callable

from tests.audit.harness import Act, Case, Handoff
from tests.survey import rule_text
from tests.survey.rule_text import equals, has_value
from tests.survey.site import NUMBER

CHAT = "workstream:Patient chat"
NURSES = "queue:Nurses"

PLAYBOOK = """
bot_users:
  - {name: Health Bot, application_id: 5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f, existing: true}
queues:
  - name: Nurses
    members: [nurse.one@contoso.example]
workstreams:
  - name: Patient chat
    fallback_queue: Nurses
    context_variables: [{name: Topic, type: text}]
    routing_rules:
      - {name: Any hand-off, when: {variable: Topic, operator: has a value}, queue: Nurses}
scenarios:
  - name: Escalate to billing
    trigger: escalate_billing
    say: One moment please.
    escalate: {summary: A question about an invoice, context: {Topic: Billing}}
"""


def routed(*rules: tuple[str, str | None, Callable[[Handoff], str]]) -> Act:
    """Replace the rules of the work stream."""
    return lambda here: here.site.set_rules(
        here.rules, rule_text.text(rule_text.rule(name, when, rule_text.sends(to(here))) for name, when, to in rules)
    )


def nurses(here: Handoff) -> str:
    return here.nurses


def bots(here: Handoff) -> str:
    return here.bots


SOUND = (("Any hand-off", has_value("Topic"), nurses), ("Bot first", None, bots))
MANY = tuple((f"Topic {number}", equals("Topic", f"T{number}"), nurses) for number in range(199))
PEOPLE_ONLY = ("Everyone", None, nurses)  # no rule to fall through to when the queue overflows
FEWER = ("Any hand-off", has_value("Topic"), nurses)


def classified(count: int, outputs: int = 1) -> Act:
    """A classification rule set of so many rules, each setting so many values."""
    action = "".join(rule_text.sets(f"msdyn_ocliveworkitem.new_value{number}", "x") for number in range(outputs))
    text = rule_text.text(rule_text.rule(f"Rule {n}", equals("Topic", f"T{n}"), action) for n in range(count))

    def act(here: Handoff) -> None:
        if "classification" in here.made:
            here.site.set_rules(here.made["classification"], text)
        else:
            here.made["classification"] = here.site.make_rule_text(here.chat, text, step="classification")

    return act


def reaching(path: str, count: int = 1) -> Act:
    """A classification rule whose conditions reach over relationships."""
    compared = f'<lhs type="attribute">msdyn_ocliveworkitem.{path}</lhs><rhs type="staticvalue">x</rhs>'
    conditions = [f'<condition operator="==">{compared.format(n)}</condition>' for n in range(count)]
    action = rule_text.sets("msdyn_ocliveworkitem.new_value", "x")
    text = rule_text.text([rule_text.rule("Far away", "".join(conditions), action)])

    def act(here: Handoff) -> None:
        here.made["classification"] = here.site.make_rule_text(here.chat, text, step="classification")

    return act


def many_sets(here: Handoff) -> None:
    text = rule_text.text([rule_text.rule("One", equals("Topic", "x"), rule_text.sets("msdyn_ocliveworkitem.a", "x"))])
    here.made["sets"] = [here.site.make_rule_text(here.chat, text, step="classification") for _ in range(11)]


def one_set_less(here: Handoff) -> None:
    query = "msdyn_routingconfigurationsteps?$select=msdyn_routingconfigurationstepid&$filter="
    (step,) = here.site.rows(f"{query}_msdyn_rulesetid_value eq {here.made['sets'][0]}")
    here.site.delete("msdyn_routingconfigurationsteps", step["msdyn_routingconfigurationstepid"])


def asked(here: Handoff) -> None:
    here.site.make_variable(here.chat, "Severity", NUMBER)
    here.made["question"] = here.site.ask(here.chat, "Severity")


def not_asked(here: Handoff) -> None:
    here.site.delete("msdyn_surveyquestions", here.made["question"])


def managed(table: str, row: Callable[[Handoff], str], **columns: int) -> Act:
    """What only a solution import does."""
    return lambda here: here.site.emulator.change(table, row(here), **columns)


def chat(here: Handoff) -> str:
    return here.chat


def rules(here: Handoff) -> str:
    return here.rules


def capacity(units: int) -> Act:
    return lambda here: here.site.change("systemusers", here.nurse, msdyn_capacity=units)


def circle(here: Handoff) -> None:
    routed(PEOPLE_ONLY)(here)
    desk = here.made["desk"] = here.site.make_queue("Desk", members=[here.nurse])
    here.site.make_overflow(here.nurses, [("waited", 300, "transfer", desk)], inqueue=True)
    here.made["back"] = here.site.make_overflow(desk, [("waited", 300, "transfer", here.nurses)], inqueue=True)


def no_circle(here: Handoff) -> None:
    """The desk hands on no more; it ends what waits too long."""
    config = here.site.make_overflow_action("end conversation")
    here.site.set_rules(here.made["back"], rule_text.text([rule_text.overflow_rule("Rule1", "waited", 300, config)]))


def half_circle(here: Handoff) -> None:
    """One way because the queue is full, back because somebody waited."""
    routed(PEOPLE_ONLY)(here)
    desk = here.made["desk"] = here.site.make_queue("Desk", members=[here.nurse])
    here.site.make_overflow(here.nurses, [("work items", 50, "transfer", desk)])
    here.made["back"] = here.site.make_overflow(desk, [("waited", 300, "transfer", here.nurses)], inqueue=True)


def disabled(here: Handoff) -> None:
    here.site.change("systemusers", here.nurse, isdisabled=True)


def enabled(here: Handoff) -> None:
    here.site.change("systemusers", here.nurse, isdisabled=False)


def desk_for_billing(person: Act) -> Act:
    """A queue of its own for one topic, so that the fallback queue stays sound."""

    def act(here: Handoff) -> None:
        here.made["desk"] = here.site.make_queue("Desk")
        person(here)
        routed(("Billing", equals("Topic", "Billing"), lambda found: str(found.made["desk"])), *SOUND)(here)

    return act


def clerk(**told: object) -> Act:
    def act(here: Handoff) -> None:
        here.made["clerk"] = here.site.make_person("clerk.one@contoso.example", queue=here.made["desk"], **told)  # type: ignore[arg-type]

    return act


def of_clerk(**columns: object) -> Act:
    return lambda here: here.site.change("systemusers", here.made["clerk"], **columns)


def role_for_clerk(here: Handoff) -> None:
    here.site.give_role(here.made["clerk"], "Omnichannel agent")


def closed_at_night(here: Handoff) -> None:
    routed(PEOPLE_ONLY)(here)
    hours = here.site.make_hours("Office hours")
    here.site.change("queues", here.nurses, **{"msdyn_operatinghourid@odata.bind": f"/msdyn_operatinghours({hours})"})


def told_at_night(here: Handoff) -> None:
    here.site.make_overflow(here.nurses, [("out of hours", None, "end conversation", "")])


def always_open(here: Handoff) -> None:
    here.site.change("queues", here.nurses, **{"msdyn_operatinghourid@odata.bind": None})


CASES = (
    Case(
        "R23", "201 rules", CHAT, routed(*MANY, *SOUND), routed(*MANY, FEWER), "warning", "201",
    ),
    Case("R23", "101 classification rules", CHAT, classified(101), classified(100), "warning", "101"),
    Case("R23", "six values of one rule", CHAT, classified(1, 6), classified(1, 5), "warning", "6 values"),
    Case("R23", "eleven classification rule sets", CHAT, many_sets, one_set_less, "warning", "11"),
    Case("R23", "15 relationships", CHAT, reaching("r{0}.name", 15), classified(1), "warning", "15 relationships"),
    Case("R23", "three relationships deep", CHAT, reaching("a.b.c.name"), classified(1), "warning", "3 relationships"),
    Case(
        "R24", "a value nobody asks for", "scenario:Escalate to billing",
        routed(("Nurse", equals("Topic", "billing"), nurses), ("All", None, nurses)), routed(*SOUND),
        told="Topic=Billing", playbook=PLAYBOOK,
    ),
    Case("R25", "a number and a text", "context_variable:Patient chat/Severity", asked, not_asked, "warning"),
    Case(
        "R27", "a managed work stream", CHAT, managed("msdyn_liveworkstream", chat, ismanaged=1),
        managed("msdyn_liveworkstream", chat, ismanaged=0), playbook=PLAYBOOK,
    ),
    Case(
        "R27", "managed rules", "rule_set:Rules 2", managed("msdyn_decisionruleset", rules, ismanaged=1),
        managed("msdyn_decisionruleset", rules, ismanaged=0), playbook=PLAYBOOK,
    ),
    Case("R28", "half of it lost", NURSES, capacity(50), capacity(60), "warning", "20 are left over"),
    Case("R28", "a little lost", NURSES, capacity(100), capacity(90), "info", "10 are left over"),
    Case("R30", "by waiting", "queue:Desk", circle, no_circle, told="Desk → Nurses → Desk"),
    Case("R30", "by being full once", "queue:Desk", half_circle, no_circle, "warning", "Desk → Nurses → Desk"),
    Case(
        "R31", "everybody disabled", "queue:Desk", desk_for_billing(clerk(disabled=True)), of_clerk(isdisabled=False),
        told="disabled",
    ),
    Case(
        "R31", "nobody with the role", "queue:Desk", desk_for_billing(clerk(roles=())), role_for_clerk,
        told="Omnichannel agent",
    ),
    Case(
        "R31", "nobody with units enough", "queue:Desk", desk_for_billing(clerk(capacity=20)),
        of_clerk(msdyn_capacity=30), told="30 units", also=frozenset({"R28"}),
    ),
    Case("C15", "closed at night", NURSES, closed_at_night, told_at_night, told="Office hours"),
    Case("C15", "closed at night, then open", NURSES, closed_at_night, always_open, told="only wait"),
)  # fmt: skip
