"""R01 to R16: one way, or more, to break each, and the way it is mended."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from tests.audit.harness import Act, Case, Handoff
from tests.survey.rule_text import compares, equals, has_value, one_of, rule, sends, sets, splits, text
from tests.survey.site import BOOLEAN, NUMBER

CHAT = "Patient chat"
ABSENT = '<condition operator="null"><lhs type="attribute">liveworkitemcontext.Topic</lhs></condition>'
SOUND = (("Any hand-off", has_value("Topic"), "nurses"), ("Bot first", None, "bots"))
SCENARIO = """
queues:
  - {name: Nurses, existing: true}
  - {name: Bot only, existing: true}
workstreams:
  - name: Patient chat
    context_variables:
      - {name: Topic, type: text}
      - {name: Ward, type: text}
scenarios:
  - name: Escalate
    trigger: escalate
    say: One moment.
    escalate: {summary: A patient asks for a nurse, context: {Topic: Nurse}}
"""

Routes = Iterable[tuple[str, str | None, str]]


def rules(*routes: tuple[str, str | None, str]) -> Act:
    """Make these the rules; the queue is the name of a field of the hand-off, or of something made, or an id."""

    def act(here: Handoff) -> None:
        known = {**here.made, "nurses": here.nurses, "bots": here.bots}
        made = (rule(name, when, sends(known.get(queue, queue))) for name, when, queue in routes)
        here.site.set_rules(here.rules, text(made))

    return act


def both(*acts: Act) -> Act:
    """One after the other."""

    def act(here: Handoff) -> None:
        for each in acts:
            each(here)

    return act


def queue(name: str, *, staffed: bool = True, **columns: Any) -> Act:
    """Make a queue, and put a nurse into it; it is known by its name in lower case."""

    def act(here: Handoff) -> None:
        members = [here.nurse] if staffed else []
        here.made[name.lower()] = here.site.make_queue(name, members=members, **columns)

    return act


def variable(name: str, data_type: int = NUMBER) -> Act:
    def act(here: Handoff) -> None:
        here.made[name] = here.site.make_variable(here.chat, name, data_type)

    return act


def change(entity_set: str, what: str, **columns: Any) -> Act:
    """PATCH the row that a field of the hand-off, or something made, names."""

    def act(here: Handoff) -> None:
        here.site.change(entity_set, here.made.get(what) or getattr(here, what), **columns)

    return act


def joins(who: str, where: str) -> Act:
    def act(here: Handoff) -> None:
        here.site.add_member(here.made.get(where) or getattr(here, where), getattr(here, who))

    return act


def leaves(who: str, where: str) -> Act:
    def act(here: Handoff) -> None:
        here.site.remove_member(here.made.get(where) or getattr(here, where), getattr(here, who))

    return act


def falls_back_to(where: str) -> Act:
    def act(here: Handoff) -> None:
        queue_id = here.made.get(where) or getattr(here, where)
        here.site.change(
            "msdyn_liveworkstreams", here.chat, **{"msdyn_defaultqueue@odata.bind": f"/queues({queue_id})"}
        )

    return act


def open_on_weekdays(where: str) -> Act:
    def act(here: Handoff) -> None:
        hours = here.site.make_hours("Office hours")
        bound = {"msdyn_operatinghourid@odata.bind": f"/msdyn_operatinghours({hours})"}
        here.site.change("queues", here.made.get(where) or getattr(here, where), **bound)

    return act


def always_open(where: str) -> Act:
    return change("queues", where, **{"msdyn_operatinghourid@odata.bind": None})


def full_at(where: str, limit: int) -> Act:
    def act(here: Handoff) -> None:
        target = here.made.get(where) or getattr(here, where)
        here.site.make_overflow(target, [("work items", limit, "assign anyway", "")])

    return act


def goes_nowhere(here: Handoff) -> None:
    """A rule whose action is empty, before the sound ones."""
    lost = rule("Ward", equals("Topic", "Ward"), "")
    caught, last = (
        rule("Any hand-off", has_value("Topic"), sends(here.nurses)),
        rule("Bot first", None, sends(here.bots)),
    )
    here.site.set_rules(here.rules, text([lost, caught, last]))


def split(*parts: int, same: bool = False) -> Act:
    """A percentage rule over as many queues, before the bot's rule."""

    def act(here: Handoff) -> None:
        ids = [here.made.get(f"queue {at}") or _made_queue(here, at) for at in range(len(parts))]
        targets = [ids[0] if same else each for each in ids]
        shares = rule("Shared out", has_value("Topic"), splits(zip(targets, parts, strict=True)))
        here.site.set_rules(here.rules, text([shares, rule("Bot first", None, sends(here.bots))]))

    return act


