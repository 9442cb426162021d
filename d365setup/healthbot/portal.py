"""A Health Bot's portal link: the host it lives on, its tenant name, and where its management API is. Pure.

Facts: learn.microsoft.com, "Management API"; the last piece of the link is the tenant name, and the API is below
`/api/account/` of the same host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from d365setup.dataverse.address import is_loopback
from d365setup.dataverse.payload import one_line
from d365setup.errors import UsageError

EXAMPLE = "https://eastus.healthbot.microsoft.com/account/contoso-bot-ab12cd3"
MICROSOFTS = "healthbot.microsoft.com"
_HOST = re.compile(r"[0-9a-z](?:[0-9a-z.-]{0,251}[0-9a-z])?|::1")
_PATH = re.compile(r"/account/([A-Za-z0-9][A-Za-z0-9_.-]{0,199})(/.*)?", re.DOTALL)
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Portal:
    """One bot's management address; `parse` makes one."""

    origin: str
    tenant: str

    @classmethod
    def parse(cls, link: str) -> Portal:
        """From the link people copy out of the portal. Raises UsageError saying what is wrong with it.

        `http://` is for loopback addresses only: the token is the bot's whole authoring power.
        """
        parts = _split(link)
        found = _PATH.fullmatch(parts.path) if parts else None
        if parts is None or found is None:
            shown = "that" if "@" in link else repr(one_line(link, 200))  # before an @ may stand a password
            raise UsageError(f"{shown} is no portal link; copy it from the portal up to the tenant name: {EXAMPLE}")
        portal = cls(_origin(parts), found[1])
        if parts.username is not None or parts.query or parts.fragment or (found[2] or "/") != "/":
            raise UsageError(f"the portal link goes on behind the tenant name; give only {portal.link}")
        if parts.scheme == "http" and not portal.is_here:
            raise UsageError(f"http:// would send the token unprotected to {portal.host}: use https://")
        return portal

    @property
    def host(self) -> str:
        """The host's name."""
        return urlsplit(self.origin).hostname or ""

    @property
    def link(self) -> str:
        """As people copy it."""
        return f"{self.origin}/account/{self.tenant}"

    @property
    def api_path(self) -> str:
        """Where the API is on that host, with a slash at the end."""
        return f"/api/account/{self.tenant}/"

    @property
    def api_root(self) -> str:
        """The API's whole address, with a slash at the end."""
        return self.origin + self.api_path

    @property
    def is_here(self) -> bool:
        """Whether this is on this very machine."""
        return is_loopback(self.host)

    @property
    def is_microsofts(self) -> bool:
        """Whether Microsoft runs that host."""
        names = (self.host == MICROSOFTS, self.host.endswith("." + MICROSOFTS))
        return any(names) and self.origin == f"https://{self.host}"


def _split(link: str) -> SplitResult | None:
    if any(character.isspace() or not character.isprintable() for character in link):
        return None
    try:
        parts = urlsplit(link)
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        return None
    is_address = parts.scheme in _PORTS and _HOST.fullmatch(parts.hostname or "")
    return parts if is_address else None


def _origin(parts: SplitResult) -> str:
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{shown}{port}"
