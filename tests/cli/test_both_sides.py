"""One apply brings Dataverse and the Health Bot in line: the commands, over HTTP against both emulated services."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from d365setup.emulator import Emulator, Options, fault_of
from tests.cli.conftest import Ended, Run

ESCALATE, END = "Escalate to nurse", "End conversation"
SCENARIOS = {f"scenario:{ESCALATE}", f"scenario:{END}"}
Both = Callable[..., Ended]


@pytest.fixture
def secrets(emulator: Emulator) -> dict[str, str]:
    bot = emulator.health_bot
    return {"D365_HEALTHBOT_SECRET": bot.secret, "D365_HEALTHBOT_PORTAL": bot.portal(emulator.url)}


@pytest.fixture
def both(at: Run, secrets: dict[str, str]) -> Both:
    """Call `d365setup` on `bot.yaml` against both services."""

    def call(command: str, *args: str, **variables: str) -> Ended:
        return at(command, *args, **{**secrets, **variables})

    return call


@pytest.fixture
def take_back(run: Run, emulator: Emulator, secrets: dict[str, str]) -> Callable[..., Ended]:
    def call(name: str, *args: str, **variables: str) -> Ended:
        own = {"D365_ACCESS_TOKEN": "made-up-token", **secrets, **variables}
        return run("rollback", name, "--url", emulator.url, "--yes", *args, **own)

    return call


def scripts(emulator: Emulator) -> dict[str, str]:
    """What each scenario of the bot runs, by its name."""
    return {each["name"]: "".join(step.get("onInit", "") for step in steps(each)) for each in exports(emulator)}


def exports(emulator: Emulator) -> list[dict[str, Any]]:
    return emulator.health_bot.bots.exports()


def steps(scenario: dict[str, Any]) -> list[dict[str, Any]]:
    found = json.loads(scenario["code"])["steps"]
    assert isinstance(found, list)
    return found


def stored(emulator: Emulator, name: str = ESCALATE) -> dict[str, Any]:
    return next(each for each in exports(emulator) if each["name"] == name)


def edited(emulator: Emulator, old: str, new: str, name: str = ESCALATE) -> None:
    """Somebody changes a scenario in the portal."""
    scenario = stored(emulator, name)
    assert old in scenario["code"]
    emulator.health_bot.bots.put({**scenario, "code": scenario["code"].replace(old, new)})


def by_hand(emulator: Emulator, name: str = ESCALATE, trigger: str = "escalate_nurse", text: str = "Hold on.") -> None:
    """Somebody makes a scenario in the portal."""
    code = {"version": 3, "steps": [{"id": "a", "type": "statement", "designer": {}, "text": text}]}
    own = {"id": "4b1f0b6e-0000-4000-8000-000000000001", "active": True, "updated": "", "description": "By hand."}
    emulator.health_bot.bots.put({**own, "name": name, "scenario_trigger": trigger, "code": json.dumps(code)})


def imports(emulator: Emulator) -> list[int]:
    """The status of each import so far."""
    return [each.status for each in emulator.health_bot.requests if each.method == "POST"]


def outcomes(ended: Ended) -> dict[str, str]:
    return {each["id"]: each["status"] for each in ended.json["outcomes"]}


def statuses(ended: Ended, *, of_scenarios: bool) -> set[str]:
    return {status for id_, status in outcomes(ended).items() if (id_ in SCENARIOS) is of_scenarios}


def applied(both: Both, *args: str) -> Ended:
    return both("apply", "--yes", "--format", "json", *args)


def test_one_apply_brings_both_in_line_and_the_next_sends_nothing(both: Both, emulator: Emulator) -> None:
    planned = both("plan", "--format", "json").json
    assert {f"{e['kind']}:{e['key']}" for e in planned["changes"]} > SCENARIOS
    first = applied(both)
    assert (first.code, set(outcomes(first).values())) == (0, {"verified"})
    assert first.json["http"]["requests"] == planned["cost"]["requests"]
    assert first.json["http"]["operations"] == planned["cost"]["operations"]
    assert '"BotHandOffTopic": "Nurse"' in scripts(emulator)[ESCALATE]
    assert '"type": "EndConversation"' in scripts(emulator)[END]

    emulator.reset_log()
    second = applied(both)
    assert (second.code, second.json["changes"]) == (0, [])
    assert [each.method for each in emulator.health_bot.requests] == ["GET"]
    assert both("verify", "--format", "json").json["in_line"] is True


def test_dataverse_comes_first(both: Both, emulator: Emulator) -> None:
    assert applied(both).code == 0
    written = [r for r in emulator.requests if any(method != "GET" for method, _, _ in r.operations)]
    (imported,) = (each for each in emulator.health_bot.requests if each.method == "POST")
    assert len(written) == 2
    assert max(each.ended for each in written) < imported.started


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_key_spelt_otherwise_in_the_bot_is_drift_with_both_values(form: str, both: Both, emulator: Emulator) -> None:
    assert applied(both).code == 0
    edited(emulator, "BotHandOffTopic", "BotHandoffTopic")
    ended = both("verify", "--format", form)
    assert ended.code == 3
    if form == "text":
        assert f"~ scenario:{ESCALATE}  bot.yaml:" in ended.out
        assert "    steps/Escalate/context/BotHandoffTopic: Nurse → (none)\n" in ended.out
        assert "    steps/Escalate/context/BotHandOffTopic: (none) → Nurse\n" in ended.out
    else:
        (drift,) = ended.json["drift"]
        assert {each["field"]: (each["before"], each["after"]) for each in drift["fields"]} == {
            "steps/Escalate/context/BotHandoffTopic": ("Nurse", None),
            "steps/Escalate/context/BotHandOffTopic": (None, "Nurse"),
        }
    assert statuses(applied(both), of_scenarios=True) == {"verified"}
    assert both("verify").code == 0


def test_a_plan_sends_no_import(both: Both, emulator: Emulator) -> None:
    assert both("plan").code == 3
    assert both("verify").code == 3
    assert imports(emulator) == []


def test_what_is_asked_names_both(both: Both) -> None:
    refused = both("apply")
    assert refused.code == 5  # there is no terminal
    assert f"+ scenario:{ESCALATE}" in refused.err


# -- rollback


def test_rollback_restores_what_was_overwritten(
    both: Both, take_back: Callable[..., Ended], emulator: Emulator
) -> None:
    by_hand(emulator)
    by_hand(emulator, END, "end_conversation", "Bye.")
    before = {each["name"]: (each["description"], steps(each)) for each in exports(emulator)}
    done = applied(both)
    assert done.code == 0
    assert scripts(emulator)[END]

    undone = take_back(done.json["run"], "--format", "json")
    assert (undone.code, set(outcomes(undone).values())) == (0, {"verified"})
    assert {each["name"]: (each["description"], steps(each)) for each in exports(emulator)} == before
    again = take_back(done.json["run"], "--format", "json")
    assert (again.code, again.json["changes"]) == (0, [])
    redone = take_back(undone.json["run"], "--format", "json")  # a rollback is a run like any other
    assert outcomes(redone).keys() >= SCENARIOS
    assert '"type": "EndConversation"' in scripts(emulator)[END]


def test_a_scenario_that_was_added_is_a_manual_step(
    both: Both, take_back: Callable[..., Ended], emulator: Emulator
) -> None:
    done = applied(both)
    undone = take_back(done.json["run"])
    assert undone.code == 3
    assert f"manual step   scenario:{ESCALATE}" in undone.out
    assert "delete the scenario in the Health Bot's portal" in undone.out
    assert undone.out.rstrip().endswith("next: take the manual steps above")
    for name in (ESCALATE, END):
        emulator.health_bot.bots.remove(name)
    assert take_back(done.json["run"]).code == 0


def test_what_somebody_changed_since_stays(both: Both, take_back: Callable[..., Ended], emulator: Emulator) -> None:
    by_hand(emulator)
    done = applied(both)
    edited(emulator, "Connecting you", "Linking you")
    undone = take_back(done.json["run"], "--format", "json")
    told = {each["id"]: each["message"] for each in undone.json["warnings"]}
    assert told[f"scenario:{ESCALATE}"] == ("left as it is: somebody changed it since (steps/Tell the patient/text)")
    assert "Linking you" in stored(emulator)["code"]


def test_without_the_secret_rollback_says_what_stays(
    both: Both, take_back: Callable[..., Ended], emulator: Emulator
) -> None:
    by_hand(emulator)
    done = applied(both)
    undone = take_back(done.json["run"], "--format", "json", D365_HEALTHBOT_SECRET="")
    assert "the scenarios that this run imported stay" in undone.json["warnings"][0]["message"]
    assert undone.json["warnings"][0]["id"] == "health_bot:contoso-bot-ab12cd3"
    assert not outcomes(undone).keys() & SCENARIOS
    assert scripts(emulator)[ESCALATE]
    assert take_back(done.json["run"], "--require-healthbot", D365_HEALTHBOT_SECRET="").code == 6


def test_a_refused_restore_stops_the_rollback(both: Both, take_back: Callable[..., Ended], emulator: Emulator) -> None:
    by_hand(emulator)
    done = applied(both)
    emulator.fail(fault_of("400:path=/scenarios:method=POST"))
    undone = take_back(done.json["run"], "--format", "json")
    assert outcomes(undone)[f"scenario:{ESCALATE}"] == "failed"
    assert statuses(undone, of_scenarios=False) == {"not written"}
    assert take_back(done.json["run"]).code == 3  # the other scenario was added: a person's step
    assert "Hold on." in stored(emulator)["code"]


def test_a_restore_whose_answer_is_lost_and_cannot_be_read_has_failed(
    both: Both, take_back: Callable[..., Ended], emulator: Emulator
) -> None:
    by_hand(emulator)
    done = applied(both)
    emulator.fail(fault_of("drop-after:path=/scenarios:method=POST"))
    emulator.fail(fault_of("401:path=/scenarios:method=GET:skip=2"))
    undone = take_back(done.json["run"], "--format", "json")
    assert outcomes(undone)[f"scenario:{ESCALATE}"] == "failed"
    assert statuses(undone, of_scenarios=False) == {"not written"}
    assert take_back(done.json["run"]).code == 3
    assert "Hold on." in stored(emulator)["code"]


def test_the_emulator_option_rolls_back_too(run: Run) -> None:
    done = run("apply", "bot.yaml", "--emulator", "--yes", "--format", "json")
    assert (done.code, statuses(done, of_scenarios=True)) == (0, {"verified"})
    undone = run("rollback", done.json["run"], "--emulator", "--yes", "--format", "json")
    assert statuses(undone, of_scenarios=True) == {"manual step"}
    assert statuses(undone, of_scenarios=False) == {"verified"}


def test_on_error_rollback_takes_dataverse_back(both: Both, emulator: Emulator) -> None:
    emulator.fail(fault_of("400:path=/scenarios:method=POST:message=The trigger is taken."))
    ended = applied(both, "--on-error", "rollback")
    assert ended.code == 1
    assert set(outcomes(ended).values()) == {"verified"}
    assert "The trigger is taken." in ended.err
    assert emulator.sql("SELECT isdisabled FROM systemuser WHERE msdyn_botapplicationid IS NOT NULL") == [(1,)]


# -- what goes wrong


@pytest.mark.parametrize("fault", ["400", "413", "500", "503", "drop-before", "drop-midway"])
def test_an_import_that_does_not_land_leaves_dataverse_and_the_next_run_converges(
    fault: str, both: Both, emulator: Emulator
) -> None:
    emulator.fail(fault_of(f"{fault}:path=/scenarios:method=POST"))
    failed = applied(both)
    assert failed.code == 7
    assert statuses(failed, of_scenarios=False) == {"verified"}
    assert statuses(failed, of_scenarios=True) == {"failed"}
    assert not scripts(emulator).keys() & {ESCALATE, END}

    emulator.reset_log()
    again = applied(both)
    assert (again.code, set(outcomes(again))) == (0, SCENARIOS)
    assert not any(method != "GET" for each in emulator.requests for method, _, _ in each.operations)


def test_a_lost_answer_is_told_by_the_export(both: Both, emulator: Emulator) -> None:
    emulator.fail(fault_of("drop-after:path=/scenarios:method=POST"))
    ended = applied(both)
    assert (ended.code, set(outcomes(ended).values())) == (0, {"verified"})
    assert len(imports(emulator)) == 1


@pytest.mark.parametrize("fault", ["drop-after", "drop-before"])
def test_where_nobody_can_tell_the_journal_stays_open_and_the_next_apply_settles_it(
    fault: str, both: Both, take_back: Callable[..., Ended], emulator: Emulator
) -> None:
    emulator.fail(fault_of(f"{fault}:path=/scenarios:method=POST"))
    emulator.fail(fault_of("401:path=/scenarios:method=GET:skip=2"))  # after the plan's look, and the one before
    ended = applied(both)
    assert ended.code == 7
    assert {each["id"] for each in ended.json["problems"]} == SCENARIOS
    (name,) = [path.stem for path in Path(".d365setup/runs").glob("*.jsonl")]

    settled = applied(both)
    assert settled.code == 0
    landed = "2 landed and 0 did not" if fault == "drop-after" else "0 landed and 2 did not"
    assert landed in {e["id"]: e["message"] for e in settled.json["warnings"]}[f"run:{name}"]
    undone = take_back(name, "--format", "json")
    assert (f"scenario:{ESCALATE}" in outcomes(undone)) is (fault == "drop-after")


def test_an_open_run_waits_for_somebody_with_the_secret(at: Run, both: Both, emulator: Emulator) -> None:
    emulator.fail(fault_of("drop-after:path=/scenarios:method=POST"))
    emulator.fail(fault_of("401:path=/scenarios:method=GET:skip=2"))
    assert applied(both).code == 7
    without = at("apply", "--yes", "--format", "json")
    assert any("the next apply finds out" in each["message"] for each in without.json["warnings"])
    settled = applied(both)
    assert any("2 landed and 0 did not" in each["message"] for each in settled.json["warnings"])


def test_imported_and_not_readable_is_not_verified(both: Both, emulator: Emulator) -> None:
    emulator.fail(fault_of("401:path=/scenarios:method=GET:skip=2"))
    ended = applied(both)
    assert ended.code == 1
    assert statuses(ended, of_scenarios=True) == {"not verified"}
    assert "imported, but could not be read back" in json.dumps(ended.json)
    assert applied(both).json["changes"] == []


def test_nothing_is_imported_while_dataverse_is_not_right(both: Both, emulator: Emulator) -> None:
    emulator.fail(fault_of("400:method=PATCH:path=msdyn_decisionrulesets"))
    ended = applied(both)
    assert ended.code == 7
    assert statuses(ended, of_scenarios=True) == {"not written"}
    assert imports(emulator) == []
    told = {each["detail"] for each in ended.json["outcomes"] if each["id"] in SCENARIOS}
    assert len(told) == 1
    assert "Dataverse comes first, and " in told.pop()


def test_a_look_before_the_import_that_fails_sends_nothing(both: Both, emulator: Emulator) -> None:
    emulator.fail(fault_of("403:path=/scenarios:method=GET:skip=1"))
    ended = applied(both)
    assert ended.code == 7
    assert statuses(ended, of_scenarios=True) == {"failed"}
    assert imports(emulator) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"D365_HEALTHBOT_SECRET": "another"}, "refused the token"),
        ({"D365_HEALTHBOT_PORTAL": "{url}/account/contoso-bot-other"}, "there is no Health Bot contoso-bot-other"),
    ],
)
def test_a_bot_out_of_reach_writes_nothing(change: dict[str, str], told: str, both: Both, emulator: Emulator) -> None:
    ended = both("apply", "--yes", **{name: value.format(url=emulator.url) for name, value in change.items()})
    assert ended.code == 6
    assert told in ended.err
    assert not any(method != "GET" for each in emulator.requests for method, _, _ in each.operations)


def test_a_strange_host_is_sent_nothing(both: Both, emulator: Emulator) -> None:
    ended = both("plan", D365_HEALTHBOT_PORTAL="https://healthbot.example/account/contoso-bot-ab12cd3")
    assert ended.code == 5
    assert list(emulator.requests) == []


# -- without the secret


def test_without_the_secret_dataverse_goes_on_and_one_warning_says_how(at: Run, emulator: Emulator) -> None:
    ended = at("apply", "--yes", "--format", "json")
    assert ended.code == 0
    assert not outcomes(ended).keys() & SCENARIOS
    (told,) = ended.json["warnings"]
    assert told["id"] == "health_bot:contoso-bot-ab12cd3"
    assert told["message"].startswith("its scenarios are not looked at, for its secret is not known")
    assert "D365_HEALTHBOT_SECRET" in told["message"]
    assert told["source"]["file"] == "bot.yaml"
    assert at("verify").code == 0
    assert at("plan").code == 0
    assert emulator.health_bot.requests == []


@pytest.mark.parametrize("command", ["plan", "apply", "verify", "destroy"])
def test_require_healthbot_makes_it_an_error(command: str, at: Run, emulator: Emulator) -> None:
    yes = ("--yes",) if command in ("apply", "destroy") else ()
    ended = at(command, *yes, "--require-healthbot")
    assert ended.code == 6
    assert "D365_HEALTHBOT_SECRET" in ended.err
    assert list(emulator.requests) == []


WITHOUT = """\
import sys
ours = {"d365setup.bringing", "d365setup.healthbot.side", "d365setup.healthbot.web", "jwt"}
from d365setup.cli import main
try:
    main(["plan", "dataverse.yaml", "--emulator"])
