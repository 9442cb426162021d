"""Who uses a queue, a variable or a bot: what must not be taken away while somebody does. Pure.

`usage_queries` says what to read, `usage_of` makes a picture of the answers, and the questions at the end can be asked
of the picture as it will be: with other texts, fallback queues or members than those that were read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from d365setup.kinds.rule_sets import (
    EVERY_RULE_SET,
    GUIDS,
    RuleText,
    every_rule_set_queries,
    mappings_of,
    rules_in,
    streams_of,
)
from d365setup.model import LiveState, Query, Row, Rows

_STREAMS, _LEGACY, _ITEMS, _CONVERSATIONS = "every work stream", "legacy rules", "queue items", "conversations"
OPTIONAL: Mapping[str, str] = {  # queries an environment may not answer: label -> what is not known then
    _STREAMS: "which work streams have it as their fallback queue or use it for their bot",
    _LEGACY: "whether a rule of legacy routing sends work there",
    _ITEMS: "whether it holds open queue items",
    _CONVERSATIONS: "whether conversations are in it",
}
# msdyn_ocliveworkitem.statecode: all but closed (1) and resolved (2); and wrap-up, whichever state it belongs to
_NOT_OVER = "(statecode eq 0 or statecode eq 3 or statecode eq 4 or statuscode eq 5)"
_BOUND = {
    "msdyn_defaultqueue": "it is the fallback queue of the work stream {!r}",
    "msdyn_bot_queue": "it is the queue of the bot of the work stream {!r}",
}
_WORK = {  # label -> the column with the queue, and what one and several are called
    _ITEMS: ("_queueid_value", "open queue item is", "open queue items are"),
    _CONVERSATIONS: (
        "_msdyn_cdsqueueid_value",
        "conversation that is not over is",
        "conversations that are not over are",
    ),
}
_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class KnownText:
    """A rule set, whatever it decides; ``workstreams`` are those whose steps lead to it."""

    row_id: str
    name: str
    text: str
    workstreams: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Binding:
    """A work stream and one of the queues it names; ``column`` says as what."""

    workstream_id: str
    workstream: str
    column: str
    queue_id: str


@dataclass(frozen=True)
class Usage:
    """Everything that can use a queue, a variable or a bot. ``unread`` names what could not be read (`OPTIONAL`)."""

    texts: tuple[KnownText, ...] = ()
    mapped: Mapping[str, frozenset[str]] = field(default_factory=dict)  # row -> rule sets noted to refer to it
    bound: tuple[Binding, ...] = ()
    bots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # user -> work streams whose bot it is
    legacy: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # queue -> legacy rules that lead there
    work: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # queue -> how many, by label
    unread: tuple[str, ...] = tuple(OPTIONAL)
    is_known: bool = False


def usage_queries(without: Iterable[str] = ()) -> Iterator[Query]:
    """What to read; ``without`` leaves out optional ones, by label."""
    left_out = frozenset(without)
    yield from every_rule_set_queries()
    yield from (query for query in _optional() if query.label not in left_out)


def _optional() -> Iterator[Query]:
    expand = (*(f"{name}($select=queueid)" for name in _BOUND), "msdyn_bot_user($select=systemuserid)")
    yield Query(_STREAMS, "msdyn_liveworkstreams", ("msdyn_liveworkstreamid", "msdyn_name"), "", expand)
    legacy = ("msdyn_ocruleitemid", "msdyn_name", "_msdyn_cdsqueueassignid_value")
    yield Query(_LEGACY, "msdyn_ocruleitems", legacy, "statecode eq 0 and _msdyn_cdsqueueassignid_value ne null")
    where = "statecode eq 0 and queueid/msdyn_isomnichannelqueue eq true"
    yield Query(_ITEMS, "queueitems", ("queueitemid", "_queueid_value"), where)
    where = f"_msdyn_cdsqueueid_value ne null and {_NOT_OVER}"
    yield Query(_CONVERSATIONS, "msdyn_ocliveworkitems", ("activityid", "_msdyn_cdsqueueid_value"), where)


def usage_of(rows: Rows) -> Usage:
    """The picture these rows give. One that `usage_queries` were not asked for is not known, and nothing is free."""
    if EVERY_RULE_SET not in rows:
        return Usage()
    sets = rows[EVERY_RULE_SET]
    streams = streams_of(rows)
    return Usage(
        texts=tuple(_text(row, streams) for row in sets),
        mapped=_grouped((target, row["msdyn_decisionrulesetid"]) for row in sets for _, target in mappings_of(row)),
        bound=tuple(_bindings(rows.get(_STREAMS, ()))),
        bots=_named(rows.get(_STREAMS, ()), lambda row: (row.get("msdyn_bot_user") or {}).get("systemuserid")),
        legacy=_named(rows.get(_LEGACY, ()), lambda row: row.get("_msdyn_cdsqueueassignid_value")),
        work=_counted(rows),
        unread=tuple(label for label in OPTIONAL if label not in rows),
        is_known=True,
    )


def known_usage(live: LiveState) -> Usage:
    """The picture as it was read; an unknown one where nobody asked."""
    return next(iter(live.known(Usage)), Usage())


def queue_uses(
    queue_id: str,
    usage: Usage,
    *,
    texts: Mapping[str, str] = _NOTHING,
    fallbacks: Mapping[str, str] = _NOTHING,
    members: Iterable[str] = (),
) -> tuple[str, ...]:
    """Why a queue must stay, each reason a clause; none when nothing uses it.

    ``texts`` are rule sets' texts as they will be, by row id, ``fallbacks`` work streams' fallback queues, by both
    ids; what is not named there stays as it was read. ``members`` are the names of those who will still be in it.
    """
    return tuple(
        dict.fromkeys(
            (
                *_routes(queue_id, usage, texts),
                *_bound(queue_id, usage, fallbacks),
                *(f"the legacy rule {name!r} sends work there" for name in usage.legacy.get(queue_id, ())),
                *(_many(label, count) for label, count in usage.work.get(queue_id, {}).items()),
                *(f"{name} is in it, and not by this playbook" for name in members),
                *_unread(usage),
            )
        )
    )


def variable_uses(
    row_id: str, workstream: str, name: str, usage: Usage, *, texts: Mapping[str, str] = _NOTHING
) -> tuple[str, ...]:
    """Why a context variable must stay, as `queue_uses`. A rule set of no known work stream may be anybody's."""
    if not usage.is_known:
        return ("which rules look at it is not known",)
    found: list[str] = []
    for each in usage.texts:
        if each.workstreams and workstream not in each.workstreams:
            continue
        text = texts.get(each.row_id, each.text)
        users = RuleText(workstream, each.name, text, rules_in(text)).users_of(name)
        found += (f"the rule {user!r} looks at it" for user in users)
    return tuple(dict.fromkeys((*found, *_mapped(row_id, usage, texts))))


