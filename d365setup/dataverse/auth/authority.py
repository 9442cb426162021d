"""Which sign-in service an environment belongs to. Pure.

Clouds: learn.microsoft.com, "Discover the URL for your organization" and "National clouds" (web-api facts, 5.4).
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from d365setup.dataverse.address import is_loopback
from d365setup.dataverse.payload import one_line

PUBLIC_CLOUD = "https://login.microsoftonline.com"
_CLOUDS = {  # the end of an environment's host name -> the sign-in service of its cloud
    ".dynamics.com": PUBLIC_CLOUD,  # GCC (crm9) among them
    ".microsoftdynamics.us": "https://login.microsoftonline.us",
    ".appsplatform.us": "https://login.microsoftonline.us",
    ".dynamics.cn": "https://login.chinacloudapi.cn",
}
# Only these may be named by somebody else than the user: by a challenge, or by the service's own configuration.
KNOWN_HOSTS = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoft.com",
        "login.windows.net",
        "sts.windows.net",
        "login.microsoftonline.us",
        "login.chinacloudapi.cn",
        "login.partner.microsoftonline.cn",
    }
)
_TENANT = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,253}")
_EXAMPLE = f"the sign-in service's address must be like {PUBLIC_CLOUD}"


@dataclass(frozen=True)
class Authority:
    """A tenant at a sign-in service; `host` is the service's origin."""

    host: str
    tenant: str

    @property
    def url(self) -> str:
        """As MSAL wants it."""
        return f"{self.host}/{self.tenant}"

    @property
    def is_known(self) -> bool:
        """Whether Microsoft runs this service."""
        return is_known(self.host)


def parse(text: str) -> tuple[str, str]:
    """Origin and tenant ("" where none is named) of `https://host` or `https://host/tenant`; raises ValueError."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError(_EXAMPLE) from None
    tenant = parts.path.strip("/")
    if parts.scheme != "https" or not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(_EXAMPLE)
    if not re.fullmatch(r"[0-9a-z._:-]{1,253}", parts.hostname):
        raise ValueError(_EXAMPLE)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}" + (f":{port}" if port not in (None, 443) else ""), checked_tenant(tenant)


def checked_tenant(tenant: str) -> str:
    """The tenant, stripped; "" stays. Raises ValueError for what is no id or domain."""
    stripped = tenant.strip()
    if stripped and not _TENANT.fullmatch(stripped):
        raise ValueError("the tenant must be an id or a domain like contoso.onmicrosoft.com")
    return stripped


def cloud_of(origin: str) -> str:
    """The sign-in service of the environment's cloud, or "" where the host name does not tell."""
    host = urlsplit(origin).hostname or ""
    return next((service for end, service in _CLOUDS.items() if host.endswith(end)), "")


def is_known(url: str) -> bool:
    """Whether the address is that of a sign-in service Microsoft runs, on its usual port."""
    parts = urlsplit(url)
    return parts.scheme == "https" and parts.hostname in KNOWN_HOSTS and parts.port in (None, 443)


def may_be_learnt(service: str, environment: str) -> bool:
    """Whether an environment may name this service: no stranger's, for the secret goes there."""
    both_here = all(is_loopback(urlsplit(url).hostname or "") for url in (service, environment))
    return is_known(service) or both_here


def shown(url: str) -> str:
    """An address as messages show it: without what follows the path."""
    return one_line(url.partition("?")[0], 200)
