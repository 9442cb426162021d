"""Scenarios sent to a Health Bot alone, with a journal as an apply has one: what `healthbot push` calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from d365setup import __version__
from d365setup.apply import Settings
from d365setup.bringing import HealthBotSide
from d365setup.healthbot.pushing import PENDING, Compared
from d365setup.healthbot.side import KIND, version, written
from d365setup.journal import Runs
from d365setup.model import Action, Change, Environment, Errand, Note, Plan, ResourceId
from d365setup.outcome import Run
from d365setup.session import Progress, Unfinished

COMMAND = "healthbot push"


def planned(compared: Sequence[Compared], side: HealthBotSide, name: str, sha256: str) -> tuple[Plan, Errand]:
    """What is to be sent, as a plan; its environment is the bot. ``name`` is the playbook's, or that of a folder."""
    due = [each for each in compared if each.state in PENDING]
    changes = tuple(map(_change, due))
    pairs = zip(changes, due, strict=True)
    writes = tuple(written(side.portal, change, each.wanted, each.held) for change, each in pairs)
    bot = Environment(side.portal, "", side.bot.portal.tenant)
    return Plan(bot, name, sha256, changes, len(compared) - len(due)), Errand(changes, writes)


def _change(each: Compared) -> Change:
    id_ = ResourceId(KIND, each.wanted.name)
    if each.held is None:
        return Change(Action.CREATE, id_, None, each.fields)
    return Change(Action.UPDATE, id_, None, each.fields, row_id=each.held.id, etag=version(each.held))


def carried_out(plan: Plan, errand: Errand, side: HealthBotSide, runs: Runs, settings: Settings) -> Run:
    """Send it, and see what became of each. What the bot refuses is in the run.

    Raises Unrecorded before anything is sent, and Unfinished when it ends before all is known.
    """
    journal = runs.start(COMMAND, plan, errand.writes, __version__)
    progress = Progress(plan, lambda _: None, journal)
    settings = Settings(stopping=settings.stopping, recorder=journal)
    try:
        progress.follow(side.carry_out(errand, settings))
    except (Exception, KeyboardInterrupt) as error:
        progress.close(None)
        raise Unfinished(progress.run(side.traffic), progress.open, error) from error
    run = progress.run(side.traffic)
    progress.close(run.exit_code)
    return run


def settle(runs: Runs, side: HealthBotSide) -> Iterator[Note]:
    """Find out what pushes to this bot left behind whose process died, and write it down."""
    for each in runs.left_open(""):  # no organization is known of a push
        if each.environment.url == side.portal:
            runs.settle(each, side.settled(each), COMMAND)
            yield Note("warning", ResourceId("run", each.run), "its process died; it is settled now")
