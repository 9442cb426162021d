"""`export --update`: a playbook follows its environment; its comments, order, variables and words stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d365setup import ruleset
from d365setup.emulator import Emulator, Options
from d365setup.kinds import specs
from d365setup.playbook import load
from tests.engine.driver import APPLICATION, BOT_ID, KINDS, applied, decided
from tests.engine.test_convergence import playbooks
from tests.exporting.driver import Exported, export

ROOT = Path(__file__).parents[2]
SHIPPED = (ROOT / "playbooks" / "health-bot.yaml").read_text(encoding="utf-8")
VALUES = {"bot_application_id": APPLICATION, "health_bot_id": BOT_ID}
HEAD = f"""\
playbook: 1
name: contoso-health-bot
bot_users:
  - name: Bot
    application_id: {APPLICATION}
    bot_application_id: {BOT_ID}
    email: bot@contoso.example
"""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    found = Emulator(None, Options())
    with closing(found), found.serve():
        yield found


def update(emulator: Emulator, path: Path | str = "it.yaml") -> Exported:
    variables = [f"--var={name}={value}" for name, value in VALUES.items()]
    return export(emulator, "--update", str(path), *(variables if "${" in Path(path).read_text("utf-8") else ()))


def update_plain(emulator: Emulator) -> Exported:
    """Without values for variables: the file has them all."""
    return export(emulator, "--update", "it.yaml")


def comments(text: str) -> list[str]:
    return [line[line.index("#") :] for line in text.splitlines() if "#" in line]


def put(emulator: Emulator, text: str) -> None:
    """Apply a playbook, and keep it as the file to be updated."""
    wants = text.replace("${bot_application_id}", APPLICATION).replace("${health_bot_id}", BOT_ID)
    assert set(map(str, applied(emulator, wants).statuses.values())) == {"verified"}
    Path("it.yaml").write_text(text, encoding="utf-8")


def now() -> str:
    return Path("it.yaml").read_text(encoding="utf-8")


def one(emulator: Emulator, sql: str, *values: str) -> str:
    return str(emulator.sql(sql, values)[0][0])


@pytest.mark.parametrize("breaks", ["\n", "\r\n"])
def test_what_is_in_line_stays_as_it_is_byte_for_byte(emulator: Emulator, breaks: str) -> None:
    put(emulator, SHIPPED)
    members = "members: {mode: include, users: [nurse.one@contoso.example]}"
    text = SHIPPED.replace(members, "members: [nurse.one@contoso.example, nurse.two@contoso.example]")
    content = b"\xef\xbb\xbf" + text.replace("\n", breaks).encode()
    Path("it.yaml").write_bytes(content)
    found = update(emulator)
    assert found.code == 0, found.err
    assert "nothing to update" in found.out
    assert Path("it.yaml").read_bytes() == content


def made_queue(emulator: Emulator, name: str) -> str:
    return emulator.add("queue", name=name, msdyn_isomnichannelqueue=True, msdyn_queuetype=192350000)


def test_it_follows_its_environment_and_keeps_everything_else(emulator: Emulator) -> None:
    put(emulator, SHIPPED)
    bots = one(emulator, "SELECT queueid FROM queue WHERE name = 'Health bot'")
    billing = one(emulator, "SELECT queueid FROM queue WHERE name = 'Billing'")
    stream = one(emulator, "SELECT msdyn_liveworkstreamid FROM msdyn_liveworkstream")
    emulator.change("queue", bots, msdyn_priority=7, description="Now: another # text")
    emulator.change("msdyn_liveworkstream", stream, msdyn_defaultqueue=billing)
    emulator.add(
        "msdyn_ocliveworkstreamcontextvariable",
        msdyn_name="Language", msdyn_displayname="Language", msdyn_datatype=192350000, msdyn_liveworkstreamid=stream,
    )  # fmt: skip
    row, text = emulator.sql("SELECT msdyn_decisionrulesetid, msdyn_rulesetdefinition FROM msdyn_decisionruleset")[0]
    rules = {rule.name: rule for rule in ruleset.read(text).rules}
    text = ruleset.without(text, [rules["Urgent"].id])
    new = [ruleset.Wanted("Billing first", billing, ruleset.read(text).rules[0].condition, billing)]
    emulator.change("msdyn_decisionruleset", row, msdyn_rulesetdefinition=ruleset.edit(text, new))
    found = update(emulator)
    assert found.code == 0, found.err
    after = now()
    playbook = load(after, specs(KINDS), VALUES)
    assert {"Billing", "Health bot", "Nurses"} == {each.name for each in playbook.desired.of(KINDS["queue"].spec)}
    assert "    priority: 7\n" in after
    assert '    description: "Now: another # text"\n' in after
    assert "    fallback_queue: Billing          # where a conversation goes that no rule matches\n" in after
    assert "{name: Language, type: text}" in after
    assert "Urgent" not in after.split("scenarios:")[0]
    assert "capacity: highest  " in after
    assert "application_id: ${bot_application_id}\n" in after
    assert set(comments(SHIPPED)) <= set(comments(after))
    assert after.split("# The other side of the hand-off")[1] == SHIPPED.split("# The other side of the hand-off")[1]
    again = update(emulator)
    assert "nothing to update" in again.out
    assert now() == after


def test_what_came_and_nothing_leads_to_is_named_and_not_written(emulator: Emulator) -> None:
    put(emulator, SHIPPED)
    for name in ("Night desk", "Patient records"):
        assert made_queue(emulator, name)
    found = update(emulator)
    told = next(line for line in found.out.splitlines() if line.startswith("not in this playbook"))
    assert "queue Night desk" in told
    assert "queue Patient records" in told
    assert not any(name in told for name in ("queue Health bot", "work stream Patient chat", "bot Contoso Health Bot"))
    assert told.endswith("; export --queue, --workstream or --bot writes it")
    assert "Default messaging queue" not in told  # Omnichannel's own
    assert "Night desk" not in now()


def test_a_bot_that_came_gets_variables_of_its_own(emulator: Emulator) -> None:
    put(emulator, SHIPPED)
    nurses = one(emulator, "SELECT queueid FROM queue WHERE name = 'Nurses'")
    unit = one(emulator, "SELECT businessunitid FROM businessunit WHERE parentbusinessunitid IS NULL")
    new = "7b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01"
    bot = emulator.add(
        "systemuser", applicationid=new, businessunitid=unit, lastname="Second", msdyn_botapplicationid=new,
        internalemailaddress="second@contoso.example",
    )  # fmt: skip
    emulator.link("queue", nurses, "queuemembership_association", bot)
    found = update(emulator)
    assert found.code == 0, found.err
    after = now()
    assert "  second_application_id:\n    env: SECOND_APPLICATION_ID\n" in after
    assert f"\n  SECOND_APPLICATION_ID={new}\n" in found.out
    assert "'${second_application_id}'" in after
    assert "nurse.one@contoso.example" in after


def test_a_capacity_that_is_too_low_now_becomes_a_number(emulator: Emulator) -> None:
    members = "[nurse.one@contoso.example, nurse.two@contoso.example, Bot]"
    text = f"{HEAD}    capacity: highest  # first\nqueues:\n  - {{name: Nurses, members: {members}}}  # all\n"
    put(emulator, text)
    emulator.execute("UPDATE systemuser SET msdyn_capacity = 20 WHERE applicationid = ?", [APPLICATION])
    found = update(emulator)
    assert found.code == 0, found.err
    assert "    capacity: 20  # first\n" in now()
    assert now().endswith("}  # all\n")


def test_what_was_left_out_and_meant_something_is_written(emulator: Emulator) -> None:
    stream = (
        "queues: [{name: Nurses}]\nworkstreams:\n  - name: Patient chat\n"
        "    context_variables: [{name: Topic, type: text}]\n"
        "    routing_rules:\n      - name: Everyone\n        queue: Nurses\n"
    )
    put(emulator, HEAD + stream.replace("        queue", "        when: {Topic: Nurse}\n        queue"))
    emulator.execute(
        "UPDATE systemuserroles SET roleid = (SELECT roleid FROM role WHERE name LIKE '%supervisor') "
        "WHERE systemuserid IN (SELECT systemuserid FROM systemuser WHERE applicationid = ?)",
        [APPLICATION],
    )
    Path("it.yaml").write_text(HEAD + stream, encoding="utf-8")
    found = update(emulator)
    assert found.code == 0, found.err
    assert "      - name: Everyone\n        when: {Topic: Nurse}\n        queue: Nurses\n" in now()
    assert "  - name: Bot\n    roles: [Omnichannel supervisor]\n    application_id: " in now()


def test_comments_of_what_is_written_anew_stay_above_it(emulator: Emulator) -> None:
    stream = """\
