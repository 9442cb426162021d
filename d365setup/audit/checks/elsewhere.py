"""What neither Dataverse nor a playbook shows. Listed as not checked, so that nobody takes silence for a pass."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Check, Result, Seen, check
from d365setup.audit.findings import Unchecked

CHECK = "`d365setup healthbot check` looks there"
_REASONS = {
    "C04": "how long transcripts are kept, in Dataverse and in the Health Bot, is a question for who runs them",
    "C05": f"the Health Bot's log retention (dataRetentionDays) is in its backup: {CHECK}",
    "C06": f"whether texts go to Application Insights (customTelemetryPHI) is in the Health Bot's backup: {CHECK}",
    "C10": "when API_JWT_SECRET was last changed is recorded nowhere a program could read: ask who rotates it",
    "C11": f"no backup of the Health Bot was looked at for secrets: {CHECK}; who can read backups is for you to ask",
    "C12": "whether a customer-managed key is used is known to Azure Resource Manager, which is not read",
    "C14": "how people get into the Health Bot's portal is known to Azure Resource Manager, which is not read",
    "C16": f"no exported scenario was looked at for names of authors: {CHECK}",
}


def _unseen(code: str, reason: str) -> Check:
    def never_checked(seen: Seen) -> Iterator[Result]:
        del seen
        yield Unchecked(code, reason)

    return never_checked


for _code, _reason in _REASONS.items():
    check(_code)(_unseen(_code, _reason))
