"""What was kept, as answers to other questions than were asked: all of a table answers for each row of it. Pure.

A query is answered where every alternative of its filter is covered by something that was kept in full. What is not
covered is a gap, never an empty answer: from nothing a plan would conclude that something is to be made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from d365setup.against.terms import Choice, Term, Unclear, choices, folded
from d365setup.kinds.rule_sets import STEP_OF_RULE_SET
from d365setup.model import Query, Row
from d365setup.survey import Answer, Kept

# the collections in filters that rows are not expanded by: the table, and its column that leads back
_REVERSED = {STEP_OF_RULE_SET: ("msdyn_routingconfigurationsteps", "_msdyn_rulesetid_value")}

Index: TypeAlias = Mapping[object, Sequence[int]]


@dataclass(frozen=True)
class Gap:
    """A query that cannot be answered: the alternatives nobody asked about, or why the environment refused it."""

    query: Query
    terms: tuple[Term, ...] = ()
    refused: str = ""


class Answers:
    """Answers from what one snapshot keeps."""

    def __init__(self, kept: Kept) -> None:
        self._given = [each for each in kept.answers if each.rows is not None]
        self._refused = [each for each in kept.answers if each.rows is None]
        self._same = {_bare(each.query): each for each in self._given}
        self._by_id: dict[str, Row] = {}
        for each in self._given:
            self._by_id.update({row[each.query.row_key]: row for row in each.rows or ()})
        self._indexes: dict[tuple[int, tuple[str, ...]], Index] = {}

    def to(self, query: Query) -> list[dict[str, Any]] | Gap:
        """The rows the environment would have given, each once; or what is not known."""
        same = self._same.get(_bare(query))
        if same is not None:
            return [dict(row) for row in same.rows or ()]
        if self._is_refused(query):
            return Gap(query, refused=self._reason(query))
        try:
            return self._found(query)
        except Unclear:
            return Gap(query)

    def _found(self, query: Query) -> list[dict[str, Any]] | Gap:
        holders = [each for each in self._given if _has(each.query, query)]
        places: set[tuple[int, int]] = set()
        unknown: list[Choice] = []
        for choice in choices(query.filter):
            number = next((i for i, each in enumerate(holders) if covers(each.query.filter, choice)), None)
            if number is None:
                unknown.append(choice)
            else:
                places |= {(number, place) for place in self._places(holders[number], choice)}
        if unknown:
            return Gap(query, tuple(dict.fromkeys(each[0] for each in unknown if each)), self._reason(query))
        rows = [(holders[number].rows or ())[place] for number, place in sorted(places)]  # in the environment's order
        return [dict(row) for row in {row[query.row_key]: row for row in rows}.values()]

    def _is_refused(self, query: Query) -> bool:
        return any(_bare(each.query) == _bare(query) for each in self._refused)

    def _reason(self, query: Query) -> str:
        return next((each.refused for each in self._refused if each.query.entity_set == query.entity_set), "")

    def _places(self, holder: Answer, choice: Choice) -> Iterator[int]:
        """Where the rows are of which all terms hold."""
        rows, first = holder.rows or (), next((each for each in choice if each.test == "eq"), None)
        places: Iterable[int] = range(len(rows))
        if first is not None:
            places = self._index(holder, first.path).get(folded(first.value), ())
        for place in places:
            row = rows[place]
            if all(any(map(each.holds, self._values(row, holder.query, each.path))) for each in choice):
                yield place

    def _index(self, holder: Answer, path: tuple[str, ...]) -> Index:
        """Where in the rows a value stands: a playbook names hundreds of things, and a table has thousands of rows."""
        key = (id(holder), path)
        if key not in self._indexes:
            found: dict[object, list[int]] = {}
            for place, row in enumerate(holder.rows or ()):
                for value in dict.fromkeys(map(folded, self._values(row, holder.query, path))):
                    found.setdefault(value, []).append(place)
            self._indexes[key] = found
        return self._indexes[key]

    def _values(self, row: Row, query: Query, path: tuple[str, ...]) -> Iterator[Any]:
        """The values of a column, along lookups and collections. Raises Unclear where nothing is known of one."""
        name, rest = path[0], path[1:]
        if name in _REVERSED and rest:
            yield from self._behind(name, row[query.row_key], rest)
        elif not rest:
            yield _column(row, name, query)
        else:
            for inner in self._followed(row, name):
                yield from self._values(inner, _NESTED, rest)

    def _followed(self, row: Row, name: str) -> Sequence[Row]:
        if name in row:
            found = row[name]
            return found if isinstance(found, list) else () if found is None else (found,)
        column = f"_{name}_value"
        if column not in row:
            raise Unclear(f"{name} of a row that does not say it")
        other = self._by_id.get(row[column] or "")
        return () if other is None else (other,)

    def _behind(self, name: str, row_id: str, rest: tuple[str, ...]) -> Iterator[Any]:
        entity_set, column = _REVERSED[name]
        holder = next((each for each in self._given if _is_whole(each, entity_set, column)), None)
        if holder is None:
            raise Unclear(f"{entity_set} were not kept")
        for place in self._index(holder, (column,)).get(folded(row_id), ()):
            yield from self._values((holder.rows or ())[place], holder.query, rest)


_NESTED = Query("", "")


def covers(kept: str, choice: Choice) -> bool:
    """Whether a filter lets through all that these terms let through. Raises Unclear."""
    return any(all(any(own.implies(each) for own in choice) for each in wide) for wide in choices(kept))


def shape(query: Query) -> Query:
    """The query for all rows of its table."""
    return replace(_bare(query), filter="")


def answers_for(kept: Query, wanted: Query) -> bool:
    """Whether the rows of one query answer another."""
    return _has(kept, wanted) and all(covers(kept.filter, each) for each in choices(wanted.filter))


def _has(kept: Query, wanted: Query) -> bool:
    """Whether rows of the one query show all that the other asks of a row."""
    has_columns = not kept.select or (bool(wanted.select) and set(wanted.select) <= set(kept.select))
    return kept.entity_set == wanted.entity_set and has_columns and set(wanted.expand) <= set(kept.expand)


def _bare(query: Query) -> Query:
    return replace(query, label="")


def _is_whole(each: Answer, entity_set: str, column: str) -> bool:
    query = each.query
    return query.entity_set == entity_set and not query.filter and column in query.select


def _column(row: Row, name: str, query: Query) -> Any:
    if query.select and name not in row:
        raise Unclear(f"{name} of a row that does not say it")
    return row.get(name)
