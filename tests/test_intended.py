"""What a playbook makes of an environment: alone, and merged with what the emulator holds, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from d365setup.center import AGENT_ROLE, ContactCenter, Queue, RuleSet, Workstream
from d365setup.emulator import fixtures as names
from d365setup.intended import merged, of_playbook
from d365setup.kinds.capacity import AT_LEAST, MAXIMUM
from d365setup.plan import decide
from d365setup.playbook import Playbook, load, load_file
from d365setup.scope import Prune
from tests.kinds.site import APPLICATION, BOT_ID, KINDS, SPECS, Site, site

FOLDER = Path(__file__).parent.parent / "playbooks"
TEXT = f"""\
playbook: 1
name: contoso
bot_users:
  - {{name: Health Bot, application_id: {APPLICATION}, bot_application_id: {BOT_ID}, email: bot@contoso.example}}
queues:
  - {{name: Bots, members: [Health Bot]}}
  - {{name: Nurses, members: [nurse.one@contoso.example]}}
  - {{name: Billing, existing: true}}
workstreams:
  - name: Patient chat
    fallback_queue: Nurses
    context_variables: [{{name: Topic, type: text}}]
    routing_rules:
      - {{name: Money, when: {{Topic: Billing}}, queue: Billing}}
      - {{name: Rest, when: {{variable: Topic, operator: has a value}}, queue: Nurses}}
      - {{name: Bot first, queue: Bots}}
