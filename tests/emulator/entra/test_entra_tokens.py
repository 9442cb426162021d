"""What the environment makes of tokens: signature, audience, tenant, time, and the user behind."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from d365setup.emulator import entra
from d365setup.emulator.entra.certificates import new_key
from d365setup.emulator.entra.tokens import Keys

from .conftest import API, Caller


def token(office: entra.Entra, keys: Keys | None = None, **changed: Any) -> str:
    """A token as the office gives it, with claims changed; None leaves one out."""
    now = int(time.time())
    claims = {
        "aud": office.url,
        "tid": entra.TENANT,
        "appid": entra.PIPELINE,
        "idtyp": "app",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
    }
    told = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    return (keys or office.grants.keys).sign(told)


def test_the_challenge_names_authority_and_resource(office: entra.Entra, caller: Caller) -> None:
    """web-api.md 5.1, letter by letter."""
    reply = caller.send("GET", f"{API}WhoAmI")
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == (
        f"Bearer authorization_uri={office.authority}/oauth2/authorize, resource_id={office.url}/"
    )
    assert reply.headers["401_error_reason"] == "Authorization header is missing."
    assert reply.content == b""


def test_the_challenge_on_the_other_host_name(office: entra.Entra, caller: Caller) -> None:
    url = office.url.replace("127.0.0.1", "localhost")
    reply = caller.session.get(f"{url}{API}WhoAmI", timeout=10)
    assert (
        f"authorization_uri={url}/{entra.TENANT}/oauth2/authorize, resource_id={url}/"
        in reply.headers["WWW-Authenticate"]
    )
    given = caller.secret(scope=f"{url}/.default").json()["access_token"]
    headers = {"Authorization": f"Bearer {given}"}
    assert caller.session.get(f"{url}{API}WhoAmI", headers=headers, timeout=10).status_code == 200
    assert caller.who(given).status_code == 401, "its audience is the other name"


def test_a_good_token(office: entra.Entra, caller: Caller) -> None:
    assert caller.user(token(office)) == "# d365setup pipeline"


SIGNATURE = "signature cannot be validated"
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"exp": 1_000_000_000}, "expired"),
    "no end": ({"exp": None}, "expired"),
    "an end that is a word": ({"exp": "never"}, "expired"),
    "an end that is true": ({"exp": True}, "expired"),
    "not yet": ({"nbf": 9_000_000_000}, "not valid yet"),
    "another environment": ({"aud": "https://contoso.crm.dynamics.com"}, "audience"),
    "a list of audiences": ({"aud": ["{url}"]}, "audience"),
    "no audience": ({"aud": None}, "audience"),
    "another tenant": ({"tid": "99999999-2222-4333-8444-555555555555"}, "another tenant"),
    "no tenant": ({"tid": None}, "another tenant"),
    "no application": ({"appid": None}, "names no application"),
    "a person without an application": ({"appid": "", "idtyp": "user"}, "names no application"),
}


@pytest.mark.parametrize("case", CASES)
def test_tokens_that_are_not_accepted(office: entra.Entra, caller: Caller, case: str) -> None:
    changed, reason = CASES[case]
    reply = caller.who(token(office, **changed))
    assert reply.status_code == 401
    assert reason in reply.headers["401_error_reason"]
    assert "WWW-Authenticate" in reply.headers


def test_tokens_somebody_else_signed(office: entra.Entra, caller: Caller) -> None:
    good = token(office)
    claims = jwt.decode(good, options={"verify_signature": False})
    head, body, signature = good.split(".")
    foreign = {
        "another key": token(office, Keys(new_key())),
        "the stand-ins' key": token(office, office.grants.runner),
        "none": jwt.encode(claims, None, "none"),
        "a shared secret": jwt.encode(claims, "a secret of thirty-two characters", "HS256"),
        "a changed body": f"{head}.{body[:-4]}AAAA.{signature}",
        "no signature": f"{head}.{body}.",
        "no token": "made-up",
        "dots": "..",
        "long": f"{head}.{'A' * 20_000}.{signature}",
    }
    for name, text in foreign.items():
        reply = caller.who(text)
        assert (name, reply.status_code) == (name, 401)
        assert SIGNATURE in reply.headers["401_error_reason"]


def test_tokens_end(office: entra.Entra, caller: Caller) -> None:
    given = caller.secret().json()["access_token"]
    assert caller.who(given).status_code == 200
    office.clock = lambda: time.time() + office.directory.lifetime + 290
    assert caller.who(given).status_code == 200, "clocks may differ by five minutes"
    office.clock = lambda: time.time() + office.directory.lifetime + 310
    assert "expired" in caller.who(given).headers["401_error_reason"]


def test_a_refused_token_is_asked_nothing_else(office: entra.Entra, caller: Caller) -> None:
    """A 401 comes before the request is looked at, and leaves no user in the log."""
    caller.send("POST", f"{API}queues", json={"name": "Desk"}, headers={"Authorization": "Bearer x"})
    assert office.emulator.sql("SELECT 1 FROM queue WHERE name = 'Desk'") == []
    assert [(each.status, each.user) for each in office.emulator.requests] == [(401, "")]


def test_sign_in_is_not_in_the_environments_log(office: entra.Entra, caller: Caller) -> None:
    caller.secret()
    assert office.emulator.requests == []
    assert office.requests == [("POST", f"/{entra.TENANT}/oauth2/v2.0/token", 200)]


def test_users_behind_tokens(office: entra.Entra, caller: Caller) -> None:
    unknown = (
        {"appid": entra.STRANGER},
        {"idtyp": "user", "oid": "00000000-0000-4000-8000-000000000001"},
    )
    for changed in unknown:
        reply = caller.who(token(office, **changed))
        assert (reply.status_code, reply.json()["error"]["code"]) == (403, "0x80072560")
    former = office.directory.people["former.nurse@contoso.example"]
    reply = caller.who(token(office, idtyp="user", oid=former.object_id))
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "0x80040225")
    nurse = office.directory.people["nurse.two@contoso.example"]
    assert caller.user(token(office, idtyp="user", oid=nurse.object_id)) == "Nurse Two"


def test_an_application_user_made_later(office: entra.Entra, caller: Caller) -> None:
    """Register, add the application user, give it a role: then it gets in."""
    given = caller.secret(client_id=entra.STRANGER).json()["access_token"]
    assert caller.who(given).status_code == 403
    unit = office.emulator.sql("SELECT businessunitid FROM businessunit WHERE parentbusinessunitid IS NULL")[0][0]
    user = office.emulator.add("systemuser", applicationid=entra.STRANGER, businessunitid=unit)
    role = office.emulator.sql(
        "SELECT roleid FROM role WHERE name = 'System Administrator' AND businessunitid = ?", [unit]
    )
    office.emulator.link("systemuser", user, "systemuserroles_association", role[0][0])
    assert caller.who(given).json()["UserId"] == user
    found = jwt.decode(given, options={"verify_signature": False})
    known = office.emulator.sql("SELECT azureactivedirectoryobjectid FROM systemuser WHERE systemuserid = ?", [user])
    assert found["oid"] == known[0][0], "both sides name the same service principal"


def test_the_rest_of_the_port_is_the_environment(caller: Caller) -> None:
    for path in (
        "/",
        "/api/data/",
        f"/{entra.TENANT}/oauth2/v2.0/else",
        "/oauth2/v2.0/token",
        "/common/discovery/else",
    ):
        assert caller.send("GET", path).status_code == 401, path
