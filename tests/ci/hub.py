"""As much of GitHub's API as the action asks for, on loopback. It answers as docs.github.com/rest says it does."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REPOSITORY = "contoso/omnichannel"
TOKEN = "made-up-github-token"
HEAD, MERGE = "a" * 40, "b" * 40


@dataclass
class Hub:
    """What the repository holds; ``refuses`` is a status that every call gets."""

    url: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    files: dict[int, bytes] = field(default_factory=dict)
    storage: str = ""  # where downloads are led to: another origin
    refuses: int = 0
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, Authorization

    def say(self, body: str, kind: str = "User") -> None:
        self.comments.append({"id": 100 + len(self.comments), "body": body, "user": {"type": kind}})

    def keep(self, report: Any, *, head: str = HEAD, name: str = "d365setup-plan", **about: Any) -> None:
        number = 1 + len(self.artifacts)
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("report.json", report if isinstance(report, str) else json.dumps(report))
        run = {"head_sha": head, "repository_id": 1, "head_repository_id": about.pop("fork", 1)}
        made = f"2026-11-2{number}T00:00:00Z"
        self.files[number] = archive.getvalue()
        self.artifacts.append(
            {"id": number, "name": name, "expired": False, "created_at": made, "workflow_run": run, **about}
        )

    def merge(self) -> None:
        self.pulls.append({"merged_at": "2026-11-22T00:00:00Z", "merge_commit_sha": MERGE, "head": {"sha": HEAD}})

    @property
    def variables(self) -> dict[str, str]:
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_SHA": MERGE,
        }

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        place, _, query = path.removeprefix(f"/repos/{REPOSITORY}/").partition("?")
        if self.refuses:
            return self.refuses, {"message": "no"}
        if "/comments" in place:
            return self._comments(method, place, query, body)
        if place == f"commits/{MERGE}/pulls":
            return 200, self.pulls
        if place == "actions/artifacts":
            name = query.rpartition("name=")[2]
            return 200, {"artifacts": [each for each in self.artifacts if each["name"] == name]}
        return self._file(path, place)

    def _comments(self, method: str, place: str, query: str, body: Any) -> tuple[int, Any]:
        found = re.fullmatch(r"issues/comments/(\d+)", place)
        if found:
            (comment,) = [each for each in self.comments if each["id"] == int(found[1])]
            comment["body"] = body["body"]
            return 200, comment
        if method == "GET":
            page = int(query.rpartition("page=")[2])
            return 200, self.comments[(page - 1) * 100 : page * 100]
        self.say(body["body"], "Bot")
        return 201, self.comments[-1]

    def _file(self, path: str, place: str) -> tuple[int, Any]:
        if found := re.fullmatch(r"actions/artifacts/(\d+)/zip", place):
            return 302, f"{self.storage}/blob/{found[1]}"
        if found := re.fullmatch(r"/blob/(\d+)", path):
            return 200, self.files[int(found[1])]
        return 404, {"message": "Not Found"}


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name http.server asks for
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            hub.requests.append((self.command, self.path, self.headers.get("Authorization", "")))
            status, value = hub.answer(self.command, self.path, body)
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", value)
                data = b""
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PATCH = do_GET  # noqa: N815  # as above

        def log_message(self, *_: object) -> None:
            return

    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    hub.url, hub.storage = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    hub.storage = hub.storage.replace("127.0.0.1", "localhost")  # another host, so that the token must not follow
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()
