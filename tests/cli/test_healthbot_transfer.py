"""`healthbot pull` and `push` through the door a user comes in by: the emulated bot, Azure, wrong links and secrets."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from d365setup.emulator import Emulator, Options, entra, fault_of
from d365setup.emulator.healthbot import SUBSCRIPTION, HealthBot
from tests.cli.conftest import VALUES, Ended, Run
from tests.cli.process import start
from tests.dataverse.service import Answer, Asked, loopback

CANARY = "canary-signing-secret-that-nobody-may-see"
PLAYBOOK = {name: value for name, value in VALUES.items() if name != "D365_ACCESS_TOKEN"}


@pytest.fixture
def bot(run: Run, emulator: Emulator) -> Callable[..., Ended]:
    """Call a `healthbot` command on the emulator's bot by its portal link, as on a real one."""

    def call(command: str, *args: str, **variables: str) -> Ended:
        portal = emulator.health_bot.portal(emulator.url)
        known = {"D365_HEALTHBOT_SECRET": emulator.health_bot.secret, "D365_HEALTHBOT_PORTAL": portal}
        return run("healthbot", command, *args, **{**PLAYBOOK, **known, **variables})

    return call


def names(emulator: Emulator) -> list[str]:
    return [each["name"] for each in emulator.health_bot.bots.exports()]


def posts(emulator: Emulator) -> int:
    return sum(1 for each in emulator.health_bot.requests if each.method == "POST")


def test_a_rehearsal_needs_nothing(run: Run) -> None:
    ended = run("healthbot", "push", "bot.yaml", "--emulator", "--yes")
    assert ended.code == 0, ended.err
    assert "verified  Escalate to nurse (escalate_nurse)" in ended.out
    ended = run("healthbot", "pull", "bot.yaml", "--emulator", "--out", "scenarios")
    assert ended.code == 0, ended.err
    assert [each.name for each in sorted(Path("scenarios").iterdir())] == [
        "end_conversation.scenario.json",
        "escalate_nurse.scenario.json",
        "opening_hours.scenario.json",
        "welcome.scenario.json",
    ]


def test_pulled_twice_is_the_same_and_pushed_back_nothing_is_sent(
    bot: Callable[..., Ended], emulator: Emulator
) -> None:
    assert bot("pull", "--out", "one").code == 0
    assert bot("pull", "--out", "two").code == 0
    first, second = ({each.name: each.read_bytes() for each in Path(name).iterdir()} for name in ("one", "two"))
    assert first == second
    assert all(b"userDisplayName" not in each and b"portal user" not in each for each in first.values())
    ended = bot("push", "one")
    assert ended.code == 0
    assert "2 unchanged" in ended.out
    assert posts(emulator) == 0


def test_pull_writes_over_nothing_that_says_something_else(bot: Callable[..., Ended], emulator: Emulator) -> None:
    bot("pull", "--out", "one")
    welcome = Path("one/welcome.scenario.json")
    mine = welcome.read_text("utf-8").replace("Hello, how", "Good day, how")
    welcome.write_text(mine, "utf-8")
    emulator.health_bot.bots.remove("Opening hours")
    ended = bot("pull", "--out", "one")
    assert ended.code == 5
    assert "--force" in ended.err
    assert welcome.read_text("utf-8") == mine
    ended = bot("pull", "--out", "one", "--force")
    assert ended.code == 0
    assert "Good day" not in welcome.read_text("utf-8")
    assert "left alone one/opening_hours.scenario.json: the bot has no such scenario" in ended.out


def test_push_shows_what_differs_and_does_not_write_unasked(bot: Callable[..., Ended], emulator: Emulator) -> None:
    bot("pull", "--out", "one")
    welcome = Path("one/welcome.scenario.json")
    welcome.write_text(welcome.read_text("utf-8").replace("Hello, how", "Good day, how"), "utf-8")
    ended = bot("push", "one")
    assert ended.code == 5
    assert "to overwrite  Welcome (welcome)" in ended.err
    assert "Hello, how can I help? → Good day, how can I help?" in ended.err
    assert "there is no terminal to ask on" in ended.err
    assert posts(emulator) == 0


