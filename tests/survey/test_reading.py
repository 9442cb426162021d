"""What the survey reads of an environment that was built through the Web API, value by value."""

from __future__ import annotations

import pytest

from d365setup.center import Hours, Overflow, Question, Staff, Variable
from d365setup.conditions import Operator, Test
from d365setup.emulator import fixtures as names

from . import rule_text
from .rule_text import equals
from .site import BERLIN, BOOLEAN, NUMBER, REFERENCE, Site, site


def test_the_environment_itself(here: Site) -> None:
    center = here.center()
    assert (center.origin, center.url, center.organization) == ("live", here.emulator.url, "Contoso Health")
    assert (center.organization_id, center.root_business_unit) == (names.ORGANIZATION, names.ROOT_UNIT)
    assert center.taken_at.endswith("Z")
    assert center.unread == ()
    assert (center.workstreams, center.users, center.declines_allowed) == ((), (), None)
    assert {queue.name: (queue.is_default, queue.members) for queue in center.queues} == {
        "Default entity queue": (True, ()),
        "Default messaging queue": (True, ()),
    }


def test_declines(here: Site) -> None:
    here.allow_declines(4)
    assert here.center().declines_allowed == 4


def test_a_work_stream(here: Site) -> None:
    nurses, bots = here.make_queue("Nurses"), here.make_queue("Bots")
    bot = here.make_bot("Contoso Health Bot", queue=bots)
    chat = here.make_workstream(
        "Patient chat",
        fallback=nurses,
        bot=bot,
        bot_queue=bots,
        units=20,
        msdyn_matchinglogic=192350001,
        msdyn_bot_rule="Bot rule",
    )
    (stream,) = here.center().workstreams
    assert (stream.row_id, stream.name, stream.fallback_id) == (chat, "Patient chat", nurses)
    assert (stream.unified, stream.push, stream.active, stream.unit_based) == (True, True, True, True)
    assert (stream.units, stream.closest_match, stream.channel) == (20, True, 192360000)
    assert (stream.bot_user_id, stream.bot_queue_id, stream.bot_rule) == (bot, bots, "Bot rule")
    assert (stream.fallback_read, stream.managed, stream.contract_problem) == (True, False, "")
    assert (stream.variables, stream.configurations, stream.legacy_rules, stream.questions) == ((), (), (), ())
    assert (stream.contract, stream.profiles) == ({}, ())
    assert stream.modified_on.endswith("Z")


def test_a_work_stream_of_another_kind(here: Site) -> None:
    other = here.make_workstream("Old", msdyn_mode=717210000, msdyn_workdistributionmode=192350001)
    here.attach_profile(other, here.make_profile("Chats"))
    here.change("msdyn_liveworkstreams", other, statecode=1)
    (stream,) = here.center().workstreams
    assert (stream.unified, stream.push, stream.active, stream.unit_based) == (False, False, False, False)
    assert (stream.fallback_id, stream.fallback_read, stream.profiles) == ("", True, ("Chats",))


@pytest.mark.parametrize(
    ("data_type", "shown", "in_contract"),
    [(192350000, "text", "string"), (NUMBER, "number", "number"), (BOOLEAN, "boolean", "boolean")],
)
def test_variables_and_the_contract(here: Site, data_type: int, shown: str, in_contract: str) -> None:
    chat = here.make_workstream("Patient chat")
    row_id = here.make_variable(chat, "Topic", data_type)
    (stream,) = here.center().workstreams
    assert stream.variables == (Variable("Topic", shown, row_id),)
    assert stream.contract == {"Topic": in_contract}


def test_an_inactive_variable_is_none(here: Site) -> None:
    chat = here.make_workstream("Patient chat")
    gone = here.make_variable(chat, "Gone", REFERENCE)
    here.change("msdyn_ocliveworkstreamcontextvariables", gone, statecode=1)
    assert here.center().workstreams[0].variables == ()


