"""What neither Dataverse nor a playbook shows. Listed as not checked, so that nobody takes silence for a pass."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Check, Result, Seen, check
from d365setup.audit.findings import Unchecked

_REASONS = {
    "C04": "how long transcripts are kept, in Dataverse and in the Health Bot, is a question for who runs them",
    "C05": "the Health Bot's log retention is in its backup (dataRetentionDays), which is not read",
    "C06": "whether texts go to Application Insights is in the Health Bot's backup (customTelemetryPHI), not read here",
    "C10": "when API_JWT_SECRET was last changed is recorded nowhere a program could read: ask who rotates it",
    "C11": "no backup of the Health Bot was looked at: ask where they are kept, and who can read them",
    "C12": "whether a customer-managed key is used is known to Azure Resource Manager, which is not read",
    "C14": "how people get into the Health Bot's portal is known to Azure Resource Manager, which is not read",
    "C16": "no exported scenario was looked at: author names are in those files",
}


def _unseen(code: str, reason: str) -> Check:
    def never_checked(seen: Seen) -> Iterator[Result]:
        del seen
        yield Unchecked(code, reason)

    return never_checked


for _code, _reason in _REASONS.items():
    check(_code)(_unseen(_code, _reason))
