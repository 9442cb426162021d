"""Health Bot, scenarios and tests as values."""

from __future__ import annotations

from d365setup.model import Source
from d365setup.playbook import End, Escalate, Expect, HealthBot, Playbook, PlaybookTest, Scenario, Step, Transfer, load
from tests.playbook.cases import SPECS

TEXT = """\
playbook: 1
name: contoso
bot_users: [{name: Bot, application_id: 5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f, existing: true}]
queues: [{name: Nurses}, {name: Billing}]
workstreams:
  - name: Chat
    context_variables: [{name: Topic, type: text}, {name: Sev, type: number}, {name: Old, existing: true}]
    routing_rules: [{name: R, when: {Topic: Nurse}, queue: Nurses}]
health_bot: {portal: https://eastus.healthbot.microsoft.com/account/contoso-bot/}
scenarios:
  - {name: Hand over, trigger: hand_over, say: Wait, escalate: {summary: Ask, context: {Topic: Nurse, Sev: 7, Old: x1}}}
  - {name: Close, trigger: close, say: Bye, end: {}}
tests:
  - {name: Short, escalated_by: Bot, given: {Topic: Nurse}, expect: {queue: Nurses, rule: R, answered_by: a person}}
  - name: Long
    workstream: Chat
    steps:
      - {start: {Sev: 1}, expect: {waits: false}}
      - {escalate: {Topic: Nurse}}
      - {transfer: {queue: Billing}, expect: {answered_by: Bot}}
      - {end: {}, expect: {closed: true}}
"""


def playbook() -> Playbook:
    return load(TEXT, SPECS, {})


def test_the_health_bot() -> None:
    found = playbook().health_bot
    assert found == HealthBot(portal="https://eastus.healthbot.microsoft.com/account/contoso-bot")
    assert found is not None
    assert (found.host, found.tenant) == ("eastus.healthbot.microsoft.com", "contoso-bot")
    assert found.source == Source("playbook.yaml", 9, 13)


def test_the_scenarios() -> None:
    handed = {"Topic": "Nurse", "Sev": 7, "Old": "x1"}
    assert playbook().scenarios == (
        Scenario(name="Hand over", trigger="hand_over", say="Wait", escalate=Escalate("Ask", handed)),
        Scenario(name="Close", trigger="close", say="Bye", end=End()),
    )
    assert [scenario.source.line for scenario in playbook().scenarios] == [11, 12]


def test_the_tests() -> None:
    assert playbook().tests == (
        PlaybookTest(
            name="Short",
            workstream="Chat",
            escalated_by="Bot",
            given={"Topic": "Nurse"},
            expect=Expect(queue="Nurses", rule="R", answered_by="a person"),
        ),
        PlaybookTest(
            name="Long",
            workstream="Chat",
            steps=(
                Step(start={"Sev": 1}, expect=Expect(waits=False)),
                Step(escalate={"Topic": "Nurse"}),
                Step(transfer=Transfer("Billing"), expect=Expect(answered_by="Bot")),
                Step(end=End(), expect=Expect(closed=True)),
            ),
        ),
    )
    assert [test.source.line for test in playbook().tests] == [14, 15]


def test_where_the_parts_of_a_test_stand() -> None:
    short, long = playbook().tests
    assert short.place("expect", "queue").column == TEXT.splitlines()[13].index("queue: Nurses") + len("queue: ") + 1
    places = [long.place("steps", index) for index in range(4)]
    assert [place.line for place in places] == [18, 19, 20, 21]
    assert long.place("steps", 2, "expect", "answered_by").line == 20
    assert long.place("steps", 1, "expect", "queue") == places[1]  # says nothing of it: as near as it is known
    assert long.place("given") == long.source


def test_what_happens_in_a_step() -> None:
    steps = playbook().tests[1].steps or ()
    assert [step.action for step in steps] == ["start", "escalate", "transfer", "end"]
    assert [dict(step.values) for step in steps] == [{"Sev": 1}, {"Topic": "Nurse"}, {}, {}]


def test_only_what_is_stated_is_expected() -> None:
    assert dict(Expect(queue="Nurses", waits=False)) == {"queue": "Nurses", "waits": False}
    assert dict(Expect()) == {}


def test_a_playbook_without_any_of_it() -> None:
    found = load("playbook: 1\nname: contoso\n", SPECS, {})
    assert (found.health_bot, found.scenarios, found.tests) == (None, (), ())
