"""What is asked: few queries, none longer than the service takes, each row once."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

import pytest

from d365setup.emulator import fixtures as names
from d365setup.kinds.filters import MOST_TERMS, MOST_TEXT, alternatives, named, quoted
from d365setup.kinds.nearest import did_you_mean
from d365setup.live import wanted
from d365setup.model import Change, Desired, Query

from .handoff import PLAYBOOK
from .site import KINDS, Site, desired


def _large(bots: int, queues: int, members: int, streams: int, rules: int, filler: str = "") -> str:
    lines = ["bot_users:"]
    for bot in range(bots):
        one, two = (f"00000000-0000-4000-{kind}-{bot + 1:012d}" for kind in (8000, 9000))
        ids = f"application_id: {one}, bot_application_id: {two}"
        lines.append(f"  - {{name: Bot {bot}, {ids}, email: bot{bot}@contoso.example, capacity: 500}}")
    lines.append("queues:")
    for queue in range(queues):
        people = ", ".join(f"person.{queue}.{member}@contoso.example" for member in range(members))
        lines.append(f"  - {{name: '{filler}Queue {queue}', members: [{people}]}}")
    lines.append("workstreams:")
    for stream in range(streams):
        lines += [
            f"  - name: '{filler[:80]}Stream {stream}'",
            "    context_variables: [{name: Topic}]",
            "    routing_rules:",
        ]
        for rule in range(rules):
            lines.append(f"      - {{name: Rule {rule}, when: {{Topic: '{rule}'}}, queue: '{filler}Queue 0'}}")
    return "\n".join(lines)


def _asked(text: str) -> tuple[Query, ...]:
    return tuple(wanted(KINDS, desired(text)))


def _read_back(specs: Desired) -> tuple[Query, ...]:
    return tuple(dict.fromkeys(each for kind in KINDS.values() for each in kind.readback(specs)))


def _terms(query: Query) -> int:
    return query.filter.count(" eq ")


def test_a_large_playbook_asks_few_things() -> None:
    """5 bots, 20 queues of 10 people, 5 work streams: one query more than a small playbook, for 200 addresses."""
    small, large = _asked(_large(1, 1, 1, 1, 1)), _asked(_large(5, 20, 10, 5, 20))
    assert len(small) == 13
    assert len(large) == 14
    assert [query.label for query in large].count("people") == 2


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(_large(5, 20, 10, 5, 20), id="large"),
        pytest.param(_large(120, 250, 2, 130, 1), id="very large"),
        pytest.param(_large(1, 60, 1, 60, 1, "\u6f22\u5b57" * 60), id="names that travel as nine characters each"),
    ],
)
def test_no_query_is_too_long(text: str) -> None:
    specs = desired(text)
    for query in (*wanted(KINDS, specs), *_read_back(specs)):
        assert _terms(query) <= MOST_TERMS + 2  # two for `deletedstate`
        assert len(quote(query.filter)) <= MOST_TEXT + 200
    gates = [
        query
        for kind in KINDS.values()
        for query in kind.gate([_create(s) for s in specs.specs if s.kind == kind.kind])
    ]
    assert gates
    assert all(_terms(query) <= MOST_TERMS for query in gates)


def _create(spec: Any) -> Change:
    return Change("create", spec.id, spec)  # type: ignore[arg-type]  # the word is the action's value


def test_every_name_is_asked_for_once_and_in_full() -> None:
    asked = _asked(_large(1, 250, 1, 1, 1))
    filters = [query.filter for query in asked if query.label == "queues" and "queuemembership" not in query.filter]
    terms = [term for text in filters for term in text.split(" or ")]
    assert sorted(terms) == sorted(f"name eq 'Queue {number}'" for number in range(250))
    assert len(filters) == 3


def test_filters_are_filled_up_to_the_limit() -> None:
    assert list(alternatives([])) == []
    assert list(alternatives(["a eq 1", "a eq 1", "b eq 2"])) == ["a eq 1 or b eq 2"]
    assert [text.count(" eq ") for text in alternatives(f"a eq {n}" for n in range(250))] == [100, 100, 50]
    long = [f"name eq {quoted('é' * 200 + str(n))}" for n in range(20)]
    parts = list(alternatives(long))
    assert " or ".join(parts) == " or ".join(long)
    assert all(len(quote(part)) <= MOST_TEXT for part in parts)
    assert list(alternatives(["x" * (2 * MOST_TEXT), "y"])) == ["x" * (2 * MOST_TEXT), "y"]


def test_quotes_in_names_are_doubled() -> None:
    assert list(named("name", ["O'Brien's"])) == ["name eq 'O''Brien''s'"]


def test_a_playbook_of_several_pages_of_names_converges(clinic: Site) -> None:
    """More than a hundred queues and people: several queries of one label, each row once."""
    for number in range(130):
        clinic.person(f"person.{number}.0@contoso.example")
    text = _large(1, 130, 1, 0, 0).replace("workstreams:", "")
    bot = clinic.bot("00000000-0000-4000-8000-000000000001", names.NURSES)
    clinic.emulator.link("queue", names.BILLING, "queuemembership_association", bot)
    clinic.apply(text)
    assert clinic.one("SELECT count(*) FROM queue WHERE name LIKE 'Queue %'") == 130


def test_rows_that_two_queries_bring_count_once(clinic: Site) -> None:
    """A declared queue that a declared bot is in comes by name and by member; `exact` removes each member once."""
    clinic.apply(PLAYBOOK)
    text = PLAYBOOK.replace("members: [nurse.one@contoso.example]", "members: {mode: exact, users: [Health Bot]}")
    clinic.apply(text.replace("[Health Bot]}", "[Health Bot, nurse.one@contoso.example]}"))
    found = clinic.changes(text)
    assert set(found) == {"queue_member:Nurses/nurse.one@contoso.example"}


def test_what_is_asked_is_what_arrives(clinic: Site) -> None:
    clinic.emulator.reset_log()
    clinic.plan(PLAYBOOK)
    parts = [unquote(path) for request in clinic.emulator.requests for _, path, _ in request.operations]
    assert len(parts) == 13 + 3  # and the organization, the root unit, the caller
    assert len(set(parts)) == len(parts)
    assert {method for request in clinic.emulator.requests for method, _, _ in request.operations} == {"GET"}


def test_nothing_wanted_asks_nothing() -> None:
    assert list(wanted(KINDS, Desired())) == []
    assert _read_back(Desired()) == ()
    assert [query for kind in KINDS.values() for query in kind.gate([])] == []


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("Nursse", ["Nurses", "Billing"], "; did you mean 'Nurses'?"),
        ("NURSES", ["Nurses"], "; did you mean 'Nurses'?"),
        ("Zebra", ["Nurses", "Billing"], ""),
        ("Nurses", [], ""),
    ],
)
def test_the_nearest_name(name: str, known: list[str], hint: str) -> None:
    assert did_you_mean(name, known) == hint
