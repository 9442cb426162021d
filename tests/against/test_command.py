"""`plan --against`: the command's own plan, without an environment; and what is said of wrong files and calls."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from d365setup.cli import main
from d365setup.emulator import Emulator, Fault, Options
from d365setup.kinds import discover, specs
from d365setup.playbook import Environ, load_file
from d365setup.report import schema
from d365setup.survey import kept as module
from tests.report.published import check
from tests.test_shipped import FOLDER, SHIPPED

VALUES = {
    "BOT_APPLICATION_ID": "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f",
    "HEALTH_BOT_ID": "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01",
}
BOT = str(FOLDER / "health-bot.yaml")
SIGN_IN = {"D365_ACCESS_TOKEN": "made-up-token"}
LATER = """\
playbook: 1
name: later
queues:
  - {name: Nurses, members: [nurse.one@contoso.example, nurse.nine@contoso.example]}
"""


def call(*args: str | Path, **variables: str) -> Result:
    ended = CliRunner().invoke(main, list(map(str, args)), prog_name="d365setup", env={**VALUES, **variables})
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("D365_URL", "D365_ACCESS_TOKEN", "D365_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("D365_GATE_DIR", str(tmp_path / "gate"))
    monkeypatch.chdir(tmp_path)


def examples(path: str) -> tuple[str, ...]:
    """The playbook, with the examples of its variables."""
    found = load_file(Path(path), specs(discover()), {}, Environ(), examples=True)
    return (path, *(arg for each in found.variables for arg in ("--var", f"{each.name}={each.value}")))


def nothing(_emulator: Emulator, _playbook: Sequence[str]) -> None:
    """As it comes."""


def applied(emulator: Emulator, playbook: Sequence[str]) -> None:
    """After an apply of the playbook."""
    assert call("apply", *playbook, "--url", emulator.url, "--yes", **SIGN_IN).exit_code == 0


def drifted(emulator: Emulator, playbook: Sequence[str]) -> None:
    """After an apply, and what people did by hand since."""
    applied(emulator, playbook)
    emulator.execute("UPDATE queue SET msdyn_priority = 9, description = 'By hand' WHERE name != 'Nurses'")
    emulator.execute(
        "UPDATE systemuser SET msdyn_capacity = 7, isdisabled = 1 WHERE msdyn_botapplicationid IS NOT NULL"
    )
    emulator.execute("UPDATE msdyn_liveworkstream SET msdyn_defaultqueue = NULL")
    emulator.execute(
        "DELETE FROM systemuserroles WHERE systemuserid IN (SELECT systemuserid FROM systemuser WHERE isdisabled)"
    )


def settled(ended: Result) -> Any:
    """The document without the moment of the snapshot, and without what is said of the Health Bot's own side."""
    document = json.loads(ended.stdout)
    check(document)
    document["environment"].pop("taken_at", None)
    document["warnings"] = [each for each in document["warnings"] if not each["id"].startswith("health_bot:")]
    return ended.exit_code, document


