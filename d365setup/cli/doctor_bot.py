"""What `doctor` finds out about the Health Bot a playbook or the environment's variables name. Sends only reads."""

from __future__ import annotations

from d365setup.cli.beside import Surrounding
from d365setup.cli.environment import Surroundings
from d365setup.cli.healthbot_reached import PORTAL, management
from d365setup.cli.healthbot_side import CURE, options_of, reached_bot
from d365setup.dataverse.errors import DataverseError
from d365setup.doctor import Bot, Trouble
from d365setup.errors import D365SetupError
from d365setup.healthbot.portal import Portal
from d365setup.playbook import Playbook

_NEXT = "docs/healthbot.md tells how a bot is named, and how its secret is found"


def looked_at(playbook: Playbook | None, around: Surrounding) -> Bot | None:
    """The bot as it answers; None where nobody names one."""
    named = Surroundings.here().variables.get(PORTAL, "").strip()
    declared = playbook.health_bot.portal if playbook and playbook.health_bot else ""
    if not declared and (around.emulator or not named):
        return None
    link = declared if around.emulator else named or declared
    try:
        return _asked(link, playbook, around)
    except DataverseError as error:
        return Bot(link, trouble=Trouble(str(error), error.hint or _NEXT))
    except D365SetupError as error:
        return Bot(link, trouble=Trouble(" ".join(str(error).split()), _NEXT))


def _asked(link: str, playbook: Playbook | None, around: Surrounding) -> Bot:
    found = reached_bot(None, playbook, Portal.parse(link), around)
    if found is None:
        return Bot(link, trouble=Trouble("its secret is not known", CURE), is_asked=False)
    portal, secret = found
    options, here = options_of(around), Surroundings.here()
    with management(portal, secret, around.output, options, here, read_only=True) as bot:
        return Bot(link, len(bot.scenarios()))
