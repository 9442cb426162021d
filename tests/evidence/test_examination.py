"""Whatever is done to evidence is found, and the first bytes it was done to are named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.evidence.chain import SCHEMA, sealed, sha256
from d365setup.evidence.examination import Alteration, NoEvidence, examined
from d365setup.evidence.records import Previous, documents, label, records
from tests.evidence.made import CASE, evidence, json_documents, lines, plain

DATA = evidence()
LINES = lines(DATA)
OFFSETS = [sum(map(len, LINES[:place])) for place in range(len(LINES) + 1)]


def found(data: bytes) -> Alteration:
    alteration = examined(data).alteration
    assert alteration is not None
    return alteration


def joined(*parts: list[bytes]) -> bytes:
    return b"".join(line for part in parts for line in part)


def test_what_was_sealed_is_unaltered() -> None:
    seen = examined(DATA)
    assert seen.alteration is None
    assert (seen.sha256, seen.lines, seen.previous, seen.exit_code) == (sha256(DATA), len(LINES), None, 7)
    assert seen.call is not None
    assert seen.call["command"] == "apply"


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_any_byte_that_differs_is_found_where_it_is(place: int, difference: int) -> None:
    altered = bytearray(DATA)
    altered[place] ^= difference
    alteration = found(bytes(altered))
    assert alteration.start <= place < alteration.end
    assert alteration.end - alteration.start <= 2 * max(map(len, LINES))


def test_every_byte_of_a_line_counts() -> None:
    """Not a sample: each byte of the shortest line, line end and digest included."""
    index = min(range(len(LINES)), key=lambda each: len(LINES[each]))
    for place in range(OFFSETS[index], OFFSETS[index + 1]):
        altered = bytearray(DATA)
        altered[place] ^= 1
        assert found(bytes(altered)).start == OFFSETS[index]


@given(st.integers(0, len(DATA)), st.binary(min_size=1, max_size=40))
def test_whatever_is_put_in_is_found(place: int, more: bytes) -> None:
    altered = DATA[:place] + more + DATA[place:]
    alteration = found(altered)
    assert alteration.start <= place + len(more)
    assert alteration.end >= place


@given(st.integers(0, len(DATA) - 1), st.integers(1, 2000))
def test_whatever_is_cut_out_is_found(place: int, size: int) -> None:
    altered = DATA[:place] + DATA[place + size :]
    try:
        alteration = found(altered)
    except NoEvidence:  # hardly anything is left, and what is left says nothing of evidence
        assert len(altered) < len(LINES[0])
        return
    assert alteration.start <= place <= alteration.end


@pytest.mark.parametrize("gone", range(len(LINES) - 1))
def test_a_line_that_is_missing(gone: int) -> None:
    alteration = found(joined(LINES[:gone], LINES[gone + 1 :]))
    assert (alteration.start, alteration.end, alteration.line) == (OFFSETS[gone], OFFSETS[gone], gone + 1)
    assert f"line {gone + 1} is missing here, before " in alteration.what
    assert str(alteration).startswith(f"at byte {OFFSETS[gone]} (line {gone + 1}): ")


def test_several_lines_that_are_missing() -> None:
    alteration = found(joined(LINES[:3], LINES[6:]))
    assert (alteration.start, alteration.end) == (OFFSETS[3], OFFSETS[3])
    assert "lines 4 to 6 are missing here, before request" in alteration.what


@pytest.mark.parametrize("place", range(len(LINES) - 1))
def test_two_lines_that_changed_places(place: int) -> None:
    swapped = [*LINES[:place], LINES[place + 1], LINES[place], *LINES[place + 2 :]]
    alteration = found(b"".join(swapped))
    assert alteration.start == OFFSETS[place]
    assert "was moved here: it follows line" in alteration.what


@pytest.mark.parametrize("place", range(1, len(LINES)))
def test_a_line_that_stands_twice(place: int) -> None:
    alteration = found(joined(LINES[:place], [LINES[place - 1]], LINES[place:]))
    assert alteration.start in (OFFSETS[place - 1], OFFSETS[place])
    assert "inserted" in alteration.what


def forged(number: int, before: str) -> bytes:
    """One line with a right digest of its own, as somebody who read the format can make it."""
    head = json.dumps({"n": number, "before": before, "record": "end", "exit_code": 0}, separators=(",", ":"))[:-1]
    return f'{head},"sha256":"{sha256(head.encode())}"}}\n'.encode()


@pytest.mark.parametrize("place", range(1, len(LINES) - 1))
def test_a_line_that_was_made_to_fit_in(place: int) -> None:
    before = json.loads(LINES[place - 1])["sha256"]
    alteration = found(joined(LINES[:place], [forged(place + 1, before)], LINES[place:]))
    assert (alteration.start, alteration.line) == (OFFSETS[place], place + 1)
    assert "inserted" in alteration.what


@pytest.mark.parametrize("place", range(1, len(LINES) - 1))
def test_a_line_that_was_replaced_by_one_made_to_fit(place: int) -> None:
    before = json.loads(LINES[place - 1])["sha256"]
    alteration = found(joined(LINES[:place], [forged(place + 1, before)], LINES[place + 1 :]))
    assert (alteration.start, alteration.line) == (OFFSETS[place], place + 1)
    assert "this was replaced" in alteration.what


def test_a_line_of_other_evidence() -> None:
    other = lines(evidence(Previous("a.jsonl", "b" * 64)))
    alteration = found(joined(LINES[:4], [other[4]], LINES[5:]))
    assert alteration.start in (OFFSETS[3], OFFSETS[4])
    assert alteration.line in (4, 5)


@pytest.mark.parametrize("kept", range(1, len(LINES)))
def test_an_end_that_is_missing(kept: int) -> None:
    alteration = found(joined(LINES[:kept]))
    assert (alteration.start, alteration.end) == (OFFSETS[kept], OFFSETS[kept])
    assert "the seal is missing" in alteration.what


def test_an_end_that_is_missing_in_the_middle_of_a_line() -> None:
    alteration = found(DATA[:-1])
    assert (alteration.start, alteration.what) == (OFFSETS[-2], "the file is cut off here, and its end is missing")


@pytest.mark.parametrize("more", [b"\n", b"{}\n", LINES[0], LINES[-1], b"more"])
def test_what_was_added_behind_the_seal(more: bytes) -> None:
    alteration = found(DATA + more)
    assert (alteration.start, alteration.end) == (len(DATA), len(DATA) + len(more))
    assert "behind the seal" in alteration.what


def test_a_seal_of_another_text() -> None:
    shorter = lines(sealed(list(records(CASE))[:-1]))
    before = json.loads(LINES[-2])["sha256"]
    told = json.loads(shorter[-1])
    head = json.dumps({**told, "n": len(LINES), "before": before, "sha256": ""}, separators=(",", ":"))
    head = head.removesuffix(',"sha256":""}')
    seal = f'{head},"sha256":"{sha256(head.encode())}"}}\n'.encode()
    alteration = found(joined(LINES[:-1], [seal]))
    assert (alteration.start, alteration.what) == (OFFSETS[-2], "the seal is of another text")


def test_a_damaged_line_says_what_it_was_about() -> None:
    alteration = found(DATA.replace(b'"action":"create"', b'"action":"delete"'))
    place = next(index for index, line in enumerate(LINES) if b'"create"' in line)
    assert str(alteration) == (
        f"bytes {OFFSETS[place]}..{OFFSETS[place + 1] - 1} (line {place + 1}): change queue:Nurses was altered"
    )


def test_whoever_seals_it_all_anew_is_not_found_without_a_signature() -> None:
    """What a chain cannot do, held here so that nobody promises it; `test_signing` shows what can."""
    told = [plain(json.loads(line)) for line in LINES[:-1]]
    told[-1]["exit_code"] = 0
    assert examined(sealed(told)).alteration is None
    assert examined(sealed(told)).sha256 != examined(DATA).sha256


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no line in it was sealed"),
        (b"playbook: 1\n", "no line in it was sealed"),
        (b'{"schema": "d365setup/saved-plan/1"}\n', "no line in it was sealed"),
        (b"\x00" * 100, "no line in it was sealed"),
        (sealed([{"record": "start", "schema": "d365setup/evidence/2"}]), "a d365setup/evidence/2, of another d365set"),
    ],
)
def test_what_is_no_evidence(data: bytes, told: str) -> None:
    with pytest.raises(NoEvidence, match=told):
        examined(data)


def test_a_beginning_alone_is_evidence_cut_off() -> None:
    start = LINES[0][: LINES[0].index(SCHEMA.encode()) + len(SCHEMA) + 5]
    assert found(start).start == 0


def test_lines_nested_without_end_are_an_alteration() -> None:
    assert found(DATA + b"[" * 100_000).start == len(DATA)
    deep = b'{"n":1,"before":"","record":' + b"[" * 100_000
    line = deep + f',"sha256":"{sha256(deep)}"}}\n'.encode()
    assert found(line + joined(LINES[1:])).start == 0


@given(json_documents, json_documents)
def test_documents_come_out_as_they_went_in(result: dict, earlier: dict) -> None:
    case = CASE.__class__(**{**vars(CASE), "documents": (("earlier plan", earlier), ("result", result))})
    data = evidence(case=case)
    assert examined(data).alteration is None
    whole = documents([json.loads(line) for line in lines(data)])
    assert whole == {"earlier plan": earlier, "result": result}
    assert [list(each) for each in whole.values()] == [list(earlier), list(result)]


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"record": "item", "list": "changes", "value": {"kind": "queue", "key": "Nurses"}}, "change queue:Nurses"),
        ({"record": "item", "list": "findings", "value": {"id": "R12"}}, "finding R12"),
        ({"record": "item", "list": "others", "value": {}}, "others"),
        ({"record": "input", "name": "bot.yaml"}, "input bot.yaml"),
        ({"record": "document", "of": "result"}, "document result"),
        ({"record": "end"}, "end"),
        ({"record": 5}, "this line"),
        ([], "this line"),
    ],
)
def test_what_a_record_is_called(record: object, told: str) -> None:
    assert label(record) == told
