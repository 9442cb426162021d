"""What a run on a cluster is made of, without one: luggage, journals on their way back, versions, the loop."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from d365setup import __version__
from d365setup.errors import UsageError
from d365setup.fleet import cluster as loop
from d365setup.fleet.carrying import brought, kept, marked
from d365setup.fleet.cluster import Cluster, Watched
from d365setup.fleet.entries import Environment
from d365setup.fleet.errand import Carried, errand
from d365setup.fleet.joining import checked
from d365setup.fleet.link import Ended, Later, Lost
from d365setup.fleet.luggage import packed, unpacked
from d365setup.fleet.order import Order
from d365setup.fleet.results import Result
from d365setup.fleet.versions import HERE, NONE, SCHEDULER, mismatch

NORTH = Environment(name="north", url="https://north.crm.dynamics.com", playbook="books/bot.yaml")
TEXTS = {"books/bot.yaml": (("books/bot.yaml", "extends: common/base.yaml\n"), ("books/common/base.yaml", "name: ä\n"))}
JOURNAL = "20261122T101500123Z-0a1b2c.jsonl"


def test_luggage_comes_out_as_it_went_in_and_messages_name_the_files_as_they_were(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(b"-----BEGIN CERTIFICATE-----")
    order = Order("apply", ("--yes",), (f"--ca-bundle={bundle}", "--max-wait=3"))
    luggage = pickle.loads(pickle.dumps(packed(order, TEXTS, "r")))  # noqa: S301  # our own
    here = unpacked(luggage, tmp_path / "there")
    environment, moved = here.environment(NORTH), here.order(tmp_path / "state")
    playbook = Path(environment.playbook or "")
    assert playbook.read_text(encoding="utf-8") == "extends: common/base.yaml\n"
    assert (playbook.parent / "common" / "base.yaml").read_text(encoding="utf-8") == "name: ä\n"
    option, rest = moved.reach
    assert (Path(option.removeprefix("--ca-bundle=")).read_bytes(), rest) == (bundle.read_bytes(), "--max-wait=3")
    assert (moved.options, moved.state_dir) == (("--yes",), str(tmp_path / "state"))
    told = Result("north", NORTH.url, "failed", 2, f"{playbook}:1:1: no", f"see {playbook.parent}/common/base.yaml")
    named = here.told(told)
    assert (named.message, named.cure) == ("books/bot.yaml:1:1: no", "see books/common/base.yaml")


@pytest.mark.parametrize("text", ["-----BEGIN RSA PRIVATE KEY-----", "abc8Q~" + "x" * 34, "Password=0123456789"])
def test_what_looks_like_a_secret_does_not_travel(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="looks like a secret") as caught:
        packed(Order("audit", (f"--waivers={file}",)), {}, "r")
    assert text not in str(caught.value)
    with pytest.raises(UsageError, match=r"books/bot\.yaml .*looks like a secret"):
        packed(Order("plan"), {"books/bot.yaml": (("books/bot.yaml", text),)}, "r")


def test_a_file_that_is_not_there_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        packed(Order("audit", ("--waivers=none.yaml",)), {}, "r")


def test_the_journals_of_a_run_come_back_also_those_of_a_try_that_died(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    (there / "runs").mkdir(parents=True)
    earlier = there / "runs" / JOURNAL.replace("2026", "2025")
    earlier.write_bytes(b"earlier")
    marked(there, "run")
    mark = (there / "last-run").stat().st_mtime_ns
    os.utime(earlier, ns=(mark - 1, mark - 1))
    (there / "runs" / JOURNAL).write_bytes(b"written by a try that died\0\0")
    marked(there, "run")  # the second try
    found = brought(there)
    assert found == ((JOURNAL, b"written by a try that died"),)
    kept(here, (*found, ("../../escaped.jsonl", b"no"), ("x.jsonl", b"no")))
    assert [path.name for path in tmp_path.rglob("*.jsonl") if here in path.parents] == [JOURNAL]
    kept(here, ((JOURNAL, b"another"),))
    assert (here / "runs" / JOURNAL).read_bytes() == b"written by a try that died"
    marked(there, "next")
    assert brought(there) in ((), found)  # the same moment, on a coarse clock


SAME = {"d365setup": "1.0", "distributed": "2026.8.0", "Python": "3.11"}


@pytest.mark.parametrize(
    ("others", "parts"),
    [
        ({}, ()),
        ({SCHEDULER: {**SAME, "d365setup": ""}}, ()),  # it does not say
        (
            {SCHEDULER: {**SAME, "distributed": "2025.1.0"}},
            ("distributed is 2026.8.0 here", "2025.1.0 on the scheduler"),
        ),
        ({"worker a": {**SAME, "Python": "3.13"}}, ("Python is 3.11 here, and 3.13 on worker a",)),
        ({"worker a": {**SAME, "d365setup": NONE}}, ("not installed on worker a", "'distributed==2026.8.0'")),
        ({f"worker {n}": {**SAME, "d365setup": "0.9"} for n in range(9)}, ("worker 2 and 6 more",)),
    ],
)
def test_versions_that_do_not_match(others: dict[str, dict[str, str]], parts: Sequence[str]) -> None:
    told = mismatch({HERE: SAME, SCHEDULER: SAME, **others})
    assert bool(told) == bool(parts)
    assert all(part in told for part in parts)


def test_a_worker_that_joins_later_with_another_version_says_so() -> None:
    luggage = replace(packed(Order("apply"), TEXTS, "r"), version="0.0.1")
    found = errand(NORTH, luggage).result
    assert (found.state, found.exit_code) == ("failed", 2)
    assert f"its worker has d365setup {__version__}, and this run is of 0.0.1" in found.message


@pytest.mark.parametrize("address", ["tcp://h:8786", "tls://10.0.0.1:1", "tcp://[::1]:8786"])
def test_an_address(address: str) -> None:
    assert checked(address) == address


@pytest.mark.parametrize(
    "address", ["", "h:8786", "tcp://h", "tcp://h:0", "tcp://h:99999", "http://h:1", "tcp://a b:1"]
)
def test_no_address(address: str) -> None:
    with pytest.raises(UsageError, match="write it like"):
        checked(address)


class Workers:
    """In the place of a link: tasks end at once, in the order they came, each as the script says."""

    address = "tcp://h:1"

    def __init__(self, script: Callable[[str, int], Any], count: int = 1) -> None:
        self.script, self.count, self.tries = script, count, dict[str, int]()
        self.under_way = self.most = 0
        self.events: list[str] = []

    def workers(self) -> int:
        return self.count

    def pack(self, luggage: Any) -> Any:
        return luggage

    def begin(self, environments: Sequence[Environment], _luggage: Any, _run: str, ended: Ended) -> dict[str, Any]:
        self.under_way += len(environments)
        self.most = max(self.most, self.under_way)
        for each in environments if self.count else ():
            ended.put((each.name, each))
        return {each.name: each for each in environments}

    def result(self, name: str, future: Any, ended: Ended) -> Carried | BaseException:
        self.tries[name] = self.tries.get(name, 0) + 1
        found = self.script(name, self.tries[name])
        if found is Later:
            ended.put((name, future))
            raise Later
        if found is Lost:
            raise Lost("the scheduler was lost")
        self.under_way -= 1
        return found if isinstance(found, BaseException) else Carried(Result(name, future.url, found))

    def on_begun(self, _run: str, told: Callable[[str], None]) -> None:
        self.told = told

    def set(self, event: str) -> None:
        self.events.append(event)


def ran(link: Any, count: int, held: Callable[[], str] = str, **more: Any) -> list[Result]:
    watched = Watched(lambda: False, held, lambda _: None, lambda _: None)
    place = Cluster(link, packed(Order("plan"), {}, "r"), watched, more.pop("patience", 60.0), **more)
    return list(place.run([Environment(name=f"e{n}", url=NORTH.url) for n in range(count)]))


@given(count=st.integers(0, 12), workers=st.none() | st.integers(1, 5), late=st.sets(st.integers(0, 11)))
def test_each_has_one_result_and_no_more_than_allowed_are_under_way(
    count: int, workers: int | None, late: set[int]
) -> None:
    link = Workers(lambda name, tries: Later if tries == 1 and int(name[1:]) in late else "verified")
    found = ran(link, count, workers=workers)
    assert sorted(each.environment for each in found) == sorted(f"e{n}" for n in range(count))
    assert link.most <= (workers or count)
    assert {each.state for each in found} <= {"verified"}


@given(count=st.integers(1, 8), fatal=st.integers(0, 7))
def test_when_the_scheduler_is_lost_everybody_left_is_told(count: int, fatal: int) -> None:
    found = ran(Workers(lambda name, _: Lost if name == f"e{fatal}" else "verified"), count)
    assert len(found) == len({each.environment for each in found}) == count
    lost = [each for each in found if each.state == "failed"]
    assert len(lost) == max(0, count - fatal)
    assert all(each.exit_code == 6 and "--resume" in each.cure for each in lost)


def test_held_nothing_more_begins_and_workers_are_told_once() -> None:
    held: list[str] = []
    link = Workers(lambda *_: held.append("too many broke") or "failed")
    found = ran(link, 5, lambda: held[0] if held else "", workers=1)
    assert [each.state for each in found] == ["failed", *["not started"] * 4]
    assert found[-1].message == "too many broke"
    assert link.events == ["d365setup-r-hold"]
    told: list[str] = []
    begun = Workers(lambda name, _: told.append("too many broke") or ("failed" if name == "e0" else "not started"))
    assert {each.message for each in ran(begun, 5, lambda: "".join(told[:1]))} == {"", "too many broke"}


def test_what_killed_workers_is_told_with_a_cure() -> None:
    killed = type("KilledWorker", (Exception,), {})("e0")
    found = ran(Workers(lambda *_: killed), 1)
    assert "memory" in found[0].cure


def test_no_worker_for_too_long_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_SELDOM", 0.0)
    monkeypatch.setattr(loop, "_OFTEN", 0.01)
    found = ran(Workers(lambda *_: "verified", count=0), 2, patience=0.0)
    assert [each.exit_code for each in found] == [6, 6]
    assert "no worker" in found[0].message


def test_the_manifest_in_the_docs_is_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in text.split("```yaml\n")[1:]]
    manifest = next(block for block in blocks if "kind: NetworkPolicy" in block)
    found = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(manifest)}
    kinds = {kind for kind, _ in found}
    assert {"Deployment", "Service", "NetworkPolicy", "Job"} <= kinds
    images = {
        container["image"]
        for each in found.values()
        if each["kind"] in ("Deployment", "Job")
        for container in each["spec"]["template"]["spec"]["containers"]
    }
    assert len(images) == 1, "the scheduler, the workers and the command run from one image"
