"""The sign-in service itself: its addresses, its certificate, and the check of the tokens it gave."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from ..bearer import Bearer, Unproven
from ..core import Emulator
from ..operation import Operation, Reply
from ..options import Options
from . import pages
from .certificates import NAMES, ClientCertificate, ServerFiles, replace
from .devices import Devices
from .directory import Directory, DirectoryError
from .errors import SignInError, error_reply, invalid_request, no_tenant, odd_tenant, reply_json
from .fixture import clinic
from .grants import Asked, Grants
from .tokens import Keys, Untrusted, is_current
from .workload import Workload

_PATH = re.compile(r"/(?P<tenant>[^/]+)/(?P<rest>.+)")
_TENANT = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,253}")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SHARED = frozenset({"common", "organizations"})
_MAX_BODY = 64 * 1024
_DIRECTORY = "directory.json"


class Entra:
    """A sign-in service beside an emulator; `attach` and `serve` make one. See the package's docstring."""

    scheme = "https"

    def __init__(self, emulator: Emulator, folder: Path, directory: Directory) -> None:
        self.emulator = emulator
        self.directory = directory
        directory.check()
        self.clock: Callable[[], float] = time.time
        files = ServerFiles.kept_in(folder)
        self.ca_bundle = files.ca_bundle
        self._context = _context(files.server)
        self._devices = Devices(directory)
        keys, runner = Keys.kept_in(folder / "signing.key"), Keys.kept_in(folder / "runner.key")
        self.grants = Grants(directory, keys, runner, self._devices, self.is_resource)
        self._lock = threading.Lock()
        self._requests: list[tuple[str, str, int]] = []

    # for tests and people

    @property
    def url(self) -> str:
        """Where it listens: the environment's address, and the sign-in service's."""
        return self.emulator.url

    @property
    def requests(self) -> list[tuple[str, str, int]]:
        """Method, path and status of what was asked so far, in the order it was answered."""
        with self._lock:
            return list(self._requests)

    def register(self, client_id: str, made: ClientCertificate) -> None:
        """Add a certificate to an application."""
        known = self.directory.applications[client_id.lower()].certificates
        self.directory.change(client_id, certificates=(*known, made.certificate))

    def waiting(self) -> list[str]:
        """User codes nobody has answered yet."""
        return self._devices.waiting()

    def approve(self, user_code: str, address: str) -> None:
        """Sign in as a person where a program shows that code. Raises KeyError for an unknown code or person."""
        self._devices.answer(user_code, self.directory.people[address.lower()])

    def decline(self, user_code: str) -> None:
        """Refuse to sign in where a program shows that code."""
        self._devices.answer(user_code, None)

    def assertion(self, issuer: str, subject: str, audience: str, lifetime: int = 300) -> str:
        """Return a federated assertion, as an issuer outside would sign it."""
        now = int(self.clock())
        moments = {"iat": now, "nbf": now, "exp": now + lifetime}
        return self.grants.runner.sign({"iss": issuer, "sub": subject, "aud": audience, **moments})

    @contextlib.contextmanager
    def workload(self) -> Iterator[Workload]:
        """Serve what runners and hosts offer, on plain http loopback, within a `with` block."""
        place = Workload(self)
        place.start()
        try:
            yield place
        finally:
            place.stop()

    # beside the service

    def wrap(self, listening: socket.socket) -> socket.socket:
        """TLS; the handshake waits for the thread that serves the connection."""
        return self._context.wrap_socket(listening, server_side=True, do_handshake_on_connect=False)

    @property
    def authority(self) -> str:
        """The tenant's address, for MSAL with `instance_discovery=False`."""
        return self.authority_for(self.url)

    def authority_for(self, root: str) -> str:
        """The tenant's address, on the host name its caller used."""
        return f"{root if root in self._origins() else self.url}/{self.directory.tenant_id}"

    def is_resource(self, resource: str) -> bool:
        """Whether that is this environment, with or without a slash at the end."""
        return resource.removesuffix("/").lower() in self._origins()

    def check(self, token: str, root: str) -> Bearer:
        """Return what a token of ours proves to the service at `root`; raises Unproven."""
        try:
            claims = self.grants.keys.read(token)
        except Untrusted:
            raise Unproven(
                "The access token is not a token of this tenant: its signature cannot be validated."
            ) from None
        if str(claims.get("aud", "")).removesuffix("/").lower() != root.lower() or not self.is_resource(root):
            raise Unproven("The audience of the access token is not this environment.")
        if claims.get("tid") != self.directory.tenant_id:
            raise Unproven("The access token is of another tenant.")
        if not is_current(claims, self.clock()):
            raise Unproven("The access token has expired or is not valid yet.")
        person = str(claims.get("oid", "")) if claims.get("idtyp") == "user" else ""
        if not claims.get("appid"):  # without one it would stand for the emulator's own caller
            raise Unproven("The access token names no application.")
        return Bearer(token, str(claims["appid"]).lower(), person)

    def answer(self, operation: Operation) -> Reply | None:
        """Return the reply to a request for the sign-in service, None for one that is not."""
        path = unquote(operation.url.partition("?")[0])
        found = _PATH.fullmatch(path)
        if found is None or found["rest"].rstrip("/") not in _ROUTES:
            return None
        now = self.clock()
        try:
            reply = self._route(operation, found["tenant"], found["rest"].rstrip("/"), now)
        except SignInError as refused:
            reply = error_reply(refused, now, _correlation(operation))
        except Exception as error:  # noqa: BLE001  # a defect of ours: kept beside the emulator's own, and answered
            self.emulator.gateway.failures.append(error)
            broken = SignInError(50000, "server_error", "There is an issue with the sign-in service.", 500)
            reply = error_reply(broken, now, _correlation(operation))
        with self._lock:
            self._requests.append((operation.method, path, reply.status))
        return reply

    def _origins(self) -> set[str]:
        port = self.url.rpartition(":")[2]
        return {f"{self.scheme}://{name}:{port}" for name in NAMES}

    def _route(self, operation: Operation, tenant: str, rest: str, now: float) -> Reply:
        origin = operation.root if operation.root in self._origins() else self.url
        query = _fields(operation.url.partition("?")[2])
        if rest == "discovery/instance":
            return reply_json(200, pages.instance(origin, query))
        self._check_tenant(tenant, "invalid_tenant" if "well-known" in rest else "invalid_request")
        own = tenant if tenant.lower() in _SHARED else self.directory.tenant_id
        if rest.endswith("openid-configuration"):
            return reply_json(200, pages.configuration(origin, own, version="/v2.0" if rest[0] == "v" else ""))
        if rest in {"discovery/v2.0/keys", "discovery/keys"}:
            return reply_json(200, self.grants.keys.public_set(f"{origin}/{own}/v2.0"))
        if rest == "oauth2/deviceauth":
            return self._device_page(operation)
        asked = Asked(origin, tenant, _form(operation), now)
        return reply_json(200, self.grants.grant(asked) if rest.endswith("token") else self.grants.device_code(asked))

    def _check_tenant(self, name: str, error: str) -> None:
        if name.lower() in _SHARED or self.directory.is_tenant(name):
            return
        refused = no_tenant(name) if _TENANT.fullmatch(name) and ("." in name or _GUID.fullmatch(name)) else None
        refused = refused or odd_tenant(name[:200])
        refused.error = error
        raise refused

    def _device_page(self, operation: Operation) -> Reply:
        people = [each.address for each in self.directory.people.values()]
        if operation.method != "POST":
            return pages.device_page(people)
        form = _form(operation)
        try:
            if form.get("answer") == "no":
                self.decline(form.get("code", ""))
            else:
                self.approve(form.get("code", ""), form.get("person", ""))
        except KeyError:
            return pages.device_page(people, "That code or person is not known.")
        return pages.device_page(people, "Done. You may close this page.")


