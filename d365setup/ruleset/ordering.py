"""Which rule stands where. Order decides routing: of all rules that match, the first with room takes it.

Declared rules that exist permute only among the places they occupy; nobody else's rule ever moves.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from d365setup.conditions import ALWAYS, same
from d365setup.ruleset.markup import RuleSetError
from d365setup.ruleset.reading import Rule


def arranged(rules: Sequence[Rule], wanted: Sequence[str]) -> tuple[int | str, ...]:
    """The resulting sequence: an existing rule by its present index, a new one by its name.

    A new rule stands right after its declared predecessor, else right before its declared successor, else
    before the first undeclared rule without a condition, else at the end. Raises RuleSetError for a name
    that is wanted twice, and for two live rules of one wanted name.
    """
    found = _located(rules, wanted)
    existing = [found[name] for name in wanted if name in found]
    places: list[int | str] = list(range(len(rules)))
    for slot, index in zip(sorted(existing), existing, strict=True):
        places[slot] = index
    for before, name in zip((None, *wanted), wanted, strict=False):
        if name not in found:
            after = None if before is None else found.get(before, before)
            places.insert(_position(places, after, existing, rules), name)
    return tuple(places)


def order(rules: Sequence[Rule], wanted: Sequence[str]) -> tuple[str, ...]:
    """The names of all rules in the resulting sequence; see `arranged`."""
    return tuple(place if isinstance(place, str) else rules[place].name for place in arranged(rules, wanted))


def moved(rules: Sequence[Rule], wanted: Sequence[str]) -> Mapping[str, tuple[int, int]]:
    """Which existing declared rules change their rank: name -> (before, after), from 1, among those present.

    As few as possible: the longest run that already is in order stays, so two swapped neighbours give one
    entry.
    """
    found = _located(rules, wanted)
    names = [name for name in wanted if name in found]
    ranks = {index: rank for rank, index in enumerate(sorted(found.values()))}
    sequence = [ranks[found[name]] for name in names]
    staying = set(_longest_rising(sequence))
    changes = zip(names, sequence, range(len(names)), strict=True)
    return {name: (before + 1, after + 1) for name, before, after in changes if before not in staying}


def behind_unconditional(rules: Sequence[Rule], wanted: Sequence[str]) -> tuple[str, ...]:
    """The declared rules that will stand behind an undeclared one without a condition, in that order."""
    declared = set(wanted)
    behind: list[str] = []
    blocked = False
    for place in arranged(rules, wanted):
        name = place if isinstance(place, str) else rules[place].name
        if name not in declared:
            blocked = blocked or _always(rules, place)
        elif blocked:
            behind.append(name)
    return tuple(behind)


def _always(rules: Sequence[Rule], place: int | str) -> bool:
    return isinstance(place, int) and same(rules[place].condition, ALWAYS)


def _located(rules: Sequence[Rule], wanted: Sequence[str]) -> dict[str, int]:
    """Where each wanted rule that exists stands."""
    repeated = [name for name, count in Counter(wanted).items() if count > 1]
    if repeated:
        raise RuleSetError(f"Rule {repeated[0]!r} is declared twice for one work stream; give one another name.")
    found: dict[str, int] = {}
    names = set(wanted)
    for index, rule in enumerate(rules):
        if rule.name not in names:
            continue
        if rule.name in found:
            ids = f"{rules[found[rule.name]].id} and {rule.id}"
            raise RuleSetError(f"Two rules are called {rule.name!r}: {ids}; rename one in the admin center.")
        found[rule.name] = index
    return found


def _position(
    places: Sequence[int | str], after: int | str | None, existing: Sequence[int], rules: Sequence[Rule]
) -> int:
    """Where the next new rule goes; without one before it, nothing declared has been passed yet."""
    if after is not None:
        return places.index(after) + 1
    if existing:
        return places.index(existing[0])
    return next((at for at, place in enumerate(places) if _always(rules, place)), len(places))


def _longest_rising(sequence: Sequence[int]) -> tuple[int, ...]:
    """A longest increasing subsequence; of several, one with the most numbers at their own index."""
    best: list[tuple[int, int, tuple[int, ...]]] = []  # of the runs ending here: length, numbers in place, the run
    for index, number in enumerate(sequence):
        ahead = [run for run, last in zip(best, sequence, strict=False) if last < number]
        length, in_place, run = max(ahead, default=(0, 0, ()))
        best.append((length + 1, in_place + (number == index), (*run, number)))
    return max(best, default=(0, 0, ()))[2]
