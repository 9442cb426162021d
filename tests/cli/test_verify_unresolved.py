"""`verify` where the environment cannot resolve something: nothing is compared, and hand-offs are followed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

NOBODY = "nobody@contoso.example"
TOLD = "the environment cannot be brought to what the playbook says, so what differs cannot be told"


@pytest.fixture
def stranger(run: Run) -> str:
    """An applied playbook, in whose queue there is then to be somebody whom the environment does not know."""
    assert run("apply", "bot.yaml", "--emulator", "--yes").code == 0
    text = Path("bot.yaml").read_text("utf-8")
    Path("bot.yaml").write_text(text.replace("[Contoso Health Bot]", f"[Contoso Health Bot, {NOBODY}]"), "utf-8")
    return "bot.yaml"


def test_it_fails_and_shows_the_hand_offs(run: Run, stranger: str) -> None:
    found = run("verify", stranger, "--emulator", "--format", "json")
    assert found.code == 1
    document = found.json
    assert (document["in_line"], document["message"], document["drift"]) == (False, TOLD, [])
    (problem,) = document["problems"]
    assert problem["id"] == f"queue_member:Health bot/{NOBODY}"
    assert problem["source"]["line"]
    assert document["readiness"]["ready"] is True
    assert document["findings"]["counts"]["error"] == 0


@pytest.mark.parametrize("form", ["text", "markdown", "html", "junit", "sarif"])
def test_every_form_says_so(form: str, run: Run, stranger: str) -> None:
    shown = run("verify", stranger, "--emulator", "--format", form)
    assert shown.code == 1
    assert NOBODY.partition("@")[0] in shown.out
    if form == "sarif":
        levels = [each["level"] for each in json.loads(shown.out)["runs"][0]["results"]]
        assert "error" in levels
    else:
        assert TOLD in shown.out.lower()
