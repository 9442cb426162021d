"""Why signing in failed, and what to do next."""

import re
from collections.abc import Iterable
from typing import Any

import requests

from d365setup.dataverse.errors import AuthError
from d365setup.dataverse.payload import one_line

_TENANT = "check the tenant id or domain; without D365_TENANT_ID it is learnt from the environment"
# learn.microsoft.com, "Microsoft Entra authentication and authorization error codes"
_CURES = {
    "AADSTS7000215": "use the secret's value, not its id, as the portal showed it when the secret was made",
    "AADSTS7000222": "the secret has expired: make a new one for the app registration, and hand over its value",
    "AADSTS700016": "check the client id, and that the app is registered in this tenant",
    "AADSTS700027": "upload the certificate to the app registration, or sign in with the one that is there",
    "AADSTS700024": "check this machine's clock; an assertion counts for a few minutes only",
    "AADSTS70021": "compare the app's federated credential (issuer, subject, audience) with what the message names",
    "AADSTS700211": "add a federated credential with this issuer to the app registration",
    "AADSTS700212": "add a federated credential with this audience to the app registration",
    "AADSTS700213": "add a federated credential with exactly this subject to the app registration",
    "AADSTS7000218": "let the app registration allow public client flows (Authentication, Advanced settings)",
    "AADSTS7000112": "the app registration is disabled: ask the tenant's administrator",
    "AADSTS7000229": "the app has no service principal in this tenant: give consent to it there first",
    "AADSTS90002": _TENANT,
    "AADSTS900023": _TENANT,
    "AADSTS900021": _TENANT,
    "AADSTS50059": _TENANT,
    "AADSTS500011": "check the environment's address; the tenant knows no such environment",
    "AADSTS53003": "a conditional access policy blocks this app: ask the tenant's administrator",
    "AADSTS65001": "the app lacks consent for Dataverse (user_impersonation): ask the tenant's administrator",
    "AADSTS50105": "the app requires that users are assigned to it: ask the tenant's administrator",
    "AADSTS70019": "the code has expired: run again, and enter the new code within the time it names",
    "AADSTS70020": "the code has expired: run again, and enter the new code within the time it names",
}
_BY_ERROR = {
    "expired_token": "the code has expired: run again, and enter the new code within the time it names",
    "authorization_declined": "the sign-in was declined: run again, or sign in in another way",
    "access_denied": "the sign-in was declined: run again, or sign in in another way",
    "identity_not_found": "assign a managed identity to this machine, or name the right client id",
}
OTHER_CURE = "check tenant, client id and secret"
_JWT = re.compile(r"ey[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


class SignInError(AuthError):
    """No token could be had; `hint` says what to do next."""

    def __init__(self, message: str, cure: str = OTHER_CURE) -> None:
        super().__init__(message)
        self._cure = cure

    @property
    def hint(self) -> str:
        """What to do next."""
        return self._cure


def refused(who: str, answer: dict[str, Any], secrets: Iterable[str], cure: str = OTHER_CURE) -> SignInError:
    """The error for an answer of a sign-in service that holds no token."""
    error = answer.get("error")
    said = clean(str(answer.get("error_description") or error or "no reason given"), secrets)
    code = re.search(r"AADSTS[0-9]+", said)
    known = _CURES.get(code[0]) if code else None
    return SignInError(f"sign-in {who} failed: {said}", known or _BY_ERROR.get(str(error)) or cure)


def clean(text: str, secrets: Iterable[str]) -> str:
    """What somebody else said, on one line, without our secrets and without anything that looks like a token."""
    for secret in secrets:
        text = text.replace(secret, "***") if secret else text
    return one_line(_JWT.sub("***", text), 600)


def unreachable(what: str, found: requests.RequestException) -> SignInError:
    """The error for a sign-in service that gave no usable answer. Its text holds nothing of what was sent."""
    if isinstance(found, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(found):
        told = f"the certificate of {what} is not trusted"
        return SignInError(told, "if a proxy of yours signs it, name its certificates with --ca-bundle FILE")
    if isinstance(found, requests.exceptions.ProxyError):
        told = f"the proxy between here and {what} cannot be reached"
        return SignInError(told, "check HTTPS_PROXY and NO_PROXY")
    if isinstance(found, requests.Timeout):
        return SignInError(f"{what} gave no answer in time", "check the network and the proxy settings")
    told = f"{what} cannot be reached ({type(found).__name__})"
    return SignInError(told, "check its address, the network and the proxy settings")
