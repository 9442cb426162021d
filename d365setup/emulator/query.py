"""Query options to values: `$select`, `$expand` and the rest, checked the way the service checks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote_plus

from .errors import bad_query, no_property, not_served
from .schema import Collection, ManyToMany, Schema, Table
from .syntax import Node, parse_filter

MAX_EXPANDS = 15
_KNOWN = frozenset({"$select", "$filter", "$expand", "$orderby", "$top", "$count", "$skiptoken", "$apply", "$id"})
_ABSENT = frozenset({"fetchXml", "savedQuery", "userQuery", "sql"})
_EXPAND_OPTIONS = frozenset({"$select", "$filter", "$orderby", "$top", "$expand"})


@dataclass(frozen=True)
class Order:
    """One sort key: a property path and its direction."""

    path: tuple[str, ...]
    descending: bool


@dataclass(frozen=True)
class Options:
    """What a read asks for, at the top or inside an `$expand`."""

    select: tuple[str, ...] | None = None
    filter: Node | None = None
    expand: tuple[Expand, ...] = ()
    order: tuple[Order, ...] = ()
    top: int | None = None
    count: bool = False
    page: int = 1
    names: frozenset[str] = frozenset()
    """Names of the options given."""


@dataclass(frozen=True)
class Expand:
    """One navigation property followed; `text` is its options as written, for the nextLink."""

    navigation: str
    table: Table
    collection: Collection | None
    options: Options
    reference: bool = False
    text: tuple[tuple[str, str], ...] = ()


def split_query(query: str) -> dict[str, str]:
    """Return the decoded options of a URL; one given twice is refused."""
    found: dict[str, str] = {}
    for part in query.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        name = unquote_plus(name)
        if name in found:
            raise bad_query(f"Query option '{name}' was specified more than once.")
        found[name] = unquote_plus(value)
    return found


def parse_options(given: Mapping[str, str], table: Table, schema: Schema) -> Options:
    """Return the options of a read of this table, or raise the service's refusal."""
    _check_names(given)
    aliases = {name: value for name, value in given.items() if name.startswith("@")}
    options = Options(
        select=_select(given.get("$select"), table),
        filter=parse_filter(given["$filter"], aliases) if "$filter" in given else None,
        expand=_expand(given.get("$expand", ""), table, schema, depth=1),
        order=_order(given.get("$orderby", ""), aliases),
        top=_top(given.get("$top")),
        count=_boolean("$count", given.get("$count", "false")),
        names=frozenset(given),
    )
    if _expands(options) > MAX_EXPANDS:
        raise bad_query(f"The number of expands exceeds the limit of {MAX_EXPANDS}.")
    return options


def _check_names(given: Mapping[str, str]) -> None:
    for name in given:
        if name.startswith("$") and name not in _KNOWN:
            raise bad_query(f"The query parameter '{name}' is not supported.")
        if name in _ABSENT or name == "$apply":  # what is served of them does not come this way
            raise not_served(f"the query option {name}")


def _expands(options: Options) -> int:
    return len(options.expand) + sum(_expands(each.options) for each in options.expand)


def _select(text: str | None, table: Table) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        known = name in table.properties or name == table.inherited_key
        if name != "*" and not known:
            raise no_property(name, table.name)
    return None if "*" in names else names


def _order(text: str, aliases: Mapping[str, str]) -> tuple[Order, ...]:
    found = []
    for part in split_top(text, ","):
        words = part.split()
        if not words or len(words) > 2 or words[1:] not in ([], ["asc"], ["desc"]):
            raise bad_query(f"Syntax error in $orderby '{text}'.")
        path = aliases.get(words[0], words[0])
        found.append(Order(tuple(path.split("/")), words[1:] == ["desc"]))
    return tuple(found)


def _top(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise bad_query(f"Invalid value '{text}' for $top query option found.")
    return min(int(text), 1_000_000)


def _boolean(name: str, text: str) -> bool:
    if text not in {"true", "false"}:
        raise bad_query(f"Invalid value '{text}' for {name} query option found.")
    return text == "true"


def _expand(text: str, table: Table, schema: Schema, depth: int) -> tuple[Expand, ...]:
    if depth > MAX_EXPANDS:
        raise bad_query(f"The number of expands exceeds the limit of {MAX_EXPANDS}.")
    return tuple(_one_expand(part, table, schema, depth) for part in split_top(text, ","))


def _one_expand(text: str, table: Table, schema: Schema, depth: int) -> Expand:
    head, bracket, rest = text.strip().partition("(")
    if bracket and not rest.endswith(")"):
        raise bad_query(f"Syntax error in $expand '{text}'.")
    navigation, slash, reference = head.strip().partition("/")
    collection = table.collections.get(navigation)
    target = _target(navigation, table, schema)
    pairs = _option_pairs(rest[:-1] if bracket else "")
    expand = Expand(navigation, target, collection, Options(), bool(slash), tuple(pairs.items()))
    _check_reference(expand, reference, slash)
    options = Options(
        select=_select(pairs.get("$select"), target),
        filter=parse_filter(pairs["$filter"], {}) if "$filter" in pairs else None,
        expand=_expand(pairs.get("$expand", ""), target, schema, depth + 1),
        order=_order(pairs.get("$orderby", ""), {}),
        top=_top(pairs.get("$top")),
    )
    expand = replace(expand, options=options)
    _check_nesting(expand, depth)
    return expand


def _target(navigation: str, table: Table, schema: Schema) -> Table:
    if navigation in table.collections:
        return schema.tables[table.collections[navigation].table]
    if navigation not in table.lookups:
        raise no_property(navigation, table.name)
    _, targets = table.lookups[navigation]
    known = [target for target in targets if target in schema.tables]
    if not known:
        raise not_served(f"rows of '{targets[0]}'")
    return schema.tables[known[0]]


def _option_pairs(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in split_top(text, ";"):
        name, equals, value = part.strip().partition("=")
        if name not in _EXPAND_OPTIONS or not equals:
            raise bad_query(f"The query option '{name}' is not supported inside $expand.")
        pairs[name] = value
    return pairs


def _check_reference(expand: Expand, reference: str, slash: str) -> None:
    if not slash:
        return
    if reference != "$ref" or expand.collection is not None:
        raise bad_query(f"'{expand.navigation}/{reference}' cannot be expanded.")


def _check_nesting(expand: Expand, depth: int) -> None:
    """Refuse what the documentation names: N:N below the first level, $top and $orderby around a nesting."""
    if depth > 1 and isinstance(expand.collection, ManyToMany):
        raise bad_query(f"The many-to-many navigation '{expand.navigation}' cannot be expanded inside an expand.")
    if expand.collection is None or not expand.options.expand:
        return
    if any(_is_ordered(each) for each in (expand.options, *(e.options for e in expand.options.expand))):
        raise bad_query("$top and $orderby cannot be used together with a nested expand in a collection.")


def _is_ordered(options: Options) -> bool:
    return options.top is not None or bool(options.order)


def split_top(text: str, separator: str) -> list[str]:
    """Return the parts of a list, not splitting inside brackets or quotes."""
    parts, depth, quote, start = [], 0, False, 0
    for index, sign in enumerate(text):
        if sign == "'":
            quote = not quote
        elif quote:
            continue
        elif sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        elif sign == separator and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    return [part for part in (each.strip() for each in parts) if part]
