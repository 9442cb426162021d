"""Whatever comes in is answered or left alone; nothing breaks, nothing is told that should not be."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d365setup.emulator import entra
from d365setup.emulator.bearer import Unproven
from d365setup.emulator.entra.assertions import JWT_BEARER
from d365setup.emulator.entra.grants import DEVICE_CODE
from d365setup.emulator.operation import Operation

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=5), SCALARS, max_size=3)
NAMES = ("client_id", "client_secret", "client_assertion", "scope", "device_code", "refresh_token", "client_info")
TENANTS = st.sampled_from([entra.TENANT, "contoso.example", "common"]) | st.text(max_size=30)
FORMS = st.fixed_dictionaries(
    {"grant_type": st.sampled_from(["client_credentials", DEVICE_CODE, "refresh_token", "password", ""])},
    optional={
        **{name: st.text(max_size=60) for name in NAMES},
        "client_assertion_type": st.sampled_from([JWT_BEARER, "other"]),
        "client_id": st.sampled_from([entra.PIPELINE, entra.PERSONAL, entra.STRANGER]) | st.text(max_size=40),
    },
)
LAXLY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def office(folder: Path) -> Iterator[entra.Entra]:
    with entra.serve(folder) as made:
        yield made
        assert made.emulator.gateway.failures == []


@pytest.fixture(scope="module")
def made() -> entra.ClientCertificate:
    return entra.make_certificate("d365setup pipeline")


def answered(office: entra.Entra, operation: Operation) -> dict[str, Any] | None:
    reply = office.answer(operation)
    assert office.emulator.gateway.failures == []
    if reply is None or reply.content_type is None or "json" not in reply.content_type:
        return None
    assert (reply.status < 400) != ("error" in json.loads(reply.body))
    return dict(json.loads(reply.body))


@LAXLY
@given(st.sampled_from(["GET", "POST", "PUT", "HEAD"]), st.text(max_size=60), st.binary(max_size=200))
def test_any_request(office: entra.Entra, method: str, path: str, body: bytes) -> None:
    answered(office, Operation(method, f"/{path}", {}, body, office.url))
    answered(office, Operation(method, f"//[{path}", {}, body, office.url))


@LAXLY
@given(TENANTS, FORMS)
def test_any_form(office: entra.Entra, tenant: str, form: dict[str, str]) -> None:
    body = urlencode(form, errors="replace").encode()
    told = answered(office, Operation("POST", f"/{tenant}/oauth2/v2.0/token", {}, body, office.url))
    assert told is None or "access_token" not in told, "nobody guesses a secret"


@LAXLY
@given(st.text(max_size=60))
def test_any_instance(office: entra.Entra, endpoint: str) -> None:
    query = urlencode({"authorization_endpoint": f"https://{endpoint}"}, errors="replace")
    answered(office, Operation("GET", f"/common/discovery/instance?{query}", {}, b"", office.url))


@LAXLY
@given(
    st.dictionaries(st.sampled_from(["iss", "sub", "aud", "exp", "nbf"]), VALUES),
    st.dictionaries(st.sampled_from(["x5t", "x5t#S256", "x5c"]), VALUES),
    st.booleans(),
)
def test_any_assertion(
    office: entra.Entra, made: entra.ClientCertificate, claims: dict[str, Any], header: dict[str, Any], own: bool
) -> None:
    named = {"iss": entra.PIPELINE, "sub": entra.PIPELINE} if own else {}
    payload = json.dumps({**claims, **named}).encode()
    assertion = jwt.PyJWS().encode(payload, made.key, "RS256", header)
    form = {
        "grant_type": "client_credentials",
        "client_id": entra.PIPELINE,
        "client_assertion": assertion,
        "client_assertion_type": JWT_BEARER,
        "scope": f"{office.url}/.default",
    }
    body = urlencode(form).encode()
    told = answered(office, Operation("POST", f"/{entra.TENANT}/oauth2/v2.0/token", {}, body, office.url))
    assert told is not None
    assert "access_token" not in told


@LAXLY
@given(st.text(max_size=100) | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}", fullmatch=True))
def test_any_token(office: entra.Entra, token: str) -> None:
    with pytest.raises(Unproven):
        office.check(token, office.url)


@LAXLY
@given(st.dictionaries(st.sampled_from(["aud", "tid", "appid", "exp", "nbf", "idtyp", "oid"]), VALUES))
def test_any_claims_under_our_own_signature(office: entra.Entra, claims: dict[str, Any]) -> None:
    """Also a token with a good signature is only as good as its claims."""
    plain = {name: value for name, value in claims.items() if not (isinstance(value, float) and math.isnan(value))}
    with pytest.raises(Unproven):
        office.check(office.grants.keys.sign(plain), office.url)


def test_nested_claims(office: entra.Entra) -> None:
    deep = jwt.utils.base64url_encode(b'{"a":' * 2000 + b"1" + b"}" * 2000).decode()
    with pytest.raises(Unproven):
        office.check(f"{deep}.{deep}.x"[:16_000], office.url)


def test_a_place_takes_odd_requests(office: entra.Entra) -> None:
    with office.workload() as place:
        port = int(place.url.rpartition(":")[2])
        for length in ("-1", "many", "99999999999999999999"):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
                raw.sendall(
                    f"POST /pipelines/oidctoken HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()
                )
                raw.shutdown(socket.SHUT_WR)
                assert raw.recv(100).split()[1] in {b"400", b"401"}


def test_who_does_not_ask_for_it_does_not_load_it() -> None:
    """The emulator alone needs no package at all."""
    code = "import sys, d365setup.emulator; print({'jwt', 'cryptography', 'msal'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603  # our own interpreter
    assert found.stdout.strip() == "set()"
