"""Eight processes apply eight playbooks with rules on one work stream at once, and a person edits a rule meanwhile.

All of them share one state directory, in which a run lies whose process died. How their requests overlap is drawn from
a seed, and however it is drawn they get in each other's way: each round counts the writes that came too late.
"""

from __future__ import annotations

import json
import random
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from d365setup.apply.application import MOST_MERGES
from d365setup.dataverse.messages import ChangeSet, Request
from d365setup.emulator import Fault
from d365setup.journal import Recording, Runs
from d365setup.outcome import Status
from tests.cli import process
from tests.engine.driver import applied_after, operations, put_rules
from tests.engine.test_foreign_rules import RULE, THIRTY
from tests.matrix.ground import ARRIVING, Ground, new_client
from tests.matrix.nursery import Ended, Nursery

pytestmark = [
    pytest.mark.no_cover,  # other tests measure what this repeats; tracing would double the time
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL and no fork on Windows"),
]

COUNT = 8
LONGEST = 0.04  # seconds a request is under way before its work
BEFORE, AFTER = '<rhs type="staticvalue">W1</rhs>', '<rhs type="staticvalue">Seven &amp; more</rhs>'
TEXTS = "SELECT msdyn_decisionrulesetid, msdyn_rulesetdefinition FROM msdyn_decisionruleset"
PLAYBOOK = """\
playbook: 1
name: clinic-{n}
queues:
  - name: Clinic {n}
    members: [nurse.one@contoso.example]
workstreams:
  - name: Patient chat
    context_variables:
      - {{name: Clinic{n}, type: text}}
    routing_rules:
      - {{name: "Clinic {n}: urgent", when: {{Clinic{n}: Urgent}}, queue: Clinic {n}}}
      - {{name: "Clinic {n}: any", when: {{variable: Clinic{n}, operator: has a value}}, queue: Clinic {n}}}
"""
OURS = {f"Clinic {n}: {what}" for n in range(COUNT) for what in ("urgent", "any")}


def named(text: str) -> Counter[str]:
    """Our rules in a text, by name."""
    return Counter(name for name in re.findall(r"<rule\b[^>]*?\bname=\"([^\"]*)\"", text) if name in OURS)


def others(text: str) -> str:
    """The text without our rules and the white space before each: found by a regular expression, not by our reader."""
    return RULE.sub(lambda rule: "" if any(f'"{name}"' in rule.group() for name in OURS) else rule.group(), text)


@dataclass
class Way:
    """The way of each request to the emulator: how long it takes is drawn; ``meddle`` may act before the work."""

    seed: int
    meddle: Callable[[], None] = lambda: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)  # noqa: S311  # guards nothing

    def __call__(self, seconds: float) -> None:
        assert seconds == ARRIVING
        with self._lock:
            pause = self._draw.uniform(0, LONGEST)
        time.sleep(pause)
        self.meddle()


@dataclass
class Person:
    """Somebody in the admin centre, who edits a rule as soon as some of ours are there and some are not."""

    ground: Ground
    rule_set: str
    found: int = 0  # our rules that were there by then
    refused: int = 0  # times they were told that the rule set has changed
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> None:
        if not self._turn.acquire(blocking=False):  # it is done, or at it
            return
        there = named(self.ground.emulator.sql(TEXTS)[0][1]).total()
        if not 0 < there < len(OURS):
            self._turn.release()
            return
        with new_client(self.ground) as client:
            while not self.found:
                row = client.get(f"msdyn_decisionrulesets({self.rule_set})").body
                text = row["msdyn_rulesetdefinition"]
                assert text.count(BEFORE) == 1
                body = {"msdyn_rulesetdefinition": text.replace(BEFORE, AFTER)}
                request = Request(
                    "PATCH", f"msdyn_decisionrulesets({self.rule_set})", {"If-Match": row["@odata.etag"]}, body
                )
                (outcome,) = client.send([[ChangeSet((request,))]])
                if outcome.replies[0].error is None:
                    self.found = named(text).total()
                else:
                    self.refused += 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for n in range(COUNT):
        (tmp_path / f"{n}.yaml").write_text(PLAYBOOK.format(n=n), encoding="utf-8")
        (tmp_path / str(n)).mkdir()
    return tmp_path


