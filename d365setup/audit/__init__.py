"""Findings about a contact center: what is wrong, what it does to a conversation, and the cure. Pure."""

from d365setup.audit.checking import Seen, audit
from d365setup.audit.findings import LEVELS, Audit, Finding, Level, Subject, Unchecked, Waived, WaiverTrouble

__all__ = [
    "LEVELS",
    "Audit",
    "Finding",
    "Level",
    "Seen",
    "Subject",
    "Unchecked",
    "Waived",
    "WaiverTrouble",
    "audit",
]
