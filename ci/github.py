"""What the action asks of GitHub: a comment that is kept up to date, and which plan was reviewed.

    python ci/github.py comment    puts SETUP_OUT/report.md into the pull request, over the one from before
    python ci/github.py reviewed   the fingerprint of the plan of the pull request that led to this commit

Both read what a runner sets (GITHUB_…), and GITHUB_TOKEN.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import requests

PAGES = 30  # of a hundred comments each
LARGEST = 16 * 1024 * 1024  # bytes of an artifact, and of a report in it
LONGEST = 65_000  # characters; GitHub takes 65,536 in a comment
FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}")
SECONDS = 30


class Trouble(Exception):  # named for what it is, as the tool's own
    """Something to tell; ``str`` is the whole message."""


class GitHub:
    """The API, for one repository."""

    def __init__(self) -> None:
        self.repository = quote(_given("GITHUB_REPOSITORY"), safe="/")
        self._api = _given("GITHUB_API_URL").rstrip("/")
        self._session = requests.Session()  # it takes the token out when it is led to another host
        self._session.headers.update(
            {
                "Authorization": f"Bearer {_given('GITHUB_TOKEN')}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            }
        )

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One call below the repository; raises Trouble."""
        answer = self._sent(method, f"{self._api}/repos/{self.repository}/{path}", body)
        try:
            return answer.json()
        except ValueError:
            raise Trouble(f"GitHub answered {method} {path} with something that is no JSON") from None

    def download(self, path: str) -> bytes:
        """A file below the repository, bounded; raises Trouble."""
        answer = self._sent("GET", f"{self._api}/repos/{self.repository}/{path}", None, stream=True)
        data = bytearray()
        for chunk in answer.iter_content(64 * 1024):
            data += chunk
            if len(data) > LARGEST:
                raise Trouble(f"{path} is larger than {LARGEST} bytes")
        return bytes(data)

    def _sent(self, method: str, url: str, body: Any, *, stream: bool = False) -> requests.Response:
        try:
            answer = self._session.request(method, url, json=body, timeout=SECONDS, stream=stream)
        except requests.RequestException as error:
            raise Trouble(f"GitHub cannot be reached ({type(error).__name__})") from None
        if answer.status_code in (401, 403, 404):
            raise Trouble(
                f"GitHub refuses {method} {_path(url)} ({answer.status_code}): look at the job's `permissions`"
            )
        if answer.status_code >= 400:
            raise Trouble(f"GitHub answered {method} {_path(url)} with {answer.status_code}")
        return answer


def comment(hub: GitHub) -> str:
    """Put the report into the pull request; what was done."""
    number = _pull_request()
    if number is None:
        return "no pull request to comment on"
    report = _out() / "report.md"
    if not report.is_file():
        return "no report to comment with"
    mark = f"<!-- d365setup {_mark()} -->"
    body = f"{mark}\n{report.read_text(encoding='utf-8')}"[:LONGEST]
    own = _own_comment(hub, number, mark)
    if own is None:
        hub.ask("POST", f"issues/{number}/comments", {"body": body})
        return f"commented on pull request {number}"
    hub.ask("PATCH", f"issues/comments/{own}", {"body": body})
    return f"brought the comment on pull request {number} up to date"


def reviewed(hub: GitHub) -> str:
    """The fingerprint of the plan that the pull request showed. Raises Trouble where there is none."""
    commit = _given("GITHUB_SHA")
    head = _merged_head(hub, commit)
    name = _given("SETUP_ARTIFACT")
    found = hub.ask("GET", f"actions/artifacts?per_page=100&name={quote(name, safe='')}")
    mine = [each for each in found.get("artifacts", []) if _is_of(each, head)]
    if not mine:
        raise Trouble(
            f"no artifact {name} of commit {head} is there: the pull request's plan did not end well, or it has "
            "expired; plan again in a new pull request"
        )
    newest = max(mine, key=lambda each: str(each.get("created_at", "")))
    return _fingerprint(hub.download(f"actions/artifacts/{int(newest['id'])}/zip"))


def _merged_head(hub: GitHub, commit: str) -> str:
    pulls = hub.ask("GET", f"commits/{quote(commit, safe='')}/pulls?per_page=100")
    heads = [each["head"]["sha"] for each in pulls if each.get("merged_at") and each.get("merge_commit_sha") == commit]
    if not heads:
        raise Trouble(f"no pull request led to commit {commit}, so nobody reviewed a plan for it; nothing was written")
    return str(heads[0])


def _is_of(artifact: Any, head: str) -> bool:
    """Made for that commit, by a run of this repository and of no fork."""
    run = artifact.get("workflow_run") or {}
    own = run.get("repository_id") is not None and run.get("repository_id") == run.get("head_repository_id")
    return bool(own and run.get("head_sha") == head and not artifact.get("expired"))


def _fingerprint(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open("report.json") as file:
            report = json.loads(file.read(LARGEST))
        found = report["fingerprint"]
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, RecursionError):
        raise Trouble("the artifact holds no report of a plan") from None
    if not isinstance(found, str) or not FINGERPRINT.fullmatch(found):
        raise Trouble("the artifact's report has no fingerprint")
    return found


def _own_comment(hub: GitHub, number: int, mark: str) -> int | None:
    """The comment a run before this one made; one of a person is left alone whatever it begins with."""
    for page in range(1, PAGES + 1):
        found = hub.ask("GET", f"issues/{number}/comments?per_page=100&page={page}")
        for each in found:
            by_bot = (each.get("user") or {}).get("type") == "Bot"
            if by_bot and str(each.get("body", "")).startswith(mark):
                return int(each["id"])
        if len(found) < 100:
            return None
    return None


def _pull_request() -> int | None:
    event = json.loads(Path(_given("GITHUB_EVENT_PATH")).read_text(encoding="utf-8"))
    number = (event.get("pull_request") or {}).get("number")
    return number if type(number) is int else None


def _mark() -> str:
    """Tells the comments of several playbooks and environments apart."""
    about = "\n".join(os.environ.get(name, "") for name in ("SETUP_PLAYBOOK", "SETUP_URL", "D365_URL"))
    return hashlib.sha256(about.encode()).hexdigest()[:16]


def _out() -> Path:
    return Path(os.environ.get("SETUP_OUT") or Path(os.environ.get("RUNNER_TEMP") or ".") / "d365setup")


def _given(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise Trouble(f"{name} is not set")
    return value


def _path(url: str) -> str:
    return url.partition("/repos/")[2].partition("?")[0]


def main(arguments: list[str]) -> int:
    """A comment that cannot be made is a warning: the job's summary says the same. A missing review is an error."""
    try:
        match arguments:
            case ["comment"]:
                click.echo(comment(GitHub()))
            case ["reviewed"]:
                found = reviewed(GitHub())
                with Path(_given("GITHUB_OUTPUT")).open("a", encoding="utf-8") as file:
                    file.write(f"fingerprint={found}\n")
                click.echo(f"reviewed: {found}")
            case _:
                click.echo("error: say comment or reviewed", err=True)
                return 2
    except (Trouble, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        is_comment = arguments == ["comment"]
        told = str(error).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        click.echo(f"::{'warning' if is_comment else 'error'} title=d365setup::{told}")
        return 0 if is_comment else 5
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
