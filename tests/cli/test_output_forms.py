"""Results in every form: on stdout, in files, and where a pipeline shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from d365setup.emulator import Emulator
from d365setup.report import ENDINGS
from tests.cli.conftest import Run
from tests.cli.process import ended
from tests.report.published import check
from tests.report.schemas import check_junit, check_sarif

PLAYBOOK = Path("bot.yaml")


def spoil(playbook: Path = PLAYBOOK) -> int:
    """Misspell a key; the line it stands on."""
    lines = playbook.read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines) if text.startswith("queues:"))
    lines[line] = "qeueus:"
    playbook.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return line + 1


def rule_ids(log: Any) -> list[str]:
    return [each["ruleId"] for each in log["runs"][0]["results"]]


# -- forms on stdout -------------------------------------------------------------------------------------------------


def test_a_plan_in_every_form(at: Run) -> None:
    assert at("plan", "--format", "markdown").out.startswith("## Plan for [")
    assert at("plan", "--format", "html").out.lower().startswith("<!doctype html>")
    check_junit(at("plan", "--format", "junit").out)
    check_sarif(json.loads(at("plan", "--format", "sarif").out))
    assert at("plan", "--format", "sarif").code == 3


def test_several_reports_of_one_run(at: Run) -> None:
    files = [Path(f"run{ending}") for ending in ENDINGS]
    options = [word for file in files for word in ("--report", str(file))]
    done = at("apply", "--yes", "--redact", *options)
    assert done.code == 0
    text = {file.suffix: file.read_text(encoding="utf-8") for file in files}
    assert text[".txt"] == done.out
    check(json.loads(text[".json"]))
    check_junit(text[".xml"])
    check_sarif(json.loads(text[".sarif"]))
    assert "11 verified" in text[".md"]
    assert "<title>" in text[".html"]
    assert not any("nurse.one@" in each for each in text.values())


def test_markdown_fits_what_it_is_told_to(at: Run) -> None:
    text = at("plan", "--format", "markdown", "--max-chars", "700").out
    assert len(text) <= 700
    assert "Cut to fit the limit of 700. Left out: " in text
    Path("wide.md").unlink(missing_ok=True)
    at("plan", "--max-chars", "700", "--report", "wide.md")
    assert Path("wide.md").read_text(encoding="utf-8") == text


# -- forms that make no sense ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["junit", "sarif"])
@pytest.mark.parametrize("call", ["history", "doctor --emulator", "explain R12", "evidence verify x"])
def test_what_judges_nothing_is_refused_before_anything_is_done(run: Run, call: str, form: str) -> None:
    done = run(*call.split(), "--format", form)
    assert done.code == 2
    assert "'text', 'json', 'markdown', 'html'" in done.out + done.err
    ending = next(ending for ending, each in ENDINGS.items() if each == form)
    done = run(*call.split(), "--report", f"x{ending}")
    assert (done.code, done.out) == (2, "")
    assert f"--report x{ending}" in done.err
    assert "can be .txt, .json, .md or .html" in done.err
    assert not Path(f"x{ending}").exists()


def test_an_ending_of_no_form_sends_nothing(at: Run, emulator: Emulator) -> None:
    done = at("plan", "--report", "good.json", "--report", "plan.yaml")
    assert done.code == 2
    assert "can be .txt, .json, .md, .html, .xml or .sarif" in done.err
    assert not Path("good.json").exists()
    assert not emulator.requests


@pytest.mark.parametrize("limit", ["299", "-1", "many"])
def test_a_limit_nothing_fits(run: Run, limit: str) -> None:
    done = run("validate", "bot.yaml", "--max-chars", limit)
    assert done.code == 2
    assert "--max-chars" in done.err


# -- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["markdown", "html", "junit", "sarif"])
def test_a_failure_comes_in_the_form_asked_for_and_as_text_for_people(run: Run, form: str) -> None:
    for call in (("plan", "bot.yaml", "--url", "ftp://x"), ("plan", "bot.yaml", "--no-such-option")):
        done = run(*call, "--format", form)
        assert done.code == 2
        assert done.err.startswith("error: ")
        assert done.out
    if form == "sarif":
        (invocation,) = json.loads(done.out)["runs"][0]["invocations"]
        assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 2)


def test_a_mistake_has_its_line(run: Run) -> None:
    line = spoil()
    done = run("validate", "bot.yaml", "--examples", "--format", "sarif")
    assert done.code == 2
    log = json.loads(done.out)
    check_sarif(log)
    (place,) = log["runs"][0]["results"][0]["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "bot.yaml"
    assert place["physicalLocation"]["region"]["startLine"] == line


# -- pipelines -------------------------------------------------------------------------------------------------------


def test_github_gets_annotations_and_a_summary(run: Run, tmp_path: Path) -> None:
    Path("sub").mkdir()
    playbook = PLAYBOOK.rename("sub/bot.yaml")
    line = spoil(playbook)
    summary = tmp_path / "summary.md"
    summary.write_text("what was there\n", encoding="utf-8")
    pipeline = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(tmp_path)}
    done = run("validate", str(playbook), "--examples", "--format", "json", **pipeline)
    assert done.code == 2
    assert done.json["problems"]
    assert f"::error file=sub/bot.yaml,line={line},title=A mistake in a playbook,col=1::" in done.err
    written = summary.read_text(encoding="utf-8")
    assert written.startswith("what was there\n\n## Playbooks\n\n**0 playbooks valid, ")
    run("validate", str(playbook), "--examples", **pipeline)
    assert summary.read_text(encoding="utf-8").count("## Playbooks") == 2


def test_paths_are_those_of_the_repository_not_of_the_folder_one_stands_in(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    PLAYBOOK.rename("sub/bot.yaml")
    monkeypatch.chdir(tmp_path / "sub")
    spoil()
    done = run("validate", "bot.yaml", "--examples", GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(tmp_path))
    assert "::error file=sub/bot.yaml,line=" in done.err


def test_azure_gets_them_too(run: Run, tmp_path: Path) -> None:
    line = spoil()
    (tmp_path / "temp").mkdir()
    pipeline = {
        "TF_BUILD": "True",
        "AGENT_TEMPDIRECTORY": str(tmp_path / "temp"),
        "BUILD_SOURCESDIRECTORY": str(tmp_path),
    }
    done = run("validate", "bot.yaml", "--examples", **pipeline)
    assert f"##vso[task.logissue type=error;sourcepath=bot.yaml;linenumber={line};columnnumber=1;]A mistake" in done.err
    (named,) = [each for each in done.err.splitlines() if each.startswith("##vso[task.uploadsummary]")]
    file = Path(named.removeprefix("##vso[task.uploadsummary]"))
    assert file.parent == tmp_path / "temp"
    assert file.read_text(encoding="utf-8").startswith("## Playbooks\n")


@pytest.mark.parametrize("how", ["option", "variable"])
def test_they_can_be_turned_off(run: Run, tmp_path: Path, how: str) -> None:
    spoil()
    summary = tmp_path / "summary.md"
    options = ("--annotations", "off") if how == "option" else ()
    variables = {"D365_ANNOTATIONS": "off"} if how == "variable" else {}
    pipeline = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    done = run("validate", "bot.yaml", "--examples", *options, **pipeline, **variables)
    assert done.code == 2
    assert "::" not in done.err
    assert not summary.exists()


def test_elsewhere_there_are_none(run: Run) -> None:
    spoil()
    done = run("validate", "bot.yaml", "--examples", GITHUB_ACTIONS="false", TF_BUILD="")
    assert "::" not in done.err


def test_a_bad_setting_is_told(run: Run) -> None:
    done = run("validate", "bot.yaml", D365_ANNOTATIONS="loud")
    assert done.code == 2
    assert "'loud' is not one of 'auto', 'off'" in done.err


def test_a_summary_never_gets_too_large_for_github(run: Run, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_bytes(b"x" * (1_048_576 - 400))
    pipeline = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    for _ in range(3):
        assert run("validate", "bot.yaml", "--examples", **pipeline).code == 0
    assert summary.stat().st_size <= 1_048_576


def test_a_summary_that_cannot_be_written_fails_nothing(run: Run, tmp_path: Path) -> None:
    pipeline = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path)}
    done = run("validate", "bot.yaml", "--examples", **pipeline)
    assert done.code == 0
    assert "the job's summary could not be written: " in done.err


@pytest.mark.parametrize("variable", ["GITHUB_ACTIONS", "TF_BUILD"])
@pytest.mark.parametrize("form", ["text", "json", "markdown", "html", "junit", "sarif"])
def test_a_playbook_cannot_speak_to_the_pipeline(run: Run, tmp_path: Path, variable: str, form: str) -> None:
    evil = "##vso[task.setvariable variable=x]y ##[add-mask]z"
    text = PLAYBOOK.read_text(encoding="utf-8").replace(
        "\nqueues:", f'\n"{evil}": 1\n"::set-env name=x::y": 1\nqueues:', 1
    )
    PLAYBOOK.write_text(text, encoding="utf-8")
    done = run(
        "validate", "bot.yaml", "--examples", "--format", form, **{variable: "True"}, AGENT_TEMPDIRECTORY=str(tmp_path)
    )
    assert done.code == 2
    assert "set-env" in done.out
    for line in (*done.out.splitlines(), *done.err.splitlines()):
        ours = line.startswith(("##vso[task.logissue ", "##vso[task.uploadsummary]"))
        assert "##vso[" not in line[1:] if ours else "##vso[" not in line
        assert "##[" not in line
        assert not line.lstrip().startswith("::") or line.startswith("::error file=bot.yaml,")


# -- starting is light -----------------------------------------------------------------------------------------------


def test_help_and_a_plain_result_load_no_other_form() -> None:
    heavy = ("jinja2", "d365setup.report.as_html", "d365setup.report.as_sarif", "d365setup.report.as_junit",
             "d365setup.report.as_markdown", "xml.etree")  # fmt: skip
    for call in (["--help"], ["history"], ["history", "--format", "json"]):
        code = (
            f"import sys\nsys.argv = ['d365setup', *{call!r}]\nfrom d365setup.cli import main\n"
            f"try:\n    main()\nexcept SystemExit:\n    pass\n"
            f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
        )
        assert ended("-c", code)[2].strip() == "[]"
