"""A fleet of two hundred, ten of them broken: the run ends, the others are verified, the report says who needs what.

Two each of five ways to be broken, and no two alike:

* out of reach: nobody listens there; somebody does, and never answers;
* throttled for ever: told to stay away for an hour; for a second, each time;
* the wrong secret: one that is not the application's; one that has expired. MSAL signs in over TLS;
* drifted: applied and verified like any other, and changed by hand afterwards, so only `fleet verify` can tell;
* stale: rows that are always newer than what was just read, so that no write may go (412); reads that never show what
  was written, so that nothing can be called verified.

`fleet apply` goes to all of them, `fleet verify` to forty: a process each is what this test takes its time for.
"""

from __future__ import annotations

import html
import json
import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import peak
from d365setup.emulator import Fault, Options, Organizations, entra
from tests.cli.conftest import Ended
from tests.cli.process import start

COUNT, LOOKED_AT = 200, 40
TIMEOUT = "60s"  # for one environment: what the one that never answers is given
DEADLINE = 1200  # seconds for a test that hangs; nothing is asserted of time
MORE_MEMORY = 1.25  # of 200 against 40: a result of 20 things is some 10 kB, in reports too
PARTLY = 7
TROUBLED = (
    "nobody-listens", "never-answers", "stay-away", "come-back", "other-secret", "old-secret", "lost-queue",
    "other-words", "always-newer", "never-shown",
)  # fmt: skip
HEALTHY = tuple(f"good-{number:03}" for number in range(COUNT - len(TROUBLED)))
NAMES = (*TROUBLED, *HEALTHY)  # the broken ones first: whoever waited for them would be held up longest
DRIFTED = ("lost-queue", "other-words")
UNSEEN = ("never-answers", "always-newer", "never-shown")  # what verify need not meet again
NEVER_WRITTEN = {*TROUBLED[:6], "always-newer"}
SECRETS = {"OTHER_SECRET": "canary-other-secret", "OLD_SECRET": "canary-old-secret", "NORTH_TOKEN": "canary-token"}
FORMS = ("a.txt", "a.json", "a.md", "a.html", "a.xml", "a.sarif")
REPORTS = tuple(part for name in FORMS for part in ("--report", name))
TOO_MUCH = Fault(
    where="request", status=429, code="0x80072322", message="Number of requests exceeded the limit.", times=0
)
NEWER = Fault(
    method="PATCH",
    status=412,
    code="0x80060882",
    message="The version of the existing record doesn't match the RowVersion property provided.",
    times=0,
)


@dataclass(frozen=True)
class Expected:
    """What an environment's line must say, in one run."""

    state: str
    code: int
    message: str
    cure: str


APPLIED = {
    "nobody-listens": Expected("failed", 6, "no connection to", "check the address, the network"),
    "never-answers": Expected("timed out", 1, "longer than --timeout", "see whether the service is slow"),
    "stay-away": Expected("failed", 8, "Number of requests exceeded", "wait, then run again"),
    "come-back": Expected("failed", 8, "Number of requests exceeded", "wait, then run again"),
    "other-secret": Expected("failed", 6, "AADSTS7000215", "not its id"),
    "old-secret": Expected("failed", 6, "AADSTS7000222", "make a new one"),
    "always-newer": Expected("failed", 5, "doesn't match the RowVersion", "somebody changed it since"),
    "never-shown": Expected("failed", 7, "written, but read back as", "wait a few minutes, then verify"),
}
VERIFIED = {
    **{name: APPLIED[name] for name in ("nobody-listens", "come-back", "other-secret", "old-secret")},
    "stay-away": Expected("failed", 8, "asked another process of the same user to wait", "wait, then run again"),
    "lost-queue": Expected("drift", 3, "queue:Health bot", "see what differs with plan, then apply"),
    "other-words": Expected("drift", 3, "1 thing differs: queue:Health bot", "see what differs with plan, then apply"),
}


