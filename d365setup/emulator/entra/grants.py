"""What the token endpoint grants: to applications, to people with a device code, and again for a refresh token."""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization

from .assertions import JWT_BEARER, check_assertion
from .certificates import unpadded
from .devices import Devices
from .directory import Application, Directory, Person
from .errors import (
    SignInError,
    expired_secret,
    invalid_client,
    invalid_request,
    missing,
    no_application,
    no_resource,
    wrong_secret,
)
from .tokens import Keys, Untrusted, is_current

Form = Mapping[str, str]
REFRESH = "refresh"  # the audience of our refresh tokens: no resource is called that
_REFRESH_LIFETIME = 90 * 86400
_OPENID = frozenset({"openid", "profile", "offline_access", "email"})
_DELEGATED = frozenset({".default", "user_impersonation"})
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True)
class Asked:
    """A request for a token: where it came in, what it said, and when."""

    origin: str
    tenant: str
    form: Form = field(repr=False)
    now: float

    def need(self, name: str) -> str:
        """A parameter that must be there."""
        value = self.form.get(name, "")
        if not value:
            raise missing(name)
        return value


@dataclass(frozen=True)
class Scopes:
    """What is asked for: one resource and the permissions on it, and parts of OpenID."""

    resource: str
    permissions: frozenset[str]
    openid: frozenset[str]


