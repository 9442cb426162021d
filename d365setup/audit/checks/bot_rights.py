"""What bots may do beyond answering: every right they hold is one somebody could use through them."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, about_user, check, finding
from d365setup.audit.checks.bot_users import API_ROLE, bots
from d365setup.audit.findings import Level, Unchecked
from d365setup.center import AGENT_ROLE

POWERFUL = ("administrator", "customizer", "supervisor")


@check("C17")
def bots_hold_one_role(seen: Seen) -> Iterator[Result]:
    """A bot needs the agent role and no other. Whom it shares its application with is told by R20."""
    for bot in bots(seen.center):
        if bot.roles is None:
            yield Unchecked("C17", "the bot's roles could not be read", about_user(bot))
            continue
        held = {role.name for role in bot.roles} | set(bot.team_roles or ())
        for name in sorted(held - {AGENT_ROLE, API_ROLE}):  # the second one is told by R18
            level: Level = "warning" if any(word in name.lower() for word in POWERFUL) else "info"
            told = f"it holds the role {name}, and a bot needs {AGENT_ROLE} only"
            yield finding("C17", about_user(bot), told, level=level, role=name)