variables:
  nurse: {default: nurse.one@contoso.example}
queues:
  # apart from any

  - name: Nurses
    description: >-  # said to nobody
      Old
      words
    members: {mode: include, users: ["${nurse}", nurse.two@contoso.example]}  # people
  - {name: Billing, priority: 1, members: [
      "${nurse}"]}  # w
  # after the last
workstreams:
  - name: Patient chat
    context_variables: [{name: Topic, type: text}]
    routing_rules:
      - name: Everyone
        when:
          Topic: Nurse  # a word
        queue: Nurses
"""
    put(emulator, HEAD + stream)
    for name in ("Nurses", "Billing"):
        emulator.change(
            "queue",
            one(emulator, "SELECT queueid FROM queue WHERE name = ?", name),
            description="New",
            msdyn_priority=4,
        )
    nurses = one(emulator, "SELECT queueid FROM queue WHERE name = 'Nurses'")
    two = one(emulator, "SELECT systemuserid FROM systemuser WHERE internalemailaddress LIKE 'nurse.two@%'")
    emulator.execute("DELETE FROM queuemembership WHERE queueid = ? AND systemuserid = ?", [nurses, two])
    row, text = emulator.sql("SELECT msdyn_decisionrulesetid, msdyn_rulesetdefinition FROM msdyn_decisionruleset")[0]
    emulator.change("msdyn_decisionruleset", row, msdyn_rulesetdefinition=text.replace(">Nurse<", ">Other<"))
    found = update_plain(emulator)
    assert found.code == 0, found.err
    assert (
        now()
        == HEAD
        + """\
