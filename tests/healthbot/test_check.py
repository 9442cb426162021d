"""Each finding of the bot's side: what makes it, where it points, and that a good bot has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from d365setup.audit import Audit, Finding
from d365setup.healthbot import StoredScenario
from d365setup.healthbot.backup import read_backup
from d365setup.healthbot.checking import Seen, check, checked, checks
from d365setup.healthbot.collected import Collected, Found
from d365setup.healthbot.generate import generate
from d365setup.intended import of_playbook
from d365setup.kinds.context_variable import ContextVariable
from d365setup.playbook import Playbook
from d365setup.playbook.document import Escalate, Scenario
from tests.healthbot.bots import PLAYBOOKS, Bot, audit, bot, handing_over, in_backup, of, playbook, script, steps, text

SHIPPED = sorted(
    path.relative_to(PLAYBOOKS).as_posix() for path in PLAYBOOKS.rglob("*.yaml") if path.name != "base.yaml"
)
HANDING_OVER = [name for name in SHIPPED if playbook(name).desired.of(ContextVariable)]
NURSE = "{ BotHandOffTopic: 'Nurse' }"


def found(code: str, of_bot: Bot) -> list[Finding]:
    return [each for each in audit(of_bot).findings if each.id == code]


def unchecked(code: str, result: Audit) -> list[str]:
    return [each.reason for each in result.unchecked if each.id == code]


def test_a_bot_as_the_playbook_wants_it_has_no_findings() -> None:
    result = audit(bot())
    assert result.findings == ()
    assert result.unchecked == ()
    assert set(result.passed) == {code for code, _ in checks()}
    assert (result.exit_code, result.playbook, result.center.origin) == (0, "contoso-health-bot", "playbook")


def changed(step: int, **fields: Any) -> Callable[[Bot], object]:
    return lambda each: steps(each)[step].update(fields)


def with_script(to: str) -> Callable[[Bot], object]:
    return lambda each: script(each, to)


def configured(*path: str, to: Any) -> Callable[[Bot], object]:
    def act(each: Bot) -> None:
        inner = each["configuration"]
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = to

    return act


def without_statement(each: Bot) -> None:
    del steps(each)[0]


def silent(each: Bot) -> None:
    steps(each)[0].update(type="wait", time="500")


def beginning_another(each: Bot) -> None:
    steps(each)[0].update(type="beginScenario", scenario="end_conversation")


def going_on(each: Bot) -> None:
    steps(each)[1]["designer"]["next"] = steps(each)[0]["id"]


def begun_by_another(each: Bot) -> None:
    caller = in_backup(generate(playbook())[1]) | {"name": "Menu", "scenario_trigger": "menu"}
    first, last = caller["code"]["steps"]
    caller["code"]["steps"] = [
        {"id": first["id"], "type": "beginScenario", "scenario": "escalate_nurse", "designer": {"next": last["id"]}},
        {"id": last["id"], "type": "statement", "text": "Was that all?", "designer": {}},
    ]
    each["scenarios"].append(caller)
    handlers(each)["menu"] = {"handler": "/scenarios/menu"}


def handlers(each: Bot) -> dict[str, Any]:
    found: dict[str, Any] = each["configuration"]["language_understanding"]["intent_handler_map"]
    return found


def unreached(each: Bot) -> None:
    del steps(each)[0]["designer"]["next"]


def named_otherwise(each: Bot) -> None:
    of(each)["scenario_trigger"] = "escalate_doctor"


def renamed(each: Bot) -> None:
    of(each)["name"] = "Escalate to a nurse"


def gone(each: Bot) -> None:
    each["scenarios"].remove(of(each))
    handlers(each).clear()


def nobody_begins(each: Bot) -> None:
    del handlers(each)["intent escalate_nurse"]


def switched_off(each: Bot) -> None:
    of(each)["active"] = False


def leading_nowhere(each: Bot) -> None:
    handlers(each)["help"] = {"handler": "/scenarios/Escalate_nurse"}


def with_author(each: Bot) -> None:
    of(each)["userDisplayName"] = "nurse.one@contoso.example"


CASES: list[tuple[str, str, Callable[[Bot], object], str]] = [
    ("R05", "error", with_script(handing_over("{ BotHandoffTopic: 'Nurse' }")), "calls the variable 'BotHandOffTopic'"),
    ("R05", "error", with_script(handing_over("{ 'BotHandOffTopic ': 'Nurse' }")), "case, blanks and Unicode forms"),
    ("R05", "error", with_script(handing_over("{ BotHandOffTopics: 'Nurse' }")), "did you mean that one?"),
    ("R05", "error", with_script(handing_over("{ Whatever: 'Nurse' }")), "no work stream of the playbook declares"),
    ("R06", "error", with_script(handing_over("{ Severity: '7' }")), "as the text '7', and the variable is a number"),
    ("R06", "error", with_script(handing_over("{ BotHandOffTopic: 7 }")), "as the number 7, and the variable is a te"),
    ("R29", "error", with_script(handing_over(NURSE).replace("'Escalate'", "'escalate'")), "it is written Escalate"),
    ("R29", "error", with_script(handing_over("{ BotHandOffTopic: true }")), "a value is a text or a whole number"),
    ("R29", "error", with_script(handing_over("{ BotHandOffTopic: 'Nurse', va_Topic: 'x' }")), "keeps for itself"),
    (
        "R29",
        "error",
        with_script("session.sendChannelData('x', {tags: {type: 'Escalate', context: {Severity: 7}}});"),
        "it must be a JSON text",
    ),
    ("C01", "error", with_script(handing_over("{ BotHandOffTopic: scenario.symptom }")), "from scenario.symptom"),
    ("C01", "error", with_script(handing_over("{ BotHandOffTopic: 'p@contoso.example' }")), "an e-mail address"),
    ("C01", "warning", with_script(handing_over("{ PatientName: 'x' }")), "who a patient is"),
    ("C02", "warning", with_script(handing_over("{ Email: 'x', Severity: 7 }")), "hands over Email"),
    ("C03", "warning", with_script(handing_over(NURSE, "'Wants ' + scenario.wish")), "computed by the script"),
    ("C03", "warning", with_script(handing_over(NURSE, "'Born 1980-02-03'")), "a date"),
    ("C05", "error", configured("dataRetentionDays", to=0), "no automatic deletion"),
    ("C06", "warning", configured("customTelemetryPHI", to=True), "though no Application Insights is set yet"),
    ("C11", "error", configured("handoff", "teams", "clientSecret", to="s3cr3t-canary"), "secrets in clear text"),
    ("C16", "info", with_author, "1 scenario names its last author"),
    ("H01", "error", configured("handoff", "omnichannel", "bridge", to=False), "are not bridged"),
    ("H02", "warning", without_statement, "on which the patient is told nothing"),
    ("H02", "warning", silent, "on which the patient is told nothing"),
    ("H03", "warning", going_on, "behind the step 'Escalate' follows the step 'Tell the patient'"),
    ("H03", "warning", begun_by_another, "which begins escalate_nurse and so hands over, follows"),
    ("H04", "warning", nobody_begins, "begins it (trigger escalate_nurse)"),
    ("H05", "error", gone, "it is not on the bot (backup.json)"),
    ("H05", "error", named_otherwise, "its trigger is 'escalate_doctor'"),
    ("H05", "error", renamed, "is that of another scenario: 'Escalate to a nurse'"),
    ("H06", "error", switched_off, "it is switched off"),
    ("H07", "error", leading_nowhere, "begins Escalate_nurse, and no scenario has that trigger"),
    ("H07", "error", changed(0, type="beginScenario", scenario="nobody"), "begins nobody"),
    ("H08", "warning", unreached, "no way leads from its beginning to the step 'Escalate'"),
]


@pytest.mark.parametrize(
    ("code", "level", "change", "message"), CASES, ids=[f"{at}-{case[0]}" for at, case in enumerate(CASES)]
)
def test_a_finding(code: str, level: str, change: Callable[[Bot], object], message: str) -> None:
    made = bot()
    change(made)
    (first, *_) = found(code, made)
    assert message in first.message
    assert (first.level, bool(first.consequence), bool(first.cure)) == (level, True, True)
    assert code not in audit(made).passed


def test_every_check_is_made_to_find_something() -> None:
    assert {code for code, *_ in CASES} == {code for code, _ in checks()} - {"R24"}  # R24 has a test of its own


def playbook_with(**rules: Any) -> Playbook:
    """The shipped playbook without its rules that take every topic."""
    wished = playbook()
    kept = tuple(each for each in wished.desired.specs if each.name not in rules["without"])
    return replace(wished, desired=replace(wished.desired, specs=kept))


def test_a_value_that_no_rule_asks_for() -> None:
    wished = playbook_with(without=("Any other hand-off",))
    made = script(bot(), handing_over("{ BotHandOffTopic: 'nurse' }"))
    (first,) = [each for each in audit(made, wished).findings if each.id == "R24"]
    assert "it hands over BotHandOffTopic=nurse, and no rule of Patient chat asks for that" in first.message
    assert "Nurse" in dict(first.evidence)["rules ask for"]
    assert [each for each in audit(bot(), wished).findings if each.id == "R24"] == []
    computed = script(bot(), handing_over("{ BotHandOffTopic: scenario.topic }"))
    assert "cannot be decided" in unchecked("R24", audit(computed, wished))[0]


# -- both locations --------------------------------------------------------------------------------------------------


def test_one_shipped_playbook_has_no_variables() -> None:
    assert set(SHIPPED) - set(HANDING_OVER) == {"mixed-queue.yaml"}


def handing_over_everything(wished: Playbook) -> tuple[StoredScenario, ...]:
    """A scenario that hands over every variable of a playbook, made as `generate` makes them."""
    variables = wished.desired.of(ContextVariable)
    context: dict[str, str | int] = {each.name: 7 if each.type == "number" else "Nurse" for each in variables}
    scenario = Scenario(name="Escalate", trigger="escalate", say="One moment.", escalate=Escalate("Asked", context))
    return generate(replace(wished, scenarios=(scenario,)))


def swapped(text: str) -> str:
    """The same with the case of its last letter changed."""
    return text[:-1] + text[-1].swapcase()


@pytest.mark.parametrize("name", HANDING_OVER)
def test_another_case_on_the_bots_side_is_found_with_both_places(name: str) -> None:
    wished = playbook(name)
    for variable in {each.name: each for each in wished.desired.of(ContextVariable)}.values():
        made = text(bot(handing_over_everything(wished))).replace(variable.name, swapped(variable.name))
        (first,) = [each for each in audit(json.loads(made), wished).findings if each.id == "R05"]
        told = dict(first.evidence)
        assert f"{swapped(variable.name)!r}" in first.message
        assert f"calls the variable {variable.name!r}" in first.message
        assert told["playbook"] == str(variable.source)
        assert variable.name in lines(wished, told["playbook"])
        place = first.subject.source
        assert (place.file, '"id"' in made.splitlines()[place.line - 1]) == ("backup.json", True)
        assert told["where"].startswith("the step 'Escalate', line")


@pytest.mark.parametrize("name", HANDING_OVER)
def test_another_case_on_the_playbooks_side_is_found_with_both_places(name: str) -> None:
    wished = playbook(name)
    made = bot(handing_over_everything(wished))
    (first, *_) = wished.desired.of(ContextVariable)
    specs = tuple(replace(each, name=swapped(each.name)) if each is first else each for each in wished.desired.specs)
    other = replace(wished, desired=replace(wished.desired, specs=specs))
    (told,) = [each for each in audit(made, other).findings if each.id == "R05" and f"{first.name!r}" in each.message]
    assert f"calls the variable {swapped(first.name)!r}" in told.message
    assert dict(told.evidence)["playbook"] == str(first.source)
    assert told.subject.source.file == "backup.json"


def lines(wished: Playbook, place: str) -> str:
    """The line of a playbook that a place names."""
    file, line, _ = place.rsplit(":", 2)
    return next(text for name, text in wished.texts if name == file).splitlines()[int(line) - 1]


def test_live_there_is_no_file_to_point_at_and_the_playbook_is() -> None:
    wished = playbook()
    made = script(bot(), handing_over("{ BotHandoffTopic: 'Nurse' }"))
    told = text(made)
    collected = Collected("https://x", "live", live(told), backup=None)
    result = checked(Seen(wished, of_playbook(wished), collected), only=("R05",))
    (first,) = result.findings
    assert first.subject.source.file.endswith("health-bot.yaml")
    assert result.against == "https://x (the bot itself, read now)"


def live(told: str) -> tuple[Found, ...]:
    return tuple(Found(each) for each in read_backup(told).scenarios)


# -- what cannot be told ---------------------------------------------------------------------------------------------


def test_a_folder_tells_nothing_of_settings_and_intents() -> None:
    wished = playbook()
    collected = Collected("exports", "scenarios", tuple(Found(each) for each in generate(wished)))
    result = checked(Seen(wished, of_playbook(wished), collected))
    assert result.findings == ()
    assert {each.id for each in result.unchecked} == {"H01", "H04", "H06", "H07", "C05", "C06", "C11"}
    assert not {each.id for each in result.unchecked} & set(result.passed)


def test_scenarios_missing_in_a_folder_are_not_known_to_be_missing() -> None:
    wished = playbook()
    collected = Collected("exports", "scenarios", (Found(generate(wished)[0]),))
    result = checked(Seen(wished, of_playbook(wished), collected), only=("H05",))
    assert (result.findings, [str(each.subject) for each in result.unchecked]) == ((), ["scenario:End conversation"])


@pytest.mark.parametrize(("value", "says"), [(None, "is not in the backup"), ("yes", "is 'yes' there")])
def test_the_bridge_cannot_be_verified(value: Any, says: str) -> None:
    made = bot()
    configured("handoff", "omnichannel", "bridge", to=value)(made)
    result = audit(made)
    (reason,) = unchecked("H01", result)
    assert says in reason
    assert "cannot verify" in reason
    assert "H01" not in result.passed


@pytest.mark.parametrize("code", ["R05", "R06", "R24", "R29", "C01", "C02", "C03"])
def test_a_script_nobody_can_follow_is_not_checked(code: str) -> None:
    made = script(bot(), "const tags = build(scenario); session.sendChannelData(scenario.text, tags);")
    result = audit(made)
    assert [each for each in result.findings if each.id == code] == []
    assert "cannot decide: the step 'Escalate'" in unchecked(code, result)[0]


def test_a_word_that_another_scenario_may_say_is_not_judged() -> None:
    made = bot()
    beginning_another(made)
    result = audit(made)
    assert "cannot be decided" in unchecked("H02", result)[0]
    assert [each.id for each in result.findings if each.id == "H02"] == []


def test_a_scenario_that_is_begun_and_says_nothing_is_no_word() -> None:
    made = bot()
    beginning_another(made)
    steps(made, "end_conversation")[0].update(type="wait")
    assert [each.level for each in found("H02", made)] == ["warning"]


def test_a_step_of_a_new_type_may_say_something() -> None:
    made = bot()
    changed(0, type="generativeAnswer")(made)
    assert "not understood" in unchecked("H02", audit(made))[0]


def test_a_script_that_speaks_is_a_word() -> None:
    made = bot()
    changed(0, type="action", onInit="session.send('A nurse will come.');")(made)
    assert [each.id for each in audit(made).findings if each.id == "H02"] == []


def test_a_computed_beginning_leaves_open_who_begins_the_others() -> None:
    made = bot()
    nobody_begins(made)
    changed(0, type="beginScenario", scenario="scenario.next + '_nurse'")(made)
    result = audit(made)
    assert "computes which scenario it begins" in unchecked("H04", result)[0]
    assert [each.id for each in result.findings if each.id == "H04"] == []


@pytest.mark.parametrize(
    "begins",
    [
        configured("conversation", "auto_welcome_message", to="escalate_nurse"),
        lambda each: steps(each, "end_conversation")[0].update(type="replaceScenario", scenario="escalate_nurse"),
        lambda each: script(each, "session.beginDialog('/scenarios/escalate_nurse');", "end_conversation"),
    ],
    ids=["a setting", "a step", "a script"],
)
def test_other_ways_to_begin_a_scenario(begins: Callable[[Bot], object]) -> None:
    made = bot()
    nobody_begins(made)
    begins(made)
    assert found("H04", made) == []


def test_a_scenario_that_begins_itself_is_begun_by_nobody() -> None:
    made = bot()
    nobody_begins(made)
    changed(0, type="beginScenario", scenario="escalate_nurse")(made)
    assert [each.level for each in found("H04", made)] == ["warning"]


def test_an_ordinary_scenario_that_nobody_begins_is_a_note() -> None:
    made = bot()
    made["scenarios"].append({**json.loads(text(made))["scenarios"][0], "name": "Old", "scenario_trigger": "old"})
    made["scenarios"][-1]["code"]["steps"] = []
    assert [(str(each.subject), each.level) for each in found("H04", made)] == [("scenario:Old", "info")]


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (("dataConnections",), [{"name": "fhir", "apiKey": "canary-1"}], "dataConnections[0].apiKey"),
        (("authenticationProviders",), [{"client": {"password": "canary-2"}}], "authenticationProviders[0].client"),
        (
            ("configuration", "environment_variables", "variables"),
            [{"name": "FHIR_SECRET", "value": "canary-3"}],
            "[FHIR_SECRET].value",
        ),
        (
            ("configuration", "language_understanding", "clu_recognizers"),
            {"a": {"subscriptionKey": "canary-4"}},
            "clu_recognizers.a.subscriptionKey",
        ),
        (("configuration", "storage"), {"connectionString": "canary-5"}, "storage.connectionString"),
    ],
)
def test_places_of_secrets_are_told_and_their_values_never(path: tuple[str, ...], value: Any, place: str) -> None:
    made = bot()
    inner = made
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    (first,) = found("C11", made)
    assert place in dict(first.evidence)["places"]
    assert "canary" not in repr(audit(made))


def test_telemetry_of_texts_with_a_place_to_send_them_is_an_error() -> None:
    made = bot()
    configured("customTelemetryPHI", to=True)(made)
    configured("instrumentationKey", to="11111111-1111-1111-1111-111111111111")(made)
    assert [each.level for each in found("C06", made)] == ["error"]


def test_many_places_of_secrets_are_counted() -> None:
    made = bot()
    made["dataConnections"] = [{"apiKey": "canary"}] * 12
    assert dict(found("C11", made)[0].evidence)["places"].endswith("dataConnections[9].apiKey and 2 more")


def test_a_number_of_days_that_is_none() -> None:
    made = bot()
    configured("dataRetentionDays", to="30 days")(made)
    assert "is no whole number: 30 days" in unchecked("C05", audit(made))[0]


def test_tags_that_are_an_object_of_a_computed_type() -> None:
    made = script(bot(), "session.sendChannelData('x', {tags: {type: scenario.kind, context: {}}});")
    assert "its tags are no text" in found("R29", made)[0].message
    assert "cannot decide" in unchecked("R29", audit(made))[0]


def test_the_end_of_a_scenario_may_stand_behind_a_hand_off() -> None:
    made = bot()
    steps(made).append({"id": "z", "type": "endwithresult", "designer": {}})
    steps(made)[1]["designer"]["next"] = "z"
    assert found("H03", made) == []


def test_a_computed_value_of_an_unknown_name_is_told_as_unknown() -> None:
    made = script(bot(), handing_over("{ Whatever: scenario.x }"))
    result = audit(made)
    assert [each.id for each in result.findings] == ["C01", "R05"]
    assert unchecked("R06", result) == []


def test_two_calls_of_one_step_are_one_way() -> None:
    made = bot()
    silent(made)
    script(made, handing_over(NURSE) * 2)
    assert len(found("H02", made)) == 1


def test_a_circle_of_steps_comes_to_an_end() -> None:
    made = bot()
    silent(made)
    steps(made).insert(
        0, {"id": "a", "type": "branch", "targetStepId": steps(made)[0]["id"], "designer": {"next": "a"}}
    )
    assert len(found("H02", made)) == 1


def test_what_says_nothing_of_a_bot_is_told_of_the_playbook() -> None:
    made = bot()
    configured("dataRetentionDays", to=0)(made)
    (first,) = [each for each in audit(made, replace(playbook(), health_bot=None)).findings if each.id == "C05"]
    assert str(first.subject) == "health_bot:contoso-health-bot"


def test_one_id_has_one_check() -> None:
    checks()
    with pytest.raises(ValueError, match="two checks for H01"):
        check("H01")(lambda _: iter(()))
