"""The rows read so far, each once, with the rule sets among them understood; and what they lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from d365setup.center import Overflow, RuleSet
from d365setup.ruleset import Rule
from d365setup.survey import queries
from d365setup.survey.asking import Answers
from d365setup.survey.hours import inner_calendars
from d365setup.survey.overflow import overflow_of
from d365setup.survey.people import bare
from d365setup.survey.streams import rule_set

Row = Mapping[str, Any]

OVERFLOW_COLUMNS = ("_msdyn_prequeueoverflowrulesetid_value", "_msdyn_inqueueoverflowrulesetid_value")


class Gathered:
    """Rows by label and id. A label that could not be read has None in `answers`, never an empty list."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Row]] = {label: {} for label in queries.KEYS}
        self._unread: set[str] = set()
        self._sets: dict[str, RuleSet] = {}

    def add(self, found: Answers, keep: Callable[[str, Row], bool] = lambda _label, _row: True) -> None:
        """Take in what a wave found; ``keep`` says which rows are meant."""
        for label, rows in found.items():
            if rows is None:
                self._unread.add(label)
            row: Row
            for row in rows or ():
                if keep(label, row):
                    self._rows[label].setdefault(bare(row.get(queries.KEYS[label])), row)
        for row_id, row in self._rows[queries.RULE_SETS].items():
            if row_id not in self._sets:
                self._sets[row_id] = rule_set(row)

    def of(self, label: str) -> Sequence[Row]:
        """The rows of a label; none where it could not be read."""
        return tuple(self._rows[label].values())

    def by_id(self, label: str) -> Mapping[str, Row] | None:
        """The rows of a label by id; None where it could not be read."""
        return None if label in self._unread else self._rows[label]

    @property
    def answers(self) -> Mapping[str, Sequence[Row] | None]:
        """All rows by label."""
        return {label: None if label in self._unread else self.of(label) for label in queries.KEYS}

    @property
    def sets(self) -> Mapping[str, RuleSet] | None:
        """The rule sets by id, without their mappings; None where they could not be read."""
        return None if queries.RULE_SETS in self._unread else self._sets

    @property
    def _rules(self) -> Iterator[Rule]:
        """The rules of the work streams that were read."""
        streams = self._rows[queries.STREAMS].keys()
        rows = self._rows[queries.CONFIGURATIONS]
        own = {each for each, row in rows.items() if bare(row.get("_msdyn_liveworkstreamid_value")) in streams}
        for row in self.of(queries.STEPS):
            found = self._sets.get(bare(row.get("_msdyn_rulesetid_value")))
            if found and bare(row.get("_msdyn_routingconfigurationid_value")) in own:
                yield from found.rules

    @property
    def queues_led_to(self) -> Iterator[str]:
        """Queues that rules of a work stream, fallbacks, work streams' bots and overflow lead to."""
        for rule in self._rules:
            yield rule.queue or ""
            yield from (queue for queue, _ in rule.shares)
        for row in self.of(queries.STREAMS):
            for navigation in ("msdyn_defaultqueue", "msdyn_bot_queue"):
                yield bare((row.get(navigation) or {}).get("queueid"))
        for lines in self.overflow_lines.values():
            yield from (line.queue_id for line in lines)

    @property
    def bots_led_to(self) -> Iterator[str]:
        """Users that work streams name as their bot."""
        for row in self.of(queries.STREAMS):
            yield bare((row.get("msdyn_bot_user") or {}).get("systemuserid"))

    @property
    def overflow_sets(self) -> Iterator[str]:
        """Rule sets that decide about overflow, of queues and of single rules."""
        for row in self.of(queries.QUEUES):
            yield from (bare(row.get(column)) for column in OVERFLOW_COLUMNS)
        yield from self.own_overflow_sets

    @property
    def own_overflow_sets(self) -> Iterator[str]:
        """Overflow rule sets that a rule has instead of its queue's."""
        return (rule.overflow or "" for rule in self._rules)

    @property
    def overflow_lines(self) -> Mapping[str, tuple[Overflow, ...]]:
        """The lines of every overflow rule set that was read, by its id."""
        actions = self.by_id(queries.OVERFLOW_ACTIONS)
        used = sorted(set(self.overflow_sets) & set(self._sets))
        return {each: overflow_of(self._sets[each].text, actions) for each in used}

    @property
    def hours_led_to(self) -> Iterator[str]:
        """Operating hours of queues."""
        return (bare(row.get("_msdyn_operatinghourid_value")) for row in self.of(queries.QUEUES))

    @property
    def calendars_led_to(self) -> Iterator[str]:
        """Calendars of operating hours, and those their rules lead to."""
        yield from (bare(row.get("msdyn_calendarid")) for row in self.of(queries.HOURS))
        for row in self.of(queries.CALENDARS):
            if isinstance(row.get("calendar_calendar_rules"), list):
                yield from inner_calendars(row)
