"""Every way to sign in, through the real command and an unpatched MSAL, over TLS; nothing secret shows anywhere."""

from __future__ import annotations

import base64
import logging
import stat
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from d365setup.cli.environment import Surroundings
from d365setup.dataverse.auth import ClientSecret, Directory, SignInError
from d365setup.dataverse.auth.cache import default_folder
from d365setup.dataverse.auth.certificate import ClientCertificate, load
from d365setup.dataverse.auth.device import DeviceCode
from d365setup.emulator import entra
from d365setup.emulator.entra.fixture import SERVICE_CONNECTION
from d365setup.emulator.operation import Operation, Reply
from tests.cli.conftest import VALUES, Ended, Run

PERSON = "nurse.one@contoso.example"
PASSWORD = "canary-password"
PLAYBOOK = {name: value for name, value in VALUES.items() if name != "D365_ACCESS_TOKEN"}
Variables = dict[str, str]
AsPipeline = {"D365_CLIENT_ID": entra.PIPELINE}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and keys, made once."""
    return tmp_path_factory.mktemp("entra")


@pytest.fixture
def office(kept: Path) -> Iterator[entra.Entra]:
    with entra.serve(kept) as found:
        yield found


@pytest.fixture
def plan(run: Run, office: entra.Entra, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Ended]:
    """`d365setup plan` there; keyword arguments are variables of the real environment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("LOCALAPPDATA", raising=False)

    def call(*args: str, **variables: str) -> Ended:
        bundle = {"D365_CA_BUNDLE": str(office.ca_bundle)}
        options = ("--max-wait", "0", "--format", "json", *args)
        return run("plan", "bot.yaml", "--url", office.url, *options, **{**PLAYBOOK, **bundle, **variables})

    return call


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def a_secret(office: entra.Entra, place: Any, folder: Path) -> Variables:
    del office, place, folder
    return {**AsPipeline, "D365_CLIENT_SECRET": entra.PIPELINE_SECRET}


def a_secret_and_a_tenant(office: entra.Entra, place: Any, folder: Path) -> Variables:
    return {**a_secret(office, place, folder), "D365_TENANT_ID": "contoso.example"}


def a_secret_by_the_other_names(office: entra.Entra, place: Any, folder: Path) -> Variables:
    del office, place, folder
    return {"AZURE_CLIENT_ID": entra.PIPELINE, "AZURE_CLIENT_SECRET": entra.PIPELINE_SECRET}


def a_pem(office: entra.Entra, place: Any, folder: Path) -> Variables:
    del place
    made = entra.make_certificate("d365setup pipeline")
    office.register(entra.PIPELINE, made)
    return {**AsPipeline, "D365_CERTIFICATE_PATH": write(folder / "app.pem", made.pem)}


def a_pfx(office: entra.Entra, place: Any, folder: Path) -> Variables:
    del place
    made = entra.make_certificate("d365setup pipeline")
    office.register(entra.PIPELINE, made)
    path = write(folder / "app.pfx", made.pfx(PASSWORD))
    return {"AZURE_CLIENT_ID": entra.PIPELINE, "AZURE_CLIENT_CERTIFICATE_PATH": path, **_password("AZURE_CLIENT")}


def _password(prefix: str) -> Variables:
    return {f"{prefix}_CERTIFICATE_PASSWORD": PASSWORD}


def a_token_file(office: entra.Entra, place: Any, folder: Path) -> Variables:
    del office
    file = place.kubernetes(folder / "assertion")["AZURE_FEDERATED_TOKEN_FILE"]
    return {**AsPipeline, "D365_FEDERATED_TOKEN_FILE": file}


def kubernetes(office: entra.Entra, place: Any, folder: Path) -> Variables:
    del office
    return dict(place.kubernetes(folder / "assertion"))


def github(office: entra.Entra, place: Any, folder: Path) -> Variables:
    del office, folder
    return {**AsPipeline, **place.github()}


def azure_pipelines(office: entra.Entra, place: Any, folder: Path) -> Variables:
    del office, folder
    return {**AsPipeline, **place.azure_pipelines()}


def azure_pipelines_by_our_name(office: entra.Entra, place: Any, folder: Path) -> Variables:
    found = azure_pipelines(office, place, folder)
    del found["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"]
    return {**found, "D365_SERVICE_CONNECTION_ID": SERVICE_CONNECTION}


def app_service(office: entra.Entra, place: Any, folder: Path) -> Variables:
    del office, folder
    return {**place.app_service(), "D365_MANAGED_IDENTITY": "system"}


def virtual_machine(office: entra.Entra, place: Any, folder: Path) -> Variables:
    del office, folder
    return {**place.virtual_machine(), "D365_MANAGED_IDENTITY": entra.PIPELINE}