@pytest.mark.parametrize("playbook", SHIPPED)
def test_the_same_plan_without_the_environment(playbook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given, seen = examples(str(FOLDER / playbook)), []
    for number, act in enumerate((nothing, applied, drifted)):
        emulator = Emulator(None, Options())
        with closing(emulator), emulator.serve():
            act(emulator, given)
            held = Path(f"{number}.json")
            assert call("audit", *given, "--url", emulator.url, "--save", held, **SIGN_IN).exit_code in (0, 4)
            there = settled(call("plan", *given, "--url", emulator.url, "--format", "json", **SIGN_IN))
        with monkeypatch.context() as cut:
            cut.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was opened"))
            ended = call("plan", *given, "--against", held, "--format", "json")
        assert settled(ended) == there
        assert json.loads(ended.stdout)["environment"]["taken_at"] == json.loads(held.read_text())["taken_at"]
        seen.append(there[0])
    assert seen == [3, 0, 3]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of the clinic."""
    emulator = Emulator(None, Options())
    path = tmp_path_factory.mktemp("held") / "clinic.json"
    with closing(emulator), emulator.serve():
        assert call("audit", "--url", emulator.url, "--save", path, **SIGN_IN).exit_code in (0, 4)
    return path


def test_the_file_follows_its_published_schema(held: Path) -> None:
    document = json.loads(held.read_text(encoding="utf-8"))
    assert document["kept"]["answers"]
    Draft202012Validator(json.loads(schema("snapshot"))).validate(document)


def test_every_form_says_of_when_it_is(held: Path) -> None:
    moment = json.loads(held.read_text())["taken_at"]
    url = json.loads(held.read_text())["environment"]["url"]
    forms = ("page.html", "page.md", "page.xml", "page.json")
    ended = call("plan", BOT, "--against", held, *(arg for each in forms for arg in ("--report", each)))
    assert ended.exit_code == 3
    first = f"Plan for Contoso Health ({url}) as a snapshot shows it at {moment}, playbook contoso-health-bot\n"
    assert ended.stdout.startswith(first)
    assert "its scenarios are not looked at: a snapshot holds nothing of the Health Bot" in ended.stdout
    assert [moment in Path(each).read_text() for each in forms] == [True] * 4


def test_people_can_be_masked(held: Path) -> None:
    Path("now.yaml").write_text(LATER.replace("nurse.nine", "billing.one"))
    ended = call("plan", "now.yaml", "--against", held, "--redact")
    assert (ended.exit_code, ended.stderr) == (3, "")
    assert re.search(r"\+ queue_member:Nurses/person-[0-9]+", ended.stdout)
    assert "billing" not in ended.stdout.lower()


def test_another_organization_is_refused(held: Path) -> None:
    ended = call("plan", BOT, "--against", held, "--expect-organization", "Fabrikam")
    assert (ended.exit_code, ended.stdout) == (5, "")
    assert "is the organization Contoso Health" in ended.stderr


def test_evidence_names_the_snapshot(held: Path) -> None:
    ended = call("plan", BOT, "--against", held, "--evidence", "sealed.jsonl")
    assert ended.exit_code == 3, ended.stderr
    roles = [each.get("role") for each in map(json.loads, Path("sealed.jsonl").read_text().splitlines())]
    assert roles.count("snapshot") == 1


# -- what is not known -------------------------------------------------------------------------------------------------


def test_somebody_nobody_asked_about_is_not_taken_for_absent(held: Path) -> None:
    Path("later.yaml").write_text(LATER)
    ended = call("plan", "later.yaml", "--against", held)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "who has the address nurse.nine@contoso.example" in ended.stderr
    assert "d365setup audit later.yaml --url" in ended.stderr


def test_a_snapshot_for_the_playbook_knows_its_people() -> None:
    Path("later.yaml").write_text(LATER)
    emulator = Emulator(None, Options())
    with closing(emulator), emulator.serve():
        assert call("audit", "later.yaml", "--url", emulator.url, "--save", "later.json", **SIGN_IN).exit_code in (0, 4)
    ended = call("plan", "later.yaml", "--against", "later.json")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "no user has the address nurse.nine@contoso.example" in ended.stderr


def test_what_the_environment_refused_is_told_where_it_is_asked_for() -> None:
    Path("queue.yaml").write_text("playbook: 1\nname: q\nqueues: [{name: New}]\n")
    emulator = Emulator(None, Options())
    with closing(emulator), emulator.serve():
        emulator.fail(Fault(path=r"roles\?", status=403, code="0x80040220", message="No privilege.", times=0))
        assert call("audit", "--url", emulator.url, "--save", "some.json", **SIGN_IN).exit_code in (0, 4)
    assert call("plan", "queue.yaml", "--against", "some.json").exit_code == 3
    ended = call("plan", BOT, "--against", "some.json")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "the environment refused the rows of roles (" in ended.stderr


# -- calls and files that are wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (("--out", "plan.json"), "a plan made against one is never applied"),
        (("--url", "https://contoso.crm.dynamics.com"), "--url and --against exclude each other"),
        (("--emulator",), "--emulator and --against exclude each other"),
        (("--emulator-data", "x.db"), "--emulator-data and --against exclude each other"),
        (("--device-code",), "--device-code and --against exclude each other"),
        (("--ca-bundle", "ca.pem"), "--ca-bundle and --against exclude each other"),
        (("--healthbot-resource", "/subscriptions/x"), "--healthbot-resource and --against exclude each other"),
        (("--require-healthbot",), "--require-healthbot and --against exclude each other"),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else "",
)
def test_options_about_an_environment_are_refused(option: tuple[str, ...], told: str, held: Path) -> None:
    ended = call("plan", BOT, "--against", held, *option)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert told in ended.stderr
    assert not Path("plan.json").exists()


Change = Callable[[dict[str, Any]], Any]


def resealed(change: Change) -> Callable[[str], str]:
    """Alter what is kept, as somebody who knows how to make the digest."""

    def spoil(text: str) -> str:
        document = json.loads(text)
        change(document["kept"])
        said = {key: value for key, value in document["kept"].items() if key != "sha256"}
        document["kept"]["sha256"] = module._digest(said)  # a forger has it too
        return json.dumps(document)

    return spoil


def earlier(text: str) -> str:
    document = json.loads(text)
    del document["kept"]
    return json.dumps(document | {"schema": "d365setup/snapshot/1"})


def first(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["answers"][0]
    return found


SPOILED: list[tuple[str, Callable[[str], str], str]] = [
    ("cut off", lambda text: text[: len(text) // 2], "is not JSON"),
    ("empty", lambda _: "", "is not JSON"),
    ("a playbook", lambda _: "playbook: 1\n", "is not JSON"),
    ("a later version", lambda text: text.replace("snapshot/2", "snapshot/3"), "this version reads"),
    ("an earlier version", earlier, "holds no rows to plan against"),
    ("no rows", lambda text: json.dumps(json.loads(text) | {"kept": None}), "holds no rows to plan against"),
    ("edited", lambda text: text.replace("Nurse One", "Nurse Won"), "kept was changed since it was written"),
    ("a list", lambda text: json.dumps(json.loads(text) | {"kept": []}), "kept is not an object"),
    ("wide", resealed(lambda kept: kept.update(width=10**9)), "kept.width is 1000000000"),
    ("width as text", resealed(lambda kept: kept.update(width="4")), "kept.width is '4', not a whole number"),
    ("more", resealed(lambda kept: kept.update(more=1)), "kept has 'more', which nobody knows"),
    ("no id", resealed(lambda kept: kept.update(user_id="me")), "kept.user_id is 'me', not an id"),
    ("answers", resealed(lambda kept: kept.update(answers={})), "kept.answers is not a list"),
    ("an answer", resealed(lambda kept: kept["answers"].insert(0, 1)), "kept.answers[0] is not an object"),
    ("no filter", resealed(lambda kept: first(kept).pop("filter")), "kept.answers[0] has no 'filter'"),
    ("columns", resealed(lambda kept: first(kept).update(select="a")), "kept.answers[0].select is 'a', not a list"),
    ("rows", resealed(lambda kept: first(kept).update(rows={})), "kept.answers[0].rows is not a list"),
    ("a row", resealed(lambda kept: first(kept)["rows"].insert(0, 7)), "kept.answers[0].rows[0] is not an object"),
    ("a column", resealed(lambda kept: first(kept)["rows"][0].pop("fullname")), "rows[0] has no 'fullname'"),
    ("an id", resealed(lambda kept: first(kept)["rows"][0].update(systemuserid=7)), "rows[0].systemuserid is no id"),
    ("nested", resealed(lambda kept: first(kept)["rows"][0].update(fullname=[1])), "fullname is not a plain value"),
    (
        "inside",
        resealed(lambda kept: first(kept)["rows"][0].update(systemuserroles_association=[{}])),
        "rows[0].systemuserroles_association has no 'roleid'",
    ),
    (
        "a filter nobody writes",
        resealed(lambda kept: [each.update(filter="contains(name,'x')") for each in kept["answers"]]),
        "does not tell all that this playbook asks for: the rows of systemusers",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "told"), [row[1:] for row in SPOILED], ids=[row[0] for row in SPOILED])
def test_a_file_that_is_none(spoil: Callable[[str], str], told: str, held: Path) -> None:
    Path("bad.json").write_text(spoil(held.read_text(encoding="utf-8")), encoding="utf-8")
    ended = call("plan", BOT, "--against", "bad.json")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert told in ended.stderr
    assert "bad.json" in ended.stderr
    assert "d365setup audit" in ended.stderr


def test_a_file_that_is_not_there_or_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "the snapshot no.json cannot be read: No such file" in call("plan", BOT, "--against", "no.json").stderr
    monkeypatch.setattr("d365setup.survey.snapshot.LARGEST", 2 * 1024 * 1024)
    Path("large.json").write_bytes(b" " * (2 * 1024 * 1024 + 1))
    ended = call("plan", BOT, "--against", "large.json")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "more than 2 MB" in ended.stderr


def test_a_snapshot_that_would_be_too_large_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("d365setup.survey.snapshot.LARGEST", 1024)
    emulator = Emulator(None, Options())
    with closing(emulator), emulator.serve():
        ended = call("audit", "--url", emulator.url, "--save", "clinic.json", **SIGN_IN)
    assert ended.exit_code == 2
    assert "and is not written" in ended.stderr
    assert not Path("clinic.json").exists()
