"""An emulator on a loopback port and a plain HTTP session for it; only for the tests in this folder."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from d365setup.emulator import Emulator, Options, Switches
from d365setup.emulator import fixtures as names

ROOT = "/api/data/v9.2/"


class Api:
    """Raw requests against one emulator; paths are relative to the service root."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.root = emulator.url + ROOT
        self.session = requests.Session()
        self.session.headers["Authorization"] = "Bearer made-up"
        self._ids = itertools.count(1)

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        url = path if path.startswith(("http://", "/")) else self.root + path
        url = self.emulator.url + url if url.startswith("/") else url
        return self.session.request(method, url, timeout=10, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.send("GET", path, **options)

    def rows(self, path: str, **options: Any) -> list[dict[str, Any]]:
        reply = self.get(path, **options)
        assert reply.status_code == 200, reply.text
        return reply.json()["value"]

    def post(self, path: str, body: Any, **options: Any) -> requests.Response:
        return self.send("POST", path, json=body, **options)

    def patch(self, path: str, body: Any, **options: Any) -> requests.Response:
        return self.send("PATCH", path, json=body, **options)

    def put(self, path: str, body: Any, **options: Any) -> requests.Response:
        return self.send("PUT", path, json=body, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        return self.send("DELETE", path, **options)

    def create(self, path: str, body: Any, **options: Any) -> str:
        reply = self.post(path, body, **options)
        assert reply.status_code == 204, reply.text
        return reply.headers["OData-EntityId"].rpartition("(")[2].rstrip(")")

    def batch(self, text: str, boundary: str = "batch_1", **headers: str) -> requests.Response:
        sent = {"Content-Type": f"multipart/mixed; boundary={boundary}", **headers}
        return self.send("POST", "$batch", data=text.encode(), headers=sent)

    def new_id(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._ids):012d}"

    def bot(self, **columns: Any) -> str:
        unit = f"/businessunits({names.ROOT_UNIT})"
        body = {"applicationid": self.new_id(), "businessunitid@odata.bind": unit, "lastname": "Health Bot"}
        return self.create("systemusers", {**body, **columns})


def code(reply: requests.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


Make = Callable[..., Api]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Api] = []

    def start(data: Path | None = None, *, sleep: Any = None, **chosen: Any) -> Api:
        known = {name: chosen.pop(name) for name in list(chosen) if name in Options.__dataclass_fields__}
        options = Options(switches=Switches(**chosen), **known)
        emulator = Emulator(data, options, **({"sleep": sleep} if sleep else {}))
        made.append(Api(emulator.start()))
        return made[-1]

    yield start
    for api in made:
        api.session.close()
        failures = api.emulator.gateway.failures
        api.emulator.close()
        assert failures == []


@pytest.fixture
def api(make: Make) -> Api:
    return make()
