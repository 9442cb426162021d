"""`$filter` text to a tree: a small operator-precedence parser for what the Web API documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from .errors import ServiceError, bad_query

MAX_DEPTH = 20
MAX_DIGITS = 18


@dataclass(frozen=True)
class Literal:
    """A value written in the filter; `kind` is null, string, guid, datetime, number, boolean or enum."""

    kind: str
    value: str | int | float | bool | None


@dataclass(frozen=True)
class Path:
    """Names joined by slashes."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class Compare:
    """Two operands and eq, ne, gt, ge, lt or le between them."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Logical:
    """Two or more conditions joined by and / or."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    operand: Node


@dataclass(frozen=True)
class Call:
    """contains, startswith or endswith."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Named:
    """A `Microsoft.Dynamics.CRM.` query function with its named parameters."""

    function: str
    parameters: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Lambda:
    """any or all over a collection."""

    path: tuple[str, ...]
    quantifier: str
    variable: str | None
    body: Node | None


Node = Literal | Path | Compare | Logical | Not | Call | Named | Lambda

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<enum>Microsoft\.Dynamics\.CRM\.\w+'[^']*')
      | (?P<guid>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})
      | (?P<datetime>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?)
      | (?P<number>-?\d+(?:\.\d+)?(?![\w]))
      | (?P<string>'(?:[^']|'')*')
      | (?P<double>"[^"]*")
      | (?P<name>@?[A-Za-z_][\w.]*)
      | (?P<mark>[(),/:=\[\]])
    """,
    re.VERBOSE,
)
_COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_FUNCTIONS = frozenset({"contains", "startswith", "endswith"})
_WORDS = {
    "null": Literal("null", None),
    "true": Literal("boolean", value=True),
    "false": Literal("boolean", value=False),
}
NAMESPACE = "Microsoft.Dynamics.CRM."


@dataclass(frozen=True)
class Token:
    """A piece of filter text and where it begins."""

    kind: str
    text: str
    position: int


def tokens(text: str) -> Iterator[Token]:
    """Yield the pieces of a filter; anything else is the service's syntax error."""
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise _syntax_error(text, position)
        if found.lastgroup != "space":
            yield Token(str(found.lastgroup), found.group(), position)
        position = found.end()
    yield Token("end", "", len(text))


def parse_filter(text: str, aliases: Mapping[str, str]) -> Node:
    """Return the tree of a `$filter`; raises the service's 400 on anything it would not read."""
    parser = _Parser(text, aliases)
    tree = parser.condition(0)
    parser.expect("end")
    return tree


def _syntax_error(text: str, position: int) -> ServiceError:
    return bad_query(f"Syntax error at position {position} in '{text}'.")


