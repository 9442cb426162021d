"""What holds wherever a bot works in Omnichannel, and no setting cures: told once, for whoever answers for it.

They are told as info whatever a risk register would call them: an audit that fails on what cannot be put right would
be switched off. A waiver with a date makes a sign-off of one.
"""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, check, finding
from d365setup.audit.findings import Subject

_NOTES = {
    "C07": "nobody can ask the bot what it knows of them, or have it forget: that takes a sign-in Omnichannel has not",
    "C08": "data masking is for what people write: context values and the bot's messages are not named there",
    "C09": "what is passed to a bot may leave the boundary your compliance statements are about",
    "C13": "the Health Bot has no private network access and no list of allowed addresses",
    "C18": "what a conversation starts with may name a signed-in patient in clear text",
}


def _noted(code: str, seen: Seen) -> Iterator[Result]:
    bots = seen.center.bots
    if bots:
        names = ", ".join(bot.name for bot in bots[:5])
        yield finding(code, _environment(seen), _NOTES[code], bots=names)


def _environment(seen: Seen) -> Subject:
    """The whole of what is audited: the organization, or the playbook."""
    center = seen.center
    name = center.organization or center.organization_id or center.url
    return Subject("environment", name or (seen.playbook.name if seen.playbook else "unnamed"))


@check("C07")
def subject_requests(seen: Seen) -> Iterator[Result]:
    """Requests of a patient about their data."""
    return _noted("C07", seen)


@check("C08")
def masking(seen: Seen) -> Iterator[Result]:
    """What data masking leaves out."""
    return _noted("C08", seen)


@check("C09")
def compliance_boundary(seen: Seen) -> Iterator[Result]:
    """Where data goes that a bot gets."""
    return _noted("C09", seen)


@check("C13")
def network_limits(seen: Seen) -> Iterator[Result]:
    """Who can reach the Health Bot."""
    return _noted("C13", seen)


@check("C18")
def names_at_the_start(seen: Seen) -> Iterator[Result]:
    """What a conversation brings along."""
    return _noted("C18", seen)
