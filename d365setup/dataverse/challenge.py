"""What an environment says to a request without a token: who signs people in for it, and for which resource.

Shape: learn.microsoft.com, "Use OAuth authentication with Microsoft Dataverse" (the challenge of a 401).
"""

import re
from contextlib import suppress

import requests

from d365setup.dataverse.address import Address
from d365setup.dataverse.auth.authority import Authority, may_be_learnt, parse, shown
from d365setup.dataverse.auth.refusal import SignInError, unreachable
from d365setup.dataverse.auth.wire import Answer, Strayed, Wire
from d365setup.dataverse.payload import one_line

_NOT_DATAVERSE = "check the address: it must be the environment's own, as the Power Platform admin centre shows it"


def learnt(address: Address, wire: Wire) -> Authority:
    """Ask the environment, without a token. Raises SignInError for no answer, or one Dataverse would not give."""
    try:
        answer = wire.get(address.service_root + "WhoAmI", headers={"Accept": "application/json"})
    except Strayed:
        error = SignInError(f"{address.origin} sends us elsewhere, as no Dataverse environment does", _NOT_DATAVERSE)
    except requests.RequestException as found:
        error = unreachable(f"the environment {address.origin}", found)
    else:
        return understood(address, answer)
    raise error  # out here, or its context would hold the request


def understood(address: Address, answer: Answer) -> Authority:
    """The authority a 401 names. Raises SignInError for any other answer, and for a stranger's sign-in service."""
    header = next((value for name, value in answer.headers.items() if name.lower() == "www-authenticate"), "")
    parameters = read(header)
    service = parameters.get("authorization_uri") or parameters.get("authorization")
    if answer.status_code != 401 or not service:
        told = f"{address.origin} does not answer as a Dataverse environment does (HTTP {answer.status_code})"
        raise SignInError(f"{told}, so who signs in for it cannot be learnt", _NOT_DATAVERSE)
    _check_resource(address, parameters.get("resource_id", ""))
    return _trusted(address, service)


def read(header: str) -> dict[str, str]:
    """The parameters of a Bearer challenge; values may be quoted or not, names are lower-cased."""
    scheme, _, rest = header[:4000].strip().partition(" ")
    if scheme.lower() != "bearer":
        return {}
    found = re.findall(r'([A-Za-z_]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))', rest)
    return {name.lower(): quoted or plain for name, quoted, plain in found}


def _check_resource(address: Address, resource: str) -> None:
    """A token is made for one resource: this environment's, or it is not ours to ask for."""
    if not resource:
        return
    try:
        same = Address.parse(resource.rstrip("/")).origin == address.origin
    except ValueError:
        same = False
    if not same:
        told = f"{address.origin} asks for a token of {one_line(resource, 200)}; none is sent there"
        raise SignInError(told, "use the address the environment itself goes by")


def _trusted(address: Address, service: str) -> Authority:
    origin, tenant = "", ""
    with suppress(ValueError):
        origin, tenant = parse(re.sub(r"/oauth2/(v2\.0/)?authorize/?$", "", service))
    if not tenant or not may_be_learnt(origin, address.origin):
        told = f"{address.origin} names a sign-in service that is not Microsoft's: {shown(service)}"
        raise SignInError(f"{told}; nothing was sent there", "check the address; if it is right, set D365_AUTHORITY")
    return Authority(origin, "organizations" if tenant == "common" else tenant)