def welcomed(bot: Callable[..., Ended], greeting: str = "Good day, how") -> str:
    """A folder with what the bot holds, but for one text of its welcome."""
    bot("pull", "--out", "one")
    welcome = Path("one/welcome.scenario.json")
    welcome.write_text(welcome.read_text("utf-8").replace("Hello, how", greeting), "utf-8")
    return "one"


def graphs(emulator: Emulator) -> dict[str, Any]:
    """What each scenario does, by its name."""
    return {each["name"]: json.loads(each["code"]) for each in emulator.health_bot.bots.exports()}


def test_what_is_overwritten_is_in_the_journal_and_rollback_puts_it_back(
    run: Run, bot: Callable[..., Ended], emulator: Emulator
) -> None:
    before = graphs(emulator)
    document = bot("push", welcomed(bot), "--yes", "--format", "json").json
    assert {each["name"]: each["state"] for each in document["scenarios"]} == {
        "Welcome": "verified",
        "Opening hours": "unchanged",
    }
    assert "Good day" in json.dumps(graphs(emulator))
    (listed,) = run("history", "--format", "json").json["runs"]
    assert (listed["run"], listed["command"], listed["ended_with"]) == (document["run"], "healthbot push", 0)
    assert listed["outcomes"] == {"verified": 1}
    assert (listed["playbook"]["name"], listed["environment"]["organization_id"]) == ("one", "")
    assert run("history", document["run"], "--format", "json").json["change_sets"][0]["landed"] is True
    known = {"D365_HEALTHBOT_SECRET": emulator.health_bot.secret}
    shown = run("rollback", document["run"], **known)
    assert shown.code == 5  # nobody to ask
    assert "Good day, how can I help? → Hello, how can I help?" in shown.err
    taken_back = run("rollback", document["run"], "--yes", "--format", "json", **known)
    assert taken_back.json["environment"]["organization_id"] == ""
    assert taken_back.code == 0, taken_back.err
    assert graphs(emulator) == before
    assert not emulator.requests  # nothing of Dataverse


def test_a_rollback_of_a_push_needs_the_bots_secret(run: Run, bot: Callable[..., Ended], emulator: Emulator) -> None:
    name = bot("push", welcomed(bot), "--yes", "--format", "json").json["run"]
    held = graphs(emulator)
    refused = run("rollback", name, "--yes")
    assert refused.code == 6
    assert "its secret is not known: set D365_HEALTHBOT_SECRET" in refused.err
    assert graphs(emulator) == held


def test_what_a_push_added_is_for_a_person_to_delete(run: Run) -> None:
    pushed = run("healthbot", "push", "bot.yaml", "--emulator", "--yes", "--format", "json").json
    ended = run("rollback", pushed["run"], "--emulator", "--yes")
    assert ended.code == 3, ended.err
    assert ended.out.count("delete the scenario in the Health Bot's portal") == 2


def test_what_somebody_saves_meanwhile_is_not_overwritten(bot: Callable[..., Ended], emulator: Emulator) -> None:
    folder, server = welcomed(bot), emulator.health_bot
    (theirs,) = (each for each in server.bots.exports() if each["name"] == "Welcome")
    looks = count(1)

    def clock() -> float:
        """Asked at each request: somebody saves after the first look, before the second."""
        if next(looks) == 2:
            server.bots.put({**theirs, "description": "Somebody else's"})
        return time.time()

    server.clock = clock
    ended = bot("push", folder, "--yes")
    assert ended.code == 1, ended.out
    assert "changed by somebody since it was read" in ended.out
    assert posts(emulator) == 0


