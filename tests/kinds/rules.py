"""Rule sets somebody else wrote, and a playbook with rules of ours."""

from __future__ import annotations

from d365setup.emulator import fixtures as names

from .site import Site

DECLARED = """
queues: [{name: Nurses}, {name: Billing}]
workstreams:
  - name: Patient chat
    context_variables: [{name: Topic, type: text}]
    routing_rules:
      - {name: Nurse, when: {Topic: Nurse}, queue: Nurses}
      - {name: Bill, when: {Topic: Bill}, queue: Billing}
"""
KEY = "routing_rule:Patient chat/Nurse"
IDS = [f"10000000-0000-4000-8000-00000000000{digit}" for digit in range(10)]
EQUALS = (
    '<condition operator="=="><lhs type="attribute">liveworkitemcontext.Topic</lhs>'
    '<rhs type="staticvalue">{value}</rhs></condition>'
)


def rule(number: int, name: str, condition: str = "", queue: str = names.NURSES) -> str:
    """One rule of somebody's own making, on one line."""
    return (
        f'<rule id="{IDS[number]}" name="{name}">{condition}<action><setattribute><lhs type="attribute">assign_to.queue'
        f'</lhs><rhs type="staticvalue">{queue}</rhs></setattribute></action></rule>'
    )


def equals(value: str) -> str:
    return EQUALS.format(value=value)


def rule_set(*rules: str) -> str:
    """A rule set in nobody's layout."""
    return f'<decision hit-policy="all" version="1"><rules>{"".join(rules)}</rules></decision>'


def text_of(clinic: Site) -> str:
    return clinic.one("SELECT msdyn_rulesetdefinition FROM msdyn_decisionruleset")


def order_of(text: str) -> list[str]:
    return [part.split('"')[0] for part in text.split(' name="')[1:]]
