"""What a call took in and saw, noted while it goes on, so that evidence can tell it (`--evidence`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from d365setup import report
from d365setup.dataverse.client import Client
from d365setup.evidence.records import Input
from d365setup.model import Environment
from d365setup.outcome import Run

Seal = Callable[[report.Document, "report.Mask | None"], None]


@dataclass
class Notebook:
    """The notes of one call. ``seal`` makes evidence of them when the call ends; None where nobody asked for it."""

    sign_in: str = ""
    application: str = ""
    user_id: str = ""
    environment: Environment | None = None
    inputs: list[Input] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    beside: list[report.Document] = field(default_factory=list)
    seal: Seal | None = None

    def took(self, role: str, name: str, sha256: str) -> None:
        """A file was read: what for, its name, and the SHA-256 of its bytes."""
        each = Input(role, name, sha256)
        if each not in self.inputs:
            self.inputs.append(each)

    def end(self, document: report.Document, mask: report.Mask | None) -> None:
        """Seal, once. Raises Unsealed where that cannot be."""
        seal, self.seal = self.seal, None
        if seal is not None:
            seal(document, mask)


def landed(document: report.Document) -> str:
    """What the command did, for somebody whose evidence of it is missing."""
    if not isinstance(document, Run):
        return "the command itself ended as shown"
    counts: dict[str, int] = {}
    for each in document.outcomes:
        counts[each.status.value] = counts.get(each.status.value, 0) + 1
    told = ", ".join(f"{count} {status}" for status, count in counts.items()) or "nothing was to be done"
    return f"the run itself is done ({told})" + (f"; its journal is {document.id}" if document.id else "")
