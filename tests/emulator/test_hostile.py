"""Anything a client may send gets an answer of the service's kind, never a defect of the emulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d365setup.emulator import Emulator
from d365setup.emulator import fixtures as names
from d365setup.emulator.contracts import empty_contract, extended
from d365setup.emulator.operation import Operation
from d365setup.emulator.text import like, sort_key
from d365setup.emulator.xml import BadXml, Element, parse

from .conftest import ROOT, Api

SOME = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = ["name", "eq", "ne", "and", "or", "not", "(", ")", "'x'", "null", "1", "/", "any", "queueid", "u", ":", ",",
         "queuemembership_association", "createdby", "fullname", "contains", "@p", "true",
         names.NURSES, "[", "]", "=",
         "Microsoft.Dynamics.CRM.In", "PropertyName", "PropertyValues", "2026-01-01", "$select",
         "$expand", ";", "'"]  # fmt: skip
FUZZ = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.text(max_size=60)
OPTIONS = st.sampled_from(["$filter", "$select", "$expand", "$orderby", "$top", "$skiptoken", "$count", "@p"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
KEYS = st.sampled_from(
    ["name", "queueid", "msdyn_priority", "msdyn_queuetype", "ownerid", "ownerid@odata.bind", "_ownerid_value",
     "queuemembership_association", "queuemembership_association@odata.bind", "statecode", "statuscode", "x",
     "overriddencreatedon", "createdon"]
)  # fmt: skip


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    made = Emulator()
    yield made
    made.close()


def answer(emulator: Emulator, method: str, url: str, body: bytes = b"", **headers: str) -> int:
    reply, _ = emulator.gateway.handle(Operation(method, url, headers, body, "http://127.0.0.1:1"))
    assert emulator.gateway.failures == [], url
    assert reply.status in {200, 201, 204, 304, 400, 403, 404, 405, 412, 414, 415, 501}
    return reply.status


@SOME
@given(st.dictionaries(OPTIONS, FUZZ, max_size=3))
def test_any_query(emulator: Emulator, options: dict[str, str]) -> None:
    query = "&".join(f"{name}={quote(value)}" for name, value in options.items())
    answer(emulator, "GET", f"{ROOT}queues?{query}")
    answer(emulator, "GET", f"{ROOT}EntityDefinitions(LogicalName='queue')/Attributes?{query}")


@SOME
@given(st.sampled_from(["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD"]), st.text(max_size=40) | FUZZ)
def test_any_path(emulator: Emulator, method: str, path: str) -> None:
    answer(emulator, method, ROOT + quote(path, safe="/()$='?&"), b"{}")


@SOME
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_body(emulator: Emulator, body: dict[str, object]) -> None:
    for method, path in (("POST", "queues"), ("PATCH", f"queues({names.BILLING})")):
        answer(emulator, method, ROOT + path, json.dumps(body).encode())


LINES = [
    "--b\n", "--b--\n", "\n", "Content-Type: application/http\n", "GET queues HTTP/1.1\n", "POST $1 HTTP/1.1\n",
    "--c\n", "--c--\n", "Content-Type: multipart/mixed; boundary=c\n", "Content-ID: 1\n", "{}\n",
    "GET http://[ HTTP/1.1\n",
]  # fmt: skip


@SOME
@given(st.text(max_size=200) | st.lists(st.sampled_from(LINES), max_size=16).map("".join))
def test_any_batch(emulator: Emulator, text: str) -> None:
    body = text.encode("utf-8", "surrogatepass")
    answer(emulator, "POST", ROOT + "$batch", body, **{"content-type": "multipart/mixed; boundary=b"})


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)


@given(st.dictionaries(NAMES, st.sampled_from(["string", "number"]), max_size=5))
def test_contracts_hold_every_variable_once(declared: dict[str, str]) -> None:
    once = extended(empty_contract(), declared, set())
    found = [(each.attributes["name"], each.attributes["data-type"]) for each in parse(once).descendants("variable")]
    assert found == list(declared.items())
    assert extended(once, declared, set()) == once
    assert extended(once, {}, set(declared)) == empty_contract()


@given(NAMES, NAMES)
def test_xml_is_written_so_that_it_reads_the_same(name: str, text: str) -> None:
    element = Element("a", {"n": name}, text=text.strip())
    assert parse(element.write()) == element


@pytest.mark.parametrize("text", ["", "<a>", "<a></b>", "<!DOCTYPE a><a/>", "a"])
def test_broken_xml(text: str) -> None:
    with pytest.raises(BadXml):
        parse(text)


LIKE = [
    ("contains", "abc", "B", True), ("startswith", "abc", "b", False), ("endswith", "abc", "C", True),
    ("contains", "a.c", "a.c", True), ("contains", "abc", "a.c", False), ("contains", "a]c", "]", True),
    ("contains", "a[c", "[[]", True), ("contains", "a\nc", "a_c", True), ("contains", "x", "[]", False),
    ("contains", "a^c", "[^]", True), ("contains", "a\\c", "[\\]", True), ("contains", "", "", True),
]  # fmt: skip


@pytest.mark.parametrize(("where", "value", "pattern", "expected"), LIKE)
def test_wildcards(where: str, value: str, pattern: str, expected: bool) -> None:
    assert like(where, value, pattern) is expected
    assert like(where, None, pattern) is None


@given(st.text(max_size=10))
def test_text_compares_without_case_and_trailing_blanks(text: str) -> None:
    assert sort_key(text + "  ") == sort_key(text)
    assert sort_key(text.casefold()) == sort_key(text)


CRM = "Microsoft.Dynamics.CRM."
WIDE = "9" * 30
EARLY = "0001-01-01T00:00:00%2B14:00"
OUT_OF_RANGE = [
    f"queues?$filter={CRM}In(PropertyName='msdyn_priority',PropertyValues=['{WIDE}'])",
    f"queues?$filter={CRM}Between(PropertyName='msdyn_priority',PropertyValues=['{WIDE}','1'])",
    f"queues?$filter={CRM}On(PropertyName='createdon',PropertyValue='{EARLY}')",
    f"queues?$filter=createdon gt {EARLY}",
    "queues?sql=SELECT name FROM queue WHERE msdyn_priority = WIDE",
    "queues?sql=SELECT name FROM queue WHERE createdon = 'EARLY'",
    f"teams(azureactivedirectoryobjectid=0f0f0f0f-0000-4000-8000-000000000001,membershiptype={WIDE})",
]


@pytest.mark.parametrize("path", OUT_OF_RANGE)
def test_values_no_row_can_hold_are_refused(api: Api, path: str) -> None:
    assert api.get(path.replace("WIDE", WIDE).replace("EARLY", EARLY)).status_code == 400


@pytest.mark.parametrize("value", ["\ud800", 10**30, "9999-99-99"])
@pytest.mark.parametrize("column", ["name", "msdyn_priority", "createdon"])
@pytest.mark.parametrize("operator", ["Equal", "In", "BeginsWith", "On", "LastXDays"])
def test_values_of_bulk_deletes_are_looked_at_first(api: Api, column: str, operator: str, value: object) -> None:
    condition = {"AttributeName": column, "Operator": operator, "Values": [{"Value": value}]}
    body = {"QuerySet": [{"EntityName": "queue", "Criteria": {"Conditions": [condition]}}], "JobName": "x",
            "SendEmailNotification": False, "ToRecipients": [], "CCRecipients": [], "RecurrencePattern": "",
            "StartDateTime": ""}  # fmt: skip
    sent = {"data": json.dumps(body).encode(), "headers": {"Content-Type": "application/json"}}
    assert api.send("POST", "BulkDelete", **sent).status_code in {200, 400}
    assert len(api.rows("queues")) == 4
