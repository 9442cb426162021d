"""The fleet file: environments, their sign-in by reference, freezes, limits, waves. Read as strictly as a playbook.

fleet: 1
playbook: health-bot.yaml
environments:
  - {name: north, url: "https://north.crm.dynamics.com", group: canary, sign_in: {secret: NORTH_SECRET, …}}
waves: [canary, 10%, rest]
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar

from d365setup.errors import FleetError, PlaybookError, UsageError
from d365setup.fleet import table
from d365setup.fleet.entries import Environment, Fleet, Freeze, Head, Limits, SignIn, Wave, is_variable, moment, settled
from d365setup.fleet.secrecy import is_named_secret, is_opaque, is_secret
from d365setup.model import fold
from d365setup.playbook.mistakes import Mistakes, meant, shown
from d365setup.playbook.nodes import Entry, Fields, Items, Node, Scalar, values
from d365setup.playbook.reading import MAX_BYTES, Manner, read
from d365setup.playbook.sections import items_of
from d365setup.playbook.shapes import shape
from d365setup.playbook.wording import tell_empty, unknown

FORMAT = 1
REST = "rest"
START = f"a fleet file starts with `fleet: {FORMAT}`"
_LISTS = ("environments", "freeze", "waves")
_HEAD = ("playbook", "variables", "sign_in", "environments_from", "limits", "max_failed")
_KEYS = ("fleet", *_HEAD, *_LISTS)
_HIDDEN = "(a value that looks like a secret)"
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
    if not _is_format(root, mistakes):
        return None
    _check_keys(root, mistakes)
    _refuse_secrets(root, mistakes)
    head = shape(Head, "fleet file").read(root.without("fleet", *_LISTS), mistakes, {}) or Head()
    found = tuple(settled(each, head, str(Path(file).parent)) for each in _environments(root, head, file, mistakes))
    fleet = Fleet(
        file,
        found,
        tuple(_read(Freeze, "freeze", items_of(root, "freeze", "freeze", mistakes), mistakes)),
        head.limits or Limits(),
        tuple(_read(Wave, "wave", _wave_nodes(root, mistakes), mistakes)),
        int(head.max_failed[:-1]) if head.max_failed else None,
    )
    _check(fleet, root, kinds, mistakes)
    return fleet


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


# -- what is wrong with it as a whole ---------------------------------------------------------------------------------


def _check(fleet: Fleet, root: Fields, kinds: Collection[str], mistakes: Mistakes) -> None:
    if not {"environments", "environments_from"} & root.by_name.keys():
        mistakes.add(root.source, "'environments' is missing: the list of them, or environments_from: a CSV file")
    elif not fleet.environments and not mistakes.found:
        mistakes.add(root.source, "there are no environments: list one at least")
    _tell_twins(fleet, mistakes)
    for each in fleet.environments:
        if each.playbook is None:
            told = f"the environment {shown(each.name)} has no playbook: give it one, or one for all at the top"
            mistakes.add(each.source, told)
        _check_sign_in(each.sign_in, each, mistakes)
    for kind in fleet.limits.removals:
        if kind not in kinds:
            at = root.by_name["limits"].value.source
            mistakes.add(at, f"{shown(kind)} is no kind of thing{meant(kind, kinds)}")
    if not mistakes.found:  # an environment with a mistake is not there, and its name would be missed
        _check_words(fleet, root, mistakes)


def _tell_twins(fleet: Fleet, mistakes: Mistakes) -> None:
    names: dict[str, Environment] = {}
    urls: dict[str, Environment] = {}
    for each in fleet.environments:
        first = names.setdefault(fold(each.name), each)
        if first is not each:
            mistakes.add(each.source, f"there are two environments named {shown(each.name)} (first at {first.source})")
        other = urls.setdefault(each.url, each)
        if other is not each:
            told = f"{shown(each.name)} has the URL of {shown(other.name)} ({other.source}): {each.url}"
            mistakes.add(each.source, told)


def _check_sign_in(given: SignIn | None, of: Environment, mistakes: Mistakes) -> None:
    if given is None:
        return
    if len(given.ways) != 1:
        ways = "secret, token, certificate, federated_token_file, federated, managed_identity"
        told = f"names {' and '.join(given.ways)}" if given.ways else "names no way"
        mistakes.add(of.source, f"the sign-in of {shown(of.name)} {told}: one of {ways} is right")
    elif given.ways[0] not in ("token", "managed_identity") and given.client_id is None:
        mistakes.add(of.source, f"the sign-in of {shown(of.name)} lacks client_id: which application signs in")
    if given.federated == "azure-pipelines" and given.service_connection is None:
        mistakes.add(of.source, f"the sign-in of {shown(of.name)} lacks service_connection: its id in Azure Pipelines")


def _check_words(fleet: Fleet, root: Fields, mistakes: Mistakes) -> None:
    """Waves and freezes name environments that are there; a misspelt exception would freeze the wrong ones."""
    words = list(dict.fromkeys(w for e in fleet.environments for w in (e.name, e.group, *e.labels) if w))
    names = [each.name for each in fleet.environments]
    for wave in fleet.waves:
        if wave.of != REST and not wave.of.endswith("%") and wave.of not in words:
            told = f"no environment has the name, group or label {shown(wave.of)}{meant(wave.of, words)}"
            mistakes.add(root.by_name["waves"].value.source, told)
    for each in fleet.freeze:
        if moment(each.begins, is_end=False) >= moment(each.ends, is_end=True):
            mistakes.add(each.source, "this freeze ends before it begins")
        for word in each.only:
            if word not in words:
                mistakes.add(each.source, f"no environment is called {shown(word)}{meant(word, words)}")
        for name in each.excepted:
            if name not in names:
                mistakes.add(each.source, f"no environment is named {shown(name)}{meant(name, names)}")


def _refuse_secrets(root: Fields, mistakes: Mistakes) -> None:
    """No value that looks like a secret stands in the file, and no message repeats one."""
    for scalar in values(root):
        if isinstance(scalar.value, str) and is_secret(scalar.value):
            _refuse(scalar, mistakes)
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
    names_variable = key in ("secret", "token", "certificate_password", "healthbot_secret")
    return not is_variable(value) if names_variable else is_opaque(value)


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


def _is_format(root: Fields, mistakes: Mistakes) -> bool:
    node = root.get("fleet")
    if node is None:
        mistakes.add(root.source, f"`fleet: {FORMAT}` is missing: {START}")
        return False
    if not isinstance(node, Scalar) or node.value is True or node.value != FORMAT:
        mistakes.add(node.source, f"this is no format of fleet files: this version reads `fleet: {FORMAT}`")
        return False
    return True
