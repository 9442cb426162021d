"""What can be read without signing in: OpenID configuration, instance discovery, and the page for device codes."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..operation import Reply
from .certificates import NAMES
from .errors import SignInError

_ENDPOINT = re.compile(r"https://(?P<host>[A-Za-z0-9.-]+)(:[0-9]+)?/(?P<tenant>[A-Za-z0-9.-]{1,254})/")


def configuration(origin: str, tenant: str, *, version: str) -> dict[str, Any]:
    """The OpenID configuration of a tenant; `version` is "/v2.0" or "" (a v1 token then comes from v1 paths)."""
    base = f"{origin}/{tenant}"
    return {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{base}{version or '/'}",
        "request_uri_parameter_supported": False,
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "http_logout_supported": False,
        "tenant_region_scope": "EU",
        "cloud_instance_name": urlsplit(origin).netloc,
    }


def instance(origin: str, query: Mapping[str, str]) -> dict[str, Any]:
    """What instance discovery says of an authority; only this one is known."""
    found = _ENDPOINT.match(query.get("authorization_endpoint", ""))
    if found is None or found["host"] not in NAMES:  # MSAL names the host without its port
        raise SignInError(50049, "invalid_instance", "Unknown or invalid instance.")
    tenant = found["tenant"]
    host = urlsplit(origin).netloc
    return {
        "tenant_discovery_endpoint": f"{origin}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": query.get("api-version", "1.1"),
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }


def device_page(people: Iterable[str], said: str = "") -> Reply:
    """The page on which a person answers a device code."""
    options = "".join(f"<option>{html.escape(each)}</option>" for each in people)
    text = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in to the emulator</title></head>
<body><h1>Sign in to the emulator</h1><p role="status">{html.escape(said)}</p>
<form method="post">
<p><label>Code <input name="code" autocomplete="off" required></label></p>
<p><label>As <select name="person">{options}</select></label></p>
<p><button name="answer" value="yes">Sign in</button> <button name="answer" value="no">Cancel</button></p>
</form></body></html>
"""
    guard = ("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'")
    return Reply(200, text.encode(), "text/html; charset=utf-8", (("Cache-Control", "no-store"), guard))
