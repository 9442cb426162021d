from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from d365setup.cli.environment import emulator_package
from d365setup.cli.options import seconds
from d365setup.emulator.healthbot import SECRET
from d365setup.errors import UsageError
from tests.cli.conftest import VALUES, Run
from tests.cli.process import start


@contextmanager
def serving(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that serves, and the first line it printed."""
    process = start("emulator", "serve", *options)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate(timeout=30)


@pytest.mark.skipif(sys.platform == "win32", reason="ends it by POSIX signals")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_ended(ending: signal.Signals, run: Run) -> None:
    with serving("--data", "rehearsal.db", "--rtt", "1ms", "--op-time", "0") as (process, line):
        assert line.startswith("listening on http://127.0.0.1:")
        url = line.split()[-1]
        bot = {"D365_HEALTHBOT_SECRET": SECRET, "D365_HEALTHBOT_PORTAL": f"{url}/account/contoso-bot-ab12cd3"}
        assert run("apply", "bot.yaml", "--url", url, "--yes", **VALUES, **bot).code == 0
        process.send_signal(ending)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")
    assert run("plan", "bot.yaml", "--emulator", "--emulator-data", "rehearsal.db").code == 0


def test_the_data_is_where_the_emulator_option_looks(run: Run) -> None:
    assert run("emulator", "reset", "--fixture", "empty").out.startswith(str(Path(".d365setup/emulator.db")))
    ended = run("plan", "bot.yaml", "--emulator")
    assert ended.code == 1  # the fixture `empty` has no work stream
    assert "there is no work stream of this name" in ended.err
    assert run("emulator", "reset").code == 0
    assert run("plan", "bot.yaml", "--emulator").code == 3


def test_reset_forgets(run: Run) -> None:
    assert run("apply", "bot.yaml", "--emulator", "--emulator-data", "x.db", "--yes").code == 0
    assert run("emulator", "reset", "--data", "x.db").code == 0
    assert run("plan", "bot.yaml", "--emulator", "--emulator-data", "x.db").code == 3


def test_switches_reach_the_emulator(run: Run) -> None:
    with serving("--switch", "disabled_rules_column=absent", "--switch", "contract_delay_reads=1") as (_, line):
        url = f"{line.split()[-1]}/api/data/v9.2/msdyn_decisionrulesets?$select=msdyn_disabledrules"
        reply = requests.get(url, headers={"Authorization": "Bearer x"}, timeout=10)
        assert reply.status_code == 400


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--switch", "contract=sometimes"], "contract=at once|late|never"),
        (["--switch", "nothing=1"], "--switch nothing=1: it takes NAME=VALUE"),
        (["--switch", "contract"], "it takes NAME=VALUE"),
        (["--switch", "contract_delay_reads=-1"], "contract_delay_reads=N"),
        (["--port", "99999"], "99999 is not in the range"),
        (["--port", "-1"], "-1"),
        (["--rtt", "80 ms"], "'80 ms' is no time; write it like 80ms, 1.5s or 2"),
        (["--fixture", "hospital"], "'hospital' is not one of"),
        (["--data", "."], "the emulator's data in .: "),
    ],
)
def test_bad_calls(options: list[str], told: str, run: Run) -> None:
    ended = run("emulator", "serve", *options)
    assert ended.code == 2
    assert told in ended.err
    assert ended.out == ""


def test_a_port_that_is_taken(run: Run) -> None:
    with serving() as (_, line):
        port = line.strip().rsplit(":", 1)[1]
        ended = run("emulator", "serve", "--port", port, "--data", "other.db")
    assert ended.code == 2
    assert f"port {port} cannot be served" in ended.err


def test_reset_leaves_a_file_alone_that_is_not_the_emulators(run: Run) -> None:
    before = Path("bot.yaml").read_bytes()
    ended = run("emulator", "reset", "--data", "bot.yaml")
    assert ended.code == 2
    assert "the emulator's data in bot.yaml: " in ended.err
    assert Path("bot.yaml").read_bytes() == before


def test_without_the_extra_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "d365setup.emulator", None)
    with pytest.raises(UsageError, match="pip install"):
        emulator_package()
    ended = run("plan", "bot.yaml", "--emulator")
    assert ended.code == 2
    assert "pip install 'd365setup[emulator]'" in ended.err


@pytest.mark.parametrize(("text", "value"), [("80ms", 0.08), ("1.5s", 1.5), ("2", 2.0), ("0", 0.0)])
def test_times(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


def test_many_organizations_have_a_line_each(run: Run) -> None:
    with serving("--orgs", "3", "--data", "fleet.db") as (process, line):
        assert process.stdout is not None
        urls = [each.split()[-1] for each in (line, process.stdout.readline(), process.stdout.readline())]
        for place, url in enumerate(urls, 1):
            name = "Contoso Health" if place == 1 else f"Contoso Health {place}"
            found = run("plan", "bot.yaml", "--url", url, "--expect-organization", name, **VALUES)
            assert found.code == 3, found.err
        assert len(set(urls)) == 3


def test_ports_go_up_from_the_one_given(run: Run) -> None:
    ended = run("emulator", "serve", "--orgs", "3", "--port", "65534")
    assert ended.code == 2
    assert "--orgs 3 from --port 65534 on goes past port 65535" in ended.err
    assert not Path(".d365setup").exists()


def test_over_tls_they_share_one_directory(run: Run) -> None:
    with serving("--orgs", "2", "--tls", "--data", "fleet.db") as (process, line):
        assert process.stdout is not None
        bundle, second = process.stdout.readline().split(maxsplit=2)[-1].strip(), process.stdout.readline()
        for each in (line, second):
            reply = requests.get(f"{each.split()[-1]}/api/data/v9.2/WhoAmI", verify=bundle, timeout=10)
            assert reply.status_code == 401


def test_reset_gives_it_names_of_ones_own(run: Run) -> None:
    own = ["--workstream", "Intake chat", "--workstream", "Patient chat", "--person", "Intake.One@contoso.example"]
    assert run("emulator", "reset", "--data", "x.db", *own, "--person", "nurse.one@contoso.example").code == 0
    text = Path("bot.yaml").read_text(encoding="utf-8")
    text = text.replace("- name: Patient chat", "- name: Intake chat").replace("nurse.one@", "intake.one@")
    Path("bot.yaml").write_text(text, encoding="utf-8")
    assert run("apply", "bot.yaml", "--emulator", "--emulator-data", "x.db", "--yes").code == 0
    for option in ("--workstream", "--person"):
        ended = run("emulator", "reset", "--data", "x.db", option, " ")
        assert (ended.code, option in ended.err) == (2, True)
