"""What the page of a checklist shows beside its tasks."""

from __future__ import annotations

from dataclasses import dataclass

from d365setup.healthbot.handwork import Checklist
from d365setup.report.diagram.wording import counted


@dataclass(frozen=True)
class ChecklistView:
    """Everything the template needs."""

    title: str
    verdict: str
    level: str
    checklist: Checklist


def checklist_view(found: Checklist) -> ChecklistView:
    """The head of the page."""
    told = f"{counted(len(found.tasks), 'task')} for a person"
    return ChecklistView(f"By hand: {found.playbook}", told, "info", found)