_ROUTES = frozenset(
    {
        ".well-known/openid-configuration",
        "v2.0/.well-known/openid-configuration",
        "discovery/instance",
        "discovery/v2.0/keys",
        "discovery/keys",
        "oauth2/v2.0/token",
        "oauth2/v2.0/devicecode",
        "oauth2/deviceauth",
    }
)


def attach(emulator: Emulator, folder: Path, directory: Directory | None = None) -> Entra:
    """Put a sign-in service beside an emulator that does not listen yet; keys and certificate are kept in `folder`.

    Without `directory` it is the one in `folder/directory.json`; that file is made on first use. Raises DirectoryError.
    """
    made = Entra(emulator, folder, directory or _kept(folder / _DIRECTORY))
    emulator.beside = made
    return made


@contextlib.contextmanager
def serve(
    folder: Path | None = None,
    directory: Directory | None = None,
    *,
    data: Path | None = None,
    options: Options | None = None,
    port: int = 0,
) -> Iterator[Entra]:
    """Serve a new emulator with a sign-in service within a `with` block."""
    with contextlib.ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="entra-")))
        emulator = stack.enter_context(contextlib.closing(Emulator(data, options)))
        made = attach(emulator, place, directory or clinic())
        stack.enter_context(emulator.serve(port))
        yield made


def _kept(path: Path) -> Directory:
    try:
        return Directory.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        made = clinic()
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, made.to_json().encode(), 0o600)
        return made
    except (DirectoryError, UnicodeDecodeError) as error:
        raise DirectoryError(f"{path}: {error}") from None


def _context(server: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(server)
    return context


def _form(operation: Operation) -> Mapping[str, str]:
    if operation.method != "POST":
        told = f"The endpoint only accepts POST requests. Received a {operation.method} request."
        raise invalid_request(900561, told)
    if len(operation.body) > _MAX_BODY:
        raise invalid_request(9002313, "Invalid request. Request is malformed or invalid.")
    return _fields(operation.body.decode("utf-8", "replace"))


def _fields(text: str) -> dict[str, str]:
    """The first of each name, as nothing good comes from a second."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise invalid_request(9002313, "Invalid request. Request is malformed or invalid.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def _correlation(operation: Operation) -> str:
    given = operation.headers.get("client-request-id", "")
    return given.lower() if _GUID.fullmatch(given) else ""
