"""`d365setup simulate`, and a playbook's tests in `validate`, `plan` and `apply`: through the commands people type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from d365setup.emulator import Emulator
from tests.cli.conftest import APPLICATION, BOT_ID, ROOT, Ended, Run
from tests.survey import rule_text
from tests.survey.site import Site, site

VALUES = {"BOT_APPLICATION_ID": APPLICATION, "HEALTH_BOT_ID": BOT_ID, "D365_ACCESS_TOKEN": "made-up-token"}
BOT = "Contoso Health Bot"


def simulated(run: Run, *args: str) -> Ended:
    return run("simulate", "bot.yaml", "--examples", *args)


def test_a_new_conversation(run: Run) -> None:
    ended = simulated(run)
    assert ended.code == 0
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert lines[0] == "Work stream Patient chat, on what the playbook says (playbook contoso-health-bot)"
    assert "1. a patient begins, with no context variables" in lines
    assert "matched Everyone meets the bot first always → Health bot" in lines
    assert "queue Health bot, chosen by the rule 'Everyone meets the bot first'" in lines
    assert f"result answered by the bot {BOT}" in lines
    assert "tests on what the playbook says: 4 tests passed" in lines
    assert lines[-1] == f"in the end: answered by the bot {BOT}"


def test_a_hand_over_as_json(run: Run) -> None:
    found = simulated(
        run, "--set", "BotHandOffTopic=Nurse", "--set", "Severity=8", "--escalated-by", BOT, "--format", "json"
    ).json
    first, second = found["strict"]
    assert (found["on"], found["environment"], found["agrees"]) == ("playbook", None, True)
    assert (first["event"], first["answer"], first["answered_by"]) == ("start", "bot", BOT)
    assert second["context"] == {"BotHandOffTopic": "Nurse", "Severity": 8}
    assert (second["event"], second["bot"], second["rule"], second["queue"], second["answer"]) == (
        "escalate", BOT, "Hand off to a nurse", "Nurses", "person",
    )  # fmt: skip
    results = {rule["name"]: rule["result"] for rule in second["rules"]}
    assert results["Urgent"] == results["Everyone meets the bot first"] == "matched"
    assert found["tests"]["state"] == "passed"
    assert found["diagram"].startswith("flowchart LR\n")


def test_the_two_readings(run: Run) -> None:
    found = simulated(run, "--set", "BotHandOffTopic=nurse", "--escalated-by", BOT, "--format", "json").json
    assert not found["agrees"]
    assert (found["strict"][1]["rule"], found["loose"][1]["rule"]) == ("Any other hand-off", "Hand off to a nurse")
    assert found["differences"]
    assert found["assumptions"]


def test_a_diagram(run: Run) -> None:
    ended = simulated(run, "--set", "BotHandOffTopic=Nurse", "--escalated-by", BOT, "--diagram")
    assert ended.out.splitlines() == [
        "flowchart LR",
        '  stream(["Patient chat"])',
        '  stream -->|"1. start"| queue1["Health bot - rule: Everyone meets the bot first"]',
        '  queue1 --> result1(["Contoso Health Bot"])',
        '  result1 -->|"2. escalated BotHandOffTopic: Nurse"| queue2["Nurses - rule: Hand off to a nurse"]',
        '  queue2 --> result2(["nurse.one@contoso.example"])',
    ]


def test_redacted(run: Run) -> None:
    for options in ([], ["--diagram"], ["--format", "json"]):
        ended = simulated(run, "--set", "BotHandOffTopic=Nurse", "--redact", *options)
        assert "nurse.one@contoso.example" not in ended.out
        assert "person-1" in ended.out


HOSTILE = 'a"]; click x href "https://evil.example"\n<script>|%%'


def test_a_hostile_value_steers_no_diagram(run: Run) -> None:
    ended = simulated(run, "--set", f"BotHandOffTopic={HOSTILE}", "--diagram")
    assert ended.code == 0
    (edge,) = [line for line in ended.out.splitlines() if "-->|" in line]
    label = edge.split("|")[1]
    assert label.count('"') == 2
    assert not set("[]<>;%\n\\") & set(
        label.replace("#", "").strip('"').translate({ord(c): None for c in "0123456789"})
    ) - {";"}


WRONG = [
    (("--set", "BotHandOffTopic"), "it takes NAME=VALUE"),
    (("--set", "=Nurse"), "it takes NAME=VALUE"),
    (("--set", "bothandofftopic=Nurse"), "did you mean 'BotHandOffTopic'?"),
    (("--set", "Zebra=1"), "declare it under `context_variables`"),
    (("--set", "Severity=high"), "it is a number, and 'high' is no whole number"),
    (("--set", "Severity=1_0"), "it is a number"),
    (("--set", "Severity=7.0"), "it is a number"),
    (("--set", "Severity= 7"), "it is a number"),
    (("--set", "Severity=7", "--set", "Severity=8"), "given twice"),
    (("--set", f"BotHandOffTopic={'x' * 4001}"), "at most 4000"),
    (("--workstream", "patient chat"), "no work stream 'patient chat'; did you mean 'Patient chat'?"),
    (("--escalated-by", "Contoso health bot"), "no bot 'Contoso health bot'; did you mean 'Contoso Health Bot'?"),
    (("--at", "yesterday"), "is no time; write it like"),
    (("--emulator",), "go with --live"),
    (("--url", "https://contoso.crm.dynamics.com"), "go with --live"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("args", "told"), WRONG, ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else ""
)
def test_wrong_calls(run: Run, args: tuple[str, ...], told: str) -> None:
    ended = simulated(run, *args)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err


def test_a_time_without_a_zone_is_utc_and_says_so(run: Run) -> None:
    found = simulated(run, "--at", "2026-03-01T22:30", "--format", "json").json
    assert found["at"] == "2026-03-01T22:30:00+00:00"
    assert found["warnings"] == ["--at 2026-03-01T22:30 names no time zone and is taken as UTC"]
    assert simulated(run, "--at", "2026-03-01T22:30+01:00", "--format", "json").json["warnings"] == []


def test_several_work_streams_need_a_name(run: Run) -> None:
    Path("two.yaml").write_text("playbook: 1\nname: two\nworkstreams: [{name: A}, {name: B}]\n", encoding="utf-8")
    ended = run("simulate", "two.yaml")
    assert ended.code == 2
    assert "say which --workstream, one of A, B" in ended.err
    found = run("simulate", "two.yaml", "--workstream", "B", "--format", "json")
    assert found.code == 4  # no rules, and the playbook does not say whether there is a fallback queue
    assert found.json["tests"]["state"] == "none"


# -- on an environment

LIVE = f"""\
playbook: 1
name: clinic
bot_users: [{{name: Health Bot, application_id: {APPLICATION}, existing: true}}]
queues: [{{name: Bots, existing: true}}, {{name: Nurses, existing: true}}]
workstreams:
  - name: Chat
    context_variables: [{{name: Topic, existing: true}}]
