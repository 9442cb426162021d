"""Hard cases of bots, people and roles: the environment cannot be brought to what the playbook says, and says why."""

# ruff: noqa: E501  # messages are compared whole

from __future__ import annotations

import pytest

from d365setup.emulator import fixtures as names

from .cases import Case, check, nothing
from .site import APPLICATION, BOT, BOT_ID, OTHER_APPLICATION, OTHER_BOT_ID, Site

MEMBER = "queues: [{name: Nurses, members: [someone@contoso.example]}]"
EXISTING = f"bot_users: [{{name: Health Bot, application_id: {APPLICATION}, existing: true}}]"


def _twin(clinic: Site) -> dict[str, str]:
    return {"other": clinic.bot(OTHER_APPLICATION, msdyn_botapplicationid=BOT_ID, lastname="Twin")}


def _twin_of_live(clinic: Site) -> dict[str, str]:
    braced = f"{{{BOT_ID.upper()}}}"
    mine = clinic.bot(msdyn_botapplicationid=BOT_ID)
    return {"mine": mine, "other": clinic.bot(OTHER_APPLICATION, msdyn_botapplicationid=braced, lastname="Twin")}


def _person_with_bot_id(clinic: Site) -> dict[str, str]:
    return {"other": clinic.person("odd@contoso.example", msdyn_botapplicationid=BOT_ID)}


def _child_unit(clinic: Site) -> dict[str, str]:
    return {"row": clinic.bot(businessunitid=names.CHILD_UNIT), "child": names.CHILD_UNIT, "root": names.ROOT_UNIT}


def _soft_deleted(clinic: Site) -> dict[str, str]:
    row = clinic.bot()
    clinic.emulator.change("systemuser", row, deletedstate=1, isdisabled=1)
    return {"row": row}


def _another_bot(clinic: Site) -> dict[str, str]:
    return {"row": clinic.bot(msdyn_botapplicationid=OTHER_BOT_ID)}


def _caller(_clinic: Site) -> dict[str, str]:
    return {"row": names.CALLER}


def _two_people(clinic: Site) -> dict[str, str]:
    return {"one": clinic.person("someone@contoso.example"), "two": clinic.person("SomeOne@contoso.example")}


def _disabled(clinic: Site) -> dict[str, str]:
    row = clinic.person("someone@contoso.example")
    clinic.emulator.change("systemuser", row, isdisabled=1)
    return {}


def _application(clinic: Site) -> dict[str, str]:
    clinic.bot(OTHER_APPLICATION, internalemailaddress="someone@contoso.example")
    return {}


def _bot_without_application(clinic: Site) -> dict[str, str]:
    clinic.person("someone@contoso.example", msdyn_botapplicationid=OTHER_BOT_ID)
    return {}


def _role_further_down(clinic: Site) -> dict[str, str]:
    organization = {"organizationid": names.ORGANIZATION, "businessunitid": names.CHILD_UNIT}
    clinic.emulator.add("role", name="Night nurse", **organization)
    return {}


