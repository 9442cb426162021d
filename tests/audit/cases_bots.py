"""Findings about bot users, the queues they are in, and what they may do: R17 to R19, R21, R22, C17."""

from __future__ import annotations

from d365setup.emulator import fixtures as names
from tests.audit.harness import Act, Case, Handoff
from tests.survey import rule_text
from tests.survey.rule_text import has_value

BOT, CHAT = "bot_user:Health Bot", "workstream:Patient chat"
TYPED = "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01"


def of_bot(**columns: object) -> Act:
    """Set columns of the bot's user."""
    return lambda here: here.site.change("systemusers", here.bot, **columns)


def of_chat(**columns: object) -> Act:
    """Set columns of the work stream."""
    return lambda here: here.site.change("msdyn_liveworkstreams", here.chat, **columns)


def first_role_gone(here: Handoff) -> None:
    here.site.unlink(f"systemusers({here.bot})/systemuserroles_association", here.site.role(names.AGENT))


def role_back(here: Handoff) -> None:
    here.site.give_role(here.bot, names.AGENT)


def role_by_team(here: Handoff) -> None:
    first_role_gone(here)
    here.site.make_team("Bots", members=[here.bot])


def role_for_apis(here: Handoff) -> None:
    here.made["role"] = here.site.make_role("Omnichannel API access")
    here.site.link(f"systemusers({here.bot})/systemuserroles_association", "roles", here.made["role"])


def role_for_apis_gone(here: Handoff) -> None:
    here.site.unlink(f"systemusers({here.bot})/systemuserroles_association", here.made["role"])


def child_bot(here: Handoff) -> None:
    here.made["child"] = here.site.make_bot("Child Bot", queue=here.bots, unit=names.CHILD_UNIT)


def child_bot_moved(here: Handoff) -> None:
    unit = {"businessunitid@odata.bind": f"/businessunits({names.ROOT_UNIT})"}
    here.site.change("systemusers", here.made["child"], **unit)
    held = f"systemusers({here.made['child']})/systemuserroles_association"
    for role in here.site.rows(f"{held}?$select=roleid"):
        here.site.unlink(held, role["roleid"])
    here.site.give_role(here.made["child"], names.AGENT)


def wrong_copy(here: Handoff) -> None:
    """The service refuses to give it; it is what is left where a user was moved by hand in older versions."""
    first_role_gone(here)
    copy = here.site.role(names.AGENT, names.CHILD_UNIT)
    query = "INSERT INTO systemuserroles (systemuserroleid, systemuserid, roleid) VALUES (?, ?, ?)"
    here.site.emulator.execute(query, ["5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f", here.bot, copy])
    here.made["copy"] = copy


def right_copy(here: Handoff) -> None:
    here.site.unlink(f"systemusers({here.bot})/systemuserroles_association", here.made["copy"])
    role_back(here)


def twin(here: Handoff) -> None:
    here.site.change("systemusers", here.bot, msdyn_botapplicationid=TYPED)
    here.made["twin"] = here.site.make_person(
        "left.over@contoso.example", msdyn_botapplicationid=f"{{{TYPED.upper()}}}"
    )


def twin_gone(here: Handoff) -> None:
    here.site.change("systemusers", here.made["twin"], msdyn_botapplicationid=None)


def without_bot_id(here: Handoff) -> None:
    here.made["other"] = here.site.make_bot("Other Bot", bot_id="")


def with_bot_id(here: Handoff) -> None:
    here.site.change("systemusers", here.made["other"], msdyn_botapplicationid=TYPED)


def in_records(here: Handoff) -> None:
    here.made["records"] = here.site.make_queue("Cases", type="record", members=[here.bot])


def out_of_records(here: Handoff) -> None:
    here.site.remove_member(here.made["records"], here.bot)


def in_default_only(here: Handoff) -> None:
    here.made["other"] = here.site.make_bot("Other Bot", queue=names.fixed_id("queue", "default messaging"))


def in_its_own(here: Handoff) -> None:
    here.site.add_member(here.bots, here.made["other"])


def own_bot(here: Handoff) -> None:
    of_chat(**{"msdyn_bot_user@odata.bind": f"/systemusers({here.bot})"})(here)


def no_own_bot(here: Handoff) -> None:
    of_chat(**{"msdyn_bot_user@odata.bind": None})(here)


def own_bot_of_pick(here: Handoff) -> None:
    """No rule leads to a bot, the work stream has one of its own."""
    people_only = [rule_text.rule("All", None, rule_text.sends(here.nurses))]
    here.site.set_rules(here.rules, rule_text.text(people_only))
    own_bot(here)
    of_chat(msdyn_workdistributionmode=192350001)(here)


def rules_restored(here: Handoff) -> None:
    of_chat(msdyn_workdistributionmode=192350000)(here)
    no_own_bot(here)
    hand_off = rule_text.rule("Any hand-off", has_value("Topic"), rule_text.sends(here.nurses))
    here.site.set_rules(
        here.rules, rule_text.text([hand_off, rule_text.rule("Bot first", None, rule_text.sends(here.bots))])
    )


def administrator(here: Handoff) -> None:
    here.site.give_role(here.bot, names.SYSTEM_ADMINISTRATOR)


def no_administrator(here: Handoff) -> None:
    role = here.site.role(names.SYSTEM_ADMINISTRATOR)
    here.site.unlink(f"systemusers({here.bot})/systemuserroles_association", role)


CASES = (
    Case(
        "R17", "a bot's queue", CHAT, of_chat(msdyn_workdistributionmode=192350001),
        of_chat(msdyn_workdistributionmode=192350000), told="Health Bot",
    ),
    Case("R17", "the work stream's own bot", CHAT, own_bot_of_pick, rules_restored, told="Health Bot"),
    Case("R18", "disabled", BOT, of_bot(isdisabled=True), of_bot(isdisabled=False), told="disabled"),
    Case("R18", "no role", BOT, first_role_gone, role_back, told="does not hold"),
    Case("R18", "a role through a team only", BOT, role_by_team, role_back, told="through a team"),
    Case("R18", "the API role beside it", BOT, role_for_apis, role_for_apis_gone, told="Omnichannel API access"),
    Case("R18", "another unit", "bot_user:Child Bot", child_bot, child_bot_moved, told="root business unit"),
    Case("R18", "another unit's copy", BOT, wrong_copy, right_copy, told="copy of another business unit"),
    Case("R19", "another type", BOT, of_bot(msdyn_agentType=192350000), of_bot(msdyn_agentType=192350001), told="type"),
    Case(
        "R19", "no GUID", BOT, of_bot(msdyn_botapplicationid="the health bot"), of_bot(msdyn_botapplicationid=TYPED),
        told="not of the form",
    ),
    Case("R19", "no bot ID", "user:Other Bot", without_bot_id, with_bot_id, told="no bot application ID"),
    Case("R21", "a queue for records", BOT, in_records, out_of_records, "warning", "Cases"),
    Case("R21", "a default queue only", "bot_user:Other Bot", in_default_only, in_its_own, "warning", "default"),
    Case("R22", "its own bot and a queue's", CHAT, own_bot, no_own_bot, "info", "Bot only"),
    Case("C17", "an administrator", BOT, administrator, no_administrator, "warning", "System Administrator"),
)  # fmt: skip
TWINS = (twin, twin_gone)  # two findings at once, one for each of the two