class _Parser:
    def __init__(self, text: str, aliases: Mapping[str, str]) -> None:
        self._text = text
        self._aliases = aliases
        self._tokens = list(tokens(text))
        self._at = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _wrong(self) -> ServiceError:
        return _syntax_error(self._text, self._next.position)

    def _accept(self, text: str) -> bool:
        if self._next.text == text and self._next.kind in {"mark", "name"}:
            self._take()
            return True
        return False

    def expect(self, text: str) -> None:
        """Step over a mark that must stand here ("end" for the end)."""
        if text == "end" and self._next.kind == "end":
            return
        if not self._accept(text):
            raise self._wrong()

    def condition(self, depth: int) -> Node:
        """Read conditions joined by or."""
        if depth > MAX_DEPTH:
            raise bad_query("The node count limit of the filter has been exceeded.")
        operands = [self._conjunction(depth)]
        while self._accept("or"):
            operands.append(self._conjunction(depth))
        return operands[0] if len(operands) == 1 else Logical("or", tuple(operands))

    def _conjunction(self, depth: int) -> Node:
        operands = [self._negation(depth)]
        while self._accept("and"):
            operands.append(self._negation(depth))
        return operands[0] if len(operands) == 1 else Logical("and", tuple(operands))

    def _negation(self, depth: int) -> Node:
        if not self._accept("not"):
            return self._comparison(depth)
        if depth > MAX_DEPTH:
            raise bad_query("The node count limit of the filter has been exceeded.")
        operand = self._negation(depth + 1)
        if isinstance(operand, Named):
            raise bad_query("Not operator along with the Custom Named Condition operators is not allowed")
        return Not(operand)

    def _comparison(self, depth: int) -> Node:
        left = self._operand(depth)
        if self._next.kind == "name" and self._next.text in _COMPARISONS:
            operator = self._take().text
            return Compare(operator, left, self._operand(depth))
        return left

    def _operand(self, depth: int) -> Node:
        if self._accept("("):
            inner = self.condition(depth + 1)
            self.expect(")")
            return inner
        if self._next.kind == "name":
            return self._named_operand(depth)
        return self._literal()

    def _literal(self) -> Literal:
        token = self._next
        if token.kind == "string":
            value: str | int | float = token.text[1:-1].replace("''", "'")
        elif token.kind == "enum":
            value = token.text.partition("'")[2][:-1]
        elif token.kind in {"guid", "datetime"}:
            value = token.text.lower() if token.kind == "guid" else token.text
        elif token.kind == "number" and len(token.text) <= MAX_DIGITS:
            value = int(token.text) if "." not in token.text else float(Decimal(token.text))
        else:
            raise self._wrong()
        self._take()
        return Literal(token.kind, value)

    def _named_operand(self, depth: int) -> Node:
        token = self._take()
        if token.text.startswith("@"):
            return self._alias(token.text)
        if token.text in _WORDS:
            return _WORDS[token.text]
        if token.text.startswith(NAMESPACE):
            return self._query_function(token.text.removeprefix(NAMESPACE))
        if self._next.text == "(":
            return self._call(token.text, depth)
        return self._path(token.text, depth)

    def _alias(self, name: str) -> Node:
        if name not in self._aliases:
            return Literal("null", None)
        inner = _Parser(self._aliases[name], {})
        value = inner._operand(0)  # same class
        inner.expect("end")
        return value

    def _call(self, function: str, depth: int) -> Call:
        if function not in _FUNCTIONS:
            raise bad_query(f"An unknown function with name '{function}' was found.")
        self.expect("(")
        first = self._operand(depth + 1)
        self.expect(",")
        second = self._operand(depth + 1)
        self.expect(")")
        return Call(function, (first, second))

    def _path(self, first: str, depth: int) -> Node:
        parts = [first]
        while self._accept("/"):
            if self._next.kind != "name":
                raise self._wrong()
            name = self._take().text
            if name in {"any", "all"} and self._next.text == "(":
                return self._lambda(tuple(parts), name, depth)
            parts.append(name)
        return Path(tuple(parts))

    def _lambda(self, path: tuple[str, ...], quantifier: str, depth: int) -> Lambda:
        self.expect("(")
        if self._accept(")"):
            if quantifier == "all":
                raise self._wrong()
            return Lambda(path, quantifier, None, None)
        if self._next.kind != "name":
            raise self._wrong()
        variable = self._take().text
        self.expect(":")
        body = self.condition(depth + 1)
        self.expect(")")
        return Lambda(path, quantifier, variable, body)

    def _query_function(self, function: str) -> Named:
        parameters: dict[str, str | tuple[str, ...]] = {}
        self.expect("(")
        while not self._accept(")"):
            if parameters:
                self.expect(",")
            name = self._take().text
            self.expect("=")
            parameters[name] = self._parameter()
        return Named(function, parameters)

    def _parameter(self) -> str | tuple[str, ...]:
        if not self._accept("["):
            return self._text_value()
        values: list[str] = []
        while not self._accept("]"):
            if values:
                self.expect(",")
            values.append(self._text_value())
        return tuple(values)

    def _text_value(self) -> str:
        token = self._take()
        if token.kind == "string":
            return token.text[1:-1].replace("''", "'")
        if token.kind == "double":
            return token.text[1:-1]
        if token.kind == "name" and token.text.startswith("@"):
            value = self._alias(token.text)
            return str(value.value) if isinstance(value, Literal) else ""
        if token.kind in {"number", "guid", "datetime"}:
            return token.text
        raise _syntax_error(self._text, token.position)