def bot_uses(user_id: str, usage: Usage) -> tuple[str, ...]:
    """Why a bot must stay, as `queue_uses`."""
    if _STREAMS in usage.unread:
        return ("which work streams have it as their bot could not be read",)
    return tuple(f"it is the bot of the work stream {name!r}" for name in usage.bots.get(user_id, ()))


@lru_cache(maxsize=1024)  # every queue asks about every text
def senders(text: str) -> Mapping[str, tuple[str, ...]]:
    """The queues a rule set's text names, by id, with the rules that send conversations there; other ids come along."""
    found: dict[str, tuple[str, ...]] = {each.lower(): () for each in GUIDS.findall(text)}
    for rule in rules_in(text):
        for queue in filter(None, (rule.queue, *(queue for queue, _ in rule.shares))):
            found[queue] = (*found.get(queue, ()), rule.name)
    return found


def _routes(queue_id: str, usage: Usage, texts: Mapping[str, str]) -> Iterator[str]:
    for each in usage.texts:
        rules = senders(texts.get(each.row_id, each.text)).get(queue_id)
        if rules is not None:
            yield from _told(each, rules)
    yield from _mapped(queue_id, usage, texts)


def _told(known: KnownText, rules: Sequence[str]) -> Iterator[str]:
    where = f" of the work stream {', '.join(map(repr, sorted(known.workstreams)))}" if known.workstreams else ""
    yield from (f"the rule {rule!r}{where} sends conversations there" for rule in rules)
    if not rules:
        yield f"the rule set {known.name!r}{where} names it"


def _mapped(row_id: str, usage: Usage, texts: Mapping[str, str]) -> Iterator[str]:
    """What the platform noted; of a rule set that is written anew the text alone counts, for it is noted anew too."""
    names = {each.row_id: each.name for each in usage.texts}
    for rule_set in sorted(usage.mapped.get(row_id, frozenset()) - set(texts)):
        yield f"the platform notes that the rule set {names[rule_set]!r} refers to it"


def _bound(queue_id: str, usage: Usage, fallbacks: Mapping[str, str]) -> Iterator[str]:
    for each in usage.bound:
        is_fallback = each.column == "msdyn_defaultqueue"
        now = fallbacks.get(each.workstream_id, each.queue_id) if is_fallback else each.queue_id
        if now == queue_id:
            yield _BOUND[each.column].format(each.workstream)


def _many(label: str, count: int) -> str:
    _, one, several = _WORK[label]
    return f"{count} {one if count == 1 else several} in it"


def _unread(usage: Usage) -> Iterator[str]:
    if not usage.is_known:
        yield "which rules send conversations there is not known"
    yield from (f"{OPTIONAL[label]} could not be read" for label in usage.unread)


def _text(row: Row, streams: Mapping[str, frozenset[str]]) -> KnownText:
    row_id = row["msdyn_decisionrulesetid"]
    text = row.get("msdyn_rulesetdefinition") or ""
    return KnownText(row_id, row.get("msdyn_name") or row_id, text, streams.get(row_id, frozenset()))


def _bindings(rows: Sequence[Row]) -> Iterator[Binding]:
    for row in rows:
        for column in _BOUND:
            queue = (row.get(column) or {}).get("queueid")
            if queue:
                yield Binding(row["msdyn_liveworkstreamid"], row.get("msdyn_name") or "", column, queue)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for key, value in pairs:
        found[key] = found.get(key, frozenset()) | {value}
    return found


def _named(rows: Sequence[Row], key: Any) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        if key(row):
            found[key(row)] = (*found.get(key(row), ()), row.get("msdyn_name") or "")
    return found


def _counted(rows: Rows) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for label, (column, *_) in _WORK.items():
        for row in rows.get(label, ()):
            of_queue = found.setdefault(row[column], {})
            of_queue[label] = of_queue.get(label, 0) + 1
    return found
