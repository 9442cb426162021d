"""The directory an environment belongs to: given, known by the environment's cloud, or asked for."""

import threading
from pathlib import Path

from d365setup.dataverse.address import Address
from d365setup.dataverse.auth import authority as authorities
from d365setup.dataverse.auth.authority import Authority
from d365setup.dataverse.auth.wire import Wire


class Directory:
    """Where tokens for one environment are made.

    `tenant` is an id or a domain, `authority` the sign-in service (`https://login.microsoftonline.us`, with the tenant
    behind it if you like). What is left out is told by the environment's host name (national clouds), or else learnt
    from the environment when the first token is asked for. Raises ValueError for arguments that cannot be right.
    """

    def __init__(
        self, environment: str, tenant: str = "", authority: str = "", *, ca_bundle: str | Path | None = None
    ) -> None:
        self._address = Address.parse(environment)
        host, named = authorities.parse(authority) if authority.strip() else ("", "")
        given = authorities.checked_tenant(tenant)
        if given and named and given.lower() != named.lower():
            raise ValueError(f"the tenant is given twice: {given}, and {named} in the sign-in service's address")
        self._tenant = given or named
        self._host = host or authorities.cloud_of(self._address.origin)
        self._lock = threading.Lock()
        self._found: Authority | None = None
        self.ca_bundle = ca_bundle
        self.wire = Wire(ca_bundle, self._may_go, only_json=True)

    @property
    def resource(self) -> str:
        """The environment's origin: what tokens are made for, and the only place they go to."""
        return self._address.origin

    @property
    def shown(self) -> str:
        """Tenant and service as far as they are known, for people."""
        if self._found:
            return f"{self._found.host}, tenant {self._found.tenant}"
        return f"{self._host or 'a sign-in service to be learnt'}, tenant {self._tenant or 'to be learnt'}"

    def authority(self) -> Authority:
        """Tenant and service; asks the environment once where they are not known. Raises SignInError."""
        with self._lock:
            if self._found is None:
                self._found = self._known() or self._learnt()
            return self._found

    def _known(self) -> Authority | None:
        return Authority(self._host, self._tenant) if self._host and self._tenant else None

    def _learnt(self) -> Authority:
        from d365setup.dataverse.challenge import learnt  # noqa: PLC0415  # it builds on this package

        told = learnt(self._address, Wire(self.ca_bundle))
        return Authority(self._host or told.host, self._tenant or told.tenant)

    def _may_go(self, url: str) -> bool:
        """To the chosen service, or to another of Microsoft's: a tenant of a national cloud may be sent there."""
        chosen = self._found.host if self._found else self._host
        return authorities.is_known(url) or (bool(chosen) and (url + "/").startswith(chosen + "/"))
