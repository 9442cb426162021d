"""Fleet files: what is accepted, and every mistake with its place and its cure, never with a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from d365setup.cli import main
from d365setup.cli.signin import SECRETS, WAYS
from d365setup.errors import FleetError
from d365setup.fleet.entries import Fleet
from d365setup.fleet.file import json_schema, loaded
from d365setup.fleet.signing import DECIDING

GOOD = """\
fleet: 1
playbook: bot.yaml
variables: {region: eu}
sign_in: {client_id: 5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f, tenant_id: CONTOSO_TENANT, secret: CONTOSO_SECRET}
environments:
  - {name: north, url: "https://north.crm.dynamics.com", organization: North, group: canary, labels: [eu, large]}
  - name: south
    url: https://south.crm.dynamics.com/
    playbook: south.yaml
    variables: {region: us}
    sign_in: {client_id: SOUTH_CLIENT, certificate: certs/south.pem, certificate_password: SOUTH_PASSWORD}
freeze:
  - {begins: 2026-12-20, ends: 2027-01-03T06:00Z, reason: holidays, only: [eu], excepted: [north]}
limits: {removals: {queue: 2}, prune: false}
waves: [canary, {of: 50%, pause: 10m, gate: true}, rest]
max_failed: 10%
"""
ID = "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f"
SECRET = "abc8Q~" + "x" * 34
TWINS = f"""\
fleet: 1
playbook: a
environments:
- {{name: aa, url: "https://a.crm.dynamics.com", organization: {ID}}}
- {{name: bb, url: "https://b.crm.dynamics.com", organization: "{{{ID.upper()}}}"}}
"""
ENVIRONMENT = "environments: [{name: north, url: 'https://north.crm.dynamics.com', playbook: a.yaml}]"


def load(text: str) -> Fleet:
    return loaded(text.encode(), "some/fleet.yaml", ["queue", "workstream"])


def mistakes(text: str) -> list[str]:
    with pytest.raises(FleetError) as error:
        load(text)
    return [str(each).removeprefix("some/") for each in error.value.mistakes]


def test_a_whole_file() -> None:
    found = load(GOOD)
    north, south = found.environments
    assert (north.playbook, south.playbook) == ("some/bot.yaml", "some/south.yaml")
    assert (north.variables, south.variables) == ({"region": "eu"}, {"region": "us"})
    assert south.url == "https://south.crm.dynamics.com"
    assert north.sign_in is not None
    assert found.references == {"CONTOSO_SECRET", "SOUTH_PASSWORD"}
    assert (found.waves[1].seconds, found.waves[1].gate, found.max_failed) == (600.0, True, 10)
    assert (found.limits.removals, found.limits.prune) == ({"queue": 2}, False)


def test_organizations_go_by_name_or_id_and_names_may_be_the_same() -> None:
    line = "- {{name: {0}, url: 'https://{0}.crm.dynamics.com', organization: {1}}}"
    given = {"aa": "Contoso", "bb": "Contoso", "cc": ID.upper()}
    lines = "\n".join(line.format(name, organization) for name, organization in given.items())
    found = load(f"fleet: 1\nplaybook: a\nenvironments:\n{lines}\n").environments
    assert [each.organization for each in found] == ["Contoso", "Contoso", ID]


def test_the_schema_takes_what_the_reader_takes() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    value = yaml.load(GOOD, Loader=yaml.BaseLoader)  # dates stay text  # noqa: S506  # builds nothing but text
    value["fleet"] = 1
    value["limits"] = {"removals": {"queue": 2}, "prune": False}
    value["waves"][1]["gate"] = True
    Draft202012Validator(schema).validate(value)
    value["environments"][0]["lables"] = []
    assert not Draft202012Validator(schema).is_valid(value)
    ended = CliRunner().invoke(main, ["schema", "fleet"])
    assert json.loads(ended.stdout) == json.loads(json.dumps(schema))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "fleet.yaml:1:1: the file is empty: a fleet file starts with `fleet: 1`"),
        ("- a", "fleet.yaml:1:1: this file is no map: a fleet file starts with `fleet: 1`"),
        ("fleet: 2", "fleet.yaml:1:8: this is no format that this version reads: a fleet file starts with `fleet: 1`"),
        ("fleet: 1", "environments_from: a CSV file"),
        ("fleet: 1\nenvironments: []", "there are no environments: list one at least"),
        (
            "fleet: 1\nwave: [x]\n" + ENVIRONMENT,
            "fleet.yaml:2:1: a fleet file has no key 'wave'; did you mean 'waves'?",
        ),
        ("fleet: 1\nwaves: [canari]\n" + ENVIRONMENT, "no environment has the name, group or label 'canari'"),
        ("fleet: 1\nwaves: [0%]\n" + ENVIRONMENT, "fleet.yaml:2:9: 'of': '0%' is no share of the environments"),
        (
            "fleet: 1\nlimits: {removals: {queu: 1}}\n" + ENVIRONMENT,
            "'queu' is no kind of thing; did you mean 'queue'?",
        ),
        (
            "fleet: 1\nfreeze: [{begins: 2027-01-03, ends: 2026-01-03, reason: x}]\n" + ENVIRONMENT,
            "this freeze ends before it begins",
        ),
        (
            "fleet: 1\nfreeze: [{begins: 2026-01-03, ends: 2027-01-03, reason: x, excepted: [nort]}]\n" + ENVIRONMENT,
            "no environment is named 'nort'; did you mean 'north'?",
        ),
        (
            "fleet: 1\nplaybook: a\nenvironments:\n- {name: aa, url: 'https://a.crm.dynamics.com'}\n- {name: AA, url: 'https://b.crm.dynamics.com'}",
            "fleet.yaml:5:3: there are two environments named 'AA' (first at some/fleet.yaml:4:3)",
        ),
        (
            "fleet: 1\nplaybook: a\nenvironments:\n- {name: aa, url: 'https://a.crm.dynamics.com'}\n- {name: bb, url: 'https://A.crm.dynamics.com/'}",
            "fleet.yaml:5:3: 'bb' has the URL of 'aa' (some/fleet.yaml:4:3): https://a.crm.dynamics.com",
        ),
        (
            "fleet: 1\nenvironments: [{name: aa, url: 'https://a.crm.dynamics.com'}]",
            "the environment 'aa' has no playbook: give it one, or one for all at the top",
        ),
        (
            TWINS,
            "fleet.yaml:5:3: 'bb' has the organization of 'aa' (some/fleet.yaml:4:3)",
        ),
        (
            ENVIRONMENT.replace("name: north", "organization: ' ', name: north") + "\nfleet: 1",
            "'organization': ' ' is empty",
        ),
        ("fleet: 1\nwaves: [rest, north]\n" + ENVIRONMENT, "nobody is left for 'north' behind 'rest': put rest last"),
        ("fleet: 1\nwaves: [north, north]\n" + ENVIRONMENT, "fleet.yaml:2:8: the wave 'north' is there twice"),
        ("fleet: 1\nwaves: [a b]\n" + ENVIRONMENT, "'of': 'a b' is no wave: write a group, a label, a name"),
        ("fleet: 1\nmax_failed: 5\n" + ENVIRONMENT, "'max_failed': '5' is no share: write it like 10%"),
        ("fleet: 1\nlimits: {prune: maybe}\n" + ENVIRONMENT, "'prune' must be true or false, not 'maybe'"),
        (
            "fleet: 1\n" + ENVIRONMENT.replace("https://north.crm", "http://north.crm"),
            "'url': 'http://north.crm.dynamics.com' cannot be used: http:// would send the token unprotected",
        ),
        ("fleet: 1\nsign_in: {client_id: AN_ID}\n" + ENVIRONMENT, "the sign-in of 'north' names no way"),
        ("fleet: 1\nsign_in: {token: A_B, secret: C_D}\n" + ENVIRONMENT, "names secret and token"),
        ("fleet: 1\nsign_in: {secret: A_B}\n" + ENVIRONMENT, "lacks client_id: which application signs in"),
    ],
)
def test_each_mistake_has_its_place_and_its_cure(text: str, told: str) -> None:
    assert any(told in each for each in mistakes(text)), mistakes(text)


def test_a_mistake_at_the_top_is_not_told_of_each_environment(tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("name,url\nwest,https://w.crm.dynamics.com/x\n", encoding="utf-8")
    text = (
        "fleet: 1\nplaybook: a\nsign_in: {secret: hunter2}\nenvironments_from: more.csv\n"
        "environments: [{name: north, url: 'https://north.crm.dynamics.com'}]"
    )
    with pytest.raises(FleetError) as error:
        loaded(text.encode(), str(tmp_path / "fleet.yaml"), ["queue"])
    assert [(Path(each.source.file).name, each.source.line) for each in error.value.mistakes] == [
        ("fleet.yaml", 3),
        ("more.csv", 2),
    ]


def test_a_fleet_file_given_as_a_playbook_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(GOOD.replace("freeze:", "thaw:"), encoding="utf-8")
    ended = CliRunner().invoke(main, ["validate", str(tmp_path / "fleet.yaml")])
    assert ended.exit_code == 2
    assert "fleet.yaml:1:1: this is a fleet file, no playbook: `d365setup fleet` takes it" in ended.output


def test_a_password_in_an_address_is_not_repeated() -> None:
    found = mistakes(
        "fleet: 1\nenvironments: [{name: north, url: 'https://me:hunter2@n.crm.dynamics.com', playbook: a}]"
    )
    told = (
        "'url': '(an address with a user name or password)' cannot be used: the address holds a user name or password"
    )
    assert found == [f"fleet.yaml:2:35: {told}; leave them out"]


def test_all_mistakes_are_told_at_once() -> None:
    text = "fleet: 1\nenvironments:\n- {name: 'a b', url: 'ftp://x', playbook: a, lables: [x]}\n- {name: b}"
    assert len(mistakes(text)) == 4


@pytest.mark.parametrize(
    "line",
    [
        f"sign_in: {{client_id: AN_ID, secret: '{SECRET}'}}",
        "sign_in: {client_id: AN_ID, secret: hunter2-very-secret}",
        f"sign_in: {{token: 'eyJ{'a' * 20}.{'b' * 20}.c'}}",
        f"variables: {{greeting: '{SECRET}'}}",
        "variables: {my_password: hunter2-very-secret}",
        f"playbook: '{SECRET}'",
    ],
)
def test_a_secret_is_refused_and_never_repeated(line: str) -> None:
    found = "\n".join(mistakes(f"fleet: 1\n{line}\n{ENVIRONMENT}"))
    assert not any(part in found for part in (SECRET, "hunter2", "aaaaaaaa"))
    assert "fleet.yaml:2:" in found


def test_every_variable_that_decides_a_sign_in_is_kept_apart() -> None:
    offered = {"ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "SYSTEM_OIDCREQUESTURI"}
    decisive = {name for way in WAYS for name in way.needs} | {name for name in SECRETS if "PASSWORD" in name}
    assert decisive - offered - {"SYSTEM_ACCESSTOKEN", "D365_EVIDENCE_KEY_PASSWORD"} <= set(DECIDING)


# -- environments from a CSV file --------------------------------------------------------------------------------------


def csv(text: str, encoding: str = "utf-8") -> str:
    """The fleet file that names a CSV with this text."""
    Path("some").mkdir(exist_ok=True)
    Path("some/list.csv").write_bytes(text.encode(encoding))
    return "fleet: 1\nplaybook: bot.yaml\nenvironments_from: list.csv\n"


def test_a_csv_says_what_the_file_could() -> None:
    text = (
        "name,url,organization,group,labels,variables.region,sign_in.client_id,sign_in.secret\r\n"
        "north,https://north.crm.dynamics.com,North Health,canary,eu large,eu,AN_ID,NORTH_SECRET\r\n"
        "\r\n"
        '"south",https://south.crm.dynamics.com,,,,,,\r\n'
    )
    north, south = load(csv(text, "utf-8-sig")).environments
    assert (north.organization, south.organization) == ("North Health", None)
    assert (north.group, north.labels, north.variables) == ("canary", ("eu", "large"), {"region": "eu"})
    assert north.sign_in is not None
    assert north.sign_in.references == ("NORTH_SECRET",)
    assert (south.group, south.sign_in, south.playbook) == (None, None, "some/bot.yaml")


@pytest.mark.parametrize(
    ("text", "encoding", "told"),
    [
        ("name\nnorth\n", "utf-8", "list.csv:1:1: the column 'url' is missing: the first line names the columns"),
        ("name;url\nnorth;x\n", "utf-8", "list.csv:1:1: the columns are separated by semicolons: save it with commas"),
        ("name\turl\nnorth\tx\n", "utf-8", "the columns are separated by tabs: save it with commas"),
        ("name,url,grup\n", "utf-8", "list.csv:1:1: there is no column 'grup'; did you mean 'group'?"),
        ("name,url,url\n", "utf-8", "the column 'url' is there twice"),
        ("name,url\nnorth\n", "utf-8", "list.csv:2:1: this line has 1 field, and the first line names 2 columns"),
        ("name,url\nnorth,ftp://x\n", "utf-8", "list.csv:2:2: 'ftp://x' is not an address"),
        ('name,url\n"north,x\n', "utf-8", "this is no CSV: unexpected end of data"),
        ("name,url\nn\u00f6rth,x\n", "latin-1", "list.csv:1:1: the file is not UTF-8 text: save it as CSV UTF-8"),
        (
            f"name,url,sign_in.client_id,sign_in.secret\nn,https://a.crm.dynamics.com,AN_ID,{SECRET}\n",
            "utf-8",
            "list.csv:2:4: 'secret': '(a value that looks like a secret)' is no name of an environment variable",
        ),
    ],
)
def test_what_is_wrong_with_a_csv(text: str, encoding: str, told: str) -> None:
    found = mistakes(csv(text, encoding))
    assert any(told in each for each in found), found
    assert SECRET not in str(found)


def test_a_csv_that_is_not_there() -> None:
    text = "fleet: 1\nplaybook: a\nenvironments_from: none.csv\n"
    assert any("fleet.yaml:3:20: the file some/none.csv cannot be read" in each for each in mistakes(text))