variables:
  nurse: {default: nurse.one@contoso.example}
queues:
  # apart from any

  - name: Nurses
    # said to nobody
    description: New
    members: {mode: include, users: ["${nurse}"]}  # people
  - {name: Billing, priority: 4, members: ["${nurse}", billing.one@contoso.example, billing.two@contoso.example]}  # w
  # after the last
workstreams:
  - name: Patient chat
    context_variables: [{name: Topic, type: text}]
    routing_rules:
      - name: Everyone
        # a word
        when: {Topic: Other}
        queue: Nurses
"""
    )


@pytest.mark.parametrize("layout", ["in lines", "in braces"])
def test_a_bot_that_can_only_be_referred_to_now_keeps_its_id_as_it_is_written(emulator: Emulator, layout: str) -> None:
    variables = f"variables:\n  mine: {{default: {APPLICATION}}}\n"
    text = (
        HEAD.replace(f"application_id: {APPLICATION}\n    bot", "application_id: ${mine}  # Entra\n    bot") + variables
    )
    if layout == "in braces":
        values = f"application_id: '${{mine}}', bot_application_id: {BOT_ID}, email: bot@contoso.example"
        text = f"playbook: 1\nname: contoso-health-bot\nbot_users:\n  - {{name: Bot, {values}}}  # Entra\n{variables}"
    put(emulator, text)
    emulator.execute("UPDATE systemuser SET isdisabled = 1 WHERE applicationid = ?", [APPLICATION])
    found = update_plain(emulator)
    assert found.code == 0, found.err
    after = now()
    (bot,) = load(after, specs(KINDS), {}).desired.of(KINDS["bot_user"].spec)
    assert (bot.application_id, bot.only_refers) == (APPLICATION, True)
    assert "${mine}" in after
    assert "# Entra" in after
    assert "bot_application_id" not in after
    if layout == "in lines":
        assert (
            "    # Only referred to: its enabled is false, and a playbook would make it true.\n    existing: true\n"
            in after
        )


def test_what_it_cannot_work_on_stays_untouched(emulator: Emulator) -> None:
    Path("base.yaml").write_text(HEAD, encoding="utf-8")
    Path("it.yaml").write_text("playbook: 1\nextends: base.yaml\n", encoding="utf-8")
    found = update(emulator)
    assert (found.code, "which file should say what is new only you know" in found.err) == (2, True)
    text = HEAD + "queues:\n  -\n    name: Nurses\n    priority: 3\n"
    Path("it.yaml").write_text(text, encoding="utf-8")
    found = update(emulator)
    assert (found.code, "does not begin on the line" in found.err) == (2, True)
    assert now() == text
    Path("it.yaml").write_text("{playbook: 1, name: x, queues: [{name: Nurses, priority: 3}]}\n", encoding="utf-8")
    found = update(emulator)
    assert (found.code, "stands in braces" in found.err) == (2, True)
    for option in ("--out=x.yaml", "--name=x", "--queue=Nurses"):
        assert export(emulator, "--update", "it.yaml", option).code == 2


def test_tests_that_name_what_is_gone_keep_the_file_as_it_was(emulator: Emulator) -> None:
    put(emulator, SHIPPED)
    row, text = emulator.sql("SELECT msdyn_decisionrulesetid, msdyn_rulesetdefinition FROM msdyn_decisionruleset")[0]
    gone = [rule.id for rule in ruleset.read(text).rules if rule.name == "Any other hand-off"]
    emulator.change("msdyn_decisionruleset", row, msdyn_rulesetdefinition=ruleset.without(text, gone))
    found = update(emulator)
    assert found.code == 1
    assert "first mend what names things that are gone" in found.err
    assert " | - {escalate: {BotHandOffTopic: Billing}" in found.err
    assert "Any other hand-off" in found.err
    assert now() == SHIPPED


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(here=playbooks(), there=playbooks(), style=st.sampled_from([None, False]))
def test_any_playbook_follows_any_environment(here: dict[str, Any], there: dict[str, Any], style: bool | None) -> None:
    emulator = Emulator(None, Options())
    with closing(emulator), emulator.serve():
        applied(emulator, yaml.safe_dump(there, sort_keys=False, allow_unicode=True))
        for queue in here["queues"]:  # what must go is another matter: an export takes nobody out
            if "members" in queue:
                queue["members"]["mode"] = "include"
        text = yaml.dump(here, sort_keys=False, allow_unicode=True, default_flow_style=style, indent=2)
        Path("it.yaml").write_text(text, encoding="utf-8")
        found = update(emulator)
        assert found.code == 0, found.err
        after = now()
        for name, value in (("bot_application_id", APPLICATION), ("health_bot_id", BOT_ID)):
            after = after.replace(f"'${{{name}}}'", value)
        assert decided(emulator, after).plan.changes == ()
        assert "nothing to update" in update(emulator).out
