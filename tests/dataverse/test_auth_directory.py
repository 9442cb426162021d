"""Tenant and sign-in service: given, known by the cloud, or learnt from the 401 of a request without a token."""

import pytest
import responses

from d365setup.dataverse.auth import Directory, SignInError
from d365setup.dataverse.auth.authority import cloud_of
from d365setup.dataverse.challenge import read

from .service import ORIGIN, ROOT

TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"


def challenge(uri: str = f"https://login.microsoftonline.com/{TENANT}/oauth2/authorize", resource=f"{ORIGIN}/") -> dict:
    return {"WWW-Authenticate": f"Bearer authorization_uri={uri}, resource_id={resource}"}


def learnt(status: int = 401, headers: dict | None = None, url: str = ORIGIN, **given: str):
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(f"{url}/api/data/v9.2/WhoAmI", status=status, headers=challenge() if headers is None else headers)
        found = Directory(url, **given).authority()
        assert all("Authorization" not in call.request.headers for call in mock.calls)
        return found, len(mock.calls)


def test_tenant_and_service_are_learnt_once_from_the_environment():
    with responses.RequestsMock() as mock:
        mock.get(ROOT + "WhoAmI", status=401, headers=challenge())
        directory = Directory(ORIGIN)
        assert directory.shown == "https://login.microsoftonline.com, tenant to be learnt"
        assert [directory.authority().url for _ in range(3)] == [f"https://login.microsoftonline.com/{TENANT}"] * 3
        assert len(mock.calls) == 1


@pytest.mark.parametrize(
    ("given", "expected", "asked"),
    [
        ({"tenant": "contoso.example"}, "https://login.microsoftonline.com/contoso.example", 0),
        ({"authority": "https://login.microsoftonline.us"}, f"https://login.microsoftonline.us/{TENANT}", 1),
        ({"authority": "https://login.microsoftonline.us/t.example/"}, "https://login.microsoftonline.us/t.example", 0),
        (
            {"tenant": "t.example", "authority": "https://adfs.contoso.example:8443"},
            "https://adfs.contoso.example:8443/t.example",
            0,
        ),
    ],
)
def test_what_is_given_is_not_asked_for(given, expected, asked):
    found, calls = learnt(**given)
    assert (found.url, calls) == (expected, asked)


@pytest.mark.parametrize(
    ("environment", "service"),
    [
        ("contoso.crm.dynamics.com", "https://login.microsoftonline.com"),
        ("contoso.crm21.dynamics.com", "https://login.microsoftonline.com"),
        ("contoso.crm9.dynamics.com", "https://login.microsoftonline.com"),
        ("contoso.crm.microsoftdynamics.us", "https://login.microsoftonline.us"),
        ("contoso.crm.appsplatform.us", "https://login.microsoftonline.us"),
        ("contoso.crm.dynamics.cn", "https://login.chinacloudapi.cn"),
        ("contoso.crm.dynamics.com.evil.example", ""),
        ("evildynamics.com", ""),
    ],
)
def test_clouds(environment, service):
    assert cloud_of(f"https://{environment}") == service


def test_the_service_of_an_unknown_host_is_learnt_beside_a_given_tenant():
    url = "https://crm.contoso.example"
    headers = challenge("https://login.microsoftonline.us/x/oauth2/authorize", f"{url}/")
    found, calls = learnt(headers=headers, url=url, tenant="contoso.example")
    assert (found.url, calls) == ("https://login.microsoftonline.us/contoso.example", 1)


def test_common_becomes_organizations():
    found, _ = learnt(headers=challenge("https://login.microsoftonline.com/common/oauth2/authorize"))
    assert found.tenant == "organizations"


@pytest.mark.parametrize(
    ("status", "headers", "told", "cure"),
    [
        (200, {}, "does not answer as a Dataverse environment does (HTTP 200)", "check the address"),
        (404, {}, "does not answer as a Dataverse environment does (HTTP 404)", "check the address"),
        (401, {"WWW-Authenticate": "Basic realm=x"}, "does not answer as a Dataverse environment", "check the address"),
        (401, {"WWW-Authenticate": "Bearer"}, "does not answer as a Dataverse environment", "check the address"),
        (302, {"Location": "https://evil.example/"}, "sends us elsewhere", "check the address"),
        (401, challenge("https://evil.example/t/oauth2/authorize"), "is not Microsoft's: https://evil.example", "AUTH"),
        (401, challenge("https://login.microsoftonline.com.evil.example/t"), "is not Microsoft's", "AUTH"),
        (401, challenge("https://login.microsoftonline.com@evil.example/t"), "is not Microsoft's", "AUTH"),
        (401, challenge("http://login.microsoftonline.com/t/oauth2/authorize"), "is not Microsoft's", "AUTH"),
        (401, challenge("https://login.microsoftonline.com:444/t/oauth2/authorize"), "is not Microsoft's", "AUTH"),
        (401, challenge("https://127.0.0.1/t/oauth2/authorize"), "is not Microsoft's", "AUTH"),
        (401, challenge(resource="https://other.crm.dynamics.com/"), "asks for a token of https://other", "address"),
        (401, challenge(resource="urn:x"), "asks for a token of urn:x; none is sent there", "address"),
    ],
)
def test_what_no_environment_of_ours_says(status, headers, told, cure):
    with pytest.raises(SignInError) as refused:
        learnt(status, headers)
    assert told in refused.value.message
    assert cure in refused.value.hint


@pytest.mark.parametrize("gap", [", ", ","])
@pytest.mark.parametrize("quote", ["", '"'])
def test_challenges_quoted_or_not(quote, gap):
    header = f"Bearer authorization_uri={quote}https://a/b{quote}{gap}resource_id={quote}https://c/{quote}"
    assert read(header) == {"authorization_uri": "https://a/b", "resource_id": "https://c/"}