def test_a_contract_that_is_none(here: Site) -> None:
    chat = here.make_workstream("Patient chat")
    here.emulator.change("msdyn_decisioncontract", here.contract(chat), msdyn_contractdefinition="<contract")
    (stream,) = here.center().workstreams
    assert stream.contract is None
    assert "cannot be read" in stream.contract_problem


def test_no_contract(here: Site) -> None:
    chat = here.make_workstream("Patient chat")
    here.emulator.change("msdyn_liveworkstream", chat, msdyn_routingcontractid=None)
    (stream,) = here.center().workstreams
    assert (stream.contract, stream.contract_problem) == (None, "it has no routing contract")


def test_questions_and_legacy_rules(here: Site) -> None:
    chat = here.make_workstream("Patient chat")
    here.ask(chat, "Topic")
    here.ask(chat, "Consent", 192350004)
    here.make_legacy_rule(chat, "Old rule")
    here.change("msdyn_ocruleitems", here.make_legacy_rule(chat, "Retired"), statecode=1)
    (stream,) = here.center().workstreams
    assert stream.questions == (Question("Consent", "boolean"), Question("Topic", "text"))
    assert stream.legacy_rules == ("Old rule",)


def test_the_rule_chain(here: Site) -> None:
    nurses = here.make_queue("Nurses")
    chat = here.make_workstream("Patient chat")
    topic = here.make_variable(chat, "Topic")
    first = here.make_rule_set(chat, [("Sort", equals("Topic", "x"), nurses)], step="classification")
    routes = here.make_rule_set(chat, [("To a nurse", equals("Topic", "Nurse"), nurses), ("All", None, nurses)])
    idle = here.make_configuration(chat, active=False)
    (stream,) = here.center().workstreams
    assert stream.configurations is not None
    assert {each.row_id: each.active for each in stream.configurations} == {
        idle: False,
        here.configuration(chat): True,
    }
    assert [each.row_id for each in stream.classifications] == [first]
    found = stream.routes
    assert found is not None
    nurse, everybody = found.rules
    assert (found.row_id, found.hit_policy, found.problem) == (routes, "all", "")
    assert (nurse.name, nurse.condition, nurse.queue) == ("To a nurse", Test("Topic", Operator.EQUALS, "Nurse"), nurses)
    assert found.output_contract == "msdyn_demandqueueidentificationoutput"
    assert found.mappings == {(nurse.id, topic), (nurse.id, nurses), (everybody.id, nurses)}
    assert (found.disabled, found.managed, found.customizable) == (frozenset(), False, True)
    here.emulator.change("msdyn_decisionruleset", routes, msdyn_disabledrules=f'["{{{nurse.id.upper()}}}"]')
    again = here.center().workstreams[0].routes
    assert again is not None
    assert (again.is_disabled(nurse), again.is_disabled(everybody)) == (True, False)


def test_a_rule_set_that_cannot_be_read_says_why(here: Site) -> None:
    chat = here.make_workstream("Patient chat")
    routes = here.make_rule_text(chat, rule_text.text([]))
    here.emulator.change("msdyn_decisionruleset", routes, msdyn_rulesetdefinition="<decision><rules>")
    found = here.center().workstreams[0].routes
    assert found is not None
    assert found.problem
    assert (found.rules, found.text) == ((), "<decision><rules>")


def test_steps_without_a_rule_set_and_with_one_that_is_gone(here: Site) -> None:
    chat = here.make_workstream("Patient chat")
    configuration = here.configuration(chat)
    empty = here.make_step(configuration, "")
    gone = here.make_rules_alone(rule_text.text([]), here.contract(chat))
    lost = here.make_step(configuration, gone)
    here.emulator.execute("DELETE FROM msdyn_decisionruleset WHERE msdyn_decisionrulesetid = ?", [gone])
    steps = {step.row_id: step for each in here.center().workstreams[0].configurations or () for step in each.steps}
    assert steps[empty].rule_set is None
    dangling = steps[lost].rule_set
    assert dangling is not None
    assert (dangling.row_id, dangling.problem) == (gone, "the rule set is not there, or cannot be read")