def test_a_push_whose_answer_is_lost_for_good_is_settled_by_the_next(
    run: Run, bot: Callable[..., Ended], emulator: Emulator
) -> None:
    emulator.fail(fault_of("drop-after:method=POST"))
    emulator.fail(fault_of("drop-before:method=GET:skip=2:times=always"))
    lost = bot("push", "bot.yaml", "--yes", "--max-wait", "1")
    assert lost.code != 0
    emulator.faults.clear()
    assert "its process died; the next push settles it" in run("history").out
    again = bot("push", "bot.yaml", "--yes")
    assert (again.code, posts(emulator)) == (0, 1)
    bot("push", welcomed(bot), "--yes")
    assert "settled since" in run("history").out


def test_evidence_of_a_push_names_the_bot_and_no_secret(bot: Callable[..., Ended], emulator: Emulator) -> None:
    assert bot("push", "bot.yaml", "--yes", "--evidence", "kept").code == 0
    (path,) = Path("kept").glob("*.jsonl")
    assert "contoso" in path.read_text("utf-8")
    assert "verified" in path.read_text("utf-8")
    assert emulator.health_bot.secret not in path.read_text("utf-8")


def test_an_import_that_writes_everything_anew_is_verified_by_meaning(run: Run) -> None:
    rewriting = Emulator(None, Options(scenario_import="rewritten"))
    with rewriting.serve():
        portal = rewriting.health_bot.portal(rewriting.url)
        known = {"D365_HEALTHBOT_SECRET": rewriting.health_bot.secret}
        ended = run("healthbot", "push", "bot.yaml", "--portal", portal, "--yes", **PLAYBOOK, **known)
        assert ended.code == 0, ended.err
        assert "the import left it inactive" in ended.out
        assert "unchanged" in run("healthbot", "push", "bot.yaml", "--portal", portal, **PLAYBOOK, **known).out
    rewriting.close()


@pytest.mark.parametrize(
    ("rule", "code", "told", "landed"),
    [
        ("drop-after:method=POST", 0, "2 verified", True),
        ("drop-before:method=POST", 6, "2 not written", False),
        ("503:method=POST", 1, "2 not written", False),
        ("503:method=GET:skip=1:times=always", 1, "2 not written", False),
        ("400:method=POST:message=No.", 1, "did not take what was sent", False),
        ("413:method=POST", 1, "takes no scenarios as large", False),
        ("401:method=POST", 6, "refused the token", False),
        ("429:method=POST:retry-after=0", 0, "2 verified", True),
        ("503:method=GET:skip=2:times=always", 1, "could not be read back", True),
        ("403:method=GET", 6, "does not allow it", False),
    ],
)
def test_faults(rule: str, code: int, told: str, landed: bool, bot: Callable[..., Ended], emulator: Emulator) -> None:
    """And when the fault has passed, the same again ends well."""
    emulator.fail(fault_of(rule))
    ended = bot("push", "bot.yaml", "--yes", "--max-wait", "1")
    assert ended.code == code, ended.err
    assert told in ended.out + ended.err
    assert ("Escalate to nurse" in names(emulator)) == landed
    emulator.faults.clear()
    assert bot("push", "bot.yaml", "--yes").code == 0


@pytest.mark.parametrize(
    ("args", "variables", "code", "told"),
    [
        ((), {"D365_HEALTHBOT_SECRET": CANARY}, 6, "refused the token"),
        ((), {"D365_HEALTHBOT_SECRET": ""}, 2, "D365_HEALTHBOT_SECRET is set, but empty"),
        (("--portal", "https://eastus.healthbot.microsoft.com/x"), {}, 2, "is no portal link"),
        (("--portal", "http://eastus.healthbot.microsoft.com/account/x"), {}, 2, "use https://"),
        (("--portal", ""), {}, 2, "say which Health Bot"),
        (("--portal", "https://evil.example/account/x"), {}, 5, "set D365_HEALTHBOT_HOST=evil.example"),
        (("--portal", "https://a.example/account/x", "--emulator"), {}, 2, "exclude each other"),
        (("--healthbot-resource", "contoso"), {}, 2, "is no id of a Health Bot"),
        (("--ca-bundle", "nowhere.pem"), {}, 2, "does not exist"),
        (("--healthbot-resource", HealthBot.resource()), {"D365_ARM_URL": "https://evil.example"}, 2, "D365_ARM_URL"),
        (("--healthbot-resource", HealthBot.resource()), {"D365_ACCESS_TOKEN": CANARY}, 2, "is for Dataverse"),
        (
            ("--healthbot-resource", HealthBot.resource()),
            {"D365_CLIENT_ID": "a", "D365_CLIENT_SECRET": CANARY},
            2,
            "set D365_TENANT_ID",
        ),
    ],
)
@pytest.mark.parametrize("command", ["pull", "push"])
def test_bad_calls(
    command: str, args: tuple[str, ...], variables: dict[str, str], code: int, told: str, bot: Callable[..., Ended]
) -> None:
    what = ("bot.yaml", "--yes") if command == "push" else ("--out", "there")
    ended = bot(command, *what, *args, **variables)
    assert (ended.code, ended.out) == (code, "")
    assert told in ended.err
    assert CANARY not in ended.err
    assert not Path("there").exists()


