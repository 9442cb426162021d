"""`docs/findings.md` holds every page that `d365setup explain` prints; each finding has a check and a whole page.

`python -m tests.test_findings_docs` writes the document anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from d365setup.audit import LEVELS
from d365setup.audit.checking import checks
from d365setup.dataverse import errors
from d365setup.healthbot import checking as healthbot
from d365setup.pages import codes, nearest, page, written

FILE = Path(__file__).parents[1] / "docs" / "findings.md"
FINDINGS = [code for code in codes() if not code.startswith("0x")]
SERVICE = [code for code in codes() if code.startswith("0x")]
HEAD = """# Findings and error codes

What `d365setup audit` and `d365setup healthbot check` can find, and what errors of the service mean: the pages that
`d365setup explain CODE` prints. This file is generated from `d365setup/pages/`; change it there, then run
`python -m tests.test_findings_docs`.

"""


def document() -> str:
    parts = (
        ("Findings about routing", [code for code in FINDINGS if code.startswith("R")]),
        ("Findings about compliance", [code for code in FINDINGS if code.startswith("C")]),
        ("Findings about the Health Bot", [code for code in FINDINGS if code.startswith("H")]),
        ("Error codes of the service", SERVICE),
    )
    chapters = (f"## {title}\n\n{''.join(map(told, chosen))}" for title, chosen in parts)
    return HEAD + "".join(chapters).rstrip() + "\n"


def told(code: str) -> str:
    found = page(code)
    level = f"Level: {found.level}\n\n" if found.level else ""
    sections = "".join(f"**{heading}.** {text}\n\n" for heading, text in found.sections.items())
    return f"### {code}: {found.title}\n\n{level}{sections}Source: {found.source}\n\n"


def test_the_document_is_fresh() -> None:
    assert FILE.read_text(encoding="utf-8") == document(), "write it anew: python -m tests.test_findings_docs"


def test_each_check_has_a_page_and_each_page_of_a_finding_a_check() -> None:
    assert sorted({each.id for each in checks()} | {code for code, _ in healthbot.checks()}) == sorted(FINDINGS)


def test_the_health_bot_has_findings_of_its_own_and_shares_the_others() -> None:
    own = {code for code, _ in healthbot.checks()} - {each.id for each in checks()}
    assert own == {code for code in FINDINGS if code.startswith("H")}


def test_all_findings_are_there() -> None:
    assert [
        *(f"R{n:02d}" for n in range(1, 32)),
        *(f"C{n:02d}" for n in range(1, 19)),
        *(f"H{n:02d}" for n in range(1, 9)),
    ] == FINDINGS


@pytest.mark.parametrize("code", FINDINGS)
def test_the_page_of_a_finding(code: str) -> None:
    found = page(code)
    assert found.level in LEVELS
    assert list(found.sections) == ["What it is", "What happens", "Cure"]
    assert all(len(text) > 40 for text in found.sections.values())
    assert found.title
    assert found.source
    assert re.search(r"playbook|`\w+:|d365setup", found.sections["Cure"]), "the cure in the playbook's words"


@pytest.mark.parametrize("code", SERVICE)
def test_the_page_of_an_error_code(code: str) -> None:
    found = page(code)
    assert re.fullmatch(r"0x[0-9a-f]{8}", code)
    assert (found.level, list(found.sections)) == ("", ["What it is", "Cure"])
    assert found.title
    assert found.source


def test_every_code_the_client_knows_has_a_page() -> None:
    source = Path(errors.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r"0x8[0-9a-f]{7}", source)) <= set(SERVICE)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("R12", "R12"), ("r12", "R12"), (" c5 ", "C05"), ("R012", "R12"), ("0X80040220", "0x80040220"),
        ("-2147220960", "0x80040220"), ("R99", "R99"), ("what?", "what?"), ("R1234", "r1234"), ("", ""),
        ("-99999999999", "-99999999999"), ("R²", "r²"),
    ],
)  # fmt: skip
def test_codes_however_they_are_written(text: str, code: str) -> None:
    assert written(text) == code


@pytest.mark.parametrize(("text", "near"), [("R1", "R01"), ("0x80040221", "0x80040220"), ("zzz", ""), ("", "")])
def test_the_nearest_code(text: str, near: str) -> None:
    assert nearest(text) == near


def test_a_page_nobody_wrote() -> None:
    with pytest.raises(KeyError):
        page("../__init__")


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
