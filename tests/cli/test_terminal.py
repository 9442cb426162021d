"""On a terminal: the question, progress and colours. And streams that nobody reads or that take no more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from d365setup.emulator import Emulator
from d365setup.ruleset import read as rules_of
from tests.cli.conftest import VALUES, Run
from tests.cli.process import ended, start

pty = pytest.importorskip("pty", reason="needs a pseudo terminal")


def on_terminal(emulator: Emulator, answer: str, *options: str, **variables: str) -> tuple[int, str, str]:
    """An apply whose stdin and stderr are a terminal: exit code, stdout, what the terminal showed."""
    master, slave = pty.openpty()
    process = start(
        *("apply", "bot.yaml", "--url", emulator.url, *options),
        variables={**VALUES, **variables},
        stdin=slave,
        stderr=slave,
    )
    os.close(slave)
    os.write(master, answer.encode())
    shown = b""
    try:
        while chunk := os.read(master, 65536):
            shown += chunk
    except OSError:  # the other side is closed
        pass
    out, _ = process.communicate(timeout=60)
    os.close(master)
    return process.returncode, out, shown.decode().replace("\r\n", "\n")


def queues(emulator: Emulator) -> list[str]:
    return [name for (name,) in emulator.sql("SELECT name FROM queue WHERE name = 'Health bot'")]


@pytest.mark.parametrize("answer", ["n\n", "\n", "yes please\n", "\x04"])
def test_anything_but_yes_is_no(answer: str, emulator: Emulator) -> None:
    code, out, shown = on_terminal(emulator, answer)
    assert code == 5
    assert out == ""
    assert f"Apply 11 changes to Contoso Health ({emulator.url})? [y/N]" in shown
    assert "not applied: you did not say yes; nothing was written" in shown
    assert queues(emulator) == []


def test_yes_applies_and_shows_each_outcome_as_it_comes(emulator: Emulator) -> None:
    code, out, shown = on_terminal(emulator, "y\n", "--no-color")
    assert code == 0
    assert out.startswith("Applied playbook contoso-health-bot to Contoso Health")
    before, after = shown.split("[y/N]")
    assert "\n+ queue:Health bot " in before
    assert after.count("verified      ") == 11
    assert "\x1b" not in shown
    assert queues(emulator) == ["Health bot"]


@pytest.mark.parametrize(("variables", "colored"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals(variables: dict[str, str], colored: bool, emulator: Emulator) -> None:
    code, out, shown = on_terminal(emulator, "", "--yes", **variables)
    assert code == 0
    assert "\x1b" not in out  # a pipe
    assert ("\x1b[32mverified" in shown) == colored


def test_without_a_terminal_to_ask_on_yes_is_needed(at: Run, emulator: Emulator) -> None:
    refused = at("apply")
    assert refused.code == 5
    assert refused.out == ""
    assert refused.err.startswith("Plan for Contoso Health (")
    assert "there is no terminal to ask on, and nothing was written; add --yes" in refused.err
    assert queues(emulator) == []
    assert at("apply", "--format", "json").json["message"].endswith("add --yes to apply without asking")


def test_what_only_a_person_can_do_is_not_asked_about(at: Run, emulator: Emulator) -> None:
    assert at("apply", "--yes").code == 0
    columns = "msdyn_decisionrulesetid, msdyn_rulesetdefinition"
    rule_set, text = emulator.sql(f"SELECT {columns} FROM msdyn_decisionruleset")[0]  # noqa: S608  # a constant
    urgent = next(rule.id for rule in rules_of(text).rules if rule.name == "Urgent")
    emulator.change("msdyn_decisionruleset", rule_set, msdyn_disabledrules=f"{{{urgent}}}")
    left = at("apply", "--format", "json")
    assert left.code == 3
    assert [each["status"] for each in left.json["outcomes"]] == ["manual step"]
    assert "enable the rule 'Urgent'" in left.json["outcomes"][0]["detail"]
    assert at("verify", "--format", "json").json["drift"][0]["manual"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_result_that_cannot_be_printed_is_no_success() -> None:
    with Path("/dev/full").open("w") as stream:
        code, _, err = ended("validate", "bot.yaml", "--examples", stdout=stream)
    assert code == 1
    assert err == "error: the result cannot be printed: No space left on device\n"


def test_a_reader_that_went_away_gets_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    code, _, err = ended("schema", "run", stdout=write)
    os.close(write)
    assert (code, err) == (1, "")


def test_a_terminal_without_the_characters_gets_their_escapes(emulator: Emulator) -> None:
    variables = {**VALUES, "PYTHONIOENCODING": "latin-1"}
    code, out, err = ended("plan", "bot.yaml", "--url", emulator.url, variables=variables)
    assert (code, err) == (3, "")
    assert r"fallback_queue: (none) \u2192 Nurses" in out
