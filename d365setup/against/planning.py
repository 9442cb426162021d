"""One playbook held against what a snapshot kept of an environment: a look and a plan, as a session makes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from d365setup.against.answering import Answers, Gap
from d365setup.errors import UsageError
from d365setup.journal import Recording, Runs
from d365setup.kinds import Kinds, widened
from d365setup.kinds.usage import OPTIONAL
from d365setup.live import ABOUT, state, wanted
from d365setup.model import LiveState, Note, Query
from d365setup.plan import Decision, decide
from d365setup.playbook import Playbook
from d365setup.scope import Prune
from d365setup.session import check_expected, priced, with_links
from d365setup.survey import Kept

_ADDRESS = ("internalemailaddress",)
_MOST_TOLD = 20


@dataclass(frozen=True)
class Planning:
    """What was kept, and the playbook to hold against it; ``name`` is what messages call the snapshot."""

    kept: Kept
    name: str
    kinds: Kinds
    playbook: Playbook
    runs: Runs | None = None
    prune: Prune | None = None
    remarks: tuple[Note, ...] = ()

    def pruning(self) -> Planning:
        """The same, which also takes away what this playbook made and no longer declares."""
        return replace(self, prune=Prune())

    def look(self, expected: str = "", /) -> LiveState:
        """The live state of then. Raises UsageError where the snapshot does not tell it, Refused for another one."""
        check_expected(self.kept.environment, expected)
        kinds = self.kinds if self.prune is None else widened(self.kinds)
        queries, found = self._asked(kinds)
        gaps = [each for each in found if isinstance(each, Gap)]
        unanswered = frozenset(each.query.label for each in gaps)
        if self.prune is not None and unanswered and unanswered <= set(OPTIONAL):  # as a session goes on without them
            kinds = widened(self.kinds, without=unanswered)
            queries, found = self._asked(kinds)
            gaps = [each for each in found if isinstance(each, Gap)]
        if gaps:
            raise UsageError(self._told(gaps))
        return state(kinds, self.kept.environment, queries, [each for each in found if not isinstance(each, Gap)])

    def decide(self, live: LiveState, /, *, whole_stages: bool = False) -> Decision:
        """The plan, priced as the environment would be. Raises Unresolvable."""
        playbook = self.playbook
        prune = with_links(self.prune, self.runs, live, playbook.name)
        found = decide(playbook.name, playbook.sha256, playbook.desired, live, self.kinds, prune=prune)
        plan = replace(found.plan, warnings=(*found.plan.warnings, *self.remarks))
        if plan.changes:
            kinds = self.kinds if self.prune is None else widened(self.kinds)
            reads = len(ABOUT) + len(tuple(wanted(kinds, playbook.desired)))
            plan = plan.with_cost(priced(found, self.kinds, self.kept.width, reads, whole_stages=whole_stages))
        return replace(found, plan=plan)

    def left_open(self, live: LiveState, /) -> list[Recording]:
        """Runs on this environment whose process died before it wrote down how they ended."""
        return self.runs.left_open(live.environment.organization_id) if self.runs else []

    @cached_property
    def _answers(self) -> Answers:
        return Answers(self.kept)

    def _asked(self, kinds: Kinds) -> tuple[Sequence[Query], list[list[dict[str, Any]] | Gap]]:
        queries = list(wanted(kinds, self.playbook.desired))
        return queries, [self._answers.to(each) for each in queries]

    def _told(self, gaps: Sequence[Gap]) -> str:
        told = list(dict.fromkeys(_reasons(gaps)))
        more = [f"and {len(told) - _MOST_TOLD} more"] if len(told) > _MOST_TOLD else []
        cure = f"d365setup audit {self.playbook.texts[0][0]} --url {self.kept.environment.url} --save FILE"
        shown = "; ".join((*told[:_MOST_TOLD], *more))
        return f"{self.name} does not tell all that this playbook asks for: {shown}. Take one that does: {cure}"


def _reasons(gaps: Iterable[Gap]) -> Iterator[str]:
    for gap in gaps:
        people = [each for each in gap.terms if each.path == _ADDRESS]
        if gap.refused:
            yield f"the environment refused the rows of {gap.query.entity_set} ({gap.refused})"
        elif people:
            yield from (f"who has the address {each.value}" for each in people)
        else:
            known = [f"{'/'.join(each.path)} {each.value}".strip() for each in gap.terms]
            yield f"the rows of {gap.query.entity_set}" + (f" with {', '.join(known)}" if known else "")