tests:
  - name: A nurse
    escalated_by: Health Bot
    given: {{Topic: Nurse}}
    expect: {{queue: Nurses, answered_by: a person}}
"""


@pytest.fixture(scope="module")
def trap() -> Iterator[Site]:
    """Routing facts, section 5: a rule that catches all and leads to the bot, behind a topic queue that closes."""
    with site() as here:
        hours = here.make_hours("Office")  # Monday to Friday, 8 to 17 UTC
        nurses = here.make_queue("Nurses", hours=hours)
        here.make_person("nurse.one@contoso.example", queue=nurses)
        bots = here.make_queue("Bots")
        here.make_bot("Health Bot", queue=bots, application_id=APPLICATION, bot_id=BOT_ID)
        chat = here.make_workstream("Chat", fallback=nurses)
        here.make_variable(chat, "Topic")
        billing = here.make_queue("Billing")  # what no playbook here speaks of
        here.make_person("billing.one@contoso.example", queue=billing)
        rules = [
            ("To a nurse", rule_text.equals("Topic", "Nurse"), nurses),
            ("To billing", rule_text.equals("Topic", "Billing"), billing),
            ("Bot first", None, bots),
        ]
        here.make_rule_set(chat, rules)
        yield here


@pytest.fixture
def live(run: Run, trap: Site) -> Run:
    Path("live.yaml").write_text(LIVE, encoding="utf-8")

    def call(*args: str, **variables: str) -> Ended:
        trap.emulator.reset_log()
        ended = run("simulate", "live.yaml", "--live", "--url", trap.emulator.url, *args, **VALUES, **variables)
        sent = [operation[0] for request in trap.emulator.requests for operation in request.operations]
        assert set(sent) <= {"GET"}
        return ended

    return call


MONDAY, SUNDAY = "2026-03-02T10:00Z", "2026-03-01T22:30Z"


def test_the_trap_step_by_step(live: Run) -> None:
    ended = live("--set", "Topic=Nurse", "--escalated-by", "Health Bot", "--at", SUNDAY)
    assert ended.code == 4
    said = " ".join(ended.out.split())
    assert "Work stream Chat, on the environment's own rules" in said
    assert "at Sunday 2026-03-01 22:30 UTC" in said
    assert "1. a patient begins, with no context variables" in said
    assert "result answered by the bot Health Bot" in said
    assert "2. Health Bot hands over, with Topic = Nurse" in said
    assert "matched To a nurse" in said
    assert "queue Bots, chosen by the rule 'Bot first'" in said
    assert "a bot is never given the same one again" in said
    assert "in the end: waits for ever: nobody in the queue can be given it" in said
    assert "tests on the environment as it will be: 1 test passed" in said  # tests know no time of day


def test_people_only_the_environment_knows_are_masked(live: Run) -> None:
    args = ("--set", "Topic=Billing", "--escalated-by", "Health Bot", "--at", MONDAY)
    assert "answered by a person (Billing One)" in live(*args).out
    ended = live(*args, "--redact")
    assert "Billing One" not in ended.out
    assert "answered by a person (person-" in ended.out


def test_by_day_the_same_conversation_reaches_a_nurse(live: Run) -> None:
    found = live("--set", "Topic=Nurse", "--escalated-by", "Health Bot", "--at", MONDAY, "--format", "json").json
    assert (found["exit_code"], found["on"]) == (0, "live")
    assert found["environment"]["url"].startswith("http://127.0.0.1")
    assert (found["strict"][1]["queue"], found["strict"][1]["answer"]) == ("Nurses", "person")


def test_a_stranded_hand_over_is_marked_in_the_diagram(live: Run) -> None:
    ended = live("--set", "Topic=Nurse", "--escalated-by", "Health Bot", "--at", SUNDAY, "--diagram")
    assert '  queue2 --> result2(["waits for ever"])' in ended.out.splitlines()
    assert ended.out.splitlines()[-1] == "  class result2 bad"


def test_a_variable_nobody_declared_is_warned_of(live: Run) -> None:
    found = live("--set", "topic=Nurse", "--at", MONDAY, "--format", "json").json
    (told,) = found["warnings"]
    assert told == (
        "nobody declared the context variable 'topic'; did you mean 'Topic'?: the platform stores it as String, "
        "without an error"
    )
    assert found["strict"][0]["rule"] == "Bot first"


def test_a_bot_that_the_patient_does_not_meet_first(live: Run, trap: Site) -> None:
    trap.make_bot("Other Bot", queue=trap.make_queue("Elsewhere"))
    Path("live.yaml").write_text(LIVE.replace("{name: Bots,", "{name: Elsewhere, existing: true}, {name: Bots,"))
    found = live("--set", "Topic=Nurse", "--escalated-by", "Other Bot", "--at", MONDAY, "--format", "json").json
    assert [leg["event"] for leg in found["strict"]] == ["escalate"]
    assert found["warnings"][0].startswith("a conversation without context variables does not come to Other Bot but to")


def test_a_playbook_that_does_not_fit_leaves_its_tests_and_says_so(live: Run) -> None:
    Path("live.yaml").write_text(LIVE.replace("{name: Bots,", "{name: Nobody's, existing: true}, {name: Bots,"))
    found = live("--at", MONDAY, "--format", "json").json
    assert (found["exit_code"], found["tests"]["state"]) == (0, "skipped")
    assert "does not fit this environment" in found["tests"]["reason"]


def test_it_never_waits_for_a_faulty_work_stream(live: Run) -> None:
    ended = live("--workstream", "chat")
    assert ended.code == 2
    assert "the environment has no work stream 'chat'; did you mean 'Chat'?" in ended.err


# -- tests of a playbook in the other commands


def with_test(expect: str) -> None:
    text = (ROOT / "playbooks" / "health-bot.yaml").read_text(encoding="utf-8")
    one = f"  - {{name: One more, escalated_by: {BOT}, given: {{BotHandOffTopic: Nurse}}, expect: {expect}}}\n"
    Path("bot.yaml").write_text(text + one, encoding="utf-8")


def line_of(word: str) -> int:
    lines = Path("bot.yaml").read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if word in line)


def test_validate_runs_them(run: Run) -> None:
    ended = run("validate", "bot.yaml", "--examples")
    assert (ended.code, ended.out.splitlines()[1]) == (0, "tests on what the playbook says: 4 tests passed")
    with_test("{queue: Health bot}")
    ended = run("validate", "bot.yaml", "--examples")
    assert ended.code == 4
    assert "tests on what the playbook says: 1 of 5 tests failed" in ended.out
    assert f"bot.yaml:{line_of('One more')}" in ended.out
    found = run("validate", "bot.yaml", "--examples", "--format", "json").json
    (failed,) = [each for each in found["playbooks"][0]["tests"]["results"] if each["state"] == "failed"]
    assert failed["problems"][0]["source"]["line"] == line_of("One more")


def test_mistakes_win_over_failed_tests(run: Run) -> None:
    with_test("{queue: Health bot}")
    Path("wrong.yaml").write_text("playbook: 1\nname: wrong\nqeues: []\n", encoding="utf-8")
    assert run("validate", "bot.yaml", "wrong.yaml", "--examples").code == 2


def test_a_playbook_without_tests_says_so(run: Run) -> None:
    Path("none.yaml").write_text("playbook: 1\nname: none\nqueues: [{name: Q}]\n", encoding="utf-8")
    ended = run("validate", "none.yaml")
    assert (ended.code, ended.out.splitlines()[1]) == (0, "no tests")
    assert "\nno tests\n" in run("plan", "none.yaml", "--emulator").out


def test_plan_shows_a_failed_test_and_says_that_apply_would_refuse(at: Run) -> None:
    with_test("{queue: Health bot}")
    ended = at("plan")
    assert ended.code == 3  # changes are pending: that comes before findings
    assert "tests on the environment as it will be: 1 of 5 tests failed" in ended.out
    assert "next: apply would refuse this plan (1 of 5 tests failed)" in ended.out
    assert at("plan", "--format", "json").json["tests"]["state"] == "failed"


def test_plan_of_an_environment_in_line_exits_4(at: Run) -> None:
    assert at("apply", "--yes").code == 0
    with_test("{queue: Health bot}")
    found = at("plan", "--format", "json").json
    assert (found["exit_code"], found["changes"]) == (4, [])
    assert at("apply", "--yes").code == 4


def test_a_test_does_not_change_what_a_plan_is(at: Run) -> None:
    before = at("plan", "--format", "json").json["fingerprint"]
    with_test("{queue: Health bot}")
    assert at("plan", "--format", "json").json["fingerprint"] == before


def test_apply_writes_nothing_when_a_test_fails(at: Run, emulator: Emulator) -> None:
    with_test("{answered_by: Contoso Health Bot}")
    emulator.reset_log()
    ended = at("apply", "--yes", "--format", "json")
    document = ended.json
    assert (ended.code, document["schema"], document["message"]) == (
        4, "d365setup/error/1", "not applied: 1 of 5 tests failed, and nothing was written",
    )  # fmt: skip
    assert document["problems"][0]["source"]["line"] == line_of("One more")
    assert document["tests"]["state"] == "failed"
    assert ended.err.startswith("Plan for Contoso Health (")  # what it would have done
    sent = [operation[0] for request in emulator.requests for operation in request.operations]
    assert set(sent) == {"GET"}
    assert not list(Path(".d365setup").glob("runs/*.jsonl"))


def test_skipped_tests_are_on_record(at: Run, run: Run) -> None:
    with_test("{queue: Health bot}")
    document = at("apply", "--yes", "--skip-tests", "--format", "json").json
    assert (document["exit_code"], document["tests"]["state"]) == (0, "skipped")
    assert document["tests"]["reason"] == "--skip-tests"
    recorded = run("history", document["run"], "--format", "json").json
    assert recorded["tests"] == "tests skipped (--skip-tests)"
    assert "before it: tests skipped (--skip-tests)" in run("history", document["run"]).out


def test_a_journal_from_before_there_were_tests_can_be_read(at: Run, run: Run) -> None:
    name = at("apply", "--yes", "--format", "json").json["run"]
    journal = Path(".d365setup") / "runs" / f"{name}.jsonl"
    first, _, rest = journal.read_text(encoding="utf-8").partition("\n")
    event = json.loads(first)
    del event["tests"]
    journal.write_text(f"{json.dumps(event)}\n{rest}", encoding="utf-8")
    assert run("history", name, "--format", "json").json["tests"] == ""
    assert "before it" not in run("history", name).out


def test_passed_tests_are_on_record(at: Run, run: Run) -> None:
    document = at("apply", "--yes", "--format", "json").json
    assert run("history", document["run"], "--format", "json").json["tests"] == "4 tests passed"


def test_a_saved_plan_remembers_that_tests_were_skipped(at: Run, run: Run, emulator: Emulator) -> None:
    with_test("{queue: Health bot}")
    assert at("plan", "--out", "strict.json").code == 3
    assert at("plan", "--out", "skipping.json", "--skip-tests").code == 3
    assert json.loads(Path("skipping.json").read_text(encoding="utf-8"))["skip_tests"] is True
    assert run("apply", "strict.json", "--yes", "--url", emulator.url, **VALUES).code == 4
    ended = run("apply", "skipping.json", "--yes", "--url", emulator.url, "--format", "json", **VALUES)
    assert (ended.code, ended.json["tests"]["state"]) == (0, "skipped")


def test_another_playbooks_rules_are_seen_before_anything_is_written(run: Run) -> None:
    """Two shipped playbooks for one work stream: the first one's rules take what the second one's test expects."""
    other = str(ROOT / "playbooks" / "bot-only-queue.yaml")
    assert run("apply", "bot.yaml", "--emulator", "--yes").code == 0
    ended = run("apply", other, "--emulator", "--yes")
    assert ended.code == 4
    assert "expected the queue 'Billing', got the queue 'Nurses': the rule 'Any other hand-off' leads to" in ended.err


def test_what_a_playbook_leaves_open_a_plan_decides(run: Run) -> None:
    other = str(ROOT / "playbooks" / "bot-only-queue.yaml")
    states = [
        each["state"]
        for each in run("validate", other, "--examples", "--format", "json").json["playbooks"][0]["tests"]["results"]
    ]
    assert states == ["passed", "passed", "open"]
    found = run("plan", other, "--emulator", "--format", "json").json
    assert [each["state"] for each in found["tests"]["results"]] == ["passed"] * 3
