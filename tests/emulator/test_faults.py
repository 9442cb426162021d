"""Faults on request: by rule, as text, by chance, and over the control endpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from d365setup.emulator import Emulator, Fault, Options, fault_of
from d365setup.emulator import fixtures as names
from d365setup.emulator.faults import KINDS

from .conftest import Api, Make, code
from .test_batches import batch, changeset, http

QUEUE = f"queues({names.NURSES})"
LOST = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)


def outcomes(ask: Callable[[], requests.Response], times: int) -> list[int]:
    """Statuses, 0 for a connection that was cut."""
    found = []
    for _ in range(times):
        try:
            found.append(ask().status_code)
        except LOST:
            found.append(0)
    return found


def desks(api: Api) -> int:
    return int(api.emulator.sql("SELECT count(*) FROM queue WHERE name LIKE 'Desk%'")[0][0])


# rules as text

RULES: list[tuple[str, dict[str, Any]]] = [
    ("429", {"where": "request", "status": 429, "code": "0x80072322", "retry_after": 1, "times": 1}),
    ("429:path=queues:times=3", {"path": "queues", "times": 3, "status": 429}),
    ("429:retry-after=7:code=0x80072326", {"retry_after": 7, "code": "0x80072326"}),
    ("503:where=operation", {"status": 503, "where": "operation"}),
    ("503:times=always", {"status": 503, "times": 0}),
    ("deadlock:method=PATCH|POST:skip=2", {"status": 500, "code": "0x80044150", "method": "PATCH|POST", "skip": 2}),
    ("403:code=0x80040220:message=a:b", {"status": 403, "code": "0x80040220", "message": "a:b"}),
    ("slow:time=500ms", {"where": "slow", "seconds": 0.5}),
    ("slow:time=2", {"where": "slow", "seconds": 2.0}),
    ("stale:reads=3", {"where": "stale", "reads": 3}),
    ("stale:time=1.5s:path=queues", {"where": "stale", "seconds": 1.5, "path": "queues"}),
    *[(f"{kind}:path=x", {"where": kind, "path": "x"}) for kind in KINDS if kind.startswith(("drop", "torn"))],
]


@pytest.mark.parametrize(("text", "fields"), RULES)
def test_rules_as_text(text: str, fields: dict[str, Any]) -> None:
    fault = fault_of(text)
    assert {name: getattr(fault, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a rule begins with 429"),
        ("200", "another status from 400 to 599"),
        ("drop", "drop-before"),
        ("429:often=3", "'often' is no setting"),
        ("429:times=many", "'many' is no number"),
        ("429:times=-1", "'-1' is no number"),
        ("429:path=(", "is no regular expression"),
        ("503:where=drop-after", "neither operation nor request"),
        ("slow", "how slow"),
        ("slow:time=soon", "is no time"),
        ("stale", "for how long"),
    ],
)
def test_rules_that_are_none(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        fault_of(text)


# what each does


def test_always(api: Api) -> None:
    api.emulator.fail(fault_of("503:times=always:path=queues"))
    assert outcomes(lambda: api.get(QUEUE), 6) == [503] * 6
    assert api.get("WhoAmI").status_code == 200


def test_rules_from_the_start(make: Make) -> None:
    api = make(faults=(fault_of("429:times=2"),))
    assert outcomes(lambda: api.get("WhoAmI"), 3) == [429, 429, 200]


def test_a_deadlock_undoes_its_change_set(api: Api) -> None:
    api.emulator.fail(fault_of("deadlock:path=queues:skip=1"))
    members = [http("POST", "queues", {"name": f"Desk {n}"}, str(n)) for n in range(3)]
    reply = api.batch(batch([changeset(members)]))
    assert reply.status_code == 500
    assert "0x80044150" in reply.text
    assert "Sql Number: 1205" in reply.text
    assert desks(api) == 0


def test_slowness_is_slept_by_operation(make: Make) -> None:
    slept: list[float] = []
    api = make(sleep=slept.append)
    api.emulator.fail(fault_of("slow:time=500ms:path=queues:times=always"))
    members = [http("PATCH", QUEUE, {"description": str(n)}, str(n)) for n in range(2)]
    api.batch(batch([http("GET", QUEUE), changeset(members), http("GET", "WhoAmI")]))
    assert slept == [0.5] * 3


def test_cut_in_the_middle_of_a_batch_keeps_what_was_done_before(api: Api) -> None:
    api.emulator.fail(Fault(where="drop-midway", path="nurses-never|systemusers"))
    parts = [
        http("POST", "queues", {"name": "Desk 1"}),
        http("GET", "systemusers?$top=1"),
        http("POST", "queues", {"name": "Desk 2"}),
    ]
    with pytest.raises(LOST):
        api.batch(batch(parts))
    assert desks(api) == 1
    assert api.emulator.requests[-1].status == 0


def test_cut_within_a_change_set_leaves_nothing_of_it(api: Api) -> None:
    api.emulator.fail(Fault(where="drop-midway", path="queues", skip=1))
    members = [http("POST", "queues", {"name": f"Desk {n}"}, str(n)) for n in range(3)]
    with pytest.raises(LOST):
        api.batch(batch([changeset(members)]))
    assert desks(api) == 0
    assert api.batch(batch([changeset(members)])).status_code == 200


@pytest.mark.parametrize("batched", [True, False])
def test_cut_in_the_middle_of_the_answer(api: Api, batched: bool) -> None:
    api.emulator.fail(Fault(where="drop-within"))
    body = {"name": "Desk"}
    text = batch([changeset([http("POST", "queues", body, "1")])])
    shown = {"Prefer": "return=representation"}
    with pytest.raises(LOST):
        api.batch(text) if batched else api.post("queues", body, headers=shown)
    assert desks(api) == 1, "the work was done"


def test_cut_in_the_middle_of_an_answer_without_a_body(api: Api) -> None:
    api.emulator.fail(Fault(where="drop-within"))
    with pytest.raises(LOST):
        api.post("queues", {"name": "Desk"})
    assert desks(api) == 1


def test_what_happens_after_the_work_finds_the_parts_of_a_batch(api: Api) -> None:
    api.emulator.fail(fault_of("drop-after:path=businessunits"))
    assert api.batch(batch([http("GET", QUEUE)])).status_code == 200
    with pytest.raises(LOST):
        api.batch(batch([http("GET", QUEUE), http("GET", "businessunits?$top=1")]))


def test_a_torn_answer_is_whole_for_http_only(api: Api) -> None:
    api.emulator.fail(Fault(where="torn"))
    reply = api.get(QUEUE)
    assert reply.status_code == 200
    assert len(reply.content) == int(reply.headers["Content-Length"])
    with pytest.raises(requests.exceptions.JSONDecodeError):
        reply.json()
    assert api.get(QUEUE).json()["name"] == "Nurses"


def test_a_torn_batch_answer_has_no_end(api: Api) -> None:
    api.emulator.fail(Fault(where="torn", path="batch"))
    reply = api.batch(batch([changeset([http("POST", "queues", {"name": "Desk"}, "1")]), http("GET", QUEUE)]))
    boundary = reply.headers["Content-Type"].partition("boundary=")[2]
    assert f"--{boundary}--" not in reply.text
    assert desks(api) == 1


def test_stale_reads_by_number(api: Api) -> None:
    api.emulator.fail(fault_of("stale:reads=2"))
    assert api.patch(QUEUE, {"description": "new"}).status_code == 204
    seen = [api.get(QUEUE).json()["description"] for _ in range(4)]
    assert seen == ["Nurses on duty.", "Nurses on duty.", "new", "new"]


def test_stale_reads_by_time() -> None:
    now = [100.0]
    emulator = Emulator(None, Options(faults=(fault_of("stale:time=500ms"),)), clock=lambda: now[0])
    with emulator.serve():
        api = Api(emulator)
        row_id = api.create("queues", {"name": "Desk"})
        assert code(api.get(f"queues({row_id})")) == (404, "0x80040217")
        now[0] += 0.4
        assert api.get(f"queues({row_id})").status_code == 404
        now[0] += 0.1
        assert api.get(f"queues({row_id})").status_code == 200
        api.session.close()
    emulator.close()


def test_stale_reads_inside_the_batch_that_wrote(api: Api) -> None:
    api.emulator.fail(fault_of("stale:reads=1:path=queues"))
    parts = [changeset([http("PATCH", QUEUE, {"description": "new"}, "1")]), http("GET", QUEUE), http("GET", QUEUE)]
    text = api.batch(batch(parts)).text
    assert text.index('"description":"Nurses on duty."') < text.index('"description":"new"')


def test_writes_are_never_stale(api: Api) -> None:
    """An ETag read from the past is refused."""
    api.emulator.fail(fault_of("stale:reads=1"))
    api.patch(QUEUE, {"description": "one"})
    old = api.get(QUEUE).headers["ETag"]
    assert code(api.patch(QUEUE, {"description": "two"}, headers={"If-Match": old})) == (412, "0x80060882")


def test_a_reset_ends_the_past(api: Api) -> None:
    api.emulator.fail(fault_of("stale:reads=99"))
    api.patch(QUEUE, {"description": "new"})
    assert api.get(QUEUE).json()["description"] == "Nurses on duty."
    api.emulator.reset("empty")
    assert api.get(QUEUE).status_code == 404


# by chance


def chances(seed: int, rate: float = 0.3, times: int = 60) -> list[int]:
    emulator = Emulator(None, Options(fault_rate=rate, fault_seed=seed))
    with emulator.serve():
        api = Api(emulator)
        found = outcomes(lambda: api.get("WhoAmI"), times)
        api.session.close()
    emulator.close()
    return found


def test_the_same_seed_fails_the_same() -> None:
    first = chances(7)
    assert first == chances(7)
    assert first != chances(8)
    assert {0, 200} < set(first) <= {0, 200, 429, 500, 503}


def test_the_rate_is_kept() -> None:
    assert set(chances(1, rate=0.0, times=20)) == {200}
    assert 200 not in chances(1, rate=1.0, times=20)
    with pytest.raises(ValueError, match="from 0 to 1"):
        Emulator(None, Options(fault_rate=1.5))


# over the control endpoint


def control(api: Api, method: str, what: str, body: Any = None, **options: Any) -> requests.Response:
    given = {} if body is None else {"json": body}
    return requests.request(method, f"{api.emulator.url}/_emulator/{what}", timeout=10, **given, **options)


def test_rules_come_and_go(api: Api) -> None:
    """Nobody has to be signed in, and it is not in the log."""
    reply = control(api, "POST", "faults", {"rule": "429:path=queues:times=3"})
    assert reply.status_code == 200
    assert [(each["status"], each["times"]) for each in reply.json()["faults"]] == [(429, 3)]
    assert api.get(QUEUE).status_code == 429
    assert [each["times"] for each in control(api, "GET", "faults").json()["faults"]] == [2]
    assert control(api, "DELETE", "faults").json() == {"faults": []}
    assert api.get(QUEUE).status_code == 200
    assert [each.path for each in api.emulator.requests] == [f"/api/data/v9.2/{QUEUE}"] * 2


def test_rules_field_by_field(api: Api) -> None:
    body = {"where": "operation", "status": 418, "code": "0x1", "message": "Tea.", "method": "GET", "retry_after": 3}
    assert control(api, "POST", "faults", body).status_code == 200
    reply = api.get(QUEUE)
    assert (*code(reply), reply.headers["Retry-After"]) == (418, "0x1", "3")


@pytest.mark.parametrize(
    "body",
    [
        {"rule": "often"},
        {"rule": 7},
        {"rule": "429", "times": 2},
        {"status": "429"},
        {"times": True},
        {"where": "somewhere"},
        {"path": "("},
        {"colour": "red"},
        {"where": []},
        [],
        7,
    ],
)
def test_rules_that_are_refused(api: Api, body: Any) -> None:
    reply = control(api, "POST", "faults", body)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"]
    assert control(api, "GET", "faults").json() == {"faults": []}


def test_the_log(api: Api) -> None:
    api.batch(batch([http("GET", QUEUE)]))
    (request,) = control(api, "GET", "requests").json()["requests"]
    assert (request["method"], request["status"], request["user"]) == ("POST", 200, names.CALLER)
    assert request["operations"] == [["GET", f"/api/data/v9.2/{QUEUE}", 200]]
    assert control(api, "DELETE", "requests").json() == {"requests": []}
    assert api.emulator.requests == []


def test_limits_and_reset(make: Make) -> None:
    api = make()
    assert control(api, "GET", "limits").json() == {
        "requests": 6000, "execution": 1200.0, "concurrent": 52, "window": 300.0,
    }  # fmt: skip
    api.get("WhoAmI")
    control(api, "DELETE", "limits")
    assert api.get("WhoAmI").headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "5999"
    assert control(api, "POST", "reset", {"fixture": "empty"}).json() == {"fixture": "empty"}
    assert api.rows("msdyn_liveworkstreams") == []
    assert control(api, "POST", "reset", {"fixture": "zoo"}).status_code == 400
    assert control(api, "POST", "reset", {"colour": "red"}).status_code == 400


def test_it_is_for_this_machine_s_programs_only(api: Api) -> None:
    """A page in a browser can reach loopback too: neither it nor a name that leads here gets anything."""
    rule = json.dumps({"rule": "503"})
    for headers in (
        {"Origin": "https://contoso.example", "Content-Type": "application/json"},
        {"Host": "contoso.example", "Content-Type": "application/json"},
        {"Host": "", "Content-Type": "application/json"},
    ):
        assert control(api, "POST", "faults", data=rule, headers=headers).status_code == 403
    assert control(api, "POST", "faults", data=rule, headers={"Content-Type": "text/plain"}).status_code == 415
    assert control(api, "POST", "faults", data="{", headers={"Content-Type": "application/json"}).status_code == 400
    assert control(api, "GET", "faults", headers={"Host": "localhost:1"}).json() == {"faults": []}


def test_what_it_does_not_have_it_lists(api: Api) -> None:
    reply = control(api, "GET", "weather")
    assert reply.status_code == 404
    assert "POST /_emulator/faults" in reply.json()["error"]["message"]
    assert requests.get(f"{api.emulator.url}/_emulators", timeout=10).status_code in {400, 401, 404}


def test_nothing_of_it_shows_in_the_service(api: Api) -> None:
    reply = control(api, "GET", "faults")
    assert "x-ms-dop-hint" not in reply.headers
    assert reply.headers["Content-Type"].startswith("application/json")
