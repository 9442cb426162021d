"""What a fleet hands on to each environment's command, and what is wrong with the call, told once and all of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from d365setup.emulator import Emulator, Options
from tests.fleet.conftest import Call, written

Serve = Callable[..., Emulator]
QUICK = ("--max-wait", "1", "--format", "json")


def organization(emulator: Emulator) -> str:
    return str(emulator.sql("SELECT organizationid FROM organization")[0][0])


def test_an_address_that_leads_to_another_organization_is_refused(fleet: Call, serving: Serve) -> None:
    right, other = serving(), serving(Options(organization=2))
    expected = f"organization: {organization(right)}"
    written({"right": f'"{right.url}", {expected}'})
    assert fleet("plan", "fleet.yaml", *QUICK).code == 3
    written({"right": f'"{other.url}", {expected}', "named": f'"{right.url}", organization: Contoso Health'})
    ended = fleet("apply", "fleet.yaml", "--yes", *QUICK)
    refused, named = ended.json["environments"]
    assert (refused["state"], refused["exit_code"], named["state"]) == ("failed", 5, "verified")
    assert "is the organization Contoso Health 2" in refused["message"]
    assert {how for each in other.requests for how, _, _ in each.operations} <= {"GET"}


@pytest.mark.parametrize("command", ["plan", "apply", "verify"])
def test_a_health_bot_can_be_required(command: str, fleet: Call, serving: Serve) -> None:
    emulator = serving()
    written({"north": f'"{emulator.url}"'})
    yes = ("--yes",) if command == "apply" else ()
    ended = fleet(command, "fleet.yaml", *yes, "--require-healthbot", *QUICK)
    assert ended.code == 6
    assert "D365_HEALTHBOT_SECRET" in ended.json["environments"][0]["message"]
    assert not emulator.requests


def test_what_apply_would_prune_can_be_planned(fleet: Call, serving: Serve) -> None:
    emulator = serving()
    written({"north": f'"{emulator.url}"'})
    assert fleet("apply", "fleet.yaml", "--yes", *QUICK).code == 0
    text = Path("bot.yaml").read_text(encoding="utf-8")
    less = (
        text.replace("      - {name: Severity, type: number}\n", "")
        .replace("            - {variable: Severity, operator: at least, value: 7}\n", "")
        .replace("            - {variable: Severity, operator: has a value}\n", "")
    )
    Path("bot.yaml").write_text(less[: less.index("tests:")], encoding="utf-8")
    kept = fleet("plan", "fleet.yaml", *QUICK).json
    gone = fleet("plan", "fleet.yaml", "--prune", *QUICK).json
    variable = "context_variable:Patient chat/Severity"
    assert variable not in {row["resource"] for row in kept["matrix"]}
    assert variable in {row["resource"] for row in gone["matrix"]}
    written({"north": f'"{emulator.url}"'}, "limits: {prune: false}")
    refused = fleet("plan", "fleet.yaml", "--prune", *QUICK)
    assert (refused.code, "prune: false" in refused.json["message"]) == (5, True)


def test_every_variable_that_somebody_lacks_is_told_at_once(fleet: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOT_APPLICATION_ID")
    monkeypatch.delenv("HEALTH_BOT_ID")
    ids = dict.fromkeys(("bot_application_id", "health_bot_id"), "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f")
    line = '"http://127.0.0.1:9{0}", variables: {{{1}}}'
    written(
        {
            "whole": line.format(1, ", ".join(f"{name}: {value}" for name, value in ids.items())),
            "no-bot": line.format(2, f"bot_application_id: {ids['bot_application_id']}"),
            "no-application": line.format(3, f"health_bot_id: {ids['health_bot_id']}"),
            "neither": line.format(4, "bot_email: bot@contoso.example"),
        }
    )
    ended = fleet("apply", "fleet.yaml", "--yes")
    assert ended.code == 2
    assert "for no-application, neither: the variable 'bot_application_id' has no value" in ended.err
    assert "for no-bot, neither: the variable 'health_bot_id' has no value" in ended.err
    assert "whole" not in ended.err
    assert not Path(".d365setup").exists(), "nothing is written"
