"""`?sql=`: one SELECT on one table, with WHERE, ORDER BY and TOP; every other word is refused by name.

What the service's endpoint takes beyond that (joins, groups, figures) is known from a client's notes only, so none
of it is guessed at. Rows come back as those of FetchXML do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .context import Work
from .errors import ServiceError, bad_query, not_served
from .fetch import run, table_named
from .fetchxml import MAX_PAGE, Attribute, Condition, Fetch, Filter, Sort, Source
from .operation import Reply, json_reply
from .paging import next_link
from .read import page_number, skip_token
from .schema import Table

MAX_DEPTH = 20
_TOKEN = re.compile(
    r"""(?P<space>\s+) | (?P<string>N?'(?:[^']|'')*') | (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
      | (?P<name>(?:\[\w+\]|[A-Za-z_]\w*)(?:\.(?:\[\w+\]|[A-Za-z_]\w*))?)
      | (?P<mark><=|>=|<>|!=|[=<>(),*;])""",
    re.VERBOSE,
)
_OPERATORS = {"=": "eq", "<>": "ne", "!=": "ne", ">": "gt", ">=": "ge", "<": "lt", "<=": "le"}
_ABSENT = frozenset(
    {"JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "GROUP", "HAVING", "UNION", "OFFSET", "WITH", "OVER", "CASE",
     "INSERT", "UPDATE", "DELETE", "EXISTS", "COALESCE", "COUNT", "SUM", "AVG", "MIN", "MAX", "INTO", "PERCENT"}
)  # fmt: skip
_RESERVED = _ABSENT | {"SELECT", "FROM", "WHERE", "ORDER", "BY", "TOP", "DISTINCT", "AND", "OR", "NOT", "IN", "IS",
                       "NULL", "LIKE", "BETWEEN", "AS", "ASC", "DESC"}  # fmt: skip


def sql_rows(work: Work, table: Table, given: Mapping[str, str]) -> Reply:
    """Answer GET of a set with `sql`."""
    beside = sorted(name for name in given if name.startswith("$") and name != "$skiptoken")
    if beside:
        raise bad_query(f"The query option '{beside[0]}' cannot stand beside sql.")
    page = page_number(given["$skiptoken"]) if "$skiptoken" in given else 1
    fetch = parse_sql(given["sql"], page)
    if table_named(work.schema, fetch.root.table) is not table:
        raise bad_query(f"The table '{fetch.root.table}' of the SQL is not that of the set '{table.entity_set}'.")
    found = run(work, table, fetch)
    body = {"@odata.context": f"{work.base}$metadata#{table.entity_set}", "value": found.values}
    if found.more and not fetch.distinct:
        body["@odata.nextLink"] = next_link(work, given, skip_token(page, table, found.values))
    elif found.more:
        raise not_served("SELECT DISTINCT with more rows than a page holds")
    return json_reply(200, body, work.applied())


def parse_sql(text: str, page: int = 1) -> Fetch:
    """Return the query a SELECT stands for; raises ServiceError for what is wrong or not acted out."""
    return _Parser(text).select(page)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._names: set[str] = set()

    @property
    def _next(self) -> str:
        return self._tokens[self._at]

    @property
    def _word(self) -> str:
        return self._next.upper()

    def _take(self) -> str:
        token = self._next
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _accept(self, *words: str) -> bool:
        found = [token.upper() for token in self._tokens[self._at : self._at + len(words)]]
        if found == list(words):
            self._at += len(words)
            return True
        return False

    def _expect(self, *words: str) -> None:
        if not self._accept(*words):
            raise self._wrong()

    def _wrong(self) -> ServiceError:
        if self._word in _ABSENT:
            return not_served(f"{self._word} in sql")
        return bad_query(f"Incorrect syntax near '{self._next[:50]}' in sql.")

    def select(self, page: int) -> Fetch:
        """Read a whole statement."""
        self._expect("SELECT")
        distinct = self._accept("DISTINCT")
        top = self._number() if self._accept("TOP") else None
        columns = [self._attribute()]
        while self._accept(","):
            columns.append(self._attribute())
        self._expect("FROM")
        table = self._name().lower()
        alias = self._alias(table)
        self._names = {table, alias.lower()}
        filters = (self._any(0),) if self._accept("WHERE") else ()
        orders = self._orders() if self._accept("ORDER", "BY") else ()
        self._accept(";")
        if self._next:
            raise self._wrong()
        attributes = tuple(Attribute(self._column(each.name or ""), each.alias) for each in columns)
        return Fetch(Source(table, table, attributes, filters, orders), top=top, page=page, distinct=distinct)

    def _number(self) -> int:
        bracket = self._accept("(")
        if not self._next.isdigit() or int(self._next) > MAX_PAGE:
            raise bad_query(f"TOP takes a number from 0 to {MAX_PAGE}, not '{self._next[:50]}'.")
        number = int(self._take())
        if bracket:
            self._expect(")")
        return number

    def _name(self) -> str:
        plain = self._next.replace("[", "").replace("]", "")
        if self._word in _RESERVED or not re.fullmatch(r"[A-Za-z_][\w.]*", plain):
            raise not_served("SELECT * in sql") if self._next == "*" else self._wrong()
        self._take()
        return plain

    def _alias(self, table: str) -> str:
        if self._accept("AS") or (self._next and self._word not in _RESERVED and self._next not in {",", ";"}):
            return self._name()
        return table

    def _attribute(self) -> Attribute:
        name = self._name()
        return Attribute(name, self._name() if self._accept("AS") else None)

    def _column(self, name: str) -> str:
        """Return a column's own name; what stands before its dot must be the table."""
        owner, dot, column = name.rpartition(".")
        if dot and owner.lower() not in self._names:
            raise bad_query(f"The multi-part identifier '{name}' could not be bound.")
        return column.lower()

    def _orders(self) -> tuple[Sort, ...]:
        found = []
        while True:
            name = self._column(self._name())
            descending = self._accept("DESC")
            if not descending:
                self._accept("ASC")
            found.append(Sort(name, descending))
            if not self._accept(","):
                return tuple(found)

    def _any(self, depth: int) -> Filter:
        return self._joined("OR", depth)

    def _joined(self, word: str, depth: int) -> Filter:
        parts: list[Filter | Condition] = []
        while True:
            parts.append(self._joined("AND", depth) if word == "OR" else self._one(depth))
            if not self._accept(word):
                break
        tests = tuple(each for each in parts if isinstance(each, Condition))
        return Filter(word.lower(), tests, tuple(each for each in parts if isinstance(each, Filter)))

    def _one(self, depth: int) -> Filter | Condition:
        if depth > MAX_DEPTH:
            raise bad_query("The conditions of sql are nested too deeply.")
        if self._accept("("):
            inner = self._any(depth + 1)
            self._expect(")")
            return inner
        if self._word == "NOT":
            raise not_served("NOT before a condition in sql")
        return self._condition(self._column(self._name()))

    def _condition(self, column: str) -> Condition:
        if self._next in _OPERATORS:
            return Condition(column, _OPERATORS[self._take()], (self._value(),))
        if self._accept("IS", "NULL"):
            return Condition(column, "null")
        if self._accept("IS", "NOT", "NULL"):
            return Condition(column, "not-null")
        start = "not-" if self._accept("NOT") else ""
        if self._accept("LIKE"):
            return Condition(column, f"{start}like", (self._value(),))
        if self._accept("IN"):
            return Condition(column, f"{start}in", self._list())
        self._expect("BETWEEN")
        low = self._value()
        self._expect("AND")
        return Condition(column, f"{start}between", (low, self._value()))

    def _list(self) -> tuple[str, ...]:
        self._expect("(")
        if self._word == "SELECT":
            raise not_served("a SELECT within a SELECT in sql")
        values = [self._value()]
        while self._accept(","):
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _value(self) -> str:
        token = self._next
        if re.fullmatch(r"-?\d+(\.\d+)?", token):
            return self._take()
        if token.endswith("'"):
            return self._take().removeprefix("N")[1:-1].replace("''", "'")
        raise not_served("the comparison of two columns in sql") if re.match(r"[A-Za-z_\[]", token) else self._wrong()


def _tokens(text: str) -> list[str]:
    found, position = [], 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise bad_query(f"Incorrect syntax near '{text[position : position + 20]}' in sql.")
        if token.lastgroup != "space":
            found.append(token.group())
        position = token.end()
    return [*found, ""]