def test_people_bots_and_their_roles(here: Site) -> None:
    nurses = here.make_queue("Nurses")
    able = here.make_person("nurse.one@contoso.example", capacity=60, queue=nurses)
    here.make_person("nurse.two@contoso.example", capacity=90, queue=nurses, roles=())
    here.make_person("former.nurse@contoso.example", queue=nurses, disabled=True)
    bot = here.make_bot("Contoso Health Bot", queue=nurses, bot_id="  odd {id} ")
    idle = here.make_bot("Spare Bot", bot_id="", roles=())
    here.make_team("Night shift", members=[able], roles=["Omnichannel supervisor", names.AGENT])
    profile = here.make_profile("Chats")
    here.give_profile(bot, profile)
    here.change("msdyn_bookableresourcecapacityprofiles", here.give_profile(bot, here.make_profile("Old")), statecode=1)
    center = here.center()
    queue = center.queue(nurses)
    assert queue is not None
    assert queue.members is not None
    assert [each.name for each in queue.members] == ["Contoso Health Bot", "Former Nurse", "Nurse One", "Nurse Two"]
    assert queue.staff == Staff(people=3, enabled=2, without_role=1, able=((60, 1),))
    person = center.user(able)
    assert person is not None
    assert (person.email, person.enabled, person.capacity) == ("nurse.one@contoso.example", True, 60)
    assert (person.is_person, person.has_agent_role, person.business_unit) == (True, True, names.ROOT_UNIT)
    assert person.team_roles == ("Omnichannel supervisor",)  # what is held directly too does not count
    assert {each.row_id for each in center.users} == {bot, idle}
    robot = center.user(bot)
    assert robot is not None
    assert (robot.bot_id, robot.agent_type, robot.profiles) == ("  odd {id} ", 192350001, ("Chats",))
    assert [(role.name, role.business_unit) for role in robot.roles or ()] == [(names.AGENT, names.ROOT_UNIT)]
    spare = center.user(idle)
    assert spare is not None
    assert (spare.is_bot, spare.roles, spare.profiles) == (False, (), ())


def test_a_queue(here: Site) -> None:
    hours = here.make_hours("Office", [("MO,FR", 480, 1020)], zone=BERLIN, holidays=["2026-12-25"])
    desk = here.make_queue("Desk", type="record", assignment="least active", priority=7)
    nurses = here.make_queue("Nurses", hours=hours)
    here.make_overflow(nurses, [("out of hours", None, "transfer", desk), ("work items", 10, "end conversation", "")])
    here.make_overflow(nurses, [("waited", 90, "assign anyway", "")], inqueue=True)
    center = here.center()
    queue, other = center.queue(nurses), center.queue(desk)
    assert queue is not None
    assert other is not None
    assert (other.type, other.assignment, other.priority) == ("record", "least active", 7)
    assert (other.hours, other.hours_read, other.prequeue, other.inqueue) == (None, True, (), ())
    assert queue.hours == Hours(hours, "Office", "Europe/Berlin", ((0, 480, 1020), (4, 480, 1020)), ("2026-12-25",))
    assert queue.prequeue == (
        Overflow("out of hours", "transfer", None, desk, "Rule1"),
        Overflow("work items", "end conversation", 10, "", "Rule2"),
    )
    assert queue.inqueue == (Overflow("waited", "assign anyway", 90, "", "Rule1"),)


def test_a_queue_of_no_use_is_read_where_something_leads_to_it(here: Site) -> None:
    odd = here.make_queue("Public", queueviewtype=0, msdyn_isomnichannelqueue=False)
    unused = here.make_queue("Somebody's", msdyn_isomnichannelqueue=False)
    person = here.make_person("nurse.one@contoso.example", queue=odd)
    chat = here.make_workstream("Patient chat", fallback=odd)
    here.change("queues", odd, statecode=1)
    center = here.center()
    queue = center.queue(odd)
    assert queue is not None
    assert (queue.private, queue.omnichannel, queue.active) == (False, False, False)
    assert [each.row_id for each in queue.members or ()] == [person]
    assert center.queue(unused) is None
    assert center.workstreams[0].row_id == chat