def call(n: int, ground: Ground, folder: Path) -> list[str]:
    where = ["--url", ground.emulator.url, "--state-dir", str(folder / "state")]
    return ["apply", str(folder / f"{n}.yaml"), *where, "--yes", "--format", "json", "--max-wait", "60"]


def variables(folder: Path) -> dict[str, str]:
    return {"D365_ACCESS_TOKEN": "made-up-token", "D365_GATE_DIR": str(folder / "gate")}


def all_at_once(ground: Ground, folder: Path) -> list[Ended]:
    """Start eight; how each ended."""
    with Nursery() as nursery:
        places = [folder / str(n) for n in range(COUNT)]
        calls = [call(n, ground, folder) for n in range(COUNT)]
        pids = [
            nursery.start(*each, folder=place, variables=variables(folder))
            for each, place in zip(calls, places, strict=True)
        ]
        return [nursery.ended(pid, place) for pid, place in zip(pids, places, strict=True)]


def from_nothing(ground: Ground, folder: Path) -> list[Ended]:
    """The same with processes that import everything themselves."""
    started = [process.start(*call(n, ground, folder), variables=variables(folder)) for n in range(COUNT)]
    ended = [(*each.communicate(timeout=120), each.returncode) for each in started]
    return [Ended(code, out, err) for out, err, code in ended]


def leave_a_dead_run(ground: Ground, folder: Path) -> None:
    """The journal of an apply of another playbook that was killed while its first change set was under way."""
    (folder / "dead.yaml").write_text(PLAYBOOK.format(n=COUNT), encoding="utf-8")
    (folder / "dead").mkdir()
    with Nursery() as nursery:
        args = [str(folder / "dead.yaml") if each.endswith("0.yaml") else each for each in call(0, ground, folder)]
        pid = nursery.start(*args, folder=folder / "dead", variables=variables(folder), dies=(2, 0.5))
        assert nursery.ended(pid, folder / "dead").code == -signal.SIGKILL


def check_chain(ground: Ground) -> str:
    """One of each from the work stream to its rules; the text they end in."""
    sql = ground.emulator.sql
    assert sql("SELECT COUNT(*) FROM msdyn_routingconfiguration WHERE msdyn_isactiveconfiguration = 1") == [(1,)]
    assert sql("SELECT COUNT(*) FROM msdyn_routingconfiguration") == [(1,)]
    assert sql("SELECT COUNT(*), MIN(msdyn_type) FROM msdyn_routingconfigurationstep") == [(1, 192350002)]
    ((rule_set, text),) = sql(TEXTS)
    assert sql("SELECT msdyn_rulesetid FROM msdyn_routingconfigurationstep") == [(rule_set,)]
    return str(text)


def check_ended(ended: list[Ended], folder: Path) -> None:
    """All verified; the dead run settled by one of them and told by that one or more, nothing else told."""
    for n, each in enumerate(ended):
        assert each.code == 0, (n, each)
        assert each.err == ""
        assert {outcome["status"] for outcome in json.loads(each.out)["outcomes"]} == {"verified"}
    found = [each for each in Runs(folder / "state").all() if isinstance(each, Recording)]
    assert len(found) == len(Runs(folder / "state").names()) == COUNT + 1
    dead = [each for each in found if each.settled_by]
    assert [(each.playbook, each.unknown) for each in dead] == [(f"clinic-{COUNT}", ())]
    assert all(each.exit_code == 0 and not each.unknown for each in found if each not in dead)
    notes = [each["id"] for run in ended for each in json.loads(run.out)["warnings"]]
    assert set(notes) == {f"run:{dead[0].run}"}


def check_nothing_left(ground: Ground, folder: Path) -> None:
    """Each once more: nothing to do."""
    ground.on_sleep = ground.clock.sleep
    with Nursery() as nursery:
        for n in range(COUNT):
            pid = nursery.start(*call(n, ground, folder), folder=folder / str(n), variables=variables(folder))
            again = nursery.ended(pid, folder / str(n))
            assert (again.code, json.loads(again.out)["changes"]) == (0, []), again


def late(ground: Ground) -> int:
    """Writes that found something changed since it was read."""
    return sum(status == 412 for each in ground.emulator.requests for *_, status in operations(each))


HOWS = [*((seed, all_at_once) for seed in range(4)), (4, from_nothing)]


