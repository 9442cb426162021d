"""`plan --out` and `apply PLAN.json`: exactly what was reviewed, or nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d365setup.emulator import Emulator
from d365setup.errors import Refused, UsageError
from d365setup.saved import is_saved_plan, parsed
from tests.cli.conftest import VALUES, Run


@pytest.fixture
def planned(at: Run) -> Path:
    ended = at("plan", "--out", "plan.json")
    assert (ended.code, ended.err) == (3, "")
    return Path("plan.json")


@pytest.fixture
def apply(run: Run, emulator: Emulator) -> Run:
    def call(*args: str, **variables: str) -> Any:
        return run("apply", *args, "--url", emulator.url, "--yes", D365_ACCESS_TOKEN="x", **variables)

    return call


def writes(emulator: Emulator) -> int:
    return sum(op[0] != "GET" for request in emulator.requests for op in request.operations)


def test_it_is_applied_without_playbook_or_variables(planned: Path, apply: Run, at: Run) -> None:
    Path("bot.yaml").rename("moved.yaml")
    ended = apply(str(planned), "--format", "json")
    assert ended.code == 0
    assert {each["status"] for each in ended.json["outcomes"]} == {"verified"}
    assert len(ended.json["outcomes"]) == 11
    Path("moved.yaml").rename("bot.yaml")
    assert at("plan").code == 0


@pytest.mark.skipif(os.name != "posix", reason="looks at POSIX modes")
def test_only_the_owner_can_read_it(planned: Path) -> None:
    assert stat.S_IMODE(planned.stat().st_mode) == 0o600


def test_what_it_holds(planned: Path, emulator: Emulator) -> None:
    held = json.loads(planned.read_text())
    assert held["schema"] == "d365setup/saved-plan/1"
    assert held["environment"]["url"] == emulator.url
    assert held["variables"] == {
        "bot_application_id": VALUES["BOT_APPLICATION_ID"],
        "health_bot_id": VALUES["HEALTH_BOT_ID"],
        "bot_email": "health-bot@contoso.example",
    }
    assert [name for name, _ in held["playbook"]["files"]] == ["bot.yaml"]
    assert len(held["changes"]) == 11
    assert {"queues", "msdyn_liveworkstreams", "systemusers"} <= {path.split("(")[0] for path in held["rows"]}
    assert all(etag.startswith('W/"') for etag in held["rows"].values())
    assert VALUES["D365_ACCESS_TOKEN"] not in planned.read_text()


def test_the_second_time_it_is_stale(planned: Path, apply: Run, emulator: Emulator) -> None:
    assert apply(str(planned)).code == 0
    emulator.reset_log()
    ended = apply(str(planned), "--format", "json")
    assert ended.code == 5
    assert len(ended.json["problems"]) == 11
    told = {each["id"]: each["message"] for each in ended.json["problems"]}
    assert told["workstream:Patient chat"] == (
        'planned update (fallback_queue: (none) → "Nurses"); then fallback_queue (none); now as declared already'
    )
    assert told["role_assignment:Contoso Health Bot/Omnichannel agent"].endswith(
        "then not there; now as declared already"
    )
    assert not writes(emulator)


def row(emulator: Emulator, table: str, name: str, column: str = "name") -> str:
    return str(emulator.sql(f"SELECT {table}id FROM {table} WHERE {column} = ?", [name])[0][0])  # noqa: S608


@pytest.mark.parametrize(
    ("name", "columns", "told"),
    [
        ("Patient chat", {"msdyn_capacityrequired": 31}, "workstream:Patient chat: planned update"),
        ("nurse.one@contoso.example", {"msdyn_capacity": 500}, "bot_user:Contoso Health Bot: planned create"),
    ],
)
def test_a_row_touched_since(
    planned: Path, apply: Run, emulator: Emulator, name: str, columns: dict[str, Any], told: str
) -> None:
    """The one is written, and bound by its version; of the other only the value counts: the bot must beat it."""
    if "@" in name:
        emulator.change("systemuser", row(emulator, "systemuser", name, "internalemailaddress"), **columns)
    else:
        emulator.change("msdyn_liveworkstream", row(emulator, "msdyn_liveworkstream", name, "msdyn_name"), **columns)
    emulator.reset_log()
    ended = apply(str(planned))
    if "@" in name:  # `highest` joins a queue of its own here: what the person has changes nothing in the plan
        assert ended.code == 0
        return
    assert ended.code == 5
    assert "the saved plan is not applied: 1 thing has changed since it was made, and nothing was written" in ended.err
    assert told in ended.err
    assert "; then version W/" in ended.err
    assert not writes(emulator)


def test_a_queue_that_somebody_made_meanwhile(planned: Path, apply: Run, emulator: Emulator) -> None:
    emulator.add("queue", name="Health bot", msdyn_isomnichannelqueue=True, queueviewtype=1, msdyn_priority=4)
    ended = apply(str(planned))
    assert ended.code == 5
    assert "queue:Health bot: planned create" in ended.err
    assert "now priority 4" in ended.err or "priority 4" in ended.err


def test_another_environment(planned: Path, run: Run) -> None:
    Emulator(Path("other.db")).close()
    elsewhere = sqlite3.connect("other.db")
    with elsewhere:
        named = ("00000000-0000-0000-0000-00000000abcd", "Fabrikam")
        elsewhere.execute("UPDATE organization SET organizationid = ?, name = ?", named)
    elsewhere.close()
    other = Emulator(Path("other.db"))
    with other.serve():
        ended = run("apply", str(planned), "--url", other.url, "--yes", D365_ACCESS_TOKEN="x")
        assert ended.code == 5, ended.err
        assert "error: the plan was made for Contoso Health (" in ended.err
        assert "is Fabrikam (00000000-0000-0000-0000-00000000abcd)" in ended.err
        assert not writes(other)
    other.close()


@pytest.mark.parametrize(("age", "code"), [("0m", 5), ("1m", 0), ("24h", 0), ("2d", 0), ("soon", 2), ("90", 2)])
def test_max_age(planned: Path, apply: Run, age: str, code: int) -> None:
    ended = apply(str(planned), "--max-age", age)
    assert ended.code == code
    if code == 5:
        assert "and --max-age allows 0 h 0 min; make it anew with `d365setup plan --out`" in ended.err


def test_one_from_the_future(planned: Path, apply: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Earlier(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return super().now(tz).replace(year=2020)

    monkeypatch.setattr("d365setup.cli.saving.datetime", Earlier)
    ended = apply(str(planned))
    assert ended.code == 5
    assert "in the future, by this machine's clock; set the clock right" in ended.err


def test_variables_do_not_go_with_it(planned: Path, apply: Run) -> None:
    ended = apply(str(planned), "--var", "health_bot_id=x")
    assert ended.code == 2
    assert "--var does not go with a saved plan" in ended.err


def test_a_value_named_like_a_secret_is_never_saved(run: Run, emulator: Emulator) -> None:
    text = Path("bot.yaml").read_text()
    text = text.replace("\nvariables:\n", "\nvariables:\n  bot_password: {default: canary-value}\n", 1)
    Path("bot.yaml").write_text(text.replace("First line of defence.", "${bot_password}"))
    ended = run("plan", "bot.yaml", "--url", emulator.url, "--out", "plan.json", **VALUES)
    assert ended.code == 2
    assert "'bot_password' into the plan, and it is named like a secret" in ended.err
    assert not Path("plan.json").exists()


def test_a_place_that_cannot_be_written(at: Run) -> None:
    ended = at("plan", "--out", "no/such/folder/plan.json")
    assert ended.code == 2
    assert "--out no/such/folder/plan.json cannot be written: No such file or directory" in ended.err


@pytest.mark.parametrize(
    ("edit", "code", "told"),
    [
        (lambda data: data[: len(data) // 2], 2, "is no saved plan, or only a part of one"),
        (lambda data: data.replace(b"saved-plan/1", b"saved-plan/2"), 2, "of another d365setup"),
        (lambda data: data[:-2] + b"\n", 2, "is no saved plan, or only a part of one"),
        (lambda data: data + b"\n", 5, "somebody edited it"),
        (lambda data: data.replace(b"First line", b"Last  line"), 5, "somebody edited it"),
        (lambda data: data.replace(b'"integrity": "sha256:', b'"integrity": "sha256:0'), 5, "somebody edited it"),
        (lambda data: data.replace(b'"integrity"', b'"integrily"'), 2, "is no saved plan, or only a part of one"),
    ],
)
def test_an_edited_file(planned: Path, apply: Run, emulator: Emulator, edit: Any, code: int, told: str) -> None:
    planned.write_bytes(edit(planned.read_bytes()))
    emulator.reset_log()
    ended = apply(str(planned))
    assert ended.code == code
    assert told in ended.err
    assert list(emulator.requests) == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_byte_can_be_altered_unnoticed(planned: Path, data: st.DataObject) -> None:
    whole = planned.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda each: each != whole[place]))
    altered = whole[:place] + bytes([byte]) + whole[place + 1 :]
    with pytest.raises((Refused, UsageError)):
        parsed(altered, "plan.json")


def test_a_playbook_is_no_saved_plan() -> None:
    assert not is_saved_plan(Path("bot.yaml").read_bytes())
    assert not is_saved_plan(b"")
    assert is_saved_plan(b'{"schema": "d365setup/saved-plan/9"')
