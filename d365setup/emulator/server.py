"""HTTP/1.1 on a loopback port: keep-alive, bearer check, the service's headers, the request log."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn

from .batch import reason
from .bearer import AnyToken, Beside, admit
from .control import Control
from .faults import Cut, Faults
from .gateway import Done, Gateway
from .healthbot import HealthBot
from .operation import Operation, Reply, json_reply
from .options import FaultPlace, Request

HOST = "127.0.0.1"
_HOST_HEADER = re.compile(r"[A-Za-z0-9.\[\]:-]+")
METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS")


class Server(ThreadingHTTPServer):
    """Serves a gateway on loopback; refuses any other address."""

    daemon_threads = True
    block_on_close = True
    request_queue_size = 128

    def __init__(
        self,
        gateway: Gateway,
        port: int = 0,
        host: str = HOST,
        *,
        beside: Beside | None = None,
        control: Control | None = None,
        bot: HealthBot | None = None,
    ) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            message = f"The emulator binds loopback addresses only, not {host}."
            raise ValueError(message)
        self.gateway = gateway
        self.beside = beside or AnyToken()
        self.control = control
        self.bot = bot
        self.log: list[Request] = []
        self._lock = threading.Condition()
        self._open: set[socket.socket] = set()
        super().__init__((host, port), _Handler)
        self.socket = self.beside.wrap(self.socket)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.socket.getsockname()[:2]
        return f"{self.beside.scheme}://{host}:{port}"

    def record(self, request: Request) -> None:
        """Add a request to the log, the environment's or the bot's."""
        bot = self.bots(request.path)
        with self._lock:
            (bot.requests if bot else self.log).append(request)

    def bots(self, url: str) -> HealthBot | None:
        """The Health Bot, where a request for this path is its own."""
        return self.bot if self.bot is not None and self.bot.owns(url) else None

    @contextlib.contextmanager
    def connection(self, sock: socket.socket) -> Iterator[None]:
        """Keep a connection in mind while it is open, so that stopping can end it."""
        with self._lock:
            self._open.add(sock)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(sock)
                self._lock.notify_all()

    def stop(self) -> None:
        """Stop listening and end every connection."""
        self.shutdown()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):  # the client was quicker
                    sock.shutdown(socket.SHUT_RDWR)
            self._lock.wait_for(lambda: not self._open, timeout=10)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that went away: that is their right."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120

    def handle(self) -> None:
        with self.server.connection(self.connection), contextlib.suppress(Cut, ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Keep quiet: the request log is `Server.log`."""

    def _answer(self) -> None:
        started = time.monotonic()
        body = self._body()
        if body is None:
            self._send(json_reply(413, {"Message": "The request body is too large."}))
            self.close_connection = True
            return
        operation = self._operation(body)
        aside = self.server.control.answer(operation) if self.server.control else None
        aside = aside or self.server.beside.answer(operation)
        if aside is not None:  # not the service's: none of its headers, and not in its log
            self._send(aside, (("Date", self.date_time_string()),))
            return
        faults = self.server.gateway.faults.drawn()
        self._drop(faults, "drop-before", operation, started)
        try:
            reply, done, user = self._reply(operation, faults)
        except Cut:
            self._cut(started)
        whole = replace(operation, url="\n".join((operation.url, *(url for _, url, _ in done))))
        self._drop(faults, "drop-after", whole, started, done)
        if faults.take("drop-within", whole.method, whole.url) is not None:
            self._send_half(reply, user)
            self._cut(started, done)
        if faults.take("torn", whole.method, whole.url) is not None:
            reply = replace(reply, body=reply.body[: len(reply.body) // 2])
        self.server.record(Request(self.command, self.path, reply.status, started, time.monotonic(), done, user))
        self._send(reply, self._common(user))

    def _reply(self, operation: Operation, faults: Faults) -> tuple[Reply, tuple[Done, ...], str]:
        bot = self.server.bots(operation.url)
        if bot is not None:
            return bot.handle(operation, faults, self.server.beside), (), ""
        bearer = admit(operation, self.server.beside)
        if isinstance(bearer, Reply):
            return bearer, (), ""
        gateway = self.server.gateway.speaking_for(bearer).meeting(faults)
        reply, done = gateway.handle(operation)
        return reply, done, gateway.caller_id

    def _operation(self, body: bytes) -> Operation:
        headers = {name.lower(): ",".join(self.headers.get_all(name, ())) for name in self.headers}
        host = headers.get("host", "")
        root = f"{self.server.beside.scheme}://{host}" if _HOST_HEADER.fullmatch(host) else self.server.url
        return Operation(self.command, self.path, headers, body, root)

    def _body(self) -> bytes | None:
        limit = self.server.gateway.options.max_body
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks(limit)
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > limit:
            return None
        return self.rfile.read(int(length))

    def _chunks(self, limit: int) -> bytes | None:
        body = b""
        while True:
            try:
                size = int(self.rfile.readline(100).split(b";")[0], 16)
            except ValueError:
                return None
            if size < 0 or len(body) + size > limit:
                return None
            body += self.rfile.read(size)
            self.rfile.readline(100)
            if size == 0:
                return body

    def _drop(
        self, faults: Faults, where: FaultPlace, operation: Operation, started: float, done: tuple[Done, ...] = ()
    ) -> None:
        if faults.take(where, operation.method, operation.url) is not None:
            self._cut(started, done)

    def _cut(self, started: float, done: tuple[Done, ...] = ()) -> NoReturn:
        self.server.record(Request(self.command, self.path, 0, started, time.monotonic(), done))
        self.close_connection = True
        raise Cut

    def _send_half(self, reply: Reply, user: str) -> None:
        """Announce the whole answer and send half of its body; without a body, half of the first line."""
        if reply.body:
            self._head(reply, self._common(user))
            self.end_headers()
            self.wfile.write(reply.body[: len(reply.body) // 2])
        else:
            self.wfile.write(b"HTTP/1.1 ")
        self.wfile.flush()

    def _send(self, reply: Reply, common: Iterable[tuple[str, str]] | None = None) -> None:
        self._head(reply, self._common() if common is None else common)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        self.wfile.flush()

    def _head(self, reply: Reply, common: Iterable[tuple[str, str]]) -> None:
        self.send_response_only(reply.status, reason(reply.status))
        for name, value in (*common, *reply.headers):
            self.send_header(name, value)
        if reply.content_type:
            self.send_header("Content-Type", reply.content_type)
        if reply.status not in {204, 304}:
            self.send_header("Content-Length", str(len(reply.body)))

    def _common(self, user: str = "") -> Iterator[tuple[str, str]]:
        yield "Date", self.date_time_string()
        if self.server.bots(self.path) is not None:
            return
        requests, seconds = self.server.gateway.protection.left(user)
        yield "Cache-Control", "no-cache"
        yield "Expires", "-1"
        yield "Vary", "Accept-Encoding"
        yield "x-ms-service-request-id", str(uuid.uuid4())
        yield "REQ_ID", str(uuid.uuid4())
        yield "x-ms-ratelimit-time-remaining-xrm-requests", f"{seconds:,.2f}"
        yield "x-ms-ratelimit-burst-remaining-xrm-requests", str(requests)
        yield "x-ms-dop-hint", str(self.server.gateway.options.dop_hint)
        yield "OData-Version", "4.0"


for _method in METHODS:
    setattr(_Handler, f"do_{_method}", _Handler._answer)  # every method takes the same way