class Place:
    """Two hundred emulators in this process, as `emulator serve --orgs` has them, and a port where nobody answers."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        found = Organizations(None, Options(), COUNT)
        stack.callback(found.close)
        self.of = dict(zip(NAMES, found.emulators, strict=True))
        for name in ("other-secret", "old-secret"):
            office = entra.attach(self.of[name], folder / "entra", entra.clinic())
            office.directory.change(entra.PIPELINE, secrets=(entra.Secret(SECRETS["OLD_SECRET"], expires=1.0),))
            self.ca_bundle = office.ca_bundle
        found.start()
        self.urls = {name: each.url for name, each in self.of.items()}
        self.of["nobody-listens"].stop()
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))  # takes connections, reads nothing
        self.urls["never-answers"] = f"http://127.0.0.1:{silent.getsockname()[1]}"

    def break_for_good(self) -> None:
        """What apply is to meet."""
        self.of["stay-away"].fail(replace(TOO_MUCH, retry_after=3600))
        self.of["come-back"].fail(replace(TOO_MUCH, retry_after=1))
        self.of["always-newer"].fail(NEWER)
        self.of["never-shown"].fail(Fault(where="stale", times=0))

    def drift(self) -> None:
        """What somebody changes by hand when all is done."""
        lost, other = (self.of[name] for name in DRIFTED)
        ((queue,),) = lost.sql("SELECT queueid FROM queue WHERE name = 'Health bot'")
        lost.change("queue", queue, name="Moved away")
        ((queue,),) = other.sql("SELECT queueid FROM queue WHERE name = 'Health bot'")
        other.change("queue", queue, description="Other words.")

    def writes(self) -> Counter[str]:
        """How many writes each answered since the last time."""
        found = Counter[str]()
        for name, each in self.of.items():
            done = [how for request in each.requests for how, _, status in request.operations if status < 300]
            found[name] = sum(how != "GET" for how in done)
            each.reset_log()
        return found


@contextmanager
def resting(place: Place) -> Iterator[None]:
    """Close files that nobody reads, as `emulator serve` does: two hundred keep some two thousand open."""
    over = threading.Event()

    def rest() -> None:
        while not over.wait(2):
            for each in place.of.values():
                each.rest()

    with ThreadPoolExecutor(1) as pool:
        resting = pool.submit(rest)
        try:
            yield
        finally:
            over.set()
        resting.result()


def listed(place: Place) -> None:
    """The fleet file, and the two hundred in a CSV."""
    own = {
        "other-secret": (entra.PIPELINE, "OTHER_SECRET", ""),
        "old-secret": (entra.PIPELINE, "OLD_SECRET", ""),
    }
    columns = "name,url,organization,labels,sign_in.client_id,sign_in.secret,sign_in.token"
    lines = [columns]
    for number, name in enumerate(NAMES):
        ((organization,),) = place.of[name].sql("SELECT organizationid FROM organization")
        label = "looked-at" if number < LOOKED_AT + len(UNSEEN) and name not in UNSEEN else ""
        lines.append(",".join((name, place.urls[name], organization, label, *own.get(name, ("", "", "NORTH_TOKEN")))))
    Path("two-hundred.csv").write_text("\r\n".join(lines), encoding="utf-8-sig")
    text = "fleet: 1\nplaybook: bot.yaml\nenvironments_from: two-hundred.csv\n"
    Path("fleet.yaml").write_text(text, encoding="utf-8")


def called(place: Place, *args: str) -> tuple[Ended, int]:
    """`d365setup fleet`, as a process of its own; and the most memory it held, in kilobytes (0: not known here)."""
    call = ("fleet", *args, "fleet.yaml", "--ca-bundle", str(place.ca_bundle), "--max-wait", "1", "--workers", "4")
    call = (*call, "--timeout", TIMEOUT, "--format", "json", *REPORTS)
    with start("-c", peak.PROGRAM, *call, variables={**os.environ, **SECRETS}) as process:
        out, err = process.communicate(timeout=DEADLINE)
    return Ended(process.returncode, out, err), peak.held(Path())


def check(ended: Ended, expected: Mapping[str, Expected], rest: str) -> None:
    """Every broken one says what is wrong and what to do, in every form; all others ended as ``rest``."""
    found = {each["name"]: each for each in ended.json["environments"]}
    assert {name for name, each in found.items() if each["state"] != rest} == set(expected)
    for name, must in expected.items():
        each = found[name]
        assert (name, each["state"], each["exit_code"]) == (name, must.state, must.code)
        assert must.message in each["message"], each
        assert must.cure in each["cure"], each
    for form in FORMS:
        shown = html.unescape(Path(form).read_text(encoding="utf-8"))
        for name, must in expected.items():
            assert name in shown, form
            assert must.cure in shown, (form, must)


def recorded() -> list[str]:
    """The environments in the order in which they ended, by the journal of the one run."""
    (path,) = Path(".d365setup/fleet/runs").glob("*.jsonl")
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line)
    return [each["result"]["environment"] for each in lines if "result" in each]


def check_no_secret(*ended: Ended) -> None:
    """None in what was printed, none in any file of the folder: reports, journals, locks."""
    printed = "".join(each.out + each.err for each in ended)
    files = [path for path in Path().rglob("*") if path.is_file()]
    assert len(files) > COUNT
    for secret in SECRETS.values():
        assert secret not in printed
        assert [path for path in files if secret.encode() in path.read_bytes()] == []


def test_two_hundred_with_ten_of_them_broken(tmp_path: Path) -> None:
    with ExitStack() as stack:
        place = Place(tmp_path, stack)
        stack.enter_context(resting(place))
        listed(place)
        place.break_for_good()

        applied, most = called(place, "apply", "--yes")
        check(applied, APPLIED, "verified")
        assert applied.code == PARTLY
        order = recorded()
        assert sorted(order) == sorted(NAMES), "each is there once"
        assert order.index("never-answers") > len(TROUBLED), "others went by the one that never answers"
        wrote = place.writes()
        assert {name for name, count in wrote.items() if not count} == NEVER_WRITTEN

        place.drift()
        verified, some = called(place, "verify", "--only", "label=looked-at")
        check(verified, VERIFIED, "in line")
        assert verified.code == 1, "the broken ones broke in different ways"
        assert len(verified.json["environments"]) == LOOKED_AT
        row = next(each for each in verified.json["matrix"] if each["resource"] == "queue:Health bot")
        cells = dict(zip((each["name"] for each in verified.json["environments"]), row["cells"], strict=True))
        assert [cells[name] for name in DRIFTED] == ["missing", "changed"]
        assert not any(place.writes().values()), "verify only reads"

        assert most < MORE_MEMORY * some, f"{COUNT}: {most} kB, {LOOKED_AT}: {some} kB"
        check_no_secret(applied, verified)
