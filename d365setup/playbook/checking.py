"""What only the whole playbook can tell: twins, names that nobody declared, and what the kinds themselves object to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from d365setup.model import Desired, Reference, Source, Spec, fold
from d365setup.playbook.mistakes import Mistakes, shown
from d365setup.playbook.nodes import Node, Step, follow, scalars
from d365setup.playbook.sections import Built, Specs, words


def check(built: Built, specs: Specs, mistakes: Mistakes) -> None:
    """Tell everything that is wrong with these specs taken together."""
    desired = built.desired
    for kind, found in built.specs.items():
        _tell_twins(found, words(kind), mistakes, derived=specs[kind].place.derived)
    names = Names(desired, specs, built.broken, mistakes)
    for spec in desired.specs:
        node = built.nodes.get(spec.source)
        for reference in spec.references():
            problem = names.problem(reference)
            if problem:
                mistakes.add(place(spec.source, node, reference.path, reference.shown), problem)
        for mistake in spec.check(desired):
            mistakes.add(place(spec.source, node, mistake.path), mistake.message)


def place(source: Source, node: Node | None, path: tuple[Step, ...], name: str = "") -> Source:
    """Where a path inside a spec's item leads, as near as it can be followed.

    Where it does not end, the first scalar below that is its last step. Where it ends under a key that is ``name``,
    the key.
    """
    if node is None:
        return source
    spot = follow(node, path)
    if spot.key is not None and path and path[-1] == name and spot.key.value == name:
        return spot.key.source
    if not spot.missed or path[-1] != spot.missed[-1]:
        return spot.node.source
    return next((each.source for each in scalars(spot.node) if each.value == path[-1]), spot.node.source)


def _tell_twins(specs: Sequence[Spec], what: str, mistakes: Mistakes, *, derived: bool) -> None:
    """Each spec is compared with those before it; only the strongest likeness is told."""
    marks: dict[tuple[str, str], Spec] = {}
    for spec in specs:
        mine = {"key": spec.key, "looks": fold(spec.key), "identity": spec.key if derived else spec.identity}
        likeness = next((name for name, mark in mine.items() if (name, mark) in marks), None)
        if likeness:
            mistakes.add(spec.source, _twins(likeness, what, marks[likeness, mine[likeness]], spec))
        for name, mark in mine.items():
            marks.setdefault((name, mark), spec)


def _twins(likeness: str, what: str, first: Spec, spec: Spec) -> str:
    where = f" (first on line {first.source.line} of {first.source.file})"
    if likeness == "key":
        return f"the {what} {shown(spec.key)} is declared twice{where}"
    both = f"the {what}s {shown(first.key)} and {shown(spec.key)}"
    if likeness == "looks":
        return f"{both} differ only by upper and lower case, white space or Unicode form{where}"
    return f"{both} are one and the same: both stand for {shown(spec.identity)}{where}"


@dataclass(frozen=True)
class Names:
    """Answers whether a name is declared, and which one was meant when it is not."""

    desired: Desired
    specs: Specs
    broken: set[tuple[str, str | None]]
    mistakes: Mistakes

    def problem(self, reference: Reference) -> str:
        """What to say about a reference; nothing when it leads somewhere, or to an item whose mistakes are told."""
        name = reference.shown or reference.key
        if self.desired.find(reference.kind, reference.key):
            return ""
        if {(reference.kind, name), (reference.kind, None)} & self.broken:
            return ""
        hint = self.mistakes.meant(name, self._names(reference)) or self._cure(reference.kind)
        return f"no {reference.what} {shown(name)} is declared{hint}"

    def _names(self, reference: Reference) -> Iterator[str]:
        for spec in self.desired.specs:
            if spec.kind == reference.kind and spec.key.startswith(reference.within):
                yield spec.name

    def _cure(self, kind: str) -> str:
        known = self.specs.get(kind)
        if known is None:
            return ""
        where = known.place.field or known.place.section
        refers = ", with `existing: true` if it only has to be there" if hasattr(known, "existing") else ""
        return f": add it under `{where}`{refers}"