CURE = (
    "Omnichannel cannot tell two such users apart: clear the bot application id of the other one, or write its "
    "application id ({0}) in the playbook"
)
CASES = {
    "bot id on another user": Case(
        _twin,
        BOT,
        (
            f"bot_user:Health Bot: the bot id {BOT_ID} is already on another user, Twin ({{other}}); the user of this bot "
            f"is yet to be made. {CURE.format(OTHER_APPLICATION)}"
        ),
    ),
    "two users with one bot id": Case(
        _twin_of_live,
        BOT,
        (
            f"bot_user:Health Bot: the bot id {BOT_ID} is already on another user, Twin ({{other}}); the user of this bot "
            f"is {{mine}}. {CURE.format(OTHER_APPLICATION)}"
        ),
    ),
    "bot id on a person": Case(
        _person_with_bot_id,
        BOT,
        (
            f"bot_user:Health Bot: the bot id {BOT_ID} is already on another user, Per odd ({{other}}); the user of this "
            f"bot is yet to be made. {CURE.format('it has none')}"
        ),
    ),
    "another business unit": Case(
        _child_unit,
        BOT,
        (
            "bot_user:Health Bot: the user {row} is in business unit {child}, and a bot must be in the root unit {root}; "
            "move the user there (its roles are lost and given anew)"
        ),
    ),
    "soft-deleted": Case(
        _soft_deleted,
        BOT,
        (
            f"bot_user:Health Bot: a soft-deleted user ({{row}}) still holds the application id {APPLICATION}, and the "
            "platform allows no second one; in the Power Platform admin centre restore it, or delete it once more, "
            "which removes it for good"
        ),
    ),
    "already another bot": Case(
        _another_bot,
        BOT,
        (
            f"bot_user:Health Bot: the user {{row}} already stands for another bot ({OTHER_BOT_ID}), not for {BOT_ID}; use "
            "an application of its own for each bot, or clear the bot application id of that user"
        ),
    ),
    "the caller's own application": Case(
        _caller,
        BOT.replace(APPLICATION, names.CALLER_APPLICATION),
        (
            f"bot_user:Health Bot: the application id {names.CALLER_APPLICATION} is the one this tool signs in with "
            "({row}); register an application of its own for the bot"
        ),
    ),
    "existing bot that is not there": Case(
        nothing,
        EXISTING,
        (
            f"bot_user:Health Bot: there is no user with the application id {APPLICATION}; check the id, or leave out "
            "existing: true so that the user is made"
        ),
    ),
    "no user": Case(
        nothing,
        MEMBER,
        (
            "queue_member:Nurses/someone@contoso.example: no user has the address someone@contoso.example; check the "
            "spelling, and whether the user was added to this environment"
        ),
    ),
    "two users": Case(
        _two_people,
        MEMBER,
        (
            "queue_member:Nurses/someone@contoso.example: 2 enabled users have the address someone@contoso.example "
            "({ids}); give one of them another address"
        ),
    ),
    "disabled user": Case(
        _disabled,
        MEMBER,
        (
            "queue_member:Nurses/someone@contoso.example: the user with the address someone@contoso.example is disabled; "
            "enable the user, or name somebody else"
        ),
    ),
    "application with that address": Case(
        _application,
        MEMBER,
        (
            "queue_member:Nurses/someone@contoso.example: the user with the address someone@contoso.example is an "
            "application; name a bot by its name, a person by the address"
        ),
    ),
    "bot with that address": Case(
        _bot_without_application,
        MEMBER,
        (
            "queue_member:Nurses/someone@contoso.example: the user with the address someone@contoso.example is an "
            "application; name a bot by its name, a person by the address"
        ),
    ),
    "no such role": Case(
        nothing,
        BOT + "    roles: [Night nurse]",
        (
            "role_assignment:Health Bot/Night nurse: there is no role 'Night nurse' in the root business unit; check the "
            "spelling, and whether Omnichannel for Customer Service is installed"
        ),
    ),
    "role in other case": Case(
        nothing,
        BOT + "    roles: [omnichannel Agent]",
        (
            "role_assignment:Health Bot/omnichannel Agent: there is no role 'omnichannel Agent' in the root business "
            "unit; did you mean 'Omnichannel agent'?"
        ),
    ),
    "role of a child unit": Case(
        _role_further_down,
        BOT + "    roles: [Night nurse]",
        (
            "role_assignment:Health Bot/Night nurse: there is no role 'Night nurse' in the root business unit, only "
            "further down; make it in the root unit, where bot users live, or name another role"
        ),
    ),
}


@pytest.mark.parametrize("case", [case for name, case in CASES.items() if name != "two users"])
def test_refused(clinic: Site, case: Case) -> None:
    check(clinic, case)


def test_an_address_that_two_people_have(clinic: Site) -> None:
    case = CASES["two users"]
    ids = sorted(_two_people(clinic).values())
    (note,) = clinic.refusal(case.text).notes
    assert f"{note.id}: {note.message}" == case.line.format(ids=" and ".join(ids))


def test_everything_is_told_at_once_with_its_line(clinic: Site) -> None:
    text = """queues:
  - name: Nurses
    members:
      - nobody@contoso.example
      - no.one@contoso.example
workstreams:
  - name: No such stream
"""
    found = clinic.refusal(text)
    assert [(str(note.id), note.source.line) for note in found.notes] == [
        ("queue_member:Nurses/nobody@contoso.example", 6),
        ("queue_member:Nurses/no.one@contoso.example", 7),
        ("workstream:No such stream", 9),
    ]


