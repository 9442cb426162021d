"""The client over HTTP: against the emulated bot, and against a server that answers what no bot would."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import jwt
import pytest

from d365setup.apply import failure_of
from d365setup.dataverse.auth import Secret
from d365setup.dataverse.errors import ConnectionLost, DataverseError, ReadOnlyViolation
from d365setup.dataverse.waiting import Policy
from d365setup.emulator import Emulator, fault_of
from d365setup.errors import UsageError
from d365setup.healthbot import StoredScenario, read_scenario, same
from d365setup.healthbot.backup import read_backup
from d365setup.healthbot.management import Management, token
from d365setup.healthbot.portal import Portal
from d365setup.healthbot.web import Manners
from tests.dataverse.service import Answer, Asked, Clock, loopback
from tests.dataverse.test_secrets import everything_about

TENANT = "contoso-bot-ab12cd3"
CANARY = "canary-signing-secret-that-nobody-may-see"


@pytest.fixture(scope="module")
def served() -> Iterator[Emulator]:
    with closing(Emulator()) as found, found.serve():
        yield found


@pytest.fixture
def emulator(served: Emulator) -> Emulator:
    served.reset()
    return served


def of(emulator: Emulator, tenant: str = TENANT, secret: str = "", **chosen: Any) -> Management:
    portal = Portal(emulator.url, tenant)
    return Management(portal, Secret(secret or emulator.health_bot.secret), patient(**chosen))


def patient(clock: Clock | None = None, **chosen: Any) -> Manners:
    time = clock or Clock()
    return Manners(Policy(sleep=time.sleep, clock=time, jitter=lambda: 0.0), **chosen)


def scenario(name: str = "Escalate", trigger: str = "escalate", text: str = "One moment.") -> StoredScenario:
    step = {
        "id": "c334c9213a80-5954dce26ca7de2c-fadd",
        "type": "statement",
        "text": text,
        "somethingNew": [1, {"a": None}],
    }
    code = {"version": 3, "steps": [step], "interrupting": False, "breaking": False, "returningMessage": ""}
    return read_scenario({"name": name, "scenario_trigger": trigger, "description": "", "code": code})


def asked(emulator: Emulator) -> list[tuple[str, int]]:
    return [(each.method, each.status) for each in emulator.health_bot.requests]


def test_what_is_imported_is_read_back_and_overwrites_by_name(emulator: Emulator) -> None:
    with of(emulator) as bot:
        before = bot.scenarios()
        bot.post([scenario(), scenario("Hostile", "hostile", "\u2028</script>\U0001f9d1\u200d⚕️ ${x} `\"'\\")])
        bot.post([scenario(text="Another word.")])
        after = {each.name: each for each in bot.scenarios()}
    assert len(after) == len(before) + 2
    assert same(after["Escalate"], scenario(text="Another word."))
    assert same(after["Hostile"], scenario("Hostile", "hostile", "\u2028</script>\U0001f9d1\u200d⚕️ ${x} `\"'\\"))
    assert {name: after[name] for name in ("Welcome", "Opening hours")} == {each.name: each for each in before}


def test_nothing_to_import_is_not_sent(emulator: Emulator) -> None:
    with of(emulator) as bot:
        bot.post([])
    assert emulator.health_bot.requests == []


def test_the_backup_is_one_that_is_read(emulator: Emulator) -> None:
    with of(emulator) as bot:
        backup = read_backup(bot.backup())
    assert [each.name for each in backup.scenarios] == ["Welcome", "Opening hours"]
    assert backup.setting("handoff", "omnichannel", "bridge") is True
    assert backup.handlers["talk_to_a_nurse"] == "escalate_nurse"


def test_who_only_reads_sends_no_import(emulator: Emulator) -> None:
    with of(emulator, read_only=True) as bot:
        assert bot.scenarios()
        assert bot.backup()
        with pytest.raises(ReadOnlyViolation):
            bot.post([scenario()])
    assert asked(emulator) == [("GET", 200), ("GET", 200)]


@pytest.mark.parametrize("name", ["x", "contoso-bot-AB12CD3"])
def test_a_tenant_that_is_not_there(name: str, emulator: Emulator) -> None:
    with of(emulator, name) as bot, pytest.raises(DataverseError, match="there is no Health Bot") as failed:
        bot.scenarios()
    assert failure_of(failed.value).exit_code == 6
    assert "copy the portal link anew" in failed.value.hint


@pytest.mark.parametrize("act", ["read", "import"])
def test_a_wrong_secret(act: str, emulator: Emulator) -> None:
    with of(emulator, secret=CANARY) as bot, pytest.raises(DataverseError) as failed:
        bot.scenarios() if act == "read" else bot.post([scenario()])
    assert failure_of(failed.value).exit_code == 6
    assert "D365_HEALTHBOT_SECRET" in failed.value.hint
    assert asked(emulator) == [("GET" if act == "read" else "POST", 401)]
    assert len(emulator.health_bot.bots.exports()) == 2


def test_an_empty_secret() -> None:
    with pytest.raises(UsageError, match="is empty"):
        Management(Portal("https://eastus.healthbot.microsoft.com", "x"), Secret(" "))


def test_a_scenario_over_the_limit_writes_nothing(emulator: Emulator) -> None:
    with of(emulator) as bot, pytest.raises(DataverseError, match="no scenarios as large") as failed:
        bot.post([scenario(), scenario("Large", "large", "x" * 1024 * 1024)])
    assert failure_of(failed.value).exit_code == 1
    assert "nothing was written" in failed.value.hint
    assert len(emulator.health_bot.bots.exports()) == 2


def test_an_import_that_is_refused_says_why(emulator: Emulator) -> None:
    emulator.fail(fault_of("400:path=scenarios:message=The trigger is taken."))
    with (
        of(emulator) as bot,
        pytest.raises(DataverseError, match=r"did not take what was sent.*The trigger is taken") as failed,
    ):
        bot.post([scenario()])
    assert failure_of(failed.value).exit_code == 1


@pytest.mark.parametrize("rule", ["503", "429", "drop-before", "drop-after", "torn:path=backup"])
def test_a_look_is_repeated(rule: str, emulator: Emulator) -> None:
    emulator.fail(fault_of(rule))
    clock = Clock()
    portal = Portal(emulator.url, TENANT)
    with Management(portal, Secret(emulator.health_bot.secret), patient(clock)) as bot:
        assert len(bot.scenarios()) == 2
    assert len(clock.slept) == (0 if "torn" in rule else 1)


@pytest.mark.parametrize("rule", ["503", "drop-after", "500"])
def test_an_import_that_may_have_landed_is_sent_once(rule: str, emulator: Emulator) -> None:
    emulator.fail(fault_of(f"{rule}:method=POST"))
    with of(emulator) as bot, pytest.raises(DataverseError) as failed:
        bot.post([scenario()])
    assert failed.value.may_have_acted
    assert len(emulator.health_bot.requests) == 1
    assert len(emulator.health_bot.bots.exports()) == (3 if rule == "drop-after" else 2)


def test_an_import_that_surely_was_not_taken_is_repeated(emulator: Emulator) -> None:
    emulator.fail(fault_of("429:method=POST:times=2"))
    with of(emulator) as bot:
        bot.post([scenario()])
    assert asked(emulator) == [("POST", 429), ("POST", 429), ("POST", 200)]


def test_the_token_is_made_for_each_try_and_dated_back() -> None:
    moments = iter([1_000_000.9, 2_000_000.0])
    answers = iter([Answer(503), Answer(200, b"[]")])
    with loopback(lambda _: next(answers)) as server:
        portal = Portal(server.url, TENANT)
        with Management(portal, Secret(CANARY), patient(), now=lambda: next(moments)) as bot:
            assert bot.scenarios() == ()
    sent = [each.headers["authorization"].removeprefix("Bearer ") for each in server.asked]
    options: Any = {"verify_iat": False}
    claims = [jwt.decode(each, CANARY, algorithms=["HS256"], options=options) for each in sent]
    assert claims == [{"tenantName": TENANT, "iat": 999_940}, {"tenantName": TENANT, "iat": 1_999_940}]
    assert {json.dumps(jwt.get_unverified_header(each), sort_keys=True) for each in sent} == {
        '{"alg": "HS256", "typ": "JWT"}'
    }
    assert {each.path for each in server.asked} == {f"/api/account/{TENANT}/scenarios"}


def test_a_short_secret_warns_nobody() -> None:
    assert token(TENANT, Secret("short"), 1_000_000).reveal().count(".") == 2


def test_what_is_sent_is_the_array_with_the_four_fields() -> None:
    with (
        loopback(lambda _: Answer(200, b"")) as server,
        Management(Portal(server.url, "a"), Secret(CANARY), patient()) as bot,
    ):
        bot.post([replace(scenario(), id="7", active=True)])
    (sent,) = json.loads(server.asked[0].body)
    assert set(sent) == {"name", "scenario_trigger", "description", "code"}
    assert json.loads(sent["code"]) == dict(scenario().graph.raw)
    assert server.asked[0].headers["content-type"].startswith("application/json")


def echo(asked: Asked) -> Answer:
    return Answer(401, json.dumps({"headers": asked.headers}).encode())


def half(asked: Asked) -> Answer:
    return Answer(200, asked.headers["authorization"].encode(), declared_length=9_999)


DEEP = b'[{"name":"a","scenario_trigger":"a","code":{"version":3,"steps":[' + b"[" * 900 + b"]" * 900 + b"]}}]"
ODD: dict[str, Callable[[Asked], Answer | None]] = {
    "nothing": lambda _: None,
    "echo": echo,
    "half": half,
    "no JSON": lambda asked: Answer(200, b"<html>" + asked.headers["authorization"].encode()),
    "empty": lambda _: Answer(200, b""),
    "not text": lambda _: Answer(200, b"\xff\xfe\x00"),
    "an object": lambda _: Answer(200, b'{"scenarios":[]}'),
    "NaN": lambda _: Answer(200, b"[NaN]"),
    "no scenario": lambda _: Answer(200, b'[{"name":7}]'),
    "deep": lambda _: Answer(200, DEEP),
    "deeper": lambda _: Answer(200, b"[" * 100_000),
    "large": lambda _: Answer(200, b'["' + b"x" * 70_000 + b'"]'),
    "elsewhere": lambda _: Answer(302, b"", {"Location": "https://evil.example/"}),
    "forbidden": lambda _: Answer(403, b"no"),
    "fault": lambda asked: Answer(500, asked.headers["authorization"].encode()),
    "too many": lambda _: Answer(429, b"", {"Retry-After": "9"}),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("act", ["scenarios", "backup", "import"])
def test_no_odd_answer_is_taken_and_no_secret_shown(
    odd: str, act: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    waits: list[str] = []
    clock = Clock()
    policy = Policy(sleep=clock.sleep, clock=clock, max_wait=8, on_wait=lambda _, why: waits.append(why))
    with loopback(ODD[odd]) as server:
        bot = Management(Portal(server.url, TENANT), Secret(CANARY), Manners(policy, max_bytes=60_000))
        acts: dict[str, Callable[[], Any]] = {
            "scenarios": bot.scenarios,
            "backup": bot.backup,
            "import": lambda: bot.post([scenario()]),
        }
        is_fine = _is_success(odd) if act == "import" else (act, odd) == ("backup", "an object")
        error = None
        try:
            acts[act]()
        except DataverseError as found:
            error = found
        bot.close()
        shown = "".join((repr(bot), str(bot.stats), *waits, caplog.text, *capfd.readouterr()))
        shown += everything_about(error) if error else ""
        sent = [each.headers["authorization"].removeprefix("Bearer ") for each in server.asked]
    assert (error is None) == is_fine
    assert sent
    assert CANARY not in shown
    assert "eyJ" not in shown
    assert not any(each in shown for each in sent)
    assert error is None or failure_of(error).exit_code in (1, 6, 8)


def _is_success(odd: str) -> bool:
    """What an import answers is not published: any success will do, as long as it comes whole and is not huge."""
    answer = ODD[odd](Asked("POST", "", {"authorization": ""}, b""))
    return answer is not None and answer.status == 200 and answer.declared_length is None and len(answer.body) <= 60_000


def test_a_backup_over_the_bound_is_not_kept_in_memory() -> None:
    with loopback(lambda _: Answer(200, b"x" * 70_000)) as server:
        bot = Management(Portal(server.url, TENANT), Secret(CANARY), patient(max_bytes=60_000))
        with pytest.raises(DataverseError, match="larger than 60000 bytes"):
            bot.backup()


def test_nobody_listens() -> None:
    with loopback(lambda _: None) as server:
        portal = Portal(server.url, TENANT)
    with Management(portal, Secret(CANARY), patient()) as bot, pytest.raises(DataverseError) as failed:
        bot.post([scenario()])
    assert failure_of(failed.value).exit_code == 6
    assert not failed.value.may_have_acted
    assert not isinstance(failed.value, ConnectionLost)
