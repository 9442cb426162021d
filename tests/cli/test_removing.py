"""`--prune`, `--allow-delete` and `destroy` as a user calls them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from d365setup.emulator import Emulator
from tests.cli.conftest import ROOT, VALUES, Run
from tests.cli.process import start

pty = pytest.importorskip("pty", reason="needs a pseudo terminal")

MADE = {
    "bot_user:Contoso Health Bot",
    "role_assignment:Contoso Health Bot/Omnichannel agent",
    "queue_member:Health bot/Contoso Health Bot",
    "queue:Health bot",
    "context_variable:Patient chat/BotHandOffTopic",
    "context_variable:Patient chat/Severity",
    "routing_rule:Patient chat/Hand off to a nurse",
    "routing_rule:Patient chat/Urgent",
    "routing_rule:Patient chat/Any other hand-off",
    "routing_rule:Patient chat/Everyone meets the bot first",
}


def writes(emulator: Emulator) -> list[str]:
    return [part[0] for request in emulator.requests for part in request.operations if part[0] != "GET"]


def without_a_rule() -> None:
    """The playbook, without its rule `Hand off to a nurse`."""
    text = Path("bot.yaml").read_text(encoding="utf-8")
    rule = "      - name: Hand off to a nurse\n        when: {BotHandOffTopic: Nurse}\n        queue: Nurses\n"
    assert rule in text
    text = text.replace(rule, "")
    Path("bot.yaml").write_text(text.partition("\ntests:")[0] + "\n", encoding="utf-8")  # they expect the rule


def names(document: dict[str, list[dict[str, str]]]) -> set[str]:
    return {f"{each['kind']}:{each['key']}" for each in document["changes"]}


def test_plan_and_apply_take_away_only_when_asked(at: Run, emulator: Emulator) -> None:
    assert at("apply", "--yes").code == 0
    without_a_rule()
    assert at("plan").code == 0
    assert at("apply", "--yes").code == 0
    shown = at("plan", "--prune", "--format", "json")
    assert shown.code == 3
    assert names(shown.json) == {"routing_rule:Patient chat/Hand off to a nurse"}
    (change,) = shown.json["changes"]
    assert (change["action"], change["source"]) == ("delete", None)
    assert change["reason"].startswith("this playbook made it and no longer declares it; it is taken out")
    text = at("plan", "--prune").out
    assert "- routing_rule:Patient chat/Hand off to a nurse" in text
    assert "0 to create, 0 to update, 1 to remove, 12 unchanged" in text

    applied = at("apply", "--prune", "--yes", "--format", "json")
    assert applied.code == 0
    assert [each["status"] for each in applied.json["outcomes"]] == ["verified"]
    assert at("plan", "--prune").code == 0
    assert at("verify").code == 0


def test_a_saved_plan_keeps_that_it_prunes(at: Run, run: Run, emulator: Emulator) -> None:
    assert at("apply", "--yes").code == 0
    without_a_rule()
    assert at("plan", "--prune", "--out", "plan.json").code == 3
    where = {"D365_ACCESS_TOKEN": "made-up-token"}
    refused = run("apply", "plan.json", "--prune", "--yes", "--url", emulator.url, **where)
    assert refused.code == 2
    assert "--prune does not go with a saved plan" in refused.err
    done = run("apply", "plan.json", "--yes", "--url", emulator.url, "--format", "json", **where)
    assert done.code == 0
    assert names(done.json) == {"routing_rule:Patient chat/Hand off to a nurse"}


def test_destroy_shows_what_goes_and_what_stays_and_asks(at: Run, emulator: Emulator) -> None:
    assert at("apply", "--yes").code == 0
    emulator.reset_log()
    refused = at("destroy")
    assert refused.code == 5
    assert "- queue:Health bot" in refused.err
    assert "queue:Nurses: stays: this playbook did not make it" in refused.err
    assert "there is no terminal to ask on" in refused.err
    assert writes(emulator) == []

    done = at("destroy", "--yes", "--format", "json")
    assert done.code == 0
    assert done.json["command"] == "destroy"
    assert {each["id"] for each in done.json["outcomes"] if each["status"] == "verified"} == MADE
    assert any(each["id"] == "workstream:Patient chat" for each in done.json["warnings"])

    emulator.reset_log()
    again = at("destroy", "--yes")
    assert again.code == 0
    assert "nothing is left to take away" in again.out
    assert writes(emulator) == []
    assert at("apply", "--yes").code == 0
    assert at("verify").code == 0


def test_links_that_only_another_state_folder_knows_of_stay(at: Run, emulator: Emulator) -> None:
    assert at("apply", "--yes").code == 0
    shown = at("destroy", "--state-dir", "elsewhere")
    assert shown.code == 5
    assert "- queue:Health bot" in shown.err
    told = (
        "queue_member:Health bot/Contoso Health Bot: stays: no journal kept here says that this playbook made the link"
    )
    assert told in shown.err


@pytest.mark.parametrize(("answer", "code"), [("n\n", 5), ("\x04", 5), ("y\n", 0)])
def test_the_answer_at_a_terminal(at: Run, emulator: Emulator, answer: str, code: int) -> None:
    assert at("apply", "--yes").code == 0
    emulator.reset_log()
    master, slave = pty.openpty()
    call = ("destroy", "bot.yaml", "--url", emulator.url, "--no-color")
    process = start(*call, variables=VALUES, stdin=slave, stderr=slave)
    os.close(slave)
    os.write(master, answer.encode())
    shown = b""
    with suppress(OSError):  # the other side is closed
        while chunk := os.read(master, 65536):
            shown += chunk
    out, _ = process.communicate(timeout=60)
    os.close(master)
    told = shown.decode()
    assert f"Take 10 things away that contoso-health-bot made on Contoso Health ({emulator.url})? [y/N]" in told
    assert process.returncode == code
    assert bool(writes(emulator)) is (code == 0)
    assert out.startswith("Took away what playbook contoso-health-bot made") is (code == 0)
    assert ("nothing was taken away: you did not say yes" in told) is (code == 5)


def test_destroy_then_rollback_brings_all_of_it_back(at: Run, run: Run, emulator: Emulator) -> None:
    assert at("apply", "--yes").code == 0
    before = emulator.sql("SELECT msdyn_rulesetdefinition FROM msdyn_decisionruleset")
    gone = at("destroy", "--yes", "--format", "json")
    assert gone.code == 0
    undone = run("rollback", gone.json["run"], "--yes", "--url", emulator.url, D365_ACCESS_TOKEN="made-up-token")
    assert undone.code == 0, undone.out + undone.err
    assert emulator.sql("SELECT msdyn_rulesetdefinition FROM msdyn_decisionruleset") == before
    assert at("verify").code == 0


PLAYBOOK = "playbook: 1\nname: many\nqueues:\n"


@pytest.fixture
def many(run: Run, emulator: Emulator) -> Run:
    """Twelve queues made by a playbook that declares one of them by now."""
    where = {"D365_ACCESS_TOKEN": "made-up-token", "D365_URL": emulator.url}
    queues = [f"  - {{name: Queue {number}}}\n" for number in range(12)]
    Path("many.yaml").write_text(PLAYBOOK + "".join(queues), encoding="utf-8")
    assert run("apply", "many.yaml", "--yes", **where).code == 0
    Path("many.yaml").write_text(PLAYBOOK + queues[0], encoding="utf-8")
    emulator.reset_log()
    return lambda command, *args: run(command, "many.yaml", *args, **where)


def test_too_much_at_once_is_refused_and_shown(many: Run, emulator: Emulator) -> None:
    refused = many("apply", "--prune", "--yes")
    assert refused.code == 5
    assert "- queue:Queue 11" in refused.err
    assert "this plan takes away 11 of queue, more than 10" in refused.err
    assert "add --allow-delete queue:11" in refused.err
    assert many("destroy", "--yes").code == 5
    document = many("apply", "--prune", "--yes", "--format", "json").json
    assert document["exit_code"] == 5
    assert writes(emulator) == []


@pytest.mark.parametrize(("given", "code"), [("queue:10", 5), ("bot_user:11", 5), ("queue:11", 0), ("queue:99", 0)])
def test_consent_names_kind_and_number(many: Run, given: str, code: int) -> None:
    assert many("apply", "--prune", "--yes", "--allow-delete", given).code == code


def test_consent_lapses_when_the_plan_grows(many: Run, emulator: Emulator) -> None:
    Path("many.yaml").write_text(PLAYBOOK.replace("queues:\n", ""), encoding="utf-8")
    assert many("apply", "--prune", "--yes", "--allow-delete", "queue:11").code == 5
    assert many("destroy", "--yes", "--allow-delete", "queue:12").code == 0


def test_plan_says_what_apply_will_want(many: Run) -> None:
    shown = many("plan", "--prune", "--format", "json")
    assert shown.code == 3
    (told,) = shown.json["warnings"]
    assert told["id"] == "queue:11 removals"
    assert told["message"] == (
        "apply refuses to take away 11 of queue, more than 10, unless it is told --allow-delete queue:11"
    )


@pytest.mark.parametrize("command", ["apply", "destroy"])
@pytest.mark.parametrize(
    "given", ["queue:x", "queue", "queue:-1", "queues:3", ":3", "queue:", "queue:1234567890", "queue:²"]
)
def test_consent_that_is_none(run: Run, emulator: Emulator, command: str, given: str) -> None:
    refused = run(command, "bot.yaml", "--url", emulator.url, "--yes", "--allow-delete", given)
    assert refused.code == 2
    assert f"--allow-delete {given}: it takes KIND:N, where KIND is one of bot_user" in refused.err
    assert emulator.requests == []


def test_people_are_masked_in_what_stays(at: Run) -> None:
    assert at("apply", "--yes").code == 0
    shown = at("destroy", "--redact")
    assert shown.code == 5
    assert "nurse.one@contoso.example" not in shown.err
    assert "queue_member:Nurses/person-" in shown.err


FOLDER = ROOT / "playbooks"
SHIPPED = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml") if path.name != "base.yaml")


@pytest.mark.parametrize("playbook", SHIPPED)
def test_each_shipped_playbook_goes_and_comes_back(run: Run, playbook: str) -> None:
    """Through the command, with the links from the journal; what is left is no drift of any other playbook's."""
    path = str(FOLDER / playbook)
    applied = run("apply", path, "--emulator", "--yes", "--format", "json")
    assert applied.code == 0
    made = {each["id"] for each in applied.json["outcomes"] if each["action"] == "create"}

    gone = run("destroy", path, "--emulator", "--yes", "--format", "json")
    by_hand = {each["id"] for each in gone.json["outcomes"] if each["status"] == "manual step"}
    assert by_hand == {each for each in made if each.startswith("scenario:")}
    assert gone.code == (3 if by_hand else 0)
    went = {each["id"] for each in gone.json["outcomes"]} - by_hand
    kept = {each["id"] for each in gone.json["warnings"]} | by_hand
    assert {each["status"] for each in gone.json["outcomes"] if each["id"] in went} <= {"verified"}
    assert went | kept >= made
    assert bool(went) is (playbook != "mixed-queue.yaml")  # all of it hangs on the fallback queue, which is not undone
    assert went.isdisjoint(kept)
    left = run("destroy", path, "--emulator", "--yes", "--format", "json").json["outcomes"]
    assert {each["id"] for each in left} == by_hand

    again = run("apply", path, "--emulator", "--yes", "--format", "json")
    assert (again.code, {each["id"] for each in again.json["outcomes"]}) == (0, went)
    assert run("plan", path, "--emulator", "--prune").code == 0


def test_one_of_several_shipped_playbooks_goes_alone(run: Run) -> None:
    several = [each for each in SHIPPED if each != "mixed-queue.yaml"]  # it claims the same fallback queue
    for playbook in several:
        # their tests are about an environment each has to itself: here one takes topics of another first
        assert run("apply", str(FOLDER / playbook), "--emulator", "--yes", "--skip-tests").code == 0
    for playbook in several:
        consent = ("--allow-delete", "routing_rule:9", "--allow-delete", "queue_member:9")
        by_hand = playbook == "health-bot.yaml"  # it has scenarios, which no call deletes
        assert run("destroy", str(FOLDER / playbook), "--emulator", "--yes", *consent).code == (3 if by_hand else 0)
        for other in several[several.index(playbook) + 1 :]:
            assert run("verify", str(FOLDER / other), "--emulator").code == 0, (playbook, other)
