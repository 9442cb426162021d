import pytest

from d365setup.dataverse.address import Address
from d365setup.dataverse.errors import ForeignAddress

from .service import ORIGIN, ROOT


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        (ORIGIN, ORIGIN),
        (f"{ORIGIN}/", ORIGIN),
        (f"{ORIGIN}:443", ORIGIN),
        ("https://Contoso.CRM.dynamics.com", ORIGIN),
        (ROOT, ORIGIN),
        (f"{ORIGIN}/api/data", ORIGIN),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.9", "http://127.0.0.9"),
        ("http://[::1]:80/", "http://[::1]"),
        ("https://onprem.example:8443", "https://onprem.example:8443"),
    ],
)
def test_an_environment_has_one_spelling(url, origin):
    assert Address.parse(url).origin == origin


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "not an address"),
        ("contoso.crm.dynamics.com", "not an address"),
        ("ftp://contoso.example", "not an address"),
        ("https://", "not an address"),
        ("https://host:port", "not an address"),
        ("https://contoso.example\r\nX: y", "not an address"),
        ("https://ünï.example", "not an address"),
        (f"{ORIGIN}/main.aspx?appid=1", "give only the environment's address"),
        ("https://me:hunter2@contoso.example", "user name or password"),
        ("http://contoso.crm.dynamics.com", "would send the token unprotected"),
        ("http://127.0.0.1.evil.example", "would send the token unprotected"),
        ("http://192.168.0.1", "would send the token unprotected"),
    ],
)
def test_a_wrong_address_is_refused_with_the_reason(url, why):
    with pytest.raises(ValueError, match=why) as refused:
        Address.parse(url)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "below"),
    [
        ("queues", "queues"),
        ("queues?$select=name", "queues?$select=name"),
        ("/api/data/v9.2/queues", "queues"),
        (f"{ROOT}queues?$skiptoken=%3Ccookie", "queues?$skiptoken=%3Ccookie"),
        ("https://CONTOSO.crm.dynamics.com:443/api/data/v9.2/queues", "queues"),
        ("queues?$filter=name eq 'é#'", "queues?$filter=name%20eq%20'%C3%A9%23'"),
        ("queues?$filter=url eq 'https://x/../y'", "queues?$filter=url%20eq%20'https://x/../y'"),
    ],
)
def test_paths_are_taken_in_every_form_of_our_own(path, below):
    address = Address.parse(ORIGIN)
    assert address.below(path) == below
    assert address.absolute(path) == ROOT + below


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/api/data/v9.2/queues",
        "https://contoso.crm.dynamics.com.evil.example/api/data/v9.2/queues",
        "https://contoso.crm.dynamics.com@evil.example/api/data/v9.2/queues",
        "https://evil.example\\@contoso.crm.dynamics.com/api/data/v9.2/queues",
        "https://me@contoso.crm.dynamics.com/api/data/v9.2/queues",
        "https://contoso.crm.dynamics.com:444/api/data/v9.2/queues",
        "http://contoso.crm.dynamics.com/api/data/v9.2/queues",
        "//evil.example/api/data/v9.2/queues",
        "javascript:alert(1)",
        f"{ORIGIN}/api/data/v9.1/queues",
        f"{ORIGIN}/WebResources/x",
        "/XRMServices/2011",
        "../../../x",
        "queues/../../x",
        "queues/%2e%2e/%2e%2e/x",
        "queues/..\\x",
        "/api/data/v9.2//evil",
        "queues\r\nAuthorization: x",
        "https://[bad/api",
    ],
)
def test_what_lies_elsewhere_is_refused(path):
    with pytest.raises(ForeignAddress, match="lies outside"):
        Address.parse(ORIGIN).absolute(path)