def _made_queue(here: Handoff, at: int) -> str:
    here.made[f"queue {at}"] = here.site.make_queue(f"Part {at}", members=[here.nurse])
    return str(here.made[f"queue {at}"])


def forget_mappings(here: Handoff) -> None:
    query = f"msdyn_rulesetdependencymappings?$filter=_msdyn_referencingrulesetid_value eq {here.rules}"
    query += " and msdyn_referencingrulename eq 'Any hand-off'"
    for row in here.site.rows(query):
        here.site.delete("msdyn_rulesetdependencymappings", row["msdyn_rulesetdependencymappingid"])


def second_configuration(here: Handoff) -> None:
    here.made["second"] = here.site.make_configuration(here.chat)


def inactive_configuration(here: Handoff) -> None:
    here.made["configuration"] = here.site.configuration(here.chat)
    here.site.change("msdyn_routingconfigurations", here.made["configuration"], msdyn_isactiveconfiguration=False)


def second_step(here: Handoff) -> None:
    here.made["step"] = here.site.make_step(here.site.configuration(here.chat), here.rules)


def bare_step(here: Handoff) -> None:
    here.made["step"] = here.site.make_step(here.site.configuration(here.chat), "", step="classification")


def without_step(here: Handoff) -> None:
    here.site.delete("msdyn_routingconfigurationsteps", here.made["step"])


def other_contract(here: Handoff) -> None:
    bound = {"msdyn_outputcontractid@odata.bind": f"/msdyn_decisioncontracts({here.site.contract(here.chat)})"}
    here.site.change("msdyn_decisionrulesets", here.rules, **bound)


def shipped_contract(here: Handoff) -> None:
    query = "msdyn_decisioncontracts?$filter=msdyn_uniquename eq 'msdyn_demandqueueidentificationoutput'"
    (row,) = here.site.rows(query)
    bound = {"msdyn_outputcontractid@odata.bind": f"/msdyn_decisioncontracts({row['msdyn_decisioncontractid']})"}
    here.site.change("msdyn_decisionrulesets", here.rules, **bound)


def broken_text(here: Handoff) -> None:
    """Text that a service without our emulator's scruples might hold."""
    here.site.emulator.change("msdyn_decisionruleset", here.rules, msdyn_rulesetdefinition="<decision><rules>")


def contract_text(here: Handoff, old: str, new: str) -> None:
    contract = here.site.contract(here.chat)
    (row,) = here.site.rows(f"msdyn_decisioncontracts?$filter=msdyn_decisioncontractid eq {contract}")
    changed = row["msdyn_contractdefinition"].replace(old, new)
    assert changed != row["msdyn_contractdefinition"]
    here.site.change("msdyn_decisioncontracts", contract, msdyn_contractdefinition=changed)


def in_contract(old: str, new: str) -> Act:
    return lambda here: contract_text(here, old, new)


def legacy_rule(here: Handoff) -> None:
    here.made["legacy"] = here.site.make_legacy_rule(here.chat, "Old rule", here.nurses)


def by_profile(here: Handoff) -> None:
    here.made["profile"] = here.site.make_profile("Chats")
    here.site.attach_profile(here.chat, here.made["profile"])
    here.site.give_profile(here.nurse, here.made["profile"])


