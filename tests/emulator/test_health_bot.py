"""The emulated Health Bot by plain requests: tokens, imports, the backup, the resource in Azure, faults."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from d365setup.emulator import Emulator, fault_of
from d365setup.emulator.bots import LARGEST, TENANT
from d365setup.emulator.healthbot import SECRET, SUBSCRIPTION, HealthBot

from .conftest import Api, Make

CODE = '{"version":3, "steps":[{"id":"a","type":"statement"}]}'
SCENARIO = {"name": "Escalate", "scenario_trigger": "escalate", "description": "", "code": CODE}


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    said = {"tenantName": TENANT, "iat": int(time.time()) - 60, **claims}
    return jwt.encode({name: value for name, value in said.items() if value is not None}, secret, algorithm=algorithm)


def send(api: Api, method: str, path: str, bearer: str | None = None, **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token() if bearer is None else bearer}"}
    return requests.request(method, f"{api.emulator.url}{path}", headers=headers, timeout=10, **more)


def call(api: Api, method: str, name: str, bearer: str | None = None, **more: Any) -> requests.Response:
    return send(api, method, f"/api/account/{TENANT}/{name}", bearer, **more)


def test_the_portal_path_is_there(api: Api) -> None:
    assert api.emulator.health_bot.portal(api.emulator.url) == f"{api.emulator.url}/account/{TENANT}"
    assert requests.get(f"{api.emulator.url}/account/{TENANT}", timeout=10).status_code == 200
    assert requests.get(f"{api.emulator.url}/account/nobody", timeout=10).status_code == 404


def test_scenarios_are_those_of_a_portal_export(api: Api) -> None:
    found = call(api, "GET", "scenarios").json()
    assert [each["name"] for each in found] == ["Welcome", "Opening hours"]
    for each in found:
        assert {"name", "id", "scenario_trigger", "description", "active", "updated", "userDisplayName"} < set(each)
        assert json.loads(each["code"])["version"] == 3


@pytest.mark.parametrize(
    "bearer",
    [
        "",
        "x",
        "a.b.c",
        "ä.ö.ü",
        token("another-secret-of-thirty-two-bytes-or-more"),
        token(SECRET * 2, algorithm="HS384"),
        token(tenantName="another"),
        token(tenantName=None),
        token(iat=None),
        token(iat=int(time.time()) + 86400),  # long after all tests are done
        token(iat=True),
        token(iat="yesterday"),
        jwt.encode({"tenantName": TENANT, "iat": 1}, None, algorithm="none"),
        token().rpartition(".")[0] + ".",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_that_is_not_the_bots(method: str, bearer: str, api: Api) -> None:
    reply = call(api, method, "scenarios", bearer.encode().decode("latin-1"), json=[SCENARIO])
    assert reply.status_code == 401
    assert len(call(api, "GET", "scenarios").json()) == 2


@pytest.mark.parametrize(
    "issued", [str(int(time.time()) - 60), 1, int(time.time()) - 5], ids=["text", "long ago", "number"]
)
def test_it_may_be_issued_as_text_or_number_and_any_time_ago(issued: str | int, api: Api) -> None:
    assert call(api, "GET", "scenarios", token(iat=issued)).status_code == 200


def test_an_import_overwrites_by_name_and_adds_the_others(api: Api) -> None:
    other = {**SCENARIO, "name": "Welcome", "scenario_trigger": "hello"}
    before = {each["name"]: each for each in call(api, "GET", "scenarios").json()}
    assert call(api, "POST", "scenarios", json=[SCENARIO, other]).status_code == 200
    after = call(api, "GET", "scenarios").json()
    assert [each["name"] for each in after] == ["Welcome", "Opening hours", "Escalate"]
    assert after[0]["scenario_trigger"] == "hello"
    assert after[0]["id"] == before["Welcome"]["id"]
    assert after[1] == before["Opening hours"]
    assert after[2]["code"] == CODE
    assert after[2]["active"] is True


def test_an_import_may_write_everything_anew(make: Make) -> None:
    api = make(scenario_import="rewritten")
    call(api, "POST", "scenarios", json=[SCENARIO])
    first = call(api, "GET", "scenarios").json()[2]
    call(api, "POST", "scenarios", json=[SCENARIO])
    second = call(api, "GET", "scenarios").json()[2]
    assert first["id"] != second["id"]
    assert second["active"] is False
    assert second["code"] != CODE
    assert json.loads(second["code"]) == json.loads(CODE)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (SCENARIO, 400),
        ("text", 400),
        ([7], 400),
        ([{**SCENARIO, "name": " "}], 400),
        ([{**SCENARIO, "scenario_trigger": None}], 400),
        ([{**SCENARIO, "description": 7}], 400),
        ([{**SCENARIO, "code": {"version": 3, "steps": []}}], 400),
        ([{**SCENARIO, "code": "{"}], 400),
        ([{**SCENARIO, "code": "[]"}], 400),
        ([SCENARIO, SCENARIO], 400),
        ([SCENARIO, {**SCENARIO, "name": "Large", "code": " " * LARGEST + CODE}], 413),
    ],
)
def test_an_import_that_is_refused_keeps_nothing(body: Any, status: int, api: Api) -> None:
    reply = call(api, "POST", "scenarios", json=body)
    assert reply.status_code == status
    assert reply.json()["error"]
    assert len(call(api, "GET", "scenarios").json()) == 2


def test_what_is_no_json_is_refused(api: Api) -> None:
    sent = {"data": json.dumps([SCENARIO]).encode()}
    assert call(api, "POST", "scenarios", **sent).status_code == 415
    bearer = {"Authorization": f"Bearer {token()}", "Content-Type": "application/json"}
    url = f"{api.emulator.url}/api/account/{TENANT}/scenarios"
    for body in (b"[", b"[" * 100_000, b""):
        assert requests.post(url, data=body, headers=bearer, timeout=10).status_code == 400


def test_the_backup_has_the_keys_of_a_real_one(api: Api) -> None:
    found = call(api, "GET", "backup").json()
    assert set(found) == {
        "skills", "files", "configuration", "authenticationProviders", "dataConnections", "localization", "scenarios"
    }  # fmt: skip
    assert found["configuration"]["handoff"]["omnichannel"] == {"bridge": True}
    assert isinstance(found["scenarios"][0]["code"], dict)
    assert found["scenarios"][0]["RowKey"]
    changed = {**found["configuration"], "dataRetentionDays": 0}
    api.emulator.health_bot.bots.configure(changed)
    assert call(api, "GET", "backup").json()["configuration"] == changed


@pytest.mark.parametrize(
    ("method", "name", "status"),
    [
        ("POST", "backup", 501),
        ("GET", "resources", 501),
        ("POST", "localization", 501),
        ("POST", "user", 501),
        ("DELETE", "scenarios", 404),
        ("PUT", "scenarios", 404),
        ("GET", "configuration/conversation/read", 404),
        ("GET", "", 404),
    ],
)
def test_what_is_not_acted_out_is_refused_by_name(method: str, name: str, status: int, api: Api) -> None:
    reply = call(api, method, name, json={"hbs": "{}"})
    assert reply.status_code == status


def test_an_empty_environment_has_a_bot_without_scenarios(make: Make) -> None:
    api = make(fixture="empty")
    assert call(api, "GET", "scenarios").json() == []
    assert "omnichannel" not in call(api, "GET", "backup").json()["configuration"]["handoff"]


def test_bots_are_made_by_tenant_name_and_share_nothing(api: Api) -> None:
    assert api.emulator.health_bot.portal(api.emulator.url, "north").endswith("/account/north")
    path = "/api/account/north/scenarios"
    assert send(api, "POST", path, token(tenantName="north"), json=[SCENARIO]).status_code == 200
    assert len(send(api, "GET", path, token(tenantName="north")).json()) == 3
    assert len(call(api, "GET", "scenarios").json()) == 2
    assert send(api, "GET", path).status_code == 401


def test_it_is_kept_in_the_data_file_and_forgotten_with_a_reset(make: Make, tmp_path: Path) -> None:
    api = make(tmp_path / "kept.db")
    call(api, "POST", "scenarios", json=[SCENARIO])
    api.emulator.stop()
    again = make(tmp_path / "kept.db")
    assert len(call(again, "GET", "scenarios").json()) == 3
    again.emulator.reset()
    assert len(call(again, "GET", "scenarios").json()) == 2


def test_a_data_file_of_before_there_were_bots_gets_one(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    Emulator(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE _bot")
        connection.execute("DROP TABLE _bot_scenario")
    connection.close()
    found = Emulator(path)
    assert len(found.health_bot.bots.exports()) == 2
    found.close()


def test_faults_strike_here_too_and_its_requests_are_counted_apart(api: Api) -> None:
    emulator = api.emulator
    emulator.fail(fault_of("429:path=scenarios:retry-after=7"))
    emulator.fail(fault_of("drop-after:method=POST"))
    reply = call(api, "GET", "scenarios")
    assert (reply.status_code, reply.headers["Retry-After"]) == (429, "7")
    with pytest.raises(requests.ConnectionError):
        call(api, "POST", "scenarios", json=[SCENARIO])
    assert len(call(api, "GET", "scenarios").json()) == 3
    assert [(each.method, each.status) for each in emulator.health_bot.requests] == [
        ("GET", 429),
        ("POST", 0),
        ("GET", 200),
    ]
    assert emulator.requests == []
    assert "OData-Version" not in reply.headers


def test_it_takes_as_long_as_the_wire(make: Make) -> None:
    slept: list[float] = []
    api = make(rtt=0.08, sleep=slept.append)
    api.emulator.fail(fault_of("slow:time=2s:path=scenarios"))
    call(api, "GET", "scenarios")
    assert slept == [0.08, 2.0]


def test_the_resource_in_azure_tells_link_and_secrets(api: Api) -> None:
    version = "?api-version=2025-11-01"
    listed = send(api, "GET", f"{SUBSCRIPTION}/providers/Microsoft.HealthBot/healthBots{version}", "any").json()[
        "value"
    ]
    (bot,) = listed
    assert bot["properties"]["botManagementPortalLink"] == f"{api.emulator.url}/account/{TENANT}"
    assert bot["id"] == HealthBot.resource()
    assert send(api, "GET", f"{bot['id']}{version}", "any").json() == bot
    found = send(api, "POST", f"{bot['id']}/listSecrets{version}", "any").json()["secrets"]
    assert {each["keyName"]: each["value"] for each in found}["API_JWT_SECRET"] == SECRET


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", HealthBot.resource(), 400),
        ("GET", f"{HealthBot.resource('nobody')}?api-version=1", 404),
        ("POST", f"{HealthBot.resource()}/listSecrets/more?api-version=1", 404),
        ("DELETE", f"{HealthBot.resource()}?api-version=1", 405),
        ("POST", f"{HealthBot.resource()}?api-version=1", 405),
    ],
)
def test_the_rest_of_azure_is_not_there(method: str, path: str, status: int, api: Api) -> None:
    assert send(api, method, path, "any").status_code == status


def test_azure_wants_a_token_too(api: Api) -> None:
    reply = requests.post(f"{api.emulator.url}{HealthBot.resource()}/listSecrets?api-version=1", timeout=10)
    assert reply.status_code == 401
    assert SECRET not in reply.text
