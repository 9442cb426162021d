"""The files of both products follow the schemas that are published for them, and the shell is clean."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.ci.runner import ROOT, Job
from tests.vendors.conftest import missing, needed

TEMPLATE = ROOT / ".azure-pipelines" / "d365setup.yml"
SCRIPTS = sorted((ROOT / "ci").glob("*.sh"))
_FENCE = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
SCHEMA_OF = {"GitHub Actions": "github-workflows", "Azure Pipelines": "azure-pipelines", "GitLab CI": "gitlab-ci"}


def examples() -> Iterator[tuple[str, str]]:
    """The complete pipelines of docs/ci.md, by the schema they follow."""
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    for title, section in _SECTION.findall(page):
        for text in _FENCE.findall(section):
            if title in SCHEMA_OF:
                yield SCHEMA_OF[title], text


CASES = [
    ("github-actions", (ROOT / "action.yml").read_text(encoding="utf-8")),
    ("azure-pipelines", TEMPLATE.read_text(encoding="utf-8")),
    ("github-workflows", (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")),
    *examples(),
]


def validator(name: str) -> Draft7Validator:
    """The published schema, as check-jsonschema ships it."""
    needed("check_jsonschema")
    text = files("check_jsonschema").joinpath("builtin_schemas", "vendor", f"{name}.json").read_text(encoding="utf-8")
    return Draft7Validator(json.loads(text))


def parsed(text: str) -> Any:
    """YAML as these products read it: `on` is a word."""
    found = yaml.safe_load(text)
    return {"on" if key is True else key: value for key, value in found.items()}


@pytest.mark.parametrize(("name", "text"), CASES, ids=[f"{number}-{name}" for number, (name, _) in enumerate(CASES)])
def test_it_follows_its_published_schema(name: str, text: str) -> None:
    assert [error.message[:300] for error in validator(name).iter_errors(parsed(text))] == []


def test_the_schemas_see_a_mistake() -> None:
    for name, text in CASES[:3]:
        broken = parsed(text)
        broken["no such key"] = {}
        if name == "github-actions":
            broken = {**parsed(text), "runs": {"using": "composite", "steps": [{"run": "true"}]}}
        assert list(validator(name).iter_errors(broken)), name


def test_each_product_has_its_example() -> None:
    assert {name for name, _ in examples()} == set(SCHEMA_OF.values())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    tool = shutil.which("shellcheck") or shutil.which("shellcheck", path=str(Path(_python()).parent))
    if tool is None:
        missing("shellcheck")
    ended = subprocess.run([str(tool), str(script)], capture_output=True, text=True, check=False)  # noqa: S603
    assert ended.returncode == 0, ended.stdout


def _python() -> str:
    import sys  # noqa: PLC0415  # for its folder only

    return sys.executable


# -- the Azure template ------------------------------------------------------------------------------------------------


def steps() -> Iterator[dict[str, Any]]:
    template = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    for stage in template["stages"]:
        for job in stage["jobs"]:
            yield from job.get("steps", []) or job["strategy"]["runOnce"]["deploy"]["steps"]


def shell(step: dict[str, Any]) -> str:
    return str(step.get("bash") or step.get("inputs", {}).get("inlineScript", ""))


def named(name: str) -> dict[str, Any]:
    (found,) = [step for step in steps() if step.get("name") == name]
    return found


def test_no_value_is_pasted_into_the_shell_of_the_template() -> None:
    assert [shell(step) for step in steps() if "${{" in shell(step) or "$(" in shell(step)] == []


def test_every_parameter_is_used() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    for parameter in yaml.safe_load(text)["parameters"]:
        assert f"parameters.{parameter['name']}" in text, parameter["name"]


def test_the_template_plans_and_applies_that_plan(job: Job) -> None:
    """Its own shell, with the variables an agent sets; the artifact goes from the one stage to the other."""
    workspace, temporary = job.folder, job.temporary
    (workspace / "s").mkdir()
    (workspace / "s" / "d365setup").symlink_to(ROOT)
    agent = {
        "TF_BUILD": "True",
        "PIPELINE_WORKSPACE": str(workspace),
        "AGENT_TEMPDIRECTORY": str(temporary),
        "SETUP_OUT": str(temporary / "d365setup"),
    }
    planned = job.run(shell(named("plan")), **agent)
    assert planned.code == 0, planned.out + planned.err
    assert "variable=changes;isOutput=true]11\n" in planned.out
    (temporary / "d365setup").rename(workspace / "d365setup-plan")
    saved = str(workspace / "d365setup-plan" / "plan.json")
    applied = job.run(shell(named("apply")), **agent, SETUP_SAVED_PLAN=saved)
    assert applied.code == 0, applied.out + applied.err
    assert "11 verified, 2 unchanged" in applied.out
    assert (temporary / "d365setup" / "report.json").is_file()
    assert (temporary / "d365setup" / "verify" / "report.json").is_file()
    again = job.run(shell(named("apply")), **agent, SETUP_SAVED_PLAN=saved)
    assert again.code == 5


def test_both_steps_of_the_template_get_the_bots_secret() -> None:
    """An agent hands a secret variable to no step unless its `env` names it."""
    for name in ("plan", "apply"):
        environment = named(name)["env"]
        assert environment["SETUP_HEALTHBOT_SECRET"] == "${{ parameters.healthbotSecret }}", name
        assert environment["SETUP_HEALTHBOT_RESOURCE"] == "${{ parameters.healthbotResource }}", name
        assert environment["SETUP_REQUIRE_HEALTHBOT"] == "${{ lower(parameters.requireHealthbot) }}", name