except SystemExit as ended:
    print(ended.code, sorted(ours & set(sys.modules)))
"""


@pytest.mark.parametrize("left_out", ["scenarios:", "health_bot:"])
def test_a_playbook_without_one_costs_nothing(left_out: str, run: Run) -> None:
    text = Path("bot.yaml").read_text(encoding="utf-8")
    start = text.index(f"\n{left_out}") + 1
    end = text.index("\n# Conv" if left_out == "scenarios:" else "\nscenarios:", start) + 1
    Path("dataverse.yaml").write_text(text[:start] + text[end:], encoding="utf-8")
    plan = run("plan", "dataverse.yaml", "--emulator", "--require-healthbot", "--format", "json").json
    assert not {each["kind"] for each in plan["changes"]} & {"scenario"}
    call = [sys.executable, "-c", WITHOUT]
    ended = subprocess.run(call, capture_output=True, text=True, check=True)  # noqa: S603  # our own text
    assert ended.stdout.splitlines()[-1] == "3 []"


# -- saved plans


def test_a_saved_plan_is_applied_to_both(both: Both, run: Run, secrets: dict[str, str], emulator: Emulator) -> None:
    assert both("plan", "--out", "plan.json").code == 3
    at = ("--url", emulator.url, "--yes")
    token = {"D365_ACCESS_TOKEN": "made-up-token"}
    blind = run("apply", "plan.json", *at, **token)
    assert blind.code == 6
    assert list(imports(emulator)) == []
    ended = run("apply", "plan.json", *at, "--format", "json", **token, **secrets)
    assert (ended.code, statuses(ended, of_scenarios=True)) == (0, {"verified"})


@pytest.mark.parametrize("text", ["Hold the line.", "Hold on."])
def test_a_scenario_changed_since_makes_a_saved_plan_stale(
    text: str, both: Both, run: Run, secrets: dict[str, str], emulator: Emulator
) -> None:
    by_hand(emulator)
    assert both("plan", "--out", "plan.json").code == 3
    scenario = stored(emulator)
    moved = json.dumps({**json.loads(scenario["code"]), "steps": [{**steps(scenario)[0], "text": text, "x": 1}]})
    emulator.health_bot.bots.put({**scenario, "code": moved})
    token = {"D365_ACCESS_TOKEN": "made-up-token"}
    ended = run("apply", "plan.json", "--url", emulator.url, "--yes", "--format", "json", **token, **secrets)
    assert ended.code == 5
    assert [each["id"] for each in ended.json["problems"]] == [f"scenario:{ESCALATE}"]
    assert imports(emulator) == []


# -- what only a person can do


@pytest.fixture
def rewriting() -> Iterator[Emulator]:
    """A bot whose import writes the code anew, gives another id and leaves the scenario switched off."""
    found = Emulator(None, Options(scenario_import="rewritten"))
    with found.serve():
        yield found
    found.close()


def test_a_scenario_left_switched_off_is_a_manual_step(rewriting: Emulator, run: Run) -> None:
    bot = rewriting.health_bot
    variables = {
        "D365_ACCESS_TOKEN": "made-up-token",
        "D365_HEALTHBOT_SECRET": bot.secret,
        "D365_HEALTHBOT_PORTAL": bot.portal(rewriting.url),
        "BOT_APPLICATION_ID": "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f",
        "HEALTH_BOT_ID": "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01",
    }

    def on(command: str, *args: str) -> Ended:
        return run(command, "bot.yaml", "--url", rewriting.url, "--format", "json", *args, **variables)

    first = on("apply", "--yes")
    assert (first.code, statuses(first, of_scenarios=True)) == (3, {"manual step"})
    assert [each["manual"] != "" for each in on("verify").json["drift"]] == [True, True]
    second = on("apply", "--yes")
    assert (second.code, set(outcomes(second).values())) == (3, {"manual step"})
    assert imports(rewriting) == [200]
    for each in exports(rewriting):
        bot.bots.put({**each, "active": True})
    assert on("verify").code == 0


def test_destroy_leaves_scenarios_to_a_person(both: Both, emulator: Emulator) -> None:
    assert applied(both).code == 0
    gone = both("destroy", "--yes", "--format", "json")
    assert gone.code == 3
    assert statuses(gone, of_scenarios=True) == {"manual step"}
    assert statuses(gone, of_scenarios=False) == {"verified"}
    assert imports(emulator) == [200]
    for name in (ESCALATE, END):
        emulator.health_bot.bots.remove(name)
    assert both("destroy", "--yes").code == 0


def test_destroy_knows_a_scenario_that_is_declared_no_more(both: Both, emulator: Emulator) -> None:
    assert applied(both).code == 0
    text = Path("bot.yaml").read_text(encoding="utf-8")
    left = text[: text.index("  - name: End conv")] + text[text.index("\n# Conv") :]
    Path("bot.yaml").write_text(left, encoding="utf-8")
    gone = both("destroy", "--yes", "--format", "json")
    assert gone.code == 3
    assert {each["key"] for each in gone.json["changes"] if each["kind"] == "scenario"} == {ESCALATE, END}
    assert imports(emulator) == [200]


def test_destroy_and_prune_leave_other_peoples_scenarios_alone(both: Both, emulator: Emulator) -> None:
    by_hand(emulator)
    gone = both("destroy", "--yes", "--format", "json")
    assert gone.code == 0
    told = {each["id"]: each["message"] for each in gone.json["warnings"]}
    assert told[f"scenario:{ESCALATE}"] == "stays: this playbook did not make it"
    emulator.health_bot.bots.remove(ESCALATE)
    assert applied(both).code == 0
    text = Path("bot.yaml").read_text(encoding="utf-8")
    Path("bot.yaml").write_text(
        text[: text.index("  - name: End conv")] + text[text.index("\n# Conv") :], encoding="utf-8"
    )
    pruned = applied(both, "--prune")
    assert (pruned.code, pruned.json["changes"]) == (0, [])


@pytest.mark.parametrize(
    ("name", "trigger", "told"),
    [
        ("Nurse, please", "escalate_nurse", "has the trigger 'escalate_nurse' in its scenario 'Nurse, please'"),
        ("Escalate to Nurse", "nurse", "differs from 'Escalate to nurse' only by case"),
    ],
)
def test_a_name_or_trigger_that_clashes_stops_all(
    name: str, trigger: str, told: str, both: Both, emulator: Emulator
) -> None:
    by_hand(emulator, name, trigger)
    ended = both("apply", "--yes")
    assert ended.code == 1
    assert told in ended.err
    assert imports(emulator) == []


def test_the_secret_is_shown_and_kept_nowhere(both: Both, secrets: dict[str, str]) -> None:
    said = []
    for call in (
        ("plan", "--out", "plan.json", "--verbose"),
        ("apply", "--yes", "--evidence", "sealed.jsonl", "--format", "json"),
        ("verify", "--report", "verified.html"),
        ("destroy", "--yes"),
    ):
        ended = both(*call)
        said += [ended.out, ended.err]
    files = [path for path in Path().rglob("*") if path.is_file()]
    assert {"plan.json", "sealed.jsonl", "verified.html"} <= {path.name for path in files}
    said += [path.read_bytes().decode("utf-8", "replace") for path in files]
    wanted = [secrets["D365_HEALTHBOT_SECRET"], "eyJ"]  # how every JSON web token begins
    assert not [text[:200] for text in said if any(each in text for each in wanted)]
