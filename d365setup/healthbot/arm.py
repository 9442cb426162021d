"""The bot's signing secret, asked of Azure Resource Manager: which resource the bot is, and its secret by name.

Facts: the resource provider's published specification (`Microsoft.HealthBot/healthBots`, 2025-11-01). Order and number
of the secrets have changed before, so the one wanted is chosen by its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from d365setup.dataverse.address import is_loopback
from d365setup.dataverse.auth import Secret, TokenSource
from d365setup.dataverse.errors import (
    AuthError,
    BadRequest,
    DataverseError,
    ServerFault,
    Throttled,
    Unavailable,
    UnexpectedAnswer,
    retry_after,
)
from d365setup.dataverse.payload import one_line, parse_json
from d365setup.errors import UsageError
from d365setup.healthbot.portal import Portal
from d365setup.healthbot.refusals import ResourceNotFound, SecretNotShown
from d365setup.healthbot.web import Answer, Manners, Root, Web

API_VERSION = "2025-11-01"
KEY = "API_JWT_SECRET"
PUBLIC = "https://management.azure.com"
ORIGINS = {  # of each cloud's Resource Manager, and the sign-in service that goes with it
    PUBLIC: "https://login.microsoftonline.com",
    "https://management.usgovcloudapi.net": "https://login.microsoftonline.us",
    "https://management.chinacloudapi.cn": "https://login.chinacloudapi.cn",
}
MOST_PAGES = 50
_GUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_SUBSCRIPTION = re.compile(f"/subscriptions/{_GUID}/?")
_RESOURCE = re.compile(
    rf"/subscriptions/{_GUID}/resourceGroups/(?!\.+/)[\w().-]{{1,90}}"
    r"/providers/Microsoft\.HealthBot/healthBots/[a-zA-Z0-9][a-zA-Z0-9_.-]{1,63}/?",
    re.IGNORECASE,
)
_SHAPE = "/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.HealthBot/healthBots/NAME"


def checked_origin(url: str) -> str:
    """The origin of a Resource Manager: Microsoft's of some cloud, or this machine's. Raises UsageError."""
    origin = url.strip().rstrip("/")
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        host = ""
    if origin in ORIGINS or (is_loopback(host) and re.fullmatch(r"https?://[^/@?#]+", origin)):
        return origin
    raise UsageError(f"D365_ARM_URL is no Azure Resource Manager; there are {', '.join(ORIGINS)}")


def checked_resource(text: str) -> str:
    """The id of a Health Bot, or of the subscription to look for it in. Raises UsageError."""
    found = text.strip()
    if _RESOURCE.fullmatch(found) or _SUBSCRIPTION.fullmatch(found):
        return found.rstrip("/")
    raise UsageError(
        f"{one_line(found, 200)!r} is no id of a Health Bot; it is like {_SHAPE}, or /subscriptions/ID to look for "
        "the bot there by its portal link"
    )


class ResourceManager:
    """Azure Resource Manager as far as a Health Bot's secret needs it. Raises DataverseError (`refusals`)."""

    def __init__(self, tokens: TokenSource, manners: Manners, origin: str = PUBLIC) -> None:
        self._origin = origin
        self._web = Web(Root(origin), lambda: Secret(tokens.token()), lambda answer: _refused(origin, answer), manners)

    def close(self) -> None:
        """Close the connections."""
        self._web.close()

    def secret(self, portal: Portal, where: str) -> Secret:
        """The signing secret of the bot at this portal link; ``where`` is what `checked_resource` gave."""
        resource = self._found(portal, where) if _SUBSCRIPTION.fullmatch(where) else self._same(portal, where)
        answer = self._web.post(_path(resource, "/listSecrets"), None, reads=True)
        return self._chosen(_value(self._origin, answer), resource)

    def _same(self, portal: Portal, resource: str) -> str:
        """The resource, once it is known to be that bot. Raises UsageError for another's."""
        link = _link(_value(self._origin, self._web.get(_path(resource))))
        if not _leads_to(link, portal):
            raise UsageError(f"{resource} is the Health Bot at {one_line(link, 200) or '?'}, not {portal.link}")
        return resource

    def _found(self, portal: Portal, subscription: str) -> str:
        for each in self._listed(subscription):
            resource = each.get("id")
            if _leads_to(_link(each), portal) and isinstance(resource, str) and _RESOURCE.fullmatch(resource):
                return resource
        raise ResourceNotFound(f"no Health Bot that {subscription} shows us has the portal link {portal.link}")

    def _listed(self, subscription: str) -> Iterator[dict[str, Any]]:
        path = _path(subscription, "/providers/Microsoft.HealthBot/healthBots")
        for _ in range(MOST_PAGES):
            page = _value(self._origin, self._web.get(path))
            yield from (each for each in page.get("value") or () if isinstance(each, dict))
            link = page.get("nextLink")
            if not isinstance(link, str) or not link:
                return
            if not link.startswith(self._origin + "/"):
                raise UnexpectedAnswer(f"{self._origin} sends us elsewhere for the next page, where no token goes")
            path = link.removeprefix(self._origin + "/")

    def _chosen(self, listed: dict[str, Any], resource: str) -> Secret:
        secrets = [each for each in listed.get("secrets") or () if isinstance(each, dict)]
        for each in secrets:
            if each.get("keyName") == KEY and isinstance(each.get("value"), str) and each["value"]:
                return Secret(each["value"])
        names = ", ".join(one_line(str(each.get("keyName")), 60) for each in secrets) or "none"
        raise UnexpectedAnswer(f"{resource} lists no secret {KEY} (it lists {names})")


def _path(resource: str, behind: str = "") -> str:
    return f"{quote(resource.removeprefix('/') + behind)}?api-version={API_VERSION}"


def _link(resource: dict[str, Any]) -> str:
    properties = resource.get("properties")
    link = properties.get("botManagementPortalLink") if isinstance(properties, dict) else None
    return link if isinstance(link, str) else ""


def _leads_to(link: str, portal: Portal) -> bool:
    """Scheme and case of a link say nothing about which bot it is."""
    return link.rstrip("/").lower().partition("://")[2] == portal.link.lower().partition("://")[2]


def _value(origin: str, answer: Answer) -> dict[str, Any]:
    """The object an answer holds. What it says is not shown: it may be secrets."""
    try:
        found = parse_json(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UnexpectedAnswer(f"the answer of {origin} is none of Azure Resource Manager's", status=answer.status)
    return found


def _refused(origin: str, answer: Answer) -> DataverseError:
    said = f": {answer.said}" if answer.said else ""
    kinds: dict[int, tuple[type[DataverseError], str]] = {
        401: (AuthError, f"{origin} refused the token{said}"),
        403: (SecretNotShown, f"{origin} does not allow it{said}"),
        404: (ResourceNotFound, f"{origin} knows no such Health Bot{said}"),
        429: (Throttled, f"{origin} asked to wait"),
        503: (Unavailable, f"{origin} cannot answer now"),
    }
    other = ServerFault if answer.status >= 500 else BadRequest
    kind, message = kinds.get(answer.status, (other, f"{origin} could not do it{said}"))
    return kind(message, status=answer.status, retry_after=retry_after(answer.headers))
