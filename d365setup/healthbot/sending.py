"""The calls in a scenario's scripts by which it hands over or ends, each with its step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from d365setup.healthbot.collected import Found
from d365setup.healthbot.graph import Step
from d365setup.healthbot.script import Expression, HandOff, Literal, handoffs
from d365setup.model import Source

ESCALATE = "Escalate"


@dataclass(frozen=True)
class Sent:
    """One call. ``known`` are the values a reader can tell, ``computed`` the texts of the others."""

    found: Found
    step: Step
    call: HandOff

    @property
    def place(self) -> Source:
        """Where its step stands."""
        return self.found.place(self.step)

    @property
    def step_name(self) -> str:
        """Its step, as its author or the file calls it."""
        return f"the step {self.step.label or self.step.id!r}"

    @property
    def where(self) -> str:
        """The step with the line of its script, for whoever looks for it in the portal."""
        return f"{self.step_name}, line {self.call.line} of its script"

    @property
    def known(self) -> dict[str, str | int]:
        """The values that are texts or whole numbers."""
        literals = {key: each.value for key, each in self.call.context if isinstance(each, Literal)}
        return {
            key: each for key, each in literals.items() if isinstance(each, str | int) and not isinstance(each, bool)
        }

    @property
    def computed(self) -> dict[str, str]:
        """What the script computes, by name, as it stands there."""
        return {key: each.source for key, each in self.call.context if isinstance(each, Expression)}

    @property
    def is_escalation(self) -> bool:
        """Whether it means to hand over, whatever the case it is written in."""
        return self.call.type.strip().lower() == ESCALATE.lower()


def sent(found: Found) -> Iterator[Sent]:
    """The calls in all scripts of a scenario, in the order of its steps."""
    for step in found.scenario.graph.steps:
        script = step.raw.get("onInit")
        if isinstance(script, str) and "sendChannelData" in script:
            yield from (Sent(found, step, each) for each in handoffs(script))
