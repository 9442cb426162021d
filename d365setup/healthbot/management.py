"""The Health Bot's management API: scenarios read and imported, the backup read. Restoring is not offered.

Facts: learn.microsoft.com, "Management API" of the healthcare agent service, and the vendor's own samples. The token is
a JSON web token (HS256) over the claims `tenantName` and `iat`, keyed with the UTF-8 bytes of API_JWT_SECRET. It is
minted for each try and dated back, because working clients do: a clock that runs ahead is refused otherwise. No age of
it is published and no end is written into it, so it goes to the portal's own host only, and into no message.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from d365setup.dataverse.auth import Secret
from d365setup.dataverse.errors import DataverseError, ServerFault, Throttled, Unavailable, retry_after
from d365setup.dataverse.payload import one_line, parse_json
from d365setup.errors import UsageError
from d365setup.healthbot.graph import ScenarioError
from d365setup.healthbot.portal import Portal
from d365setup.healthbot.refusals import NoHealthBot, NoSuchBot, NotAllowed, NotTaken, TooLarge, WrongSecret
from d365setup.healthbot.scenario import StoredScenario, import_body, read_scenario
from d365setup.healthbot.web import Answer, Manners, Root, Web
from d365setup.outcome import Traffic

BACKDATED = 60  # seconds
SECRET = "D365_HEALTHBOT_SECRET"  # noqa: S105  # the name of a variable, not a secret


class Management:
    """One bot, from any thread. Raises DataverseError (`refusals`), UsageError for an empty secret.

    With ``read_only`` in the manners a `post` raises ReadOnlyViolation before anything is sent.
    """

    def __init__(
        self,
        portal: Portal,
        secret: Secret,
        manners: Manners | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not secret.reveal().strip():
            raise UsageError(f"the Health Bot's secret ({SECRET}) is empty")
        self.portal = portal
        self._web = Web(
            Root(portal.origin, portal.api_path),
            lambda: token(portal.tenant, secret, now()),
            lambda answer: _refused(portal, answer),
            manners or Manners(),
        )

    @property
    def stats(self) -> Traffic:
        """What went over the wire so far."""
        found = self._web.stats
        return Traffic(found.requests, found.operations, found.retries, found.waited_seconds)

    def __enter__(self) -> Management:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._web.close()

    def scenarios(self) -> tuple[StoredScenario, ...]:
        """Every scenario of the bot, in its order."""
        found = self._value(self._web.get("scenarios"))
        if not isinstance(found, list):
            raise NoHealthBot(f"{self.portal.link} answered with no list of scenarios")
        try:
            return tuple(read_scenario(each) for each in found)
        except ScenarioError as error:
            told = f"{self.portal.link} holds a scenario that cannot be read: {one_line(str(error), 300)}"
        raise NoHealthBot(told)  # out here, or its context would hold the scenario

    def post(self, scenarios: Sequence[StoredScenario]) -> None:
        """Import these: one of a name that is there is overwritten, the others are added. Nothing is ever deleted.

        Never sent a second time when the first may have been acted on: read the scenarios to know.
        """
        if scenarios:
            self._web.post("scenarios", [import_body(each) for each in scenarios])

    def backup(self) -> str:
        """The whole bot as one JSON text, as it came. It holds secrets: show nothing of it, and keep it nowhere."""
        answer = self._web.get("backup")
        if not isinstance(self._value(answer), dict):
            raise NoHealthBot(f"{self.portal.link} answered with no backup")
        return answer.body.decode("utf-8-sig")

    def _value(self, answer: Answer) -> Any:
        try:
            return parse_json(answer.body)
        except ValueError:
            told = f"the answer of {self.portal.link} is no JSON a Health Bot gives but: {answer.said or '(nothing)'}"
        raise NoHealthBot(told, status=answer.status)  # out here, or its context would hold the whole answer


def token(tenant: str, secret: Secret, now: float) -> Secret:
    """A new token for this bot."""
    import jwt  # noqa: PLC0415  # loads cryptography; only who speaks to a bot needs it

    claims = {"tenantName": tenant, "iat": int(now) - BACKDATED}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the key is short: the service made it, and it is not ours to choose
        return Secret(jwt.encode(claims, secret.reveal().encode(), algorithm="HS256"))


def _refused(portal: Portal, answer: Answer) -> DataverseError:
    """The error an answer stands for, whatever its body: none of them is published."""
    said = f": {answer.said}" if answer.said else ""
    kinds: dict[int, tuple[type[DataverseError], str]] = {
        400: (NotTaken, f"{portal.link} did not take what was sent{said}"),
        401: (WrongSecret, f"{portal.link} refused the token{said}"),
        403: (NotAllowed, f"{portal.link} does not allow it{said}"),
        404: (NoSuchBot, f"there is no Health Bot {portal.tenant} on {portal.host}"),
        413: (TooLarge, f"{portal.link} takes no scenarios as large as these{said}"),
        429: (Throttled, f"{portal.link} asked to wait"),
        502: (Unavailable, f"{portal.link} cannot answer now"),
        503: (Unavailable, f"{portal.link} cannot answer now"),
        504: (Unavailable, f"{portal.link} cannot answer now"),
    }
    other = ServerFault if answer.status >= 500 else NotTaken
    kind, message = kinds.get(answer.status, (other, f"{portal.link} could not do it{said}"))
    return kind(message, status=answer.status, retry_after=retry_after(answer.headers))
