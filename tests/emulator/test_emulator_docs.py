"""`docs/emulator.md` tells every option, rule, setting and endpoint, and what it shows can be used."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path

import requests

from d365setup.emulator import Limits, Options, fault_of
from d365setup.emulator.faults import KINDS
from d365setup.emulator.privileges import SHIPPED

from .conftest import Api

PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")


def told() -> set[str]:
    """Everything the page sets as code."""
    return set(re.findall(r"`([^`\n]+)`", PAGE))


def test_every_option_is_told() -> None:
    assert {field.name for field in dataclasses.fields(Options)} <= told()
    assert {field.name for field in dataclasses.fields(Limits)} <= set(re.findall(r"[a-z]+(?==)", PAGE))


def test_every_rule_and_setting_is_told() -> None:
    assert set(KINDS) <= told()
    try:
        fault_of("429:nothing=1")
    except ValueError as error:
        settings = str(error).partition("there are ")[2].split(", ")
    assert settings
    assert set(settings) <= told()


def test_every_shipped_role_is_told() -> None:
    assert all(f"*{role}*" in " ".join(PAGE.split()) for role in SHIPPED)


def test_the_rules_shown_are_rules() -> None:
    shown = re.findall(r"--fault (\S+)", PAGE) + re.findall(r'"rule": "([^"]+)"', PAGE)
    assert len(shown) >= 5
    for rule in shown:
        assert fault_of(rule)


def test_every_endpoint_is_told_and_there(api: Api) -> None:
    reply = requests.get(f"{api.emulator.url}/_emulator/", timeout=10)
    there = set(re.findall(r"[A-Z]+ /_emulator/[a-z]+", reply.json()["error"]["message"])) - {"GET /_emulator/"}
    assert len(there) == 8
    assert there <= told()
    assert there == {each for each in told() if "/_emulator/" in each}


def test_the_call_shown_works(api: Api) -> None:
    block = re.findall(r"```sh\n(curl .*?)```", PAGE, re.DOTALL)[0].replace("\\\n", " ")
    words = shlex.split(block)
    url = words[-1].replace("http://127.0.0.1:5000", api.emulator.url)
    headers = {"Content-Type": words[words.index("-H") + 1].partition(": ")[2]}
    assert requests.post(url, data=words[words.index("-d") + 1], headers=headers, timeout=10).status_code == 200
    assert len(api.emulator.faults.waiting) == 1
