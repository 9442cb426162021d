"""Audits of contact centers made up as values, for what no Web API lets come about, or what a playbook alone shows."""

from __future__ import annotations

from datetime import UTC, datetime

from d365setup.audit import Audit, Seen, audit
from d365setup.center import ContactCenter
from tests.audit.harness import playbook

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def audited(center: ContactCenter, text: str, *only: str, now: datetime = NOW) -> Audit:
    """Only these findings; ``text`` is a playbook below its head, "" for none."""
    return audit(Seen(center, now, playbook(text)), only=only)
