from __future__ import annotations

import pytest

from d365setup.cli.signin import SECRETS, tokens
from d365setup.dataverse.auth import ClientSecret, StaticToken

URL = "https://contoso.crm.dynamics.com"
OURS = {"D365_TENANT_ID": "one.example", "D365_CLIENT_ID": "id-one", "D365_CLIENT_SECRET": "canary-one"}
THEIRS = {"AZURE_TENANT_ID": "two.example", "AZURE_CLIENT_ID": "id-two", "AZURE_CLIENT_SECRET": "canary-two"}


def signed_in(variables: dict[str, str]) -> tuple[str, str, str]:
    source = tokens(variables, URL)
    assert isinstance(source, ClientSecret)
    assert "canary" not in repr(vars(source))
    return source._authority.rsplit("/", 1)[1], source._client_id, source._secret.reveal()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (OURS, ("one.example", "id-one", "canary-one")),
        (THEIRS, ("two.example", "id-two", "canary-two")),
        ({**THEIRS, **OURS}, ("one.example", "id-one", "canary-one")),
        ({**THEIRS, "D365_CLIENT_ID": "id-one"}, ("two.example", "id-one", "canary-two")),
        ({**THEIRS, "D365_CLIENT_SECRET": ""}, ("two.example", "id-two", "canary-two")),
        ({**OURS, "D365_ACCESS_TOKEN": ""}, ("one.example", "id-one", "canary-one")),
    ],
)
def test_which_names_win(variables: dict[str, str], expected: tuple[str, str, str]) -> None:
    assert signed_in(variables) == expected


def test_a_token_wins_over_a_secret() -> None:
    source = tokens({**OURS, "D365_ACCESS_TOKEN": "made-up"}, URL)
    assert isinstance(source, StaticToken)
    assert source.token() == "made-up"


def test_every_variable_that_holds_a_secret_is_known_as_one() -> None:
    assert {"D365_ACCESS_TOKEN", "D365_CLIENT_SECRET", "AZURE_CLIENT_SECRET"} == SECRETS