FLOWS = [
    a_secret,
    a_secret_and_a_tenant,
    a_secret_by_the_other_names,
    a_pem,
    a_pfx,
    a_token_file,
    kubernetes,
    github,
    azure_pipelines,
    azure_pipelines_by_our_name,
    app_service,
    virtual_machine,
]


@pytest.mark.parametrize("flow", FLOWS)
def test_plan_runs_on_each_flow_and_nothing_secret_shows(
    flow: Callable[..., Variables],
    plan: Callable[..., Ended],
    office: entra.Entra,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with office.workload() as place:
        variables = flow(office, place, tmp_path)
        ended = plan("--verbose", "--report", "plan.json", **variables)
    assert ended.code == 3, ended
    assert ended.json["changes"]
    report = Path("plan.json").read_text(encoding="utf-8")
    shown = ended.out + ended.err + report + caplog.text
    held = [Path(path).read_text(encoding="utf-8", errors="replace") for path in tmp_path.glob("assertion")]
    for secret in (entra.PIPELINE_SECRET, PASSWORD, place.key, "PRIVATE KEY", "eyJ", *held):
        assert secret not in shown


def test_a_token_handed_over(plan: Callable[..., Ended], office: entra.Entra) -> None:
    directory = Directory(office.url, ca_bundle=office.ca_bundle)
    token = ClientSecret(directory, entra.PIPELINE, entra.PIPELINE_SECRET).token()
    ended = plan(D365_ACCESS_TOKEN=token)
    assert ended.code == 3
    assert token not in ended.out + ended.err


# -- a person --------------------------------------------------------------------------------------------------------


def person(office: entra.Entra, answer: Callable[[str], None], told: list[str], **more: Any) -> DeviceCode:
    def tell(text: str) -> None:
        told.append(text)
        (code,) = office.waiting()
        answer(code)

    directory = Directory(office.url, ca_bundle=office.ca_bundle)
    return DeviceCode(directory, entra.PERSONAL, tell, cache=default_folder(), **more)


def test_a_person_signs_in_once_and_later_runs_find_the_token(plan: Callable[..., Ended], office: entra.Entra) -> None:
    told: list[str] = []
    source = person(office, lambda code: office.approve(code, PERSON), told)
    first = source.token()
    assert source.token() == first
    assert len(told) == 1
    assert office.url in told[0]
    (file,) = default_folder().glob("*.tokens")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(default_folder().stat().st_mode) == 0o700

    again = person(office, lambda _code: pytest.fail("asked again"), told)
    assert again.token() == first
    assert again.token(force=True)
    ended = plan("--device-code", D365_CLIENT_ID=entra.PERSONAL)
    assert ended.code in (3, 6), ended  # what this person may read is for the environment to say
    assert "AADSTS" not in ended.out
    assert "the code" not in ended.err
    assert first not in ended.out + ended.err


def test_a_person_who_declines(office: entra.Entra, plan: Callable[..., Ended]) -> None:
    del plan  # only for its cache folder
    told: list[str] = []
    source = person(office, office.decline, told)
    for _ in range(2):  # the other workers do not ask again
        with pytest.raises(SignInError) as refused:
            source.token()
        assert "declined" in refused.value.hint
    assert len(told) == 1


@pytest.mark.filterwarnings("ignore:Attempted too soon")  # MSAL looks at the real clock; ours is made up
def test_nobody_signs_in(office: entra.Entra, plan: Callable[..., Ended]) -> None:
    del plan
    slept: list[float] = []
    source = person(office, lambda _code: None, [], sleep=slept.append, clock=lambda: sum(slept))
    with pytest.raises(SignInError) as refused:
        source.token()
    assert "the code has expired" in refused.value.hint
    assert 1 <= len(slept) <= 1000


# -- a certificate known by its name -----------------------------------------------------------------------------------

NAME = "pipeline.contoso.example"


@pytest.fixture
def authority(office: entra.Entra) -> entra.ClientCertificate:
    """Who issues the certificates of the one application that trusts a subject name, and has none registered."""
    made = entra.make_certificate("Contoso issuing authority")
    office.directory.authorities = (made.certificate,)
    office.directory.change(entra.PIPELINE, subject_names=(NAME,), secrets=(), federated=())
    return made


@pytest.fixture
def assertions(office: entra.Entra, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What came over the wire to prove who the application is."""
    heard: list[str] = []
    answer = office.answer

    def listening(operation: Operation) -> Reply | None:
        if operation.url.endswith("/token"):
            heard.extend(parse_qs(operation.body.decode()).get("client_assertion", ()))
        return answer(operation)

    monkeypatch.setattr(office, "answer", listening)
    return heard


def _pfx_with_chain(made: entra.ClientCertificate, issuer: entra.ClientCertificate) -> bytes:
    lock = serialization.BestAvailableEncryption(PASSWORD.encode())
    return pkcs12.serialize_key_and_certificates(b"pipeline", made.key, made.x509, [issuer.x509], lock)


@pytest.mark.parametrize("form", ["pem", "chain", "pfx"])
def test_a_trusted_subject_name_needs_no_registered_certificate(
    form: str,
    plan: Callable[..., Ended],
    authority: entra.ClientCertificate,
    assertions: list[str],
    tmp_path: Path,
) -> None:
    for _ in range(2):  # the second is the renewed one
        made = entra.make_certificate(NAME, issuer=authority)
        content = {
            "pem": made.pem,
            "chain": authority.certificate + made.pem,
            "pfx": _pfx_with_chain(made, authority),
        }[form]
        variables = {"D365_CERTIFICATE_PATH": write(tmp_path / "app", content), **_password("D365")}
        ended = plan(**AsPipeline, **variables)
        assert ended.code == 3, ended
        header = jwt.get_unverified_header(assertions.pop())
        sent = [base64.b64decode(each) for each in header["x5c"]]
        assert sent == [made.x509.public_bytes(serialization.Encoding.DER)]
        assert assertions == []


@pytest.mark.parametrize("wrong", ["name", "issuer", "nobody's"])
def test_another_name_or_issuer_is_refused(
    wrong: str, plan: Callable[..., Ended], authority: entra.ClientCertificate, tmp_path: Path
) -> None:
    made = {
        "name": entra.make_certificate("other.contoso.example", issuer=authority),
        "issuer": entra.make_certificate(NAME, issuer=entra.make_certificate("Contoso issuing authority")),
        "nobody's": entra.make_certificate(NAME),
    }[wrong]
    ended = plan(**AsPipeline, D365_CERTIFICATE_PATH=write(tmp_path / "app.pem", made.pem))
    assert ended.code == 6
    assert "AADSTS700027" in ended.json["message"]
    assert "upload the certificate" in ended.json["hint"]


class Unaccompanied(ClientCertificate):
    """Names its certificate by the thumbprint, and does not send it along."""

    def _proof(self) -> Any:
        first = x509.load_pem_x509_certificate(self.certificate.chain.encode())
        thumbprint = first.fingerprint(hashes.SHA1()).hex()  # noqa: S303  # the name MSAL wants
        return {"private_key": self.certificate.key.reveal(), "thumbprint": thumbprint}


def test_it_is_x5c_that_lets_a_trusted_name_in(
    office: entra.Entra, authority: entra.ClientCertificate, assertions: list[str], tmp_path: Path
) -> None:
    made = entra.make_certificate(NAME, issuer=authority)
    certificate = load(Path(write(tmp_path / "app.pem", made.pem)))
    directory = Directory(office.url, ca_bundle=office.ca_bundle)
    with pytest.raises(SignInError, match="AADSTS700027"):
        Unaccompanied(directory, entra.PIPELINE, certificate).token()
    assert ClientCertificate(directory, entra.PIPELINE, certificate).token()
    assert ["x5c" in jwt.get_unverified_header(each) for each in assertions] == [False, True]
    office.register(entra.PIPELINE, made)
    assert Unaccompanied(directory, entra.PIPELINE, certificate).token(), "registered, it needs no x5c"


# -- what goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "told", "next_step"),
    [
        ({**AsPipeline, "D365_CLIENT_SECRET": "canary-wrong"}, "AADSTS7000215", "not its id"),
        (
            {"D365_CLIENT_ID": "00000000-0000-4000-8000-00000000dead", "D365_CLIENT_SECRET": "canary-wrong"},
            "AADSTS700016",
            "check the client id",
        ),
        (
            {**AsPipeline, "D365_CLIENT_SECRET": "canary-wrong", "D365_TENANT_ID": "nowhere.example"},
            "AADSTS90002",
            "check the tenant id or domain",
        ),
        (
            {"D365_CLIENT_ID": entra.STRANGER, "D365_CLIENT_SECRET": entra.PIPELINE_SECRET},
            "not a member of the organization",
            "add the app registration as an application user",
        ),
        ({"D365_ACCESS_TOKEN": "canary-wrong"}, "the environment refused the token", "D365_ACCESS_TOKEN"),
    ],
)
def test_refusals(variables: Variables, told: str, next_step: str, plan: Callable[..., Ended]) -> None:
    ended = plan(**variables)
    assert ended.code == 6
    assert told in ended.json["message"]
    assert next_step in ended.json["hint"]
    assert "canary" not in ended.out + ended.err
    assert entra.PIPELINE_SECRET not in ended.out + ended.err


def test_an_expired_secret(plan: Callable[..., Ended], office: entra.Entra) -> None:
    old = entra.Secret("canary-old", expires=1.0)
    office.directory.change(entra.PIPELINE, secrets=(old,))
    ended = plan(**AsPipeline, D365_CLIENT_SECRET="canary-old")
    assert ended.code == 6
    assert "AADSTS7000222" in ended.json["message"]
    assert "make a new one" in ended.json["hint"]
    assert "canary" not in ended.out + ended.err


def test_a_certificate_nobody_registered(plan: Callable[..., Ended], tmp_path: Path) -> None:
    made = entra.make_certificate("a stranger")
    ended = plan(**AsPipeline, D365_CERTIFICATE_PATH=write(tmp_path / "app.pem", made.pem))
    assert ended.code == 6
    assert "AADSTS700027" in ended.json["message"]
    assert "upload the certificate" in ended.json["hint"]


def test_another_subject_than_the_federated_credential_names(plan: Callable[..., Ended], office: entra.Entra) -> None:
    with office.workload() as place:
        place.github_subject = "repo:fabrikam/other:ref:refs/heads/main"
        ended = plan(**AsPipeline, **place.github())
    assert ended.code == 6
    assert "AADSTS700213" in ended.json["message"]
    assert "exactly this subject" in ended.json["hint"]


def test_a_runner_that_gives_no_identity(plan: Callable[..., Ended], office: entra.Entra) -> None:
    with office.workload() as place:
        ended = plan(**AsPipeline, **{**place.github(), "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-wrong"})
        pipelines = {**place.azure_pipelines(), "SYSTEM_ACCESSTOKEN": "canary-wrong"}
        other = plan(**AsPipeline, **pipelines)
    assert (ended.code, other.code) == (6, 6)
    assert "GitHub Actions gave no identity token (HTTP 4" in ended.json["message"]
    assert "id-token: write" in ended.json["hint"]
    assert "Azure Pipelines gave no identity token (HTTP 4" in other.json["message"]
    assert "SYSTEM_ACCESSTOKEN" in other.json["hint"]
    assert "canary" not in ended.out + ended.err + other.out + other.err


def test_no_managed_identity_here(plan: Callable[..., Ended]) -> None:
    ended = plan(D365_MANAGED_IDENTITY="system", IDENTITY_ENDPOINT="http://127.0.0.1:9/msi", IDENTITY_HEADER="canary")
    assert ended.code == 6
    assert "no managed identity can be reached from this machine" in ended.json["message"]
    assert "machines in Azure only" in ended.json["hint"]
    assert "canary" not in ended.out + ended.err


def test_a_certificate_nobody_trusts(plan: Callable[..., Ended]) -> None:
    ended = plan(**AsPipeline, D365_CLIENT_SECRET="canary", D365_CA_BUNDLE="")
    assert ended.code == 6
    assert "is not trusted" in ended.json["message"]
    assert "--ca-bundle" in ended.json["hint"]


@pytest.mark.parametrize("url", ["https://127.0.0.1:9", "https://no-such-host.invalid"])
def test_an_unreachable_environment(url: str, run: Run) -> None:
    variables = {**PLAYBOOK, **AsPipeline, "D365_CLIENT_SECRET": "canary"}
    ended = run("plan", "bot.yaml", "--url", url, "--max-wait", "0", "--format", "json", **variables)
    assert ended.code == 6
    assert f"the environment {url} cannot be reached" in ended.json["message"]
    assert "check its address, the network" in ended.json["hint"]
    assert "canary" not in ended.out + ended.err


class _Page(BaseHTTPRequestHandler):
    """Some web server that is no Dataverse."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Location", "/login")
        self.end_headers()
        self.wfile.write(b"<html>Welcome</html>")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("status", [200, 302, 404])
@pytest.mark.parametrize("way", [{"D365_ACCESS_TOKEN": "canary"}, {**AsPipeline, "D365_CLIENT_SECRET": "canary"}])
@pytest.mark.parametrize("command", ["plan", "doctor"])
def test_an_address_where_no_dataverse_lives(command: str, way: Variables, status: int, run: Run) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Page", (_Page,), {"status": status})) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        ended = run(command, "bot.yaml", "--url", url, "--max-wait", "0", **{**PLAYBOOK, **way})
        server.shutdown()
    assert ended.code == 6, ended
    said = ended.err + ended.out
    assert "check the address" in said or "check that the address" in said
    assert "canary" not in said


def test_no_secret_of_ours_is_there_for_playbooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEM_ACCESSTOKEN", "canary")
    monkeypatch.setenv("D365_CERTIFICATE_PASSWORD", "canary")
    assert "canary" not in Surroundings.here().for_playbooks.values()
