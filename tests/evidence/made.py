"""Made-up evidence, and a way to seal anything anew as somebody with the source code could."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from d365setup.evidence.chain import Record, sealed
from d365setup.evidence.records import Case, Exchanged, Input, Previous, records

CASE = Case(
    version="1.2.3",
    command="apply",
    options={"playbook": "bot.yaml", "--yes": True},
    started="2026-11-22T11:22:02.123Z",
    ended="2026-11-22T11:22:05.000Z",
    exit_code=7,
    documents=(
        (
            "result",
            {
                "schema": "d365setup/run/1",
                "changes": [
                    {"action": "create", "kind": "queue", "key": "Nurses", "fields": []},
                    {"action": "update", "kind": "workstream", "key": "Patient chat", "fields": []},
                ],
                "warnings": [],
                "outcomes": [{"id": "queue:Nurses", "status": "verified", "request_id": ""}],
                "exit_code": 7,
            },
        ),
    ),
    inputs=(Input("playbook", "bot.yaml", "a" * 64),),
    exchanged=(Exchanged("POST", 4, "ours", "theirs", 200),),
    sent=1,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
json_documents = st.dictionaries(st.text(max_size=8), json_values, max_size=5)


def evidence(previous: Previous | None = None, case: Case = CASE, signed_by: str = "") -> bytes:
    return sealed(records(case, previous, signed_by))


def lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def plain(record: Record) -> dict[str, Any]:
    """A parsed line without what the chain adds to it."""
    return {name: value for name, value in record.items() if name not in ("n", "before", "sha256")}
