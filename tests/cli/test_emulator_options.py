"""Users, limits and faults of `emulator serve`, as a user types them."""

from __future__ import annotations

import pytest
import requests

from tests.cli.conftest import VALUES, Run
from tests.cli.test_emulator_command import serving


def ask(line: str, who: str = "x") -> requests.Response:
    url = line.rsplit(maxsplit=1)[-1]
    return requests.get(f"{url}/api/data/v9.2/WhoAmI", headers={"Authorization": f"Bearer {who}"}, timeout=10)


def test_limits_and_faults_reach_the_emulator(run: Run) -> None:
    with serving("--limit", "requests=2", "--limit", "window=60s", "--fault", "503:skip=1") as (_, line):
        answers = [ask(line) for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 503, 200, 429]
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 60


def test_chance_reaches_the_emulator(run: Run) -> None:
    with (
        serving("--fault-rate", "1", "--fault-seed", "3") as (_, line),
        pytest.raises((requests.ConnectionError, AssertionError)),
    ):
        assert [ask(line).status_code for _ in range(20)].count(200) == 20


def test_users_reach_the_emulator(run: Run) -> None:
    with serving("--user", "admin=Ada:Omnichannel administrator", "--user", "nurse=Nurse One") as (_, line):
        assert ask(line).status_code == 401
        first, second = (ask(line, who).json()["UserId"] for who in ("admin", "nurse"))
        assert first != second
        url = line.rsplit(maxsplit=1)[-1]
        refused = run("apply", "bot.yaml", "--url", url, "--yes", **{**VALUES, "D365_ACCESS_TOKEN": "nurse"})
        assert refused.code == 6
        assert "prvRead" in refused.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--limit", "requests=many"], "--limit requests=many: it takes NAME=VALUE, one of requests=N"),
        (["--limit", "colour=red"], "one of requests=N"),
        (["--limit", "window=5 s"], "'5 s' is no time"),
        (["--fault", "often"], "a rule begins with 429, 503"),
        (["--fault", "429:path=("], "is no regular expression"),
        (["--fault", "slow"], "slow:time=500ms"),
        (["--fault-rate", "2"], "2"),
        (["--fault-seed", "x"], "'x' is not a valid integer"),
        (["--user", "somebody"], "--user, number 1: it takes TOKEN=NAME"),
        (["--user", "a=Ada", "--user", "secret="], "--user, number 2: it takes TOKEN=NAME"),
        (["--user", "t=Ada:Head nurse"], "There is no role 'Head nurse'"),
    ],
)
def test_what_cannot_be_understood(run: Run, options: list[str], told: str) -> None:
    ended = run("emulator", "serve", *options)
    assert ended.code == 2
    assert told in " ".join(ended.err.split())
    assert "secret" not in ended.err