@dataclass(frozen=True)
class Grants:
    """Grants tokens to what a directory knows; `is_resource` tells the environments of this tenant."""

    directory: Directory
    keys: Keys
    runner: Keys
    """Signs the assertions of the stand-ins for GitHub, Azure Pipelines and Kubernetes."""
    devices: Devices
    is_resource: Callable[[str], bool]

    def grant(self, asked: Asked) -> dict[str, Any]:
        """Return the body of a token reply; raises SignInError."""
        kind = asked.need("grant_type")
        ways = {
            "client_credentials": self._to_application,
            DEVICE_CODE: self._by_device_code,
            "device_code": self._by_device_code,  # the name used before the standard had one; Entra takes both
            "refresh_token": self._again,
        }
        if kind not in ways:
            told = f"The app requested an unsupported grant type '{kind[:200]}'."
            raise SignInError(70003, "unsupported_grant_type", told)
        return ways[kind](asked)

    def device_code(self, asked: Asked) -> dict[str, Any]:
        """Return the body of a device code reply; raises SignInError."""
        application = self.application(asked)
        scope = asked.need("scope")
        self.scopes(scope)
        code, made = self.devices.begin(application.client_id, scope, asked.now)
        address = f"{asked.origin}/common/oauth2/deviceauth"
        message = f"To sign in, use a web browser to open the page {address} and enter the code {made.user_code}"
        return {
            "user_code": made.user_code,
            "device_code": code,
            "verification_uri": address,
            "expires_in": self.directory.device_code_lifetime,
            "interval": 5,
            "message": f"{message} to authenticate.",
        }

    def identity(self, origin: str, client_id: str, resource: str, now: float) -> str:
        """Return a managed identity's token; raises SignInError."""
        application = self.directory.application(client_id)
        if application is None:
            raise no_application(client_id, self.directory.name)
        self._check_resource(resource)
        return self._app_token(origin, application, resource, "2", now)

    def application(self, asked: Asked) -> Application:
        """The application that asks; raises SignInError when it is not registered, or switched off."""
        client_id = asked.need("client_id")
        found = self.directory.application(client_id)
        if found is None:
            raise no_application(client_id[:200], self.directory.name)
        if found.disabled:
            told = f"Application '{found.client_id}'({found.name}) is disabled."
            raise SignInError(7000112, "unauthorized_client", told)
        return found

    def scopes(self, text: str) -> Scopes:
        """Read a `scope` parameter; raises SignInError."""
        asked = text.split()
        openid = frozenset(asked) & _OPENID
        resources = {each.rpartition("/")[0] for each in asked if each not in openid}
        if len(resources) != 1 or not all(resources):
            raise _odd_scope(text)
        resource = resources.pop()
        self._check_resource(resource)
        return Scopes(resource, frozenset(each.rpartition("/")[2] for each in asked if each not in openid), openid)

    def _check_resource(self, resource: str) -> None:
        if not self.is_resource(resource):
            raise no_resource(resource[:500], self.directory.name)

    def _to_application(self, asked: Asked) -> dict[str, Any]:
        if asked.tenant.lower() in {"common", "organizations", "consumers"}:
            told = (
                "No tenant-identifying information found in either the request or implied by any provided credentials."
            )
            raise invalid_request(50059, told)
        application = self.application(asked)
        proof = self._proof(application, asked)
        scope = asked.need("scope")
        if scope.split() != [scope] or not scope.endswith("/.default"):
            told = (
                f"The provided value for scope {scope[:500]} is not valid. Client credential flows must have a scope "
                "value with /.default suffixed to the resource identifier (application ID URI)."
            )
            raise SignInError(1002012, "invalid_scope", told)
        resource = self.scopes(scope).resource
        return self._told(self._app_token(asked.origin, application, resource, proof, asked.now))

    def _proof(self, application: Application, asked: Asked) -> str:
        """Check what the application proves itself with; returns its kind for `appidacr`."""
        assertion = asked.form.get("client_assertion", "")
        if assertion:
            if asked.need("client_assertion_type") != JWT_BEARER:
                raise invalid_request(50027, "JWT token is invalid or malformed.")
            tenants = (self.directory.tenant_id, self.directory.domain, asked.tenant)
            audiences = [f"{asked.origin}/{each}{end}" for each in tenants for end in ("/oauth2/v2.0/token", "/v2.0")]
            issuers = {each.issuer: self._issuer_key(each.issuer) for each in application.federated}
            return check_assertion(self.directory, application, assertion, audiences, issuers, asked.now)
        secret = asked.form.get("client_secret", "")
        if not secret:
            told = (
                "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."
            )
            raise invalid_request(7000216, told)
        return check_secret(application, secret, asked.now)

    def _issuer_key(self, issuer: str) -> Any:
        pem = self.directory.issuers.get(issuer)
        return serialization.load_pem_public_key(pem.encode()) if pem else self.runner.public

    def _app_token(self, origin: str, application: Application, resource: str, proof: str, now: float) -> str:
        own = {"oid": application.principal, "sub": application.principal, "idtyp": "app", "appidacr": proof}
        return self.keys.sign({**self._claims(origin, application, resource, now), **own})

    def _claims(self, origin: str, application: Application, resource: str, now: float) -> dict[str, Any]:
        tenant = self.directory.tenant_id
        moments = {"iat": int(now), "nbf": int(now), "exp": int(now) + self.directory.lifetime}
        names = {"aud": resource, "iss": f"{origin}/{tenant}/", "tid": tenant, "appid": application.client_id}
        return {**names, **moments, "uti": uuid.uuid4().hex, "ver": "1.0"}

    def _told(self, token: str) -> dict[str, Any]:
        lifetime = self.directory.lifetime
        return {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token}

    # people

    def _by_device_code(self, asked: Asked) -> dict[str, Any]:
        application = self._public(asked)
        code, person = self.devices.redeem(asked.need("device_code"), application.client_id, asked.now)
        return self._to_person(asked, application, person, code.scope)

    def _again(self, asked: Asked) -> dict[str, Any]:
        application = self._public(asked)
        try:
            claims = self.keys.read(asked.need("refresh_token"))
        except Untrusted:
            claims = {}
        person = next((each for each in self.directory.people.values() if each.object_id == claims.get("oid")), None)
        if claims.get("aud") != REFRESH or claims.get("appid") != application.client_id or person is None:
            raise SignInError(9002313, "invalid_grant", "Invalid request. Request is malformed or invalid.")
        if not is_current(claims, asked.now):
            raise SignInError(700082, "invalid_grant", "The refresh token has expired due to inactivity.")
        return self._to_person(asked, application, person, asked.form.get("scope") or str(claims["scope"]))

    def _public(self, asked: Asked) -> Application:
        application = self.application(asked)
        if not application.public_client:
            told = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise invalid_client(7000218, told)
        return application

    def _to_person(self, asked: Asked, application: Application, person: Person, scope: str) -> dict[str, Any]:
        scopes = self.scopes(scope)
        if not scopes.permissions <= _DELEGATED:
            raise _odd_scope(scope)
        claims = self._claims(asked.origin, application, scopes.resource, asked.now)
        own = {"oid": person.object_id, "sub": person.object_id, "name": person.name, "idtyp": "user"}
        named = {"upn": person.address, "unique_name": person.address, "scp": "user_impersonation", "appidacr": "0"}
        reply = self._told(self.keys.sign({**claims, **own, **named}))
        reply["scope"] = f"{scopes.resource}/user_impersonation {scopes.resource}/.default"
        if "offline_access" in scopes.openid:
            again = {"aud": REFRESH, "oid": person.object_id, "scope": scope, "exp": int(asked.now) + _REFRESH_LIFETIME}
            reply["refresh_token"] = self.keys.sign({**claims, **again})
        if "openid" in scopes.openid:
            reply["id_token"] = self.keys.sign(_id_claims(claims, person))
        if asked.form.get("client_info") == "1":
            known = {"uid": person.object_id, "utid": self.directory.tenant_id}
            reply["client_info"] = unpadded(json.dumps(known).encode())
        return reply


def check_secret(application: Application, secret: str, now: float) -> str:
    """Accept a client secret and return how (`appidacr`); raises SignInError."""
    found = [each for each in application.secrets if hmac.compare_digest(each.value.encode(), secret.encode())]
    if not found:
        raise wrong_secret(application.client_id)
    if all(each.expires is not None and each.expires <= now for each in found):
        raise expired_secret(application.client_id)
    return "1"


def _odd_scope(text: str) -> SignInError:
    told = "The provided value for the input parameter 'scope' is not valid."
    return SignInError(70011, "invalid_scope", f"{told} The scope {text[:500]} is not valid.")


def _id_claims(claims: Mapping[str, Any], person: Person) -> dict[str, Any]:
    kept = {name: claims[name] for name in ("tid", "iat", "nbf", "exp", "uti")}
    named = {"oid": person.object_id, "sub": person.object_id, "name": person.name}
    issuer = str(claims["iss"]) + "v2.0"
    return {**kept, **named, "preferred_username": person.address, "aud": claims["appid"], "iss": issuer, "ver": "2.0"}
