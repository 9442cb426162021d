"""Each fault of the emulator at each place of a green-field apply of each shipped playbook, then a plain second apply.

A place is a request (`$batch`es all), an operation inside one, a write, or a change set, depending on what the fault
strikes; the number of combinations is places observed times faults. Whatever the first apply made of the fault, its
outcomes are held against the rows at once, and the second one must end in the rows of an undisturbed run.

Left out, each for a reason:

* two faults in one apply: `test_lost_answers.py` has those that go together, `tests/engine/test_disturbed.py` others
  by chance;
* statuses that only say in other words what one here says (405, 409, 415, 501 and the like: refused for good);
* 400, 401, 413, 502 and 504 of an operation inside a batch: they are about the request around it;
* 404, 412, 403 and 503 of a read inside a batch: 500 and 429 stand for what is final and what is not;
* stale reads that outlast the first apply: no second one can know better than what it reads;
* which of the reads side by side meets a fault that cannot tell them apart (a status, `drop-before`): whichever comes
  first, second, and so on.

Nothing waits: who sleeps moves the clock that all go by. The journal is written without `fsync`, for no power fails.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from d365setup.dataverse.client import Client
from d365setup.dataverse.errors import DataverseError
from d365setup.dataverse.http import ANSWER_SECONDS
from d365setup.emulator import Fault
from d365setup.journal import Runs
from tests.matrix.ground import Applied, Ground, applied, new_client
from tests.matrix.plain import Plainly, check_first, check_second, rule
from tests.test_shipped import SHIPPED

pytestmark = pytest.mark.no_cover  # other tests measure what this repeats; tracing would double the time

BUSY, TIRED, DEADLOCK = "0x80072322", "0x80072326", "0x80044150"
REFUSED = "0x80040220"
SORTS: dict[str, dict[str, Fault]] = {
    "requests": {  # known by when they come
        "400": Fault(where="request", status=400, code="0x80060888"),
        "401": Fault(where="request", status=401, code=""),
        "403": Fault(where="request", status=403, code=REFUSED),
        "404": Fault(where="request", status=404, code=""),
        "413": Fault(where="request", status=413, code=""),
        "429": Fault(where="request", status=429, code=BUSY, retry_after=7),
        "429 without a time": Fault(where="request", status=429, code=TIRED),
        "500": Fault(where="request"),
        "500 deadlock": Fault(where="request", code=DEADLOCK),
        "502": Fault(where="request", status=502, code=""),
        "503": Fault(where="request", status=503, code=""),
        "504": Fault(where="request", status=504, code=""),
        "drop-before": Fault(where="drop-before"),
    },
    "answers": {  # requests that are known by what they asked
        "drop-after": Fault(where="drop-after"),
        "drop-within": Fault(where="drop-within"),
        "torn": Fault(where="torn"),
    },
    "beginnings": {  # the first operation of each request
        "slow": Fault(where="slow", seconds=30),
        "slower than anyone waits": Fault(where="slow", seconds=ANSWER_SECONDS + 1),
    },
    "operations": {
        "429": Fault(status=429, code=BUSY, retry_after=7),
        "500": Fault(),
        "500 deadlock": Fault(code=DEADLOCK),
        "drop-midway": Fault(where="drop-midway"),
    },
    "writes": {
        "403": Fault(status=403, code=REFUSED),
        "404": Fault(status=404, code="0x80040217"),
        "412": Fault(status=412, code="0x80060882"),
        "503": Fault(status=503, code=""),
    },
    "change sets": {
        "stale for 1 read": Fault(where="stale", reads=1),
        "stale for 6 reads": Fault(where="stale", reads=6),
        "stale for 60 reads": Fault(where="stale", reads=60),
    },
}
CASES = [(sort, fault) for sort, faults in SORTS.items() for fault in faults]


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize(("sort", "fault"), CASES, ids=str)
def test_each_fault_at_each_place(
    sort: str, fault: str, name: str, ground: Ground, plainly: Plainly, tmp_path: Path
) -> None:
    plain = plainly(name)
    struck = 0
    with new_client(ground) as client:
        for place in plain.places(sort):
            about = f"{fault} at {place.method} {place.path} after {place.skip}"
            runs = Runs(tmp_path / str(struck))
            ground.put_back()
            ground.emulator.fail(rule(SORTS[sort][fault], place))
            first = attempted(ground, name, runs, client)
            assert ground.emulator.faults.waiting == [], (about, "it has struck")
            struck += 1
            check_first(first, plain, ground, about)
            ground.emulator.gateway.snapshots.release()
            check_second(applied(ground, name, runs, client), plain, ground, about)
    assert struck == len(plain.places(sort)) > 0


def attempted(ground: Ground, name: str, runs: Runs, client: Client) -> Applied | None:
    """None when the look failed; an apply never fails otherwise than in its outcomes."""
    try:
        return applied(ground, name, runs, client)
    except DataverseError:
        return None


def test_how_many(plainly: Plainly) -> None:
    """Places observed times faults; each of the tests above goes through all places of its playbook and sort."""
    total = 0
    for sort, faults in SORTS.items():
        places = sum(len(plainly(name).places(sort)) for name in SHIPPED)
        print(f"{sort}: {places} places x {len(faults)} faults = {places * len(faults)}")  # noqa: T201  # for -rP
        total += places * len(faults)
    print(f"{total} combinations")  # noqa: T201  # as above
    assert total > 1000
