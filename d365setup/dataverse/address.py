"""Where an environment lives, and which addresses belong to its Web API. Pure."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlsplit

from d365setup.dataverse.errors import ForeignAddress
from d365setup.dataverse.payload import one_line

API_PATH = "/api/data/v9.2/"
_SAFE = "%/:?@!$&'()*+,;=~"  # percent signs stay: paths come encoded; '#', spaces and non-ASCII do not
_HOST = re.compile(r"[0-9a-z._:-]{1,253}")
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Address:
    """An environment's origin; `parse` makes one."""

    origin: str

    @classmethod
    def parse(cls, url: str) -> "Address":
        """From `https://org.crm.dynamics.com`, a service root too; raises ValueError with the reason.

        `http://` is for loopback addresses only: a token must not travel unprotected.
        """
        parts = _split(url)
        host = parts.hostname or "" if parts else ""
        if parts is None or parts.scheme not in _PORTS or not _HOST.fullmatch(host):
            shown = "that" if "@" in url else repr(one_line(url, 200))  # what stands before an @ may be a password
            raise ValueError(f"{shown} is not an address like https://contoso.crm.dynamics.com")
        _check_extras(parts)
        if parts.scheme == "http" and not is_loopback(host):
            raise ValueError(f"http:// would send the token unprotected to {host}: use https://")
        return cls(_origin(parts))

    @property
    def service_root(self) -> str:
        """With a slash at the end."""
        return self.origin + API_PATH

    @property
    def is_plain_loopback(self) -> bool:
        """Whether this is http:// on this very machine."""
        return self.origin.startswith("http://")

    @property
    def is_here(self) -> bool:
        """Whether this is on this very machine."""
        return is_loopback(urlsplit(self.origin).hostname or "")

    def below(self, path: str) -> str:
        """The path below the service root, encoded; raises ForeignAddress for anything outside it.

        Takes what `odata.query` makes, a path from the root of the host, or an absolute link of the service.
        """
        rest = _without_origin(path, self.origin)
        if rest.startswith("/"):
            if not rest.startswith(API_PATH):
                raise _foreign(path, self.service_root)
            rest = rest[len(API_PATH) :]
        bare = unquote(rest.partition("?")[0])
        if any(segment in {".", ".."} for segment in re.split(r"[/\\]", bare)) or bare.startswith("/"):
            raise _foreign(path, self.service_root)
        return quote(rest, safe=_SAFE)

    def absolute(self, path: str) -> str:
        """The full URL of a path; made anew from our own origin, never the text that came in."""
        return self.service_root + self.below(path)


def is_loopback(host: str) -> bool:
    """Whether the host name or address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(url: str) -> SplitResult | None:
    if any(character.isspace() or not character.isprintable() for character in url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        return None
    return parts


def _check_extras(parts: SplitResult) -> None:
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address holds a user name or password; leave them out")
    is_api = re.fullmatch(r"(/api/data(/v9\.[0-9]+)?)?/?", parts.path)
    if not is_api or parts.query or parts.fragment:
        raise ValueError(f"give only the environment's address, {_origin(parts)}, without what follows it")


def _origin(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    shown = f"[{host}]" if ":" in host else host
    port = parts.port
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, _PORTS[parts.scheme]) else "")


def _without_origin(path: str, origin: str) -> str:
    is_absolute = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path) or path.startswith("//")
    if not is_absolute:
        if not path.isprintable():
            raise _foreign(path, origin)
        return path
    parts = _split(path)
    if parts is None or parts.scheme not in _PORTS or parts.username is not None or _origin(parts) != origin:
        raise _foreign(path, origin)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _foreign(path: str, root: str) -> ForeignAddress:
    return ForeignAddress(f"{one_line(path, 200)!r} lies outside {root}; nothing was sent there")
