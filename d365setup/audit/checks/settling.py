"""What was changed so lately that routing may not know it yet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from d365setup.audit.checking import Result, Seen, about_queue, about_user, about_workstream, check, finding
from d365setup.audit.findings import Subject
from d365setup.center import ContactCenter

SETTLES = timedelta(minutes=15)


@check("R26")
def changed_lately(seen: Seen) -> Iterator[Result]:
    """Routing takes up to 15 minutes to notice a change."""
    for subject, modified_on in _changed(seen.center):
        age = _age(modified_on, seen.now)
        if age is not None and age < SETTLES:
            minutes = max(0, int(age.total_seconds() // 60))
            told = f"it was changed {minutes} min ago (an apply counts), and routing may still go by what was before"
            yield finding("R26", subject, told, changed=modified_on)


def _changed(center: ContactCenter) -> Iterator[tuple[Subject, str]]:
    for stream in center.workstreams:
        yield about_workstream(stream), stream.modified_on
        for rules in filter(None, (stream.routes, *stream.classifications)):
            yield Subject("rule_set", rules.name, rules.row_id, "msdyn_decisionruleset"), rules.modified_on
    for queue in center.queues:
        yield about_queue(queue), queue.modified_on
    for bot in center.bots:
        yield about_user(bot), bot.modified_on


def _age(modified_on: str, now: datetime) -> timedelta | None:
    """How long ago; None where no time is known, or one that is no time."""
    try:
        changed = datetime.fromisoformat(modified_on)
    except ValueError:
        return None
    return now - (changed if changed.tzinfo else changed.replace(tzinfo=UTC))
