"""The fleet file: environments, their sign-in by reference, freezes, limits, waves. Read as strictly as a playbook.

fleet: 1
playbook: health-bot.yaml
environments:
  - {name: north, url: "https://north.crm.dynamics.com", group: canary, sign_in: {secret: NORTH_SECRET, …}}
waves: [canary, 10%, rest]
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from d365setup.errors import FleetError, PlaybookError, UsageError
from d365setup.fleet import table
from d365setup.fleet.checking import check
from d365setup.fleet.entries import Environment, Fleet, Freeze, Head, Limits, Wave, is_variable, settled
from d365setup.fleet.secrecy import is_named_secret, is_opaque, is_secret
from d365setup.playbook.mistakes import Mistakes, shown
from d365setup.playbook.nodes import Entry, Fields, Items, Node, Scalar, values
from d365setup.playbook.reading import MAX_BYTES, Manner, read
from d365setup.playbook.sections import is_format, items_of
from d365setup.playbook.shapes import shape
from d365setup.playbook.wording import tell_empty, unknown

FORMAT = 1
START = f"a fleet file starts with `fleet: {FORMAT}`"
_LISTS = ("environments", "freeze", "waves")
_HEAD = ("playbook", "variables", "sign_in", "environments_from", "limits", "max_failed")
_KEYS = ("fleet", *_HEAD, *_LISTS)
_REFERENCES = ("secret", "token", "certificate_password", "healthbot_secret")  # keys that name a variable
_HIDDEN = "(a value that looks like a secret)"
_HIDDEN_URL = "(an address with a user name or password)"
T = TypeVar("T")


def load(path: Path, kinds: Collection[str]) -> Fleet:
    """The fleet of a file. Raises UsageError where it cannot be read, FleetError with every mistake in it."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the fleet file {path} cannot be read: {error.strerror}") from None
    return loaded(content, str(path), kinds)


