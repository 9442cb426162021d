"""A gateway before the emulator that can hang up on the client while the emulator goes on working."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


@dataclass
class _Call:
    client: socket.socket
    service: socket.socket
    is_waiting: bool = False  # a request went through, and nothing came back yet


class Relay:
    """Passes bytes on, both ways. `hang_up` ends the client's side of every call that waits for an answer."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._service = (parts.hostname, parts.port)
        self._calls: list[_Call] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._answer, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listening.close()
        for call in self._calls:
            _end(call.client)
            _end(call.service)
        for thread in self._threads:
            thread.join()
        for call in self._calls:
            call.client.close()
            call.service.close()

    def hang_up(self) -> int:
        """How many calls that was."""
        waiting = [call for call in self._calls if call.is_waiting]
        for call in waiting:
            call.is_waiting = False
            _end(call.client)
        return len(waiting)

    def _answer(self) -> None:
        with contextlib.suppress(OSError):  # it is over
            while True:
                client, _ = self._listening.accept()
                call = _Call(client, socket.create_connection(self._service))
                self._calls.append(call)
                for way in (self._ask, self._reply):
                    thread = threading.Thread(target=way, args=(call,), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _ask(self, call: _Call) -> None:
        with contextlib.suppress(OSError):
            while data := call.client.recv(65536):
                call.is_waiting = True
                call.service.sendall(data)

    def _reply(self, call: _Call) -> None:
        with contextlib.suppress(OSError):
            while data := call.service.recv(65536):
                call.is_waiting = False
                call.client.sendall(data)
        _end(call.client)


def _end(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