def test_a_soft_deleted_user_deleted_for_good_is_made_anew(clinic: Site) -> None:
    row = _soft_deleted(clinic)["row"]
    assert clinic.refusal(BOT).exit_code == 1
    clinic.emulator.execute("DELETE FROM systemuser WHERE systemuserid = ?", [row])
    clinic.apply(BOT)
    assert clinic.one("SELECT deletedstate FROM systemuser WHERE applicationid = ?", APPLICATION) == 0


def test_a_soft_deleted_user_of_another_application_does_not_block(clinic: Site) -> None:
    row = clinic.bot(OTHER_APPLICATION, msdyn_botapplicationid=BOT_ID)
    clinic.emulator.change("systemuser", row, deletedstate=1, isdisabled=1)
    clinic.apply(BOT)


def test_an_address_counts_without_case_and_blanks_at_its_end(clinic: Site) -> None:
    row = clinic.person("Someone@Contoso.example ")
    clinic.apply(MEMBER)
    found = "SELECT systemuserid FROM queuemembership WHERE queueid = ? AND systemuserid = ?"
    assert clinic.one(found, names.NURSES, row) == row


def test_of_two_users_with_one_address_the_enabled_one_is_meant(clinic: Site) -> None:
    gone, there = clinic.person("someone@contoso.example"), clinic.person("someone@contoso.example")
    clinic.emulator.change("systemuser", gone, isdisabled=1)
    clinic.apply(MEMBER)
    found = clinic.column("SELECT systemuserid FROM queuemembership WHERE queueid = ?", names.NURSES)
    assert there in found
    assert gone not in found


def test_a_role_held_through_a_team_only_is_given_directly(clinic: Site) -> None:
    row = clinic.bot()
    team = clinic.one("SELECT teamid FROM team WHERE businessunitid = ?", names.ROOT_UNIT)
    role = names.fixed_id("role", "Omnichannel agent")
    clinic.emulator.link("team", team, "teamroles_association", role)
    clinic.apply(BOT)
    assert clinic.column("SELECT roleid FROM systemuserroles WHERE systemuserid = ?", row) == [role]


def test_a_role_held_in_another_units_copy_only_is_given_in_the_right_one(clinic: Site) -> None:
    """An environment that owns records across business units lets a user hold any unit's copy."""
    row = clinic.bot()
    wrong = clinic.one(
        "SELECT roleid FROM role WHERE name = 'Omnichannel agent' AND businessunitid = ?", names.CHILD_UNIT
    )
    clinic.emulator.link("systemuser", row, "systemuserroles_association", wrong)
    clinic.apply(BOT)
    held = set(clinic.column("SELECT roleid FROM systemuserroles WHERE systemuserid = ?", row))
    assert held == {wrong, names.fixed_id("role", "Omnichannel agent")}


def test_roles_nobody_declared_stay(clinic: Site) -> None:
    row = clinic.bot()
    other = names.fixed_id("role", "Omnichannel supervisor")
    clinic.emulator.link("systemuser", row, "systemuserroles_association", other)
    clinic.apply(BOT)
    held = set(clinic.column("SELECT roleid FROM systemuserroles WHERE systemuserid = ?", row))
    assert held == {other, names.fixed_id("role", "Omnichannel agent")}


def test_an_existing_bot_is_only_referred_to(clinic: Site) -> None:
    row = clinic.bot(msdyn_capacity=3, lastname="As it is")
    clinic.apply(EXISTING + "\nqueues: [{name: Nurses, members: [Health Bot]}]")
    columns = "SELECT lastname, msdyn_capacity, msdyn_botapplicationid FROM systemuser WHERE systemuserid = ?"
    assert clinic.one(columns, row) == ("As it is", 3, None)
    assert row in clinic.column("SELECT systemuserid FROM queuemembership WHERE queueid = ?", names.NURSES)
    assert clinic.column("SELECT roleid FROM systemuserroles WHERE systemuserid = ?", row) == []


def test_an_existing_bot_that_is_disabled_is_warned_of(clinic: Site) -> None:
    row = clinic.bot()
    clinic.emulator.change("systemuser", row, isdisabled=1)
    assert clinic.warnings(EXISTING) == [
        f"bot_user:Health Bot: the user ({row}) is disabled and gets no conversations; enable it"
    ]


def test_an_existing_bot_of_another_bot_id_is_refused(clinic: Site) -> None:
    clinic.bot(msdyn_botapplicationid=OTHER_BOT_ID)
    text = EXISTING.replace("existing", f"bot_application_id: {BOT_ID}, existing")
    assert "already stands for another bot" in str(clinic.refusal(text))