"""
BY_HAND = """\
<decision hit-policy="all" version="1"><rules>
<rule id="11111111-1111-4111-8111-111111111111" name="By hand"><condition operator="=="><lhs type="attribute">\
liveworkitemcontext.Topic</lhs><rhs type="staticvalue">Vip</rhs></condition><action><setattribute>\
<lhs type="attribute">assign_to.queue</lhs><rhs type="staticvalue">{queue}</rhs></setattribute></action></rule>
</rules></decision>
"""


@pytest.fixture(scope="module")
def _running() -> Iterator[Site]:
    with site() as found:
        yield found


@pytest.fixture
def clinic(_running: Site) -> Site:
    _running.emulator.reset("clinic")
    return Site(_running.emulator, _running.client)


def loaded(text: str = TEXT) -> Playbook:
    return load(text, SPECS, {})


def planned(clinic: Site, text: str = TEXT, prune: Prune | None = None) -> ContactCenter:
    desired = loaded(text).desired
    decision = decide("test", "0", desired, clinic.live(text.split("\n", 2)[2]), KINDS, prune=prune)
    return merged(decision)


def queue(center: ContactCenter, name: str) -> Queue:
    found = center.queue_named(name)
    assert found is not None
    return found


def stream(center: ContactCenter) -> Workstream:
    found = center.workstream("Patient chat")
    assert found is not None
    return found


def routes(center: ContactCenter) -> RuleSet:
    found = stream(center).routes
    assert found is not None
    return found


def led(center: ContactCenter) -> list[tuple[str, str]]:
    """The rules in order, and the names of the queues they lead to."""
    found = ((rule.name, center.queue(rule.queue or "")) for rule in routes(center).rules)
    return [(name, to.name if to else "?") for name, to in found]


# -- the playbook alone


def test_a_playbook_alone() -> None:
    center = of_playbook(loaded())
    assert center.origin == "playbook"
    assert led(center) == [("Money", "Billing"), ("Rest", "Nurses"), ("Bot first", "Bots")]
    fallback = center.queue(stream(center).fallback_id)
    assert fallback is not None
    assert fallback.name == "Nurses"
    (bot,) = queue(center, "Bots").members or ()
    assert (bot.name, bot.capacity, bot.bot_id, bot.has_agent_role) == ("Health Bot", MAXIMUM, BOT_ID, True)
    (nurse,) = queue(center, "Nurses").members or ()
    assert (nurse.name, nurse.capacity, nurse.is_person) == ("nurse.one@contoso.example", AT_LEAST, True)
    assert queue(center, "Nurses").staff.serving(1) == 1


def test_what_a_playbook_does_not_say_is_not_known() -> None:
    center = of_playbook(loaded(TEXT.replace("    fallback_queue: Nurses\n", "")))
    assert queue(center, "Billing").members is None
    assert (stream(center).fallback_id, stream(center).fallback_read) == ("", False)
    assert {each.table for each in center.unread} == {"systemuser", "msdyn_liveworkstream"}


def test_every_rule_knows_its_line() -> None:
    center = of_playbook(loaded())
    lines = [routes(center).sources[rule.id].line for rule in routes(center).rules]
    assert [TEXT.splitlines()[line - 1].split(",")[0].strip() for line in lines] == [
        "- {name: Money", "- {name: Rest", "- {name: Bot first",
    ]  # fmt: skip


def test_equal_playbooks_give_equal_centers() -> None:
    assert of_playbook(loaded()) == of_playbook(loaded())


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_playbook_can_be_thought_through(path: Path) -> None:
    playbook = load_file(path, SPECS, {}, {}, examples=True)
    center = of_playbook(playbook)
    assert [each.name for each in center.queues] == [
        spec.name for spec in playbook.desired.specs if spec.kind == "queue"
    ]
    for each in center.workstreams:
        assert each.routes is None or not each.routes.problem


# -- merged with an environment


def test_what_is_tested_is_what_is_written(clinic: Site) -> None:
    clinic.rules(BY_HAND.format(queue=names.BILLING))
    foretold = planned(clinic)
    clinic.apply(TEXT.split("\n", 2)[2])
    assert routes(foretold).text == clinic.one("SELECT msdyn_rulesetdefinition FROM msdyn_decisionruleset")
    assert led(foretold) == [("By hand", "Billing"), ("Money", "Billing"), ("Rest", "Nurses"), ("Bot first", "Bots")]


def test_after_an_apply_nothing_is_foretold_otherwise(clinic: Site) -> None:
    before = planned(clinic)
    text = TEXT.split("\n", 2)[2]
    decision = decide("test", "0", loaded().desired, clinic.live(text), KINDS)
    clinic.carry_out(decision)
    after = planned(clinic)
    assert led(before) == led(after)
    for name in ("Bots", "Nurses", "Billing"):
        one, other = queue(before, name), queue(after, name)
        assert (one.row_id, one.type, one.priority, one.assignment) == (
            other.row_id, other.type, other.priority, other.assignment,
        )  # fmt: skip
        assert {(each.row_id, each.name, each.capacity) for each in one.members or ()} == {
            (each.row_id, each.name, each.capacity) for each in other.members or ()
        }
    assert stream(before).fallback_id == stream(after).fallback_id
    assert {each.name for each in stream(before).variables or ()} == {
        each.name for each in stream(after).variables or ()
    }


def test_people_nobody_declared_stay_in_their_queues(clinic: Site) -> None:
    clinic.person("nurse.three@contoso.example", capacity=7, queue=names.NURSES, isdisabled=1)
    found = {each.email: each for each in queue(planned(clinic), "Nurses").members or ()}
    assert found["nurse.three@contoso.example"].capacity == 7
    assert not found["nurse.three@contoso.example"].enabled
    assert "nurse.one@contoso.example" in found
    assert all(each.roles is None for each in found.values())  # a plan does not read them


def test_exact_members_are_as_they_will_be(clinic: Site) -> None:
    clinic.person("nurse.three@contoso.example", queue=names.NURSES)
    exact = TEXT.replace(
        "members: [nurse.one@contoso.example]", "members: {mode: exact, users: [nurse.one@contoso.example]}"
    )
    assert [each.email for each in queue(planned(clinic, exact), "Nurses").members or ()] == [
        "nurse.one@contoso.example"
    ]


def test_the_bot_has_what_it_will_have(clinic: Site) -> None:
    (bot,) = queue(planned(clinic), "Bots").members or ()
    assert (bot.capacity, bot.is_bot, bot.enabled, bot.has_agent_role) == (100, True, True, True)
    assert [role.name for role in bot.roles or ()] == [AGENT_ROLE]


def test_a_queue_that_was_not_read_is_not_taken_for_empty(clinic: Site) -> None:
    other = clinic.queue("Somebody else's")
    clinic.rules(BY_HAND.format(queue=other))
    found = planned(clinic)
    assert led(found)[0] == ("By hand", "Somebody else's")
    assert (queue(found, "Somebody else's").members, queue(found, "Somebody else's").prequeue) == (None, None)


def test_the_cost_of_a_conversation_is_read(clinic: Site) -> None:
    assert (stream(planned(clinic)).units, stream(planned(clinic)).unit_based) == (30, True)


def test_classification_is_kept(clinic: Site) -> None:
    clinic.rules(BY_HAND.format(queue=names.BILLING))
    text = '<decision hit-policy="first"><rules /></decision>'
    row = clinic.rule_set(text, msdyn_name="Classify", msdyn_uniquename="new_classify")
    (configuration,) = clinic.column("SELECT msdyn_routingconfigurationid FROM msdyn_routingconfiguration")
    clinic.step(configuration, row, 192350000, 0)
    (found,) = stream(planned(clinic)).classifications
    assert (found.row_id, found.hit_policy) == (row, "first")


def test_a_rule_somebody_switched_off_stays_off(clinic: Site) -> None:
    clinic.rules(BY_HAND.format(queue=names.BILLING), msdyn_disabledrules='["11111111-1111-4111-8111-111111111111"]')
    found = routes(planned(clinic))
    assert [found.is_disabled(rule) for rule in found.rules] == [True, False, False, False]


def test_what_is_pruned_is_gone(clinic: Site) -> None:
    clinic.apply(TEXT.split("\n", 2)[2])
    less = TEXT.replace("      - {name: Money, when: {Topic: Billing}, queue: Billing}\n", "")
    kept = planned(clinic, less)
    assert [name for name, _ in led(kept)] == ["Money", "Rest", "Bot first"]  # nobody asked for it to go
    assert [name for name, _ in led(planned(clinic, less, Prune()))] == ["Rest", "Bot first"]