def loaded(content: bytes, file: str, kinds: Collection[str]) -> Fleet:
    """The fleet of a text. Raises FleetError with every mistake."""
    mistakes = Mistakes()
    root = read(content, file, mistakes, Manner(f"the file is empty: {START}", dates=True))
    fleet = _fleet(root, file, kinds, mistakes) if root is not None else None
    try:
        mistakes.raise_any()
    except PlaybookError as error:
        raise FleetError(error.mistakes) from None
    return fleet or Fleet(file, ())


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a fleet file, for editors."""
    schemas = (shape(Head, "file").schema, *(shape(of, "item").schema for of in (Environment, Freeze, Wave)))
    definitions = {name: each for part in schemas for name, each in part.get("$defs", {}).items()}
    head, environment, freeze, wave = ({k: v for k, v in part.items() if k != "$defs"} for part in schemas)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"fleet-{FORMAT}.schema.json",
        "title": "d365setup fleet",
        "description": "The environments that one playbook, or several, are rolled out to.",
        "type": "object",
        "additionalProperties": False,
        "required": ["fleet"],
        "$defs": definitions,
        "properties": {
            "fleet": {"description": "The format of this file.", "const": FORMAT},
            **head["properties"],
            "environments": {"type": "array", "items": environment},
            "freeze": {"type": "array", "items": freeze},
            "waves": {"type": "array", "items": {"anyOf": [wave["properties"]["of"], wave]}},
        },
    }


def _fleet(root: Node, file: str, kinds: Collection[str], mistakes: Mistakes) -> Fleet | None:
    if not isinstance(root, Fields):
        mistakes.add(root.source, f"this file is no map: {START}")
        return None
    if not is_format(root, "fleet", FORMAT, START, mistakes):
        return None
    _check_keys(root, mistakes)
    _refuse_secrets(root, mistakes)
    head = _head(root, mistakes)
    found = tuple(settled(each, head, str(Path(file).parent)) for each in _environments(root, head, file, mistakes))
    fleet = Fleet(
        file,
        found,
        tuple(_read(Freeze, "freeze", items_of(root, "freeze", "freeze", mistakes), mistakes)),
        head.limits or Limits(),
        tuple(_read(Wave, "wave", _wave_nodes(root, mistakes), mistakes)),
        int(head.max_failed[:-1]) if head.max_failed else None,
    )
    check(fleet, root, kinds, mistakes)
    return fleet


def _head(root: Fields, mistakes: Mistakes) -> Head:
    """Read key by key: what is wrong with one must not hide the others, nor what follows from them."""
    head = Head()
    for name in (each for each in _HEAD if each in root.by_name):
        alone = root.without(*(each for each in root.by_name if each != name))
        found = shape(Head, "fleet file").read(alone, mistakes, {})
        head = replace(head, **{name: getattr(found, name)}) if found else head
    return head


def _environments(root: Fields, head: Head, file: str, mistakes: Mistakes) -> Iterator[Environment]:
    yield from _read(Environment, "environment", items_of(root, "environments", "environment", mistakes), mistakes)
    if head.environments_from:
        path = Path(file).parent / head.environments_from
        nodes = list(table.read(path, root.by_name["environments_from"].value.source, mistakes))
        for node in nodes:
            _refuse_secrets(node, mistakes)
        yield from _read(Environment, "environment", iter(nodes), mistakes)


def _read(of: type[T], what: str, nodes: Iterator[Fields], mistakes: Mistakes) -> Iterator[T]:
    """The values of some nodes, those with mistakes left out."""
    for node in nodes:
        given = {"source": node.source} if "source" in of.__dataclass_fields__ else {}  # type: ignore[attr-defined]
        found = shape(of, what).read(node, mistakes, given)
        if found is not None:
            yield found


def _wave_nodes(root: Fields, mistakes: Mistakes) -> Iterator[Fields]:
    """A wave is a word, or a map with what comes behind it."""
    node = root.get("waves")
    if node is not None and not isinstance(node, Items):
        mistakes.add(node.source, "'waves' must be a list, for example [canary, 10%, rest]")
    for item in node.items if isinstance(node, Items) else ():
        if isinstance(item, Fields):
            yield item
        elif isinstance(item, Scalar):
            yield Fields((Entry(Scalar("of", item.source), item),), item.source)
        else:
            mistakes.add(item.source, "a wave is a group, a label, a share like 10%, or rest")


def _refuse_secrets(root: Fields, mistakes: Mistakes) -> None:
    """No value that looks like a secret stands in the file, and no message repeats one."""
    named = {each.source for each in _named(root)}  # it is told there that they must be names
    for scalar in values(root):
        if isinstance(scalar.value, str) and is_secret(scalar.value) and scalar.source not in named:
            _refuse(scalar, mistakes)
        if isinstance(scalar.value, str) and "://" in scalar.value and "@" in scalar.value:
            mistakes.masked[scalar.value] = _HIDDEN_URL
    for fields in _maps(root):
        sign_in, variables = fields.get("sign_in"), fields.get("variables")
        for entry in sign_in.entries if isinstance(sign_in, Fields) else ():
            value = entry.value.value if isinstance(entry.value, Scalar) else None
            if isinstance(value, str) and _may_be_secret(entry.name, value):
                mistakes.masked[value] = _HIDDEN
        for entry in variables.entries if isinstance(variables, Fields) else ():
            if is_named_secret(entry.name):
                told = f"the variable {shown(entry.name)} is called like a secret: set it in the environment instead"
                mistakes.add(entry.key.source, told)
                if isinstance(entry.value, Scalar) and entry.value.value:
                    mistakes.masked[str(entry.value.value)] = _HIDDEN


def _may_be_secret(key: str, value: str) -> bool:
    """Whether a message must not repeat what stands under a key of a sign-in."""
    return not is_variable(value) if key in _REFERENCES else is_opaque(value)


def _named(root: Fields) -> Iterator[Node]:
    """What stands where sign-ins name variables."""
    for fields in _maps(root):
        sign_in = fields.get("sign_in")
        entries = sign_in.entries if isinstance(sign_in, Fields) else ()
        yield from (each.value for each in entries if each.name in _REFERENCES)


def _maps(root: Fields) -> Iterator[Fields]:
    """Where sign-ins and variables may stand: the file itself, and each of its environments."""
    yield root
    node = root.get("environments")
    yield from (each for each in (node.items if isinstance(node, Items) else ()) if isinstance(each, Fields))


def _refuse(scalar: Scalar, mistakes: Mistakes) -> None:
    mistakes.masked[str(scalar.value)] = _HIDDEN
    told = "this looks like a secret: put it into an environment variable, and the variable's name here"
    mistakes.add(scalar.source, told)


def _check_keys(root: Fields, mistakes: Mistakes) -> None:
    for entry in root.entries:
        if entry.name not in _KEYS:
            mistakes.add(entry.key.source, unknown(entry.name, _KEYS, "a fleet file"))
    for source, message in tell_empty(root):
        mistakes.add(source, message)
