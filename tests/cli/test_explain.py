"""`d365setup explain`, as a user calls it."""

from __future__ import annotations

import pytest

from d365setup.pages import codes
from tests.cli.conftest import Run


@pytest.mark.parametrize("code", ["R12", "r12", "R012"])
def test_a_finding(run: Run, code: str) -> None:
    ended = run("explain", code)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("R12: The fallback queue cannot help\nlevel: error\n")
    for heading in ("What it is", "What happens", "Cure", "Source: "):
        assert f"\n{heading}" in ended.out


@pytest.mark.parametrize("code", ["0x80040220", "0X80040220", "-2147220960"])
def test_an_error_of_the_service(run: Run, code: str) -> None:
    ended = run("explain", code)
    assert ended.code == 0
    assert ended.out.startswith("0x80040220: A privilege is missing\n\nWhat it is\n")


@pytest.mark.parametrize("code", codes())
def test_every_page_fits_a_terminal(run: Run, code: str) -> None:
    ended = run("explain", code)
    assert ended.code == 0
    assert max(map(len, ended.out.splitlines())) <= 80
    assert not any(line.endswith(" ") for line in ended.out.splitlines())


def test_json(run: Run) -> None:
    found = run("explain", "c5", "--format", "json").json
    assert (found["schema"], found["code"], found["level"]) == ("d365setup/page/1", "C05", "error")
    assert [each["heading"] for each in found["sections"]] == ["What it is", "What happens", "Cure"]
    assert "\n" not in found["sections"][0]["text"].replace("\n\n", "")


def test_all_of_them(run: Run) -> None:
    ended = run("explain")
    assert ended.code == 0
    assert [line.split()[0] for line in ended.out.splitlines() if not line.startswith(" ")] == list(codes())
    assert "R12         The fallback queue cannot help (error)" in ended.out
    listed = run("explain", "--format", "json").json
    assert [each["code"] for each in listed["pages"]] == list(codes())


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("R1234", "lists every code"),
        ("R77", "did you mean R07?"),
        ("0x80040221", "did you mean 0x80040220?"),
        ("fallback", "no page tells of 'fallback'"),
        ("../R12", "no page tells of '../R12'"),
        ("R12\x1b[31m", "no page tells of 'R12\\x1b[31m'"),
    ],
)
def test_a_code_nobody_knows(run: Run, code: str, told: str) -> None:
    ended = run("explain", code)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert "`d365setup explain` lists every code" in ended.err
    assert "\x1b" not in ended.err


def test_a_report_file_and_an_error_as_json(run: Run) -> None:
    assert run("explain", "R12", "--report", "page.json").code == 0
    found = run("explain", "nothing", "--format", "json").json
    assert (found["schema"], found["exit_code"]) == ("d365setup/error/1", 2)