def test_a_tenant_that_is_not_there(bot: Callable[..., Ended], emulator: Emulator) -> None:
    ended = bot("push", "bot.yaml", "--yes", "--portal", f"{emulator.url}/account/nobody")
    assert ended.code == 6
    assert "there is no Health Bot nobody" in ended.err
    assert posts(emulator) == 0


def test_without_a_secret_it_says_how_to_give_one(run: Run, emulator: Emulator) -> None:
    ended = run("healthbot", "pull", "--portal", emulator.health_bot.portal(emulator.url), "--out", "there")
    assert ended.code == 2
    assert "set D365_HEALTHBOT_SECRET" in ended.err
    assert "D365_HEALTHBOT_RESOURCE_ID" in ended.err
    assert emulator.health_bot.requests == []


def test_a_playbook_cannot_read_the_secret(run: Run) -> None:
    text = Path("bot.yaml").read_text("utf-8")
    Path("bot.yaml").write_text(
        text.replace("    default: health-bot@contoso.example", "    env: D365_HEALTHBOT_SECRET"), "utf-8"
    )
    ended = run("validate", "bot.yaml", **PLAYBOOK, D365_HEALTHBOT_SECRET=CANARY)
    assert ended.code == 2
    assert CANARY not in ended.out + ended.err


@contextmanager
def odd(body: bytes, status: int = 200) -> Iterator[dict[str, str]]:
    def answer(asked: Asked) -> Answer:
        return Answer(status, body.replace(b"TOKEN", asked.headers["authorization"].encode()))

    with loopback(answer) as server:
        yield {"D365_HEALTHBOT_PORTAL": f"{server.url}/account/x", "D365_HEALTHBOT_SECRET": CANARY}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [(b"<html>TOKEN", 200, 6), (b"TOKEN", 401, 6), (b"TOKEN", 500, 1), (b'{"said":"TOKEN"}', 400, 1), (b"[7]", 200, 6)],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_token_and_no_secret_is_ever_shown(
    body: bytes, status: int, code: int, form: str, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with odd(body, status) as known:
        ended = run(
            "healthbot",
            "push",
            "bot.yaml",
            "--yes",
            "--verbose",
            "--format",
            form,
            "--max-wait",
            "0",
            **PLAYBOOK,
            **known,
        )
    assert ended.code == code
    said = ended.out + ended.err + caplog.text
    assert CANARY not in said
    assert "eyJ" not in said


# -- through Azure ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[entra.Entra]:
    with entra.serve(tmp_path_factory.mktemp("entra")) as found:
        yield found


@pytest.fixture
def azure(run: Run, office: entra.Entra) -> Callable[..., Ended]:
    """`healthbot pull` with the secret read from the emulated Azure, signed in as the pipeline."""

    def call(resource: str, *args: str, **variables: str) -> Ended:
        known = {
            "D365_ARM_URL": office.url,
            "D365_CA_BUNDLE": str(office.ca_bundle),
            "D365_CLIENT_ID": entra.PIPELINE,
            "D365_CLIENT_SECRET": entra.PIPELINE_SECRET,
            "D365_URL": office.url,
            "D365_AUTHORITY": office.url,
            "D365_HEALTHBOT_PORTAL": office.emulator.health_bot.portal(office.url),
            "D365_HEALTHBOT_RESOURCE_ID": resource,
        }
        return run("healthbot", "pull", "--out", "there", *args, **{**known, **variables})

    return call


@pytest.mark.parametrize(
    "resource", [HealthBot.resource(), HealthBot.resource().replace("resourceGroups", "resourcegroups"), SUBSCRIPTION]
)
def test_the_secret_is_read_from_azure(resource: str, azure: Callable[..., Ended]) -> None:
    ended = azure(resource)
    assert ended.code == 0, ended.err
    assert len(list(Path("there").iterdir())) == 2


def test_the_tenant_may_be_given(azure: Callable[..., Ended]) -> None:
    ended = azure(SUBSCRIPTION, D365_URL="", D365_TENANT_ID=entra.TENANT)
    assert ended.code == 0, ended.err


@pytest.mark.parametrize(
    ("resource", "variables", "code", "told"),
    [
        (HealthBot.resource("nobody"), {}, 6, "knows no such Health Bot"),
        (SUBSCRIPTION[:-1] + "6", {}, 6, "knows no such Health Bot"),
        (HealthBot.resource("north"), {}, 2, "is the Health Bot at"),
        (SUBSCRIPTION, {"D365_HEALTHBOT_PORTAL": "https://127.0.0.1:9/account/x"}, 6, "no Health Bot that"),
        (HealthBot.resource(), {"D365_CLIENT_SECRET": CANARY}, 6, "AADSTS7000215"),
    ],
)
def test_azure_says_no(
    resource: str, variables: dict[str, str], code: int, told: str, azure: Callable[..., Ended], office: entra.Entra
) -> None:
    office.emulator.health_bot.portal(office.url, "north")
    ended = azure(resource, **variables)
    assert ended.code == code, ended.err
    assert told in ended.err
    assert CANARY not in ended.err
    assert not Path("there").exists()


@pytest.mark.parametrize(
    ("rule", "code", "told"),
    [
        ("403:path=listSecrets", 6, "listSecrets/action"),
        ("429:path=subscriptions:retry-after=0", 0, "wrote"),
        ("429:path=listSecrets:retry-after=0", 0, "wrote"),
        ("500:path=listSecrets", 1, "could not do it"),
    ],
)
def test_faults_of_azure(rule: str, code: int, told: str, azure: Callable[..., Ended], office: entra.Entra) -> None:
    office.emulator.faults.clear()
    office.emulator.fail(fault_of(rule))
    ended = azure(HealthBot.resource())
    assert ended.code == code, ended.err
    assert told in ended.out + ended.err


# -- asked on a terminal ------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
@pytest.mark.parametrize(("answer", "code", "held"), [("n\n", 5, 2), ("\n", 5, 2), ("y\n", 0, 4)])
def test_on_a_terminal_only_a_yes_is_one(answer: str, code: int, held: int, emulator: Emulator) -> None:
    portal = emulator.health_bot.portal(emulator.url)
    known = {**PLAYBOOK, "D365_HEALTHBOT_SECRET": emulator.health_bot.secret, "D365_HEALTHBOT_PORTAL": portal}
    master, slave = os.openpty()
    process = start("healthbot", "push", "bot.yaml", variables=known, stdin=slave, stderr=slave)
    os.close(slave)
    os.write(master, answer.encode())
    shown = b"".join(_read(master)).decode()
    process.communicate(timeout=60)
    os.close(master)
    assert process.returncode == code
    assert f"Import 2 scenarios into {portal}, overwriting 0? [y/N]" in shown
    assert len(names(emulator)) == held
    assert posts(emulator) == (1 if code == 0 else 0)


def _read(terminal: int) -> Iterator[bytes]:
    """What it shows until the other side is closed."""
    with suppress(OSError):
        while chunk := os.read(terminal, 65536):
            yield chunk
