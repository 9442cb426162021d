"""What the tests put in Dataverse's place: written-out batch answers, a clock nobody waits for, a loopback server."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client

ORIGIN = "https://contoso.crm.dynamics.com"
ROOT = f"{ORIGIN}/api/data/v9.2/"
ID = "0000000a-0000-4000-8000-0000000000aa"
THROTTLED = {"error": {"code": "0x80072322", "message": "Number of requests exceeded the limit of 6000."}}


@dataclass
class Clock:
    """Time that passes only when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def __call__(self) -> float:
        return self.now


def client(clock: Clock | None = None, url: str = ORIGIN, **options) -> Client:
    time = clock or Clock()
    options.setdefault("tokens", StaticToken("canary-token"))
    return Client(url, sleep=time.sleep, clock=time, **options)


def part(status: int, body: object = None, *, content_id: str | None = None, headers=(), eol: str = "\r\n") -> str:
    """One `application/http` part of an answer."""
    text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
    mime = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    mime += [f"Content-ID: {content_id}"] if content_id else []
    http = [f"HTTP/1.1 {status} Reason", "OData-Version: 4.0", *(f"{n}: {v}" for n, v in dict(headers).items())]
    return eol.join([*mime, "", *http, "", text])


def change_set(parts: Sequence[str], eol: str = "\r\n") -> str:
    return f"Content-Type: multipart/mixed; boundary=changesetresponse_2{eol}{eol}" + joined(
        parts, "changesetresponse_2", eol
    )


def joined(parts: Sequence[str], boundary: str = "batchresponse_1", eol: str = "\r\n") -> str:
    return "".join(f"--{boundary}{eol}{text}{eol}" for text in parts) + f"--{boundary}--{eol}"


MULTIPART = "multipart/mixed; boundary=batchresponse_1"


def error(code: str, message: str = "what happened") -> dict:
    return {"error": {"code": code, "message": message}}


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    declared_length: int | None = None  # longer than the body: the connection breaks off in the middle


class Loopback:
    """A server whose answers a function decides; None hangs up without a word."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []


@contextmanager
def loopback(decide: Callable[[Asked], Answer | None]) -> Iterator[Loopback]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            shown.asked.append(asked)
            answer = decide(asked)
            self.close_connection = answer is None or answer.declared_length is not None
            if answer is not None:
                self._write(answer)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815  # the names http.server looks for

        def _write(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(answer.declared_length or len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shown = Loopback(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield shown
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Tables:
    """Answers GETs, alone and in batches, from a table of paths; what `odd` holds comes first, once."""

    pages: dict[str, object]
    odd: dict[str, list[tuple[int, object, dict[str, str]]]] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Answer:
        if not asked.path.endswith("/$batch"):
            status, body, headers = self.answer(asked.path)
            return Answer(status, json.dumps(body).encode(), headers)
        parts = [part(status, body, headers=headers) for status, body, headers in map(self.answer, batched(asked))]
        return Answer(200, joined(parts).encode(), {"Content-Type": MULTIPART})

    def answer(self, path: str) -> tuple[int, object, dict[str, str]]:
        name = path.removeprefix("/api/data/v9.2/")
        if self.odd.get(name):
            return self.odd[name].pop(0)
        return (200, self.pages[name], {}) if name in self.pages else (404, error("0x80060888", f"no {name}"), {})


def batched(asked: Asked) -> list[str]:
    """The paths a batch of GETs asks for."""
    return [line.split(" ")[1] for line in asked.body.decode().split("\r\n") if line.startswith("GET ")]


def rows(*values: object, next_link: str | None = None) -> dict:
    page: dict[str, object] = {"value": [{"n": value} for value in values]}
    return page | ({"@odata.nextLink": next_link} if next_link else {})
