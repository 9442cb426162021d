"""A person signs in with a code: the command as a process of its own, the code answered on the page it names."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
import requests

from d365setup.emulator import entra
from d365setup.emulator.fixtures import SYSTEM_ADMINISTRATOR, fixed_id
from tests.cli.conftest import VALUES, Ended
from tests.cli.process import start

PERSON = "nurse.one@contoso.example"
ASKED = re.compile(r"open the page (https://\S+) and enter the code (\S+) to authenticate")
PENDING, GRANTED = 400, 200  # a refusal for good is 400 too
LONGEST = 60  # seconds until a run that hangs is ended, and the test with it


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and keys, made once."""
    return tmp_path_factory.mktemp("entra")


@pytest.fixture
def office(kept: Path) -> Iterator[entra.Entra]:
    """A sign-in service with an environment in which the person may set something up."""
    with entra.serve(kept) as found:
        role = fixed_id("role", SYSTEM_ADMINISTRATOR)
        found.emulator.link("systemuser", fixed_id("systemuser", PERSON), "systemuserroles_association", role)
        yield found


class Running:
    """`d365setup plan --device-code` on its way; `told` is what it has said to the person so far."""

    def __init__(self, stderr: IO[str], out: Path, wait: Callable[[], int]) -> None:
        self._stderr, self._out, self._wait = stderr, out, wait
        self.told = ""

    def asked(self) -> tuple[str, str]:
        """Page and code, as the person reads them."""
        for line in self._stderr:
            self.told += line
            found = ASKED.search(line)
            if found:
                return found[1], found[2]
        raise AssertionError(self.told)

    def ended(self) -> Ended:
        self.told += self._stderr.read()
        code = self._wait()
        return Ended(code, self._out.read_text(encoding="utf-8"), self.told)


@contextmanager
def running(office: entra.Entra, folder: Path) -> Iterator[Running]:
    variables = {
        "BOT_APPLICATION_ID": VALUES["BOT_APPLICATION_ID"],
        "HEALTH_BOT_ID": VALUES["HEALTH_BOT_ID"],
        "D365_CLIENT_ID": entra.PERSONAL,
        "D365_CA_BUNDLE": str(office.ca_bundle),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    options = ("--device-code", "--url", office.url, "--max-wait", "0", "--format", "json")
    out = folder / "out.json"
    with (
        out.open("w", encoding="utf-8") as file,
        start("plan", "bot.yaml", *options, variables=variables, stdout=file) as process,
    ):
        limit = threading.Timer(LONGEST, process.kill)
        limit.start()
        try:
            assert process.stderr is not None
            yield Running(process.stderr, out, process.wait)
        finally:
            limit.cancel()
            process.kill()


def polls(office: entra.Entra) -> list[int]:
    """How the sign-in service answered each time it was asked for a token."""
    return [status for _, path, status in office.requests if path.endswith("/token")]


def polled(office: entra.Entra) -> None:
    """Wait until the command has asked in vain once."""
    until = time.monotonic() + LONGEST
    while not polls(office):
        assert time.monotonic() < until, "it does not ask"
        time.sleep(0.02)


def answer(office: entra.Entra, page: str, code: str, what: str) -> None:
    """Do what the person does in the browser."""
    bundle = str(office.ca_bundle)
    assert f"<option>{PERSON}</option>" in requests.get(page, verify=bundle, timeout=10).text
    form = {"code": code.lower(), "person": PERSON, "answer": what}
    assert "Done." in requests.post(page, data=form, verify=bundle, timeout=10).text


def test_the_command_goes_on_once_the_person_has_signed_in_and_later_runs_need_nobody(
    office: entra.Entra, tmp_path: Path
) -> None:
    office.directory.lifetime = 60  # so short that MSAL renews it each time it is asked for
    with running(office, tmp_path) as command:
        page, code = command.asked()
        assert page.startswith(office.url)
        polled(office)
        answer(office, page, code, "yes")
        first = command.ended()
    assert first.code == 3, first
    assert first.json["changes"]
    assert list(dict.fromkeys(polls(office))) == [PENDING, GRANTED]

    office.directory.lifetime, before = 3599, len(polls(office))
    with running(office, tmp_path) as command:
        renewed = command.ended()
    assert polls(office)[before:] == [GRANTED], "by the refresh token kept"
    with running(office, tmp_path) as command:
        kept = command.ended()
    assert polls(office)[before:] == [GRANTED], "the token of the run before still counts"
    assert sum(path.endswith("/devicecode") for _, path, _ in office.requests) == 1
    for later in (renewed, kept):
        assert later.code == 3, later
        assert later.json["changes"] == first.json["changes"]
        assert "the code" not in later.err
    assert office.waiting() == []
    assert "eyJ" not in "".join(each.out + each.err for each in (first, renewed, kept))


def test_the_person_declines(office: entra.Entra, tmp_path: Path) -> None:
    with running(office, tmp_path) as command:
        page, code = command.asked()
        polled(office)
        answer(office, page, code, "no")
        ended = command.ended()
    assert ended.code == 6
    assert "AADSTS70017: The end user denied the authorization request." in ended.json["message"]
    assert ended.json["hint"] == "the sign-in was declined: run again, or sign in in another way"
    assert set(polls(office)) == {PENDING}


def test_nobody_comes_while_the_code_counts(office: entra.Entra, tmp_path: Path) -> None:
    office.directory.device_code_lifetime = 6
    with running(office, tmp_path) as command:
        command.asked()
        ended = command.ended()
    assert ended.code == 6
    assert "nobody signed in with the code in time" in ended.json["message"]
    assert ended.json["hint"].startswith("the code has expired: run again")
    assert set(polls(office)) == {PENDING}


def test_the_service_says_that_the_code_is_too_old(office: entra.Entra, tmp_path: Path) -> None:
    office.directory.expired_device_code = 70020
    with running(office, tmp_path) as command:
        page, code = command.asked()
        polled(office)
        answer(office, page, code, "yes")
        office.clock = lambda: time.time() + 901  # too late all the same
        ended = command.ended()
    assert ended.code == 6
    assert "AADSTS70020" in ended.json["message"]
    assert ended.json["hint"].startswith("the code has expired: run again")
