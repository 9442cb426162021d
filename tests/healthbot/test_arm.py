"""Azure Resource Manager's answers: pages, names of secrets, and what it never should say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from d365setup.apply import failure_of
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.errors import DataverseError
from d365setup.dataverse.waiting import Policy
from d365setup.errors import UsageError
from d365setup.healthbot.arm import ORIGINS, ResourceManager, checked_origin, checked_resource
from d365setup.healthbot.portal import EXAMPLE, Portal
from d365setup.healthbot.web import Manners
from tests.dataverse.service import Answer, Asked, Clock, loopback
from tests.dataverse.test_secrets import everything_about

SUBSCRIPTION = "/subscriptions/00000000-0000-4000-8000-0000000000aa"
RESOURCE = f"{SUBSCRIPTION}/resourceGroups/contoso(main)/providers/Microsoft.HealthBot/healthBots/contoso-bot"
LISTED = {"id": RESOURCE, "properties": {"botManagementPortalLink": EXAMPLE}}
OTHER = {"id": RESOURCE + "-2", "properties": {"botManagementPortalLink": EXAMPLE + "x"}}
SECRETS = [{"keyName": "WEBCHAT_SECRET", "value": "canary-web"}, {"keyName": "API_JWT_SECRET", "value": "canary-jwt"}]


def asked_for(answers: dict[str, Any], where: str) -> tuple[str, list[str], list[str]]:
    """The secret found, the methods, and the paths."""

    def answer(asked: Asked) -> Answer:
        path = asked.path.partition("?api-version=2025-11-01")[0]
        found = answers.get(path)
        return Answer(200, json.dumps(found).encode().replace(b"ORIGIN", server.url.encode())) if found else Answer(404)

    clock = Clock()
    with loopback(answer) as server:
        manners = Manners(Policy(sleep=clock.sleep, clock=clock), read_only=True)
        manager = ResourceManager(StaticToken("canary-token"), manners, server.url)
        try:
            secret = manager.secret(Portal.parse(EXAMPLE), where)
        finally:
            manager.close()
    assert f"{secret}{secret!r}" == "******"
    return secret.reveal(), [each.method for each in server.asked], [each.path for each in server.asked]


HERE = RESOURCE.replace("(", "%28").replace(")", "%29")
LIST = f"{SUBSCRIPTION}/providers/Microsoft.HealthBot/healthBots"


@pytest.mark.parametrize("order", [SECRETS, SECRETS[::-1], [{"keyName": "API_JWT_SECRET_2", "value": "no"}, *SECRETS]])
def test_the_secret_is_chosen_by_name(order: list[dict[str, str]]) -> None:
    secret, methods, paths = asked_for({HERE: LISTED, f"{HERE}/listSecrets": {"secrets": order}}, RESOURCE)
    assert secret == "canary-jwt"
    assert methods == ["GET", "POST"]
    assert all(each.endswith("?api-version=2025-11-01") for each in paths)


def test_the_bot_is_looked_for_on_every_page() -> None:
    more = {"value": [LISTED, 7], "nextLink": ""}
    pages = {LIST: {"value": [OTHER], "nextLink": f"ORIGIN{LIST}-more"}, f"{LIST}-more": more}
    secret, methods, _ = asked_for({**pages, f"{HERE}/listSecrets": {"secrets": SECRETS}}, SUBSCRIPTION)
    assert (secret, methods) == ("canary-jwt", ["GET", "GET", "POST"])


@pytest.mark.parametrize(
    ("answers", "where", "told", "code"),
    [
        ({LIST: {"value": [OTHER]}}, SUBSCRIPTION, "has the portal link", 6),
        ({LIST: {"value": [], "nextLink": "https://evil.example/next"}}, SUBSCRIPTION, "sends us elsewhere", 6),
        ({LIST: {"value": [{**LISTED, "id": "/evil"}]}}, SUBSCRIPTION, "has the portal link", 6),
        ({LIST: [LISTED]}, SUBSCRIPTION, "none of Azure Resource Manager's", 6),
        ({HERE: LISTED, f"{HERE}/listSecrets": {"secrets": SECRETS[:1]}}, RESOURCE, r"\(it lists WEBCHAT_SECRET\)", 6),
        ({HERE: LISTED, f"{HERE}/listSecrets": {"secrets": None}}, RESOURCE, r"\(it lists none\)", 6),
        ({}, RESOURCE, "knows no such Health Bot", 6),
    ],
)
def test_what_leads_to_no_secret(answers: dict[str, Any], where: str, told: str, code: int) -> None:
    with pytest.raises(DataverseError, match=told) as failed:
        asked_for(answers, where)
    assert failure_of(failed.value).exit_code == code
    assert "canary" not in everything_about(failed.value)


def test_another_bots_resource_is_told_before_its_secret_is_asked_for() -> None:
    with pytest.raises(UsageError, match="is the Health Bot at"):
        asked_for({HERE: OTHER}, RESOURCE)


def test_origins() -> None:
    assert [checked_origin(f"{each}/") for each in ORIGINS] == list(ORIGINS)
    assert checked_origin("http://127.0.0.1:5000") == "http://127.0.0.1:5000"
    for wrong in (
        "http://management.azure.com",
        "https://evil.example",
        "https://management.azure.com.evil.example",
        "x",
    ):
        with pytest.raises(UsageError, match="D365_ARM_URL"):
            checked_origin(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "contoso",
        SUBSCRIPTION + "/resourceGroups/x",
        RESOURCE.replace("HealthBot/", "Web/"),
        RESOURCE + "/listSecrets",
        RESOURCE.replace("contoso(main)", ".."),
        RESOURCE + "?x=1",
        "/subscriptions/contoso",
    ],
)
def test_what_is_no_resource(wrong: str) -> None:
    assert checked_resource(f" {RESOURCE}/ ") == RESOURCE
    with pytest.raises(UsageError, match="is no id of a Health Bot"):
        checked_resource(wrong)