@pytest.mark.parametrize(("seed", "how"), HOWS, ids=lambda each: getattr(each, "__name__", str(each)))
def test_where_there_are_no_rules_yet(
    seed: int, how: Callable[[Ground, Path], list[Ended]], ground: Ground, folder: Path
) -> None:
    ground.put_back()
    leave_a_dead_run(ground, folder)
    ground.emulator.reset_log()
    ground.on_sleep = Way(seed)
    ended = how(ground, folder)
    check_ended(ended, folder)
    text = check_chain(ground)
    assert named(text) == Counter(OURS)
    print(f"seed {seed}: {len(OURS)} rules, {late(ground)} writes came too late")  # noqa: T201  # for -rP
    assert late(ground) > 0 or how is from_nothing
    check_nothing_left(ground, folder)


@pytest.mark.parametrize(("seed", "how"), HOWS, ids=lambda each: getattr(each, "__name__", str(each)))
def test_where_others_have_rules_and_a_person_edits_one(
    seed: int, how: Callable[[Ground, Path], list[Ended]], ground: Ground, folder: Path
) -> None:
    ground.put_back()
    leave_a_dead_run(ground, folder)
    rule_set = put_rules(ground.emulator, THIRTY)
    ground.emulator.reset_log()
    person = Person(ground, rule_set)
    ground.on_sleep = Way(seed, person)
    ended = how(ground, folder)
    check_ended(ended, folder)
    text = check_chain(ground)
    assert named(text) == Counter(OURS)
    assert others(text) == THIRTY.replace(BEFORE, AFTER)
    assert 0 < person.found < len(OURS)
    print(  # noqa: T201  # for -rP
        f"seed {seed}: {len(OURS)} rules, {late(ground)} writes came too late, {person.refused} of them the person's, "
        f"who came when {person.found} rules were there"
    )
    assert late(ground) > 0 or how is from_nothing
    check_nothing_left(ground, folder)


def test_rules_that_never_keep_still(ground: Ground, folder: Path) -> None:
    """Ten more tries after the first one, then it is refused; the others' rules are as before. Later it works."""
    ground.put_back()
    put_rules(ground.emulator, THIRTY)
    ground.on_sleep = ground.clock.sleep
    with Nursery() as nursery:

        def apply(*more: str) -> Ended:
            args = [*call(0, ground, folder), *more]
            pid = nursery.start(*args, folder=folder / "0", variables=variables(folder))
            return nursery.ended(pid, folder / "0")

        busy = Fault("PATCH", "msdyn_decisionrulesets", status=412, code="0x80060882", times=0)
        ground.emulator.fail(busy)
        first = apply()
        assert first.code == 7  # the queue and the variable are there
        assert late(ground) == MOST_MERGES + 1
        ground.emulator.reset_log()
        second = apply()
        assert (second.code, late(ground)) == (5, MOST_MERGES + 1)
        outcomes = json.loads(second.out)["outcomes"]
        assert [each["status"] for each in outcomes] == ["failed"] * 2
        assert all(f"{MOST_MERGES + 1} tries came too late" in each["detail"] for each in outcomes)
        assert check_chain(ground) == THIRTY
        ground.emulator.faults.clear()
        assert apply().code == 0
        assert others(check_chain(ground)) == THIRTY


@pytest.mark.parametrize("kind", ["queue", "context_variable"])
def test_two_that_make_a_thing_of_one_name_at_once(kind: str, ground: Ground) -> None:
    """Ids differ by playbook, so nothing keeps the second from being made; but nobody is told that all is well."""
    sql, add = ground.emulator.sql, ground.emulator.add
    ground.put_back()
    (stream,) = sql("SELECT msdyn_liveworkstreamid FROM msdyn_liveworkstream")[0]
    variable = {"msdyn_name": "Clinic0", "msdyn_datatype": 192350000, "msdyn_liveworkstreamid": stream}
    acts: dict[str, Callable[[], object]] = {
        "queue": lambda: add("queue", name="Clinic 0", msdyn_isomnichannelqueue=True, msdyn_queuetype=192350000),
        "context_variable": lambda: add("msdyn_ocliveworkstreamcontextvariable", **variable),
    }
    statuses = applied_after(ground.emulator, PLAYBOOK.format(n=0), acts[kind])
    told = {key for key, status in statuses.items() if status is not Status.VERIFIED}
    assert {key.partition(":")[0] for key in told} >= {kind}
    assert statuses[next(key for key in told if key.startswith(kind))] is Status.NOT_VERIFIED
