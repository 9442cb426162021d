"""The registry: its JSON form, its mistakes, the file beside the data."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.emulator import Emulator, entra
from d365setup.emulator.entra.certificates import new_key

from .conftest import Caller

TEXT = st.text(max_size=20)
NAMED = st.text(min_size=1, max_size=20)
APPLICATIONS = st.builds(
    entra.Application,
    client_id=NAMED,
    name=TEXT,
    secrets=st.lists(st.builds(entra.Secret, TEXT, st.none() | st.floats(0, 1e10)), max_size=3).map(tuple),
    certificates=st.lists(TEXT, max_size=2).map(tuple),
    subject_names=st.lists(TEXT, max_size=2).map(tuple),
    federated=st.lists(st.builds(entra.Federated, TEXT, TEXT, TEXT), max_size=3).map(tuple),
    public_client=st.booleans(),
    managed_identity=st.booleans(),
    disabled=st.booleans(),
    object_id=TEXT,
)


@given(st.lists(APPLICATIONS, max_size=3), st.lists(st.builds(entra.Person, NAMED, TEXT, TEXT), max_size=3), TEXT)
def test_what_is_written_is_read_again(
    applications: list[entra.Application], people: list[entra.Person], authority: str
) -> None:
    before = entra.Directory("tenant", "domain.example", authorities=(authority,), issuers={"https://a.example": "PEM"})
    before.put(*applications, *people)
    assert entra.Directory.from_json(before.to_json()) == before


def test_the_clinics_directory_survives_too() -> None:
    assert entra.Directory.from_json(entra.clinic().to_json()) == entra.clinic()


def changed(**values: Any) -> str:
    return json.dumps({**json.loads(entra.clinic().to_json()), **values})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "directory must be an object"),
        ("{}", "directory needs 'tenant_id'"),
        (changed(tenant=1), "directory has no field 'tenant'; it has tenant_id, domain"),
        (changed(tenant_id=7), "directory.tenant_id must be of type str"),
        (changed(lifetime=True), "directory.lifetime must be of type int"),
        (changed(applications={}), "applications must be a list"),
        (changed(applications=[7]), "applications[0] must be an object"),
        (changed(applications=[{"client_id": "a"}]), "applications[0] needs 'name'"),
        (
            changed(applications=[{"client_id": "a", "name": "b", "secrets": ["x"]}]),
            "applications[0].secrets[0] must be",
        ),
        (
            changed(applications=[{"client_id": "a", "name": "b", "secrets": [{"value": 7}]}]),
            "secrets[0].value must be",
        ),
        (
            changed(applications=[{"client_id": "a", "name": "b", "certificates": [7]}]),
            "certificates must be a list of texts",
        ),
        (changed(applications=[{"client_id": "a", "name": "b", "disabled": "no"}]), "applications[0].disabled must be"),
        (changed(people=[{"address": "a"}]), "people[0] needs 'object_id'"),
        (changed(authorities=[7]), "authorities must be a list of texts"),
        (changed(expired_device_code=1), "expired_device_code must be 70019 or 70020"),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, said: str) -> None:
    with pytest.raises(entra.DirectoryError) as found:
        entra.Directory.from_json(text)
    assert said in str(found.value)


def test_no_secret_shows_in_a_mistake() -> None:
    text = changed(applications=[{"client_id": "a", "name": "b", "secrets": [{"value": "canary-7", "ends": 1}]}])
    with pytest.raises(entra.DirectoryError) as found:
        entra.Directory.from_json(text)
    assert "canary" not in str(found.value)


def test_texts_that_are_no_certificates(folder: Path) -> None:
    made = entra.clinic()
    made.change(entra.PIPELINE, certificates=("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",))
    with pytest.raises(entra.DirectoryError, match=r"certificates\[0\] is no PEM text"), entra.serve(folder, made):
        pass
    for wrong in ({"authorities": ("x",)}, {"issuers": {"https://a.example": "x"}}):
        with pytest.raises(entra.DirectoryError, match="is no PEM text"):
            replace(entra.clinic(), **wrong).check()


def test_a_defect_is_answered_and_kept(office: entra.Entra, caller: Caller) -> None:
    """A certificate put in by hand, past the check."""
    office.directory.change(entra.PIPELINE, certificates=("x",))
    assertion = jwt.encode({"iss": entra.PIPELINE, "sub": entra.PIPELINE}, new_key(), "RS256", {"x5t": "AAAA"})
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    reply = caller.secret(client_secret="", client_assertion=assertion, client_assertion_type=kind)
    assert (reply.status_code, reply.json()["error"]) == (500, "server_error")
    assert len(office.emulator.gateway.failures) == 1
    office.emulator.gateway.failures.clear()


def test_the_file_is_made_on_first_use_and_read_later(office: entra.Entra, folder: Path, tmp_path: Path) -> None:
    for name in ("signing.key", "runner.key", "ca.pem", "server.pem"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    emulator = Emulator()
    file = tmp_path / "directory.json"
    assert entra.attach(emulator, tmp_path).directory == entra.clinic()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600, "it holds secrets"
    file.write_text(changed(name="Fabrikam"), encoding="utf-8")
    assert entra.attach(emulator, tmp_path).directory.name == "Fabrikam"
    file.write_text(changed(tenant_id=7), encoding="utf-8")
    with pytest.raises(entra.DirectoryError, match=r"directory\.json: directory\.tenant_id must be"):
        entra.attach(emulator, tmp_path)
    emulator.close()