def bot_gets_profile(here: Handoff) -> None:
    here.site.give_profile(here.bot, here.made["profile"])


def misclassified(here: Handoff) -> None:
    outcome = sets("liveworkitemcontext.Topic", "Pain")
    definition_text = text([rule("Pain", equals("Topyc", "Pain"), outcome)], hit_policy="first")
    here.made["classes"] = here.site.make_rule_text(here.chat, definition_text, step="classification")


def classified_well(here: Handoff) -> None:
    outcome = sets("liveworkitemcontext.Topic", "Pain")
    definition_text = text([rule("Pain", equals("Topic", "Pain"), outcome)], hit_policy="first")
    here.site.set_rules(here.made["classes"], definition_text)


FIRST, ANY = f"routing_rule:{CHAT}/Bot first", f"routing_rule:{CHAT}/Any hand-off"
sound = rules(*SOUND)

CASES = (
    Case(
        "R01",
        "only the bot's rule",
        "queue:Bot only",
        rules(SOUND[1]),
        sound,
        told="no rule of Patient chat is sure to catch a hand-over (it comes back with: Topic =",
    ),
    Case(
        "R01",
        "one topic of many",
        "queue:Bot only",
        rules(("Nurse", equals("Topic", "Nurse"), "nurses"), SOUND[1]),
        sound,
        told="Topic = 'something else'",
    ),
    Case(
        "R01",
        "the catching rule is behind",
        "queue:Bot only",
        rules(SOUND[1], SOUND[0]),
        sound,
        also=frozenset({"R10"}),
    ),
    Case("R01", "a person joins instead", "queue:Bot only", rules(SOUND[1]), joins("nurse", "bots")),
    Case(
        "R01",
        "the fallback has the bot only",
        "queue:Bot only",
        falls_back_to("bots"),
        falls_back_to("nurses"),
        also=frozenset({"R12"}),
    ),
    Case(
        "R01",
        "another variable is caught and this is not",
        "queue:Bot only",
        variable("Severity"),
        rules(SOUND[0], ("Urgent", has_value("Severity"), "nurses"), SOUND[1]),
        level="info",
        told="Severity = ",
    ),
    Case(
        "R01",
        "a scenario says what no rule catches",
        "queue:Bot only",
        both(variable("Ward", 192350000), rules(("Ward", has_value("Ward"), "nurses"), SOUND[1])),
        rules(("Ward", has_value("Ward"), "nurses"), *SOUND),
        told="'Escalate'",
        playbook=SCENARIO,
        also=frozenset({"R24"}),
    ),
    Case(
        "R02",
        "the bot has as many units as a nurse",
        "queue:Bot only",
        both(joins("nurse", "bots"), change("systemusers", "bot", msdyn_capacity=90)),
        change("systemusers", "bot", msdyn_capacity=91),
        told="Health Bot 90",
    ),
    Case(
        "R03",
        "round robin",
        "queue:Bot only",
        both(joins("nurse", "bots"), change("queues", "bots", msdyn_assignmentstrategy=192350001)),
        change("queues", "bots", msdyn_assignmentstrategy=192350000),
        level="warning",
        told="advanced round robin",
    ),
    Case(
        "R03",
        "the closest match of skills",
        "queue:Bot only",
        both(joins("nurse", "bots"), change("msdyn_liveworkstreams", "chat", msdyn_matchinglogic=192350001)),
        change("msdyn_liveworkstreams", "chat", msdyn_matchinglogic=192350000),
        level="warning",
        told="closest match",
    ),
    Case(
        "R04",
        "the bot lacks the profile",
        f"workstream:{CHAT}",
        by_profile,
        bot_gets_profile,
        level="warning",
        told="Health Bot does not have Chats",
    ),
    Case(
        "R04",
        "a shared queue",
        f"workstream:{CHAT}",
        both(by_profile, bot_gets_profile, joins("nurse", "bots")),
        leaves("nurse", "bots"),
        level="warning",
        told="nothing puts the bot before the people",
    ),
    Case(
        "R05",
        "another case",
        f"routing_rule:{CHAT}/Nurse",
        rules(("Nurse", equals("topic", "Nurse"), "nurses"), *SOUND),
        rules(("Nurse", equals("Topic", "Nurse"), "nurses"), *SOUND),
        told="case, blanks and Unicode forms count",
    ),
    Case(
        "R05",
        "a Unicode form",
        f"routing_rule:{CHAT}/Nurse",
        rules(("Nurse", equals("Ｔopic", "Nurse"), "nurses"), *SOUND),
        rules(("Nurse", equals("Topic", "Nurse"), "nurses"), *SOUND),
        told="'Topic'",
    ),
    Case(
        "R05",
        "an unknown one in classification",
        f"classification_rule:{CHAT}/Pain",
        misclassified,
        classified_well,
        told="did you mean 'Topic'?",
    ),
    Case(
        "R06",
        "a word for a number",
        f"routing_rule:{CHAT}/Urgent",
        both(variable("Severity"), rules(("Urgent", equals("Severity", "high"), "nurses"), *SOUND)),
        rules(("Urgent", compares("Severity", ">=", 7), "nurses"), *SOUND),
        told="Severity is a number",
    ),
    Case(
        "R06",
        "more than a text",
        f"routing_rule:{CHAT}/Urgent",
        rules(("Urgent", compares("Topic", ">", 7), "nurses"), *SOUND),
        rules(("Urgent", equals("Topic", "7"), "nurses"), *SOUND),
        told="Topic is a text",
    ),
    Case(
        "R06",
        "perhaps for a boolean",
        f"routing_rule:{CHAT}/Consent",
        both(variable("Consent", BOOLEAN), rules(("Consent", equals("Consent", "perhaps"), "nurses"), *SOUND)),
        rules(("Consent", equals("Consent", "true"), "nurses"), *SOUND),
        told="true or false",
    ),
    Case(
        "R06",
        "a value too long",
        f"routing_rule:{CHAT}/Long",
        rules(("Long", equals("Topic", "x" * 4001), "nurses"), *SOUND),
        rules(("Long", equals("Topic", "x" * 4000), "nurses"), *SOUND),
        told="4001 characters",
    ),
    Case(
        "R07",
        "the contract lacks a variable",
        f"context_variable:{CHAT}/Topic",
        in_contract('name="Topic"', 'name="topic"'),
        in_contract('name="topic"', 'name="Topic"'),
        told="the routing contract does not show it (it has 'topic'",
    ),
    Case(
        "R07",
        "the contract has one more",
        f"context_variable:{CHAT}/Ward",
        in_contract("</complex>", '<variable name="Ward" data-type="string" /></complex>'),
        variable("Ward", 192350000),
        told="does not declare it",
    ),
    Case(
        "R07",
        "another type",
        f"context_variable:{CHAT}/Topic",
        in_contract('data-type="string"', 'data-type="number"'),
        in_contract('data-type="number"', 'data-type="string"'),
        told="the routing contract says number",
    ),
    Case("R08", "no mappings", ANY, forget_mappings, sound, level="warning", told="queue Nurses, variable Topic"),
    Case(
        "R09",
        "nobody is in the queue",
        f"routing_rule:{CHAT}/Ward",
        both(queue("Ward", staffed=False), rules(("Ward", equals("Topic", "Ward"), "ward"), *SOUND)),
        joins("nurse", "ward"),
        told="has no members",
    ),
    Case(
        "R09",
        "the queue is not there",
        f"routing_rule:{CHAT}/Ward",
        rules(("Ward", equals("Topic", "Ward"), str(uuid.UUID(int=7))), *SOUND),
        sound,
        told="not there",
    ),
    Case(
        "R09",
        "the queue is inactive",
        f"routing_rule:{CHAT}/Ward",
        both(
            queue("Ward"),
            change("queues", "ward", statecode=1, statuscode=2),
            rules(("Ward", equals("Topic", "Ward"), "ward"), *SOUND),
        ),
        change("queues", "ward", statecode=0, statuscode=1),
        told="is inactive",
    ),
    Case(
        "R09",
        "a queue for records",
        f"routing_rule:{CHAT}/Ward",
        both(queue("Ward", type="record"), rules(("Ward", equals("Topic", "Ward"), "ward"), *SOUND)),
        sound,
        told="is for record",
    ),
    Case(
        "R09",
        "no Omnichannel queue",
        f"routing_rule:{CHAT}/Ward",
        both(queue("Ward", msdyn_isomnichannelqueue=False), rules(("Ward", equals("Topic", "Ward"), "ward"), *SOUND)),
        sound,
        told="no Omnichannel queue",
    ),
    Case(
        "R09",
        "no queue at all",
        f"routing_rule:{CHAT}/Ward",
        goes_nowhere,
        sound,
        told="it chooses no queue",
    ),
    Case(
        "R10",
        "two conditions that meet",
        f"routing_rule:{CHAT}/Pain",
        both(
            queue("Ward"),
            variable("Severity"),
            rules(
                ("Urgent", compares("Severity", ">=", 7), "ward"),
                ("Pain", equals("Topic", "Pain"), "nurses"),
                ("Any hand-off", has_value("Topic"), "ward"),
                SOUND[1],
            ),
        ),
        rules(
            ("Urgent pain", one_of("Topic", "Pain", "Burn") + compares("Severity", ">=", 7), "ward"),
            ("Pain", equals("Topic", "Pain"), "ward"),
            *SOUND,
        ),
        level="warning",
        told="it can match together with 'Urgent'",
    ),
    Case(
        "R10",
        "the same condition twice",
        f"routing_rule:{CHAT}/Pain again",
        both(
            queue("Ward"),
            rules(("Pain", equals("Topic", "Pain"), "ward"), ("Pain again", equals("Topic", "Pain"), "nurses"), *SOUND),
        ),
        rules(("Pain", equals("Topic", "Pain"), "ward"), ("Burns", equals("Topic", "Burn"), "nurses"), *SOUND),
        level="warning",
        told="whatever it matches, 'Pain' before it matches too",
    ),
    Case(
        "R10",
        "the general rule before the special one",
        f"routing_rule:{CHAT}/Pain",
        both(queue("Ward"), rules(SOUND[0], ("Pain", equals("Topic", "Pain"), "ward"), SOUND[1])),
        rules(("Pain", equals("Topic", "Pain"), "ward"), *SOUND),
        level="warning",
        told="'Any hand-off' before it matches too",
    ),
    Case(
        "R10",
        "without a condition, and not last",
        f"routing_rule:{CHAT}/Everyone",
        both(queue("Ward"), rules(SOUND[0], ("Everyone", None, "ward"), ("Never", equals("Topic", "x"), "bots"))),
        rules(SOUND[0], ("Everyone", None, "ward")),
        level="warning",
        told="it has no condition and stands before 'Never'",
    ),
    Case(
        "R10",
        "a spill to the general rule",
        ANY,
        both(queue("Ward"), full_at("ward", 5), rules(("Pain", equals("Topic", "Pain"), "ward"), *SOUND)),
        rules(("Pain", equals("Topic", "Pain"), "nurses"), *SOUND),
        level="info",
        told="it takes over from 'Pain' when the queue there overflows",
    ),
    Case(
        "R11",
        "the nurses have hours",
        FIRST,
        open_on_weekdays("nurses"),
        always_open("nurses"),
        told="Topic = 'something else'",
        also=frozenset({"C15"}),
    ),
    Case(
        "R11",
        "the nurses have a limit",
        FIRST,
        both(queue("Ward"), full_at("nurses", 10)),
        rules(("Any hand-off", has_value("Topic"), "ward"), SOUND[1]),
    ),
    Case(
        "R11",
        "a rule behind that never overflows",
        FIRST,
        both(queue("Ward"), full_at("nurses", 10)),
        rules(SOUND[0], ("Out of hours", has_value("Topic"), "ward"), SOUND[1]),
    ),
    Case(
        "R12",
        "no fallback queue",
        f"workstream:{CHAT}",
        change("msdyn_liveworkstreams", "chat", **{"msdyn_defaultqueue@odata.bind": None}),
        falls_back_to("nurses"),
        told="no fallback queue",
    ),
    Case(
        "R12",
        "the bot's queue",
        f"workstream:{CHAT}",
        both(falls_back_to("bots")),
        falls_back_to("nurses"),
        told="bots and no person",
        also=frozenset({"R01"}),
    ),
    Case(
        "R12",
        "an empty one",
        f"workstream:{CHAT}",
        both(queue("Ward", staffed=False), falls_back_to("ward")),
        joins("nurse", "ward"),
        told="has no members",
    ),
    Case(
        "R12",
        "an inactive one",
        f"workstream:{CHAT}",
        both(queue("Ward"), falls_back_to("ward"), change("queues", "ward", statecode=1, statuscode=2)),
        change("queues", "ward", statecode=0, statuscode=1),
        told="is inactive",
    ),
    Case("R13", "ninety", f"routing_rule:{CHAT}/Shared out", split(50, 40), split(50, 50), told="make 90"),
    Case(
        "R13",
        "six queues",
        f"routing_rule:{CHAT}/Shared out",
        split(50, 10, 10, 10, 10, 10),
        split(60, 10, 10, 10, 10),
        told="6 queues",
    ),
    Case(
        "R13",
        "one queue twice",
        f"routing_rule:{CHAT}/Shared out",
        split(50, 50, same=True),
        split(50, 50),
        told="Part 0 2 times",
    ),
    Case(
        "R14",
        "equals",
        f"routing_rule:{CHAT}/Pain",
        rules(("Pain", compares("Topic", "equals", "Pain"), "nurses"), *SOUND),
        rules(("Pain", compares("Topic", "==", "Pain"), "nurses"), *SOUND),
        level="warning",
        told="'equals'",
    ),
    Case(
        "R15",
        "two active configurations",
        f"workstream:{CHAT}",
        second_configuration,
        change("msdyn_routingconfigurations", "second", msdyn_isactiveconfiguration=False),
        told="2 routing configurations are active",
    ),
    Case(
        "R15",
        "none is active",
        f"workstream:{CHAT}",
        inactive_configuration,
        change("msdyn_routingconfigurations", "configuration", msdyn_isactiveconfiguration=True),
        told="none is active",
    ),
    Case("R15", "two route steps", f"workstream:{CHAT}", second_step, without_step, told="2 route-to-queue steps"),
    Case(
        "R15",
        "a step without rules",
        f"workstream:{CHAT}",
        bare_step,
        without_step,
        told="classification step has no rule set",
    ),
    Case(
        "R15",
        "another contract",
        f"workstream:{CHAT}",
        other_contract,
        shipped_contract,
        told="answers with the contract new_",
    ),
    Case("R15", "text that is no rule set", f"workstream:{CHAT}", broken_text, sound, told="cannot be read"),
    Case(
        "R16",
        "legacy mode",
        f"workstream:{CHAT}",
        change("msdyn_liveworkstreams", "chat", msdyn_mode=717210000),
        change("msdyn_liveworkstreams", "chat", msdyn_mode=717210001),
        level="warning",
        told="legacy mode",
    ),
    Case(
        "R16",
        "left-over rules",
        f"workstream:{CHAT}",
        legacy_rule,
        lambda here: here.site.delete("msdyn_ocruleitems", here.made["legacy"]),
        level="warning",
        told="Old rule",
    ),
)
