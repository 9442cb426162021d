"""FetchXML text to a query: what is asked for, and a refusal by name for what is not acted out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import xml
from .errors import ServiceError, bad_query, not_served
from .xml import Element

MAX_LINKS = 15
MAX_PAGE = 5000
_JOINS = frozenset({"inner", "outer"})


@dataclass(frozen=True)
class Condition:
    """One test of a column; `entity` is the alias of the table it belongs to, when that is another."""

    attribute: str
    operator: str
    values: tuple[str, ...] = ()
    entity: str | None = None


@dataclass(frozen=True)
class Filter:
    """Conditions and filters that hold together (`and`), or one of which holds (`or`)."""

    kind: str
    conditions: tuple[Condition, ...] = ()
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True)
class Attribute:
    """A column to give; None as name means every column."""

    name: str | None
    alias: str | None = None


@dataclass(frozen=True)
class Sort:
    """A column to sort by; `entity` as in `Condition`."""

    attribute: str
    descending: bool
    entity: str | None = None


@dataclass(frozen=True)
class Source:
    """A table of the query: the root, or one joined to it."""

    table: str
    alias: str
    attributes: tuple[Attribute, ...] = ()
    filters: tuple[Filter, ...] = ()
    orders: tuple[Sort, ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Link:
    """A join: column `own` of the joined table equals column `other` of the table it is joined to."""

    source: Source
    own: str
    other: str
    outer: bool


@dataclass(frozen=True)
class Fetch:
    """A whole query."""

    root: Source
    top: int | None = None
    count: int | None = None
    page: int = 1
    distinct: bool = False
    total: bool = False


_FETCH = frozenset(
    {"top", "count", "page", "paging-cookie", "distinct", "returntotalrecordcount", "version", "mapping",
     "output-format", "no-lock", "utc-offset", "savedqueryid", "aggregate"}
)  # fmt: skip
_ENTITY = frozenset({"name", "alias", "enableprefiltering", "prefilterparametername"})
_LINK = frozenset({"name", "alias", "from", "to", "link-type", "visible", "intersect"})
_ATTRIBUTE = frozenset({"name", "alias"})
_CONDITION = frozenset({"attribute", "operator", "value", "entityname", "uiname", "uitype", "uihidden"})
_ORDER = frozenset({"attribute", "descending", "entityname"})
_FILTER = frozenset({"type", "isquickfindfields", "hint"})


def parse_fetch(text: str) -> Fetch:
    """Return the query a text stands for; raises ServiceError for anything wrong or not acted out."""
    try:
        root = xml.parse(text)
    except xml.BadXml as error:
        raise ServiceError(400, "0x80041110", f"Invalid XML in fetchXml: {error}.") from None
    if root.name != "fetch" or [child.name for child in root.children] != ["entity"]:
        raise bad_query("FetchXML is one <fetch> with one <entity> in it.")
    given = _known(root, _FETCH)
    if _flag(given.get("aggregate"), "aggregate"):
        raise not_served("FetchXML with aggregate='true' (use $apply)")
    names: set[str] = set()
    fetch = Fetch(
        root=_source(root.children[0], _ENTITY, names),
        top=_number(given, "top", 0),
        count=_number(given, "count", 1),
        page=_number(given, "page", 1) or 1,
        distinct=_flag(given.get("distinct"), "distinct"),
        total=_flag(given.get("returntotalrecordcount"), "returntotalrecordcount"),
    )
    if fetch.top is not None and {"count", "page", "paging-cookie", "returntotalrecordcount"} & set(given):
        raise bad_query("The attribute 'top' of <fetch> cannot stand beside paging or returntotalrecordcount.")
    return fetch


def _known(element: Element, names: frozenset[str]) -> Mapping[str, str]:
    for name in element.attributes:
        if name not in names:
            raise not_served(f"the attribute '{name}' of FetchXML's <{element.name}>")
    if element.text.strip() and element.name != "value":
        raise bad_query(f"FetchXML's <{element.name}> holds no text.")
    return element.attributes


def _number(given: Mapping[str, str], name: str, least: int) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        raise bad_query(f"The value '{text}' of FetchXML's '{name}' is not a whole number of at least {least}.")
    return int(text)


def _flag(text: str | None, name: str) -> bool:
    if text not in {None, "true", "false", "1", "0"}:
        raise bad_query(f"The value '{text}' of FetchXML's '{name}' is neither true nor false.")
    return text in {"true", "1"}


def _needed(element: Element, given: Mapping[str, str], name: str) -> str:
    if not given.get(name):
        raise bad_query(f"FetchXML's <{element.name}> needs the attribute '{name}'.")
    return given[name]


def _source(element: Element, known: frozenset[str], names: set[str]) -> Source:
    given = _known(element, known)
    table = _needed(element, given, "name")
    alias = given.get("alias") or (table if known is _ENTITY else _free(table, names))
    if alias in names:
        raise bad_query(f"The alias '{alias}' stands twice in the query.")
    names.add(alias)
    children: dict[str, list[Element]] = {}
    for child in element.children:
        children.setdefault(child.name, []).append(child)
    for name in set(children) - {"attribute", "all-attributes", "filter", "order", "link-entity"}:
        raise not_served(f"FetchXML's <{name}> in <{element.name}>")
    attributes = [_attribute(each) for each in children.get("attribute", [])]
    attributes += [Attribute(None) for _ in children.get("all-attributes", [])]
    return Source(
        table=table,
        alias=alias,
        attributes=tuple(attributes),
        filters=tuple(_filter(each) for each in children.get("filter", [])),
        orders=tuple(_order(each) for each in children.get("order", [])),
        links=tuple(_link(each, names) for each in children.get("link-entity", [])),
    )


def _free(table: str, names: set[str]) -> str:
    return next(name for number in range(1, 1000) if (name := f"{table}{number}") not in names)


def _attribute(element: Element) -> Attribute:
    given = _known(element, _ATTRIBUTE)
    return Attribute(_needed(element, given, "name"), given.get("alias"))


def _order(element: Element) -> Sort:
    given = _known(element, _ORDER)
    descending = _flag(given.get("descending"), "descending")
    return Sort(_needed(element, given, "attribute"), descending, given.get("entityname"))


def _filter(element: Element) -> Filter:
    given = _known(element, _FILTER)
    kind = given.get("type", "and")
    if kind not in {"and", "or"}:
        raise bad_query(f"The type '{kind}' of a FetchXML filter is neither and nor or.")
    for name in {child.name for child in element.children} - {"condition", "filter"}:
        raise not_served(f"FetchXML's <{name}> in a <filter>")
    conditions = tuple(_condition(child) for child in element.children if child.name == "condition")
    return Filter(kind, conditions, tuple(_filter(child) for child in element.children if child.name == "filter"))


def _condition(element: Element) -> Condition:
    given = _known(element, _CONDITION)
    if any(child.name != "value" or child.children for child in element.children):
        raise bad_query("A FetchXML <condition> holds <value> elements only.")
    values = [child.text for child in element.children if _known(child, frozenset({"uiname", "uitype"})) is not None]
    if "value" in given:
        values.append(given["value"])
    attribute, operator = (_needed(element, given, name) for name in ("attribute", "operator"))
    return Condition(attribute, operator, tuple(values), given.get("entityname"))


def _link(element: Element, names: set[str]) -> Link:
    given = element.attributes
    kind = given.get("link-type", "inner")
    if kind not in _JOINS:
        raise not_served(f"FetchXML's link-type '{kind}'")
    source = _source(element, _LINK, names)
    if len(names) > MAX_LINKS + 1:
        raise bad_query(f"The query joins more than {MAX_LINKS} tables.")
    own, other = (_needed(element, given, name) for name in ("from", "to"))
    return Link(source, own, other, kind == "outer")
