"""Sections of a playbook -> specs: which types stand where comes from the types themselves (`Place`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from d365setup.model import Desired, Source, Spec
from d365setup.playbook.mistakes import Mistakes
from d365setup.playbook.nodes import Fields, Items, Node, Scalar, Step, follow
from d365setup.playbook.shapes import shape
from d365setup.playbook.wording import label

Specs = Mapping[str, type[Spec]]


@dataclass
class Built:
    """What became of the sections: the specs, the node of each, and the names of those that had mistakes."""

    specs: dict[str, list[Spec]] = field(default_factory=dict)
    nodes: dict[Source, Node] = field(default_factory=dict)
    broken: set[tuple[str, str | None]] = field(default_factory=set)  # kind, name as written (None: names unknown)

    @property
    def desired(self) -> Desired:
        """Everything declared, kind by kind."""
        return Desired(tuple(spec for specs in self.specs.values() for spec in specs))


def sections(specs: Specs) -> dict[str, str]:
    """The top-level lists, and the kind whose items stand there."""
    return {each.place.section: kind for kind, each in specs.items() if not each.place.field and not each.place.derived}


def inner(specs: Specs, section: str) -> dict[str, str]:
    """The lists inside the items of a section, and their kinds."""
    return {
        each.place.field: kind for kind, each in specs.items() if each.place.section == section and each.place.field
    }


def derived(specs: Specs, section: str) -> list[type[Spec]]:
    """The types whose specs follow from the items of a section."""
    return [each for each in specs.values() if each.place.section == section and each.place.derived]


def build(root: Fields, specs: Specs, mistakes: Mistakes) -> Built:
    """All specs of a playbook; what is wrong with any of them is told, and the others are built."""
    built = Built({kind: [] for kind in specs})
    for section, kind in sections(specs).items():
        for item in items_of(root, section, words(kind), mistakes):
            _Item(item, specs, built, mistakes).outer(section, kind)
    return built


def words(kind: str) -> str:
    """A kind's name as people say it."""
    return kind.replace("_", " ")


def is_format(root: Fields, key: str, version: int, start: str, mistakes: Mistakes) -> bool:
    """Whether a file that is no playbook says ``key: version``; ``start`` is how such a file starts, for messages."""
    node = root.get(key)
    if node is None:
        mistakes.add(root.source, f"`{key}: {version}` is missing: {start}")
    elif not isinstance(node, Scalar) or node.value is True or node.value != version:
        mistakes.add(node.source, f"this is no format that this version reads: {start}")
    else:
        return True
    return False


def items_of(outer: Fields, name: str, what: str, mistakes: Mistakes) -> Iterator[Fields]:
    """The maps of a list; anything else there is told."""
    node = outer.get(name)
    if isinstance(node, Items):
        for index, item in enumerate(node.items):
            if isinstance(item, Fields):
                yield item
            elif not is_told(item):
                mistakes.add(item.source, f"{label((name, index))} must be a map that describes one {what}: - name: …")
    elif node is not None and not is_told(node):
        mistakes.add(node.source, f"'{name}' must be a list, one item for each {what}: - name: …")


def is_told(node: Node) -> bool:
    """Whether a scalar's mistake was told already, or will be because it is empty."""
    return not isinstance(node, Fields | Items) and (node.wrong or node.value is None)


@dataclass(frozen=True)
class _Item:
    """One item of a section, and what follows from it."""

    node: Fields
    specs: Specs
    built: Built
    mistakes: Mistakes

    def outer(self, section: str, kind: str) -> None:
        lists = inner(self.specs, section)
        spec = self._read(self.node, kind, tuple(lists), {})
        for name, inner_kind in lists.items():
            self._inner(name, inner_kind)
        for each in derived(self.specs, section):
            if spec is None:
                self.built.broken.add((each.kind, None))
            else:
                self.built.specs[each.kind] += each.derive(spec, self._at)

    def _inner(self, name: str, kind: str) -> None:
        parent = self.specs[kind].place.parent
        given = {parent: self.node.text("name") or ""} if parent else {}
        for item in items_of(self.node, name, words(kind), self.mistakes):
            self._read(item, kind, (), given)

    def _read(self, node: Fields, kind: str, lists: Sequence[str], given: Mapping[str, str]) -> Spec | None:
        parent = next(iter(given), "")
        found = shape(self.specs[kind], words(kind), parent, tuple(lists))
        spec = found.read(node, self.mistakes, {**given, "source": node.source})
        if spec is None:
            self.built.broken.add((kind, node.text("name") or ""))
            return None
        self.built.specs[kind].append(spec)
        self.built.nodes[spec.source] = node
        return spec

    def _at(self, *path: Step) -> Source:
        found = follow(self.node, path).node
        self.built.nodes[found.source] = found
        return found.source
