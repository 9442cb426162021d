"""Portal links as people copy them, and what is no portal link."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.errors import UsageError
from d365setup.healthbot.portal import EXAMPLE, Portal

API = "https://eastus.healthbot.microsoft.com/api/account/contoso-bot-ab12cd3/"
TENANTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,40}", fullmatch=True)


@pytest.mark.parametrize(
    ("link", "api_root", "is_microsofts"),
    [
        (EXAMPLE, API, True),
        (EXAMPLE + "/", API, True),
        (EXAMPLE.replace("eastus", "EastUS"), API, True),
        ("https://us.healthbot.microsoft.com:443/account/a", "https://us.healthbot.microsoft.com/api/account/a/", True),
        ("https://healthbot.microsoft.com:444/account/a", "https://healthbot.microsoft.com:444/api/account/a/", False),
        ("http://127.0.0.1:5000/account/a", "http://127.0.0.1:5000/api/account/a/", False),
        ("http://[::1]:5000/account/a", "http://[::1]:5000/api/account/a/", False),
        ("https://evilhealthbot.microsoft.com/account/a", "https://evilhealthbot.microsoft.com/api/account/a/", False),
        ("https://healthbot.microsoft.com.evil.example/account/a",
         "https://healthbot.microsoft.com.evil.example/api/account/a/", False),
    ],
)  # fmt: skip
def test_links(link: str, api_root: str, is_microsofts: bool) -> None:
    portal = Portal.parse(link)
    assert (portal.api_root, portal.is_microsofts) == (api_root, is_microsofts)
    assert Portal.parse(portal.link) == portal


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("", "is no portal link"),
        ("contoso-bot-ab12cd3", "copy it from the portal"),
        ("https://eastus.healthbot.microsoft.com", "is no portal link"),
        ("https://eastus.healthbot.microsoft.com/api/account/x", "is no portal link"),
        ("https://eastus.healthbot.microsoft.com/account/", "is no portal link"),
        ("https://eastus.healthbot.microsoft.com/account/../x", "is no portal link"),
        (EXAMPLE + "/scenarios/manage", f"give only {EXAMPLE}"),
        ("https://eastus.healthbot.microsoft.com/account/x?a=1", "give only"),
        ("https://eastus.healthbot.microsoft.com/account/x#a", "give only"),
        ("https://me:canary@eastus.healthbot.microsoft.com/account/x", "give only https://eastus"),
        ("https://me:canary@/account", "that is no portal link"),
        ("http://eastus.healthbot.microsoft.com/account/x", "use https://"),
        ("ftp://eastus.healthbot.microsoft.com/account/x", "is no portal link"),
        ("https://eastus.healthbot.microsoft.com:x/account/x", "is no portal link"),
        ("https://eastus.healthbot.microsoft.com/account/x\n", "is no portal link"),
        ("https://evil.example\\@eastus.healthbot.microsoft.com/account/x", "give only"),
    ],
)  # fmt: skip
def test_what_is_none(link: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        Portal.parse(link)
    assert told in str(refused.value)
    assert "canary" not in str(refused.value)


@given(TENANTS)
def test_the_tenant_name_is_the_last_piece(tenant: str) -> None:
    portal = Portal.parse(f"https://eastus.healthbot.microsoft.com/account/{tenant}")
    assert portal.tenant == tenant
    assert portal.api_root.endswith(f"/api/account/{tenant}/")


@given(st.text(max_size=60))
def test_any_text_is_a_link_or_refused(text: str) -> None:
    for link in (text, f"https://eastus.healthbot.microsoft.com/account/{text}", f"https://{text}/account/x"):
        try:
            found = Portal.parse(link)
        except UsageError:
            continue
        assert found == Portal.parse(found.link)
        assert found.api_root.startswith(found.origin + "/api/account/")