def test_overflow_of_a_single_rule(here: Site) -> None:
    nurses, desk, night = (here.make_queue(name) for name in ("Nurses", "Desk", "Night"))
    here.change("queues", night, msdyn_isomnichannelqueue=False)  # found only because something leads there
    chat = here.make_workstream("Patient chat")
    action = here.make_overflow_action("transfer", night)
    lines = rule_text.text([rule_text.overflow_rule("Full", "work items", 5, action)])
    own = here.make_rules_alone(lines, here.contract(chat), output=here.contract(chat))
    leads = "prequeue_overflow_ruleset.msdyn_decisionruleset.msdyn_decisionrulesetid"
    sends = rule_text.sends(desk) + rule_text.sets(leads, own)
    here.make_rule_text(chat, rule_text.text([rule_text.rule("Desk", None, sends)]))
    here.make_overflow(nurses, [("work items", 9, "end conversation", "")])
    center = here.center()
    assert center.overflows == {own: (Overflow("work items", "transfer", 5, night, "Full"),)}
    assert center.queue(night) is not None


def test_calendars_are_followed_to_their_inner_ones_and_days_off(here: Site) -> None:
    hours = here.make_hours("Always", [("MO,TU,WE,TH,FR,SA,SU", 0, 1440)], holidays=["2026-12-24", "2027-01-01"])
    queue = here.make_queue("Desk", hours=hours)
    found = here.center().queue(queue)
    assert found is not None
    assert found.hours is not None
    assert found.hours.problem == ""
    assert found.hours.spans == tuple((day, 0, 1440) for day in range(7))
    assert found.hours.holidays == ("2026-12-24", "2027-01-01")


def test_managed_rows_and_a_user_of_another_unit(here: Site) -> None:
    chat = here.make_workstream("Patient chat")
    rule_set = here.make_rule_text(chat, rule_text.text([]))
    here.emulator.change("msdyn_liveworkstream", chat, ismanaged=1)
    here.emulator.change("msdyn_decisionruleset", rule_set, ismanaged=1, iscustomizable=0)
    here.emulator.change("msdyn_routingconfiguration", here.configuration(chat), ismanaged=1)
    person = here.make_bot("Elsewhere", unit=names.CHILD_UNIT)
    center = here.center()
    (stream,) = center.workstreams
    assert stream.managed
    assert stream.routes is not None
    assert (stream.routes.managed, stream.routes.customizable) == (True, False)
    assert [each.managed for each in stream.configurations or ()] == [True]
    bot = center.user(person)
    assert bot is not None
    assert bot.business_unit == names.CHILD_UNIT
    assert [role.business_unit for role in bot.roles or ()] == [names.CHILD_UNIT]


def test_only_reads_are_sent(here: Site) -> None:
    here.make_workstream("Patient chat", fallback=here.make_queue("Nurses"))
    here.emulator.reset_log()
    here.center()
    sent = {part[0] for request in here.emulator.requests for part in request.operations}
    assert sent <= {"GET"}


@pytest.mark.parametrize("page_size", [1, 3])
def test_small_pages_tell_the_same(page_size: int) -> None:
    with site("clinic", page_size=page_size) as small:
        queue = small.make_queue("Ward")
        for number in range(4):
            small.make_person(f"nurse.number{number}@contoso.example", capacity=10 * number, queue=queue)
        chat = small.make_workstream("Second", fallback=queue)
        small.make_rule_set(chat, [("All", None, queue)])
        found = small.center()
        ward = found.queue(queue)
        assert ward is not None
        assert ward.staff == Staff(4, 4, 0, ((0, 1), (10, 1), (20, 1), (30, 1)))
        nurses = found.queue_named("Nurses")
        assert nurses is not None
        assert (nurses.staff.people, nurses.staff.enabled, nurses.staff.most_units) == (3, 2, 100)
        assert [each.name for each in found.workstreams] == ["Patient chat", "Second"]
