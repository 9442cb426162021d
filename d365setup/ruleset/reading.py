"""The text of a rule set -> its rules."""

from dataclasses import dataclass, field
from functools import lru_cache

from d365setup.conditions import Condition
from d365setup.ruleset.criteria import read_condition
from d365setup.ruleset.markup import Document, Element, RuleSetError, parse
from d365setup.ruleset.targets import read_target


@dataclass(frozen=True)
class Rule:
    """One rule as it stands; ids are lower-case without braces.

    `queue` is None unless the action assigns exactly one queue; `action` then says in a few words what it
    does instead of "queue". `overflow` is the overflow rule set that replaces the queue's own for this rule;
    `shares` are the queues of a percentage split with their percentages, as text. `sets` are the attributes
    the action sets, each with its value (None for one that is not a plain text): what classification does.
    """

    id: str
    name: str
    condition: Condition
    queue: str | None
    action: str = "queue"
    overflow: str | None = None
    shares: tuple[tuple[str, str], ...] = ()
    # Two rules are the same route where all of the above is; what else is set is for classification.
    sets: tuple[tuple[str, str | None], ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class RuleSet:
    """The rules in the order they are evaluated in; `hit_policy` is empty when the text names none."""

    rules: tuple[Rule, ...]
    hit_policy: str


@dataclass(frozen=True)
class Parsed:
    """A rule set with its text: `elements` are those of `rules`, one each, inside `container`."""

    document: Document
    container: Element
    elements: tuple[Element, ...]
    rules: tuple[Rule, ...]


def read(text: str) -> RuleSet:
    """Read the text of a rule set; raises RuleSetError when it is none."""
    parsed = read_parsed(text)
    return RuleSet(parsed.rules, parsed.document.root.attributes.get("hit-policy", ""))


@lru_cache(maxsize=32)  # one text is read for its rules, and again for each edit that is tried or made
def read_parsed(text: str) -> Parsed:
    """As `read`, with what an editor of the text needs."""
    document = parse(text, "decision", "rule set")
    containers = document.root.named("rules")
    if len(containers) != 1:
        raise RuleSetError(f"A rule set has one <rules> in its <decision>; this one has {len(containers)}.")
    elements = tuple(containers[0].named("rule"))
    return Parsed(document, containers[0], elements, tuple(map(_rule, elements)))


def _rule(element: Element) -> Rule:
    target = read_target(element)
    return Rule(
        id=element.attributes.get("id", "").strip().strip("{}").lower(),
        name=element.attributes.get("name", ""),
        condition=read_condition(element),
        queue=target.queue,
        action=target.action,
        overflow=target.overflow,
        shares=target.shares,
        sets=target.sets,
    )
