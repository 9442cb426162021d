"""The steps that no API does, for one playbook: where in which portal, what to paste, and what tells that it is done.

The ways through the Health Bot's portal are those of its documentation (learn.microsoft.com/azure/health-bot:
`omnichannel`, `configuration`, `language_model_howto`, `scenario-authoring/manage`); portals move their pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

from d365setup.healthbot.handwork import Checklist, Task
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.workstream import Workstream
from d365setup.playbook import Playbook

BOT, ENTRA, ADMIN = "Health Bot portal", "Microsoft Entra admin center", "Customer Service admin center"
_PATTERN = "nurse|doctor|human|agent|person"  # an example; what patients say is theirs to choose


def checklist(playbook: Playbook, url: str = "") -> Checklist:
    """What is left to a person. ``url`` is the environment that the commands in it name."""
    told = _Told(playbook, url)
    portal = playbook.health_bot.portal if playbook.health_bot else ""
    return Checklist(playbook.name, playbook.sha256, told.file, portal, url, tuple(told.tasks()))


@dataclass(frozen=True)
class _Told:
    """The tasks of one playbook, and the words of its commands."""

    playbook: Playbook
    url: str

    @property
    def file(self) -> str:
        """The playbook as commands name it."""
        return self.playbook.files[0] if self.playbook.files else "PLAYBOOK"

    def tasks(self) -> Iterator[Task]:
        """In the order they are done: what others wait for comes first."""
        yield self._tenant()
        yield self._applications()
        yield self._channel()
        yield self._bridge()
        yield self._streams()
        if self.playbook.scenarios:
            yield self._scenarios()
            yield self._model()
        yield self._welcome()
        yield self._privacy()
        yield self._patience()

    def _on(self, command: str) -> str:
        return f"d365setup {command} {quote(self.file)} --url {self.url or 'URL'}"

    def _check(self, *codes: str) -> str:
        return f"d365setup healthbot check {quote(self.file)} --live --only {','.join(codes)}"

    def _tenant(self) -> Task:
        return Task(
            "tenant",
            "Have the Health Bot in the environment's own Entra tenant",
            f"{ENTRA} > Overview, and Azure portal > the Health Bot's resource > Overview",
            (
                "Compare the tenant ID of the subscription the Health Bot is in with the environment's.",
                "If they differ, no hand-off works: make the Health Bot anew in the environment's tenant.",
            ),
            tells="Nothing this tool reads shows the Health Bot's tenant.",
        )

    def _applications(self) -> Task:
        return Task(
            "application",
            "Register an application for each bot user, for it alone",
            f"{ENTRA} > App registrations > New registration",
            (
                "Register it in this tenant, without a redirect address. It needs no secret: the bot never signs in.",
                "Give its Application (client) ID to the playbook, as below. Do not use the Health Bot's own ID here.",
            ),
            tuple(
                (f"application_id of {bot.name}{_from(self.playbook, bot.application_id)}", bot.application_id)
                for bot in self._bots
            ),
            self._on("doctor"),
            "Says whether the environment can be reached, and what is missing there. That an application does not "
            "exist shows when `apply` makes its user.",
        )

    def _channel(self) -> Task:
        shown = (
            (f"bot_application_id of {bot.name}{_from(self.playbook, bot.bot_application_id)}", bot.bot_application_id)
            for bot in self._bots
            if bot.bot_application_id
        )
        return Task(
            "channel",
            "Enable the Omnichannel channel and copy the bot ID",
            f"{BOT} > Integration > Channels > Omnichannel",
            (
                "Enable the channel, choose View, and copy the bot ID.",
                "Give it to the playbook, as below; then plan and apply.",
            ),
            tuple(shown),
            self._on("verify"),
            "Says whether the bot user has the ID of the playbook. That it is the one the portal shows, only you can "
            "see: channels are in no API and in no backup.",
        )

    def _bridge(self) -> Task:
        return Task(
            "bridge",
            "Switch the message bridge on",
            f"{BOT} > Configuration > Conversation > Human handoff > Dynamics 365 Omnichannel",
            ("Enable the message bridge. Without it patients see nothing of what the bot says.",),
            check=self._check("H01"),
            tells="Reads the bot's backup. Where that does not show the switch, it says so, and only you can see.",
        )

    def _streams(self) -> Task:
        streams = self.playbook.desired.of(Workstream)
        return Task(
            "workstream",
            "Make the work streams, with their channel",
            f"{ADMIN} > Workstreams > New workstream",
            (
                "Make each of these with the work distribution mode Push, and set up its channel (the chat widget).",
                "Leave routing rules, context variables and the fallback queue to the playbook.",
            ),
            tuple(("work stream", each.name) for each in streams),
            self._on("plan"),
            "Says which of them is missing.",
        )

    def _scenarios(self) -> Task:
        file = quote(self.file)
        listed = tuple((f"scenario {each.name}", f"trigger {each.trigger}") for each in self.playbook.scenarios)
        return Task(
            "scenarios",
            "Have the scenarios on the bot, switched on",
            f"{BOT} > Scenarios > Manage",
            (
                f"With the signing secret (D365_HEALTHBOT_SECRET) `d365setup healthbot push {file}` brings them there.",
                f"Without it: `d365setup healthbot generate {file} --out scenarios`, then Import each file.",
                "See that each is switched on: an import may leave a new one off.",
            ),
            listed,
            self._check("H05", "H06", "R05", "R06", "R24"),
            "Compares names, triggers and what is handed over with the playbook.",
        )

    def _model(self) -> Task:
        wanted = tuple(
            (f"intent for {each.name} leads to", each.trigger) for each in self.playbook.scenarios if each.escalate
        )
        others = tuple((f"{each.name} is begun by", each.trigger) for each in self.playbook.scenarios if each.end)
        return Task(
            "model",
            "Bind an intent to each scenario",
            f"{BOT} > Language > Models",
            (
                f"Add a model for what patients say: a regular expression such as {_PATTERN} is enough to begin with.",
                "Choose the scenario that its intent begins. An import never does that.",
                "A scenario that ends the conversation may as well be begun by another scenario.",
            ),
            (*wanted, *others),
            self._check("H04", "H07"),
            "Says which scenario nobody begins, and which intent leads nowhere.",
        )

    def _welcome(self) -> Task:
        return Task(
            "welcome",
            "Say in the welcome that a person can be reached",
            f"{BOT} > Configuration > Conversation > Interactions",
            ("Write the greeting, or choose the welcoming scenario: say it is a bot, and how to ask for a person.",),
            tells="Whether a welcome says the right thing, only a person can judge.",
        )

    def _privacy(self) -> Task:
        return Task(
            "privacy",
            "Decide how long conversations are kept, and who gets their text",
            f"{BOT} > Configuration > Compliance > Privacy, and Configuration > Conversation",
            (
                "Choose after how many days conversation logs are deleted (1 to 180).",
                "Leave message texts out of custom telemetry.",
            ),
            check=self._check("C05", "C06"),
            tells="Reads both in the bot's backup.",
        )

    def _patience(self) -> Task:
        return Task(
            "try",
            "Wait 15 minutes after the first apply, then try it as a patient would",
            "The page with the chat widget, and the agent's desktop beside it",
            (
                "A user who just got the role can take up to 15 minutes to be given conversations.",
                "Meet the bot, ask for a person, see the conversation arrive with its history, and end it.",
            ),
            (),
            self._on("verify"),
            "Says link by link whether the hand-off is ready; `d365setup simulate` shows where a conversation goes.",
        )

    @property
    def _bots(self) -> tuple[BotUser, ...]:
        return tuple(self.playbook.desired.of(BotUser))


def _from(playbook: Playbook, value: str | None) -> str:
    """The variable that a value comes from, for whoever has to give another."""
    use = next((each for each in playbook.variables if each.value.lower() == str(value).lower()), None)
    if use is None:
        return ""
    named = f", or {use.env}" if use.env else ""
    example = "; now only its example" if use.origin == "example" else ""
    return f" (--var {use.name}{named}{example})"
