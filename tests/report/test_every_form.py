"""Every document in every form it has, whatever text from outside is in it."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from d365setup.report import FORMS, PLAIN, Document, Form, Mask, forms, render
from tests.report.everything import NAMES, documents
from tests.report.published import check
from tests.report.samples import DOCUMENTS
from tests.report.schemas import check_junit, check_sarif

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = (
    "<script>alert(1)</script>",
    "</details></summary></style>]]>-->",
    "\"'`${{ secrets.TOKEN }}` | a || b",
    "\u202eleft to right\u2066\u200b",
    "##vso[task.setvariable variable=x]1",
    "::error file=a::b",
    "\n::set-env name=x::y\r\n##[command]",
    "```\n# @everyone #1 https://evil.example www.evil.example",
    "[click](javascript:alert(1)) ![x](https://evil.example/x.png)",
    "\x00\x1b[2J\x07\ud800\ufffe\uffff",
    "a" * 10_000,
    "|" * 3000 + "{" * 3000 + "@" * 3000,
)
PAIRS = [(name, form) for name in NAMES for form in forms(documents("x")[name])]
OUR_TAGS = re.compile(r"<br>|<details><summary>[^<>]*</summary>|</details>")
TEXT = st.text(st.characters(codec=None), max_size=60)


def harmless(text: str) -> bool:
    return all(character == "\n" or unicodedata.category(character)[0] != "C" for character in text)


def check_text(text: str) -> None:
    assert harmless(text)


def check_json(text: str) -> None:
    assert text.isascii()
    assert "##" not in text
    check(json.loads(text))


def check_markdown(text: str) -> None:
    """Whole, and with no markup in it but ours."""
    assert harmless(text.replace("\ufe0f", ""))  # a part of our own signs
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    flat = [each for token in tokens for each in (token, *(token.children or ()))]
    markup = "".join(each.content for each in flat if each.type.startswith("html"))
    assert OUR_TAGS.sub("", markup).strip() == ""
    assert markup.count("<details>") == markup.count("</details>")
    assert not [each for each in flat if each.type in ("image", "code_block")]
    assert all(str(each.attrs["href"]).startswith("https://") for each in flat if each.type == "link_open")
    lines = text.splitlines()
    assert all(lines[each.map[1] - 1] == each.markup for each in tokens if each.type == "fence" and each.map)


def check_xml(text: str) -> None:
    assert "##" not in text
    check_junit(text)


def check_log(text: str) -> None:
    assert text.isascii()
    assert "##" not in text
    check_sarif(json.loads(text))


def check_page(text: str) -> None:
    assert text.lower().startswith("<!doctype html>")
    assert "<script>alert" not in text
    assert harmless(text)


CHECKS: dict[Form, Any] = {
    "text": check_text,
    "json": check_json,
    "markdown": check_markdown,
    "html": check_page,
    "junit": check_xml,
    "sarif": check_log,
}


@pytest.mark.no_cover  # tracing would double the time; what it runs is measured elsewhere
@pytest.mark.parametrize(("name", "form"), PAIRS)
@pytest.mark.parametrize("said", HOSTILE, ids=lambda said: ascii(said[:12]))
def test_a_hostile_name_harms_no_form(name: str, form: Form, said: str) -> None:
    text = render(documents(said)[name], form)
    assert text.endswith("\n")
    CHECKS[form](text)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "html"])  # HTML has a browser to show it to
@settings(deadline=None, max_examples=15)  # no test here is about time
@given(said=TEXT)
@example(said="")
@example(said=" ")
def test_no_text_harms_a_form(form: Form, said: str) -> None:
    for document in documents(said).values():
        if form in forms(document):
            CHECKS[form](render(document, form))


@pytest.mark.parametrize(("name", "form"), PAIRS)
def test_people_are_masked_in_every_form(name: str, form: Form) -> None:
    mask = Mask([("Nora Quist", "nora.quist@contoso.example")])
    said = render(documents("ask Nora Quist, nora.quist@contoso.example, or x.y@other.example")[name], form, mask=mask)
    assert not re.search(r"nora|quist|x\.y@|other\.example", said, re.IGNORECASE)
    assert "person-1" in re.sub(r"\\(?=-)", "", said)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_samples_have_every_form(name: str) -> None:
    for form in forms(DOCUMENTS[name]):
        CHECKS[form](render(DOCUMENTS[name], form))


def test_what_judges_nothing_has_no_verdicts() -> None:
    has = {name: forms(document) for name, document in documents("x").items()}
    plain = {name for name, found in has.items() if found == PLAIN}
    assert plain == {"doctor", "history", "recorded", "evidence", "push", "checklist", "comparison", "export"}
    assert all(found == FORMS for name, found in has.items() if name not in plain)
    with pytest.raises(ValueError, match="History has no sarif"):
        render(documents("x")["history"], "sarif")


def test_equal_documents_come_out_alike() -> None:
    again: dict[str, Document] = documents("same")
    for name, document in documents("same").items():
        for form in forms(document):
            assert render(document, form) == render(again[name], form)


def test_every_document_type_is_among_them() -> None:
    source = (Path(__file__).parents[2] / "d365setup" / "report" / "documents.py").read_text(encoding="utf-8")
    union = re.findall(r"\w+", source.partition("    Document = (")[2].partition(")")[0])
    assert set(union) - {"Explained"} == {type(each).__name__ for each in documents("x").values()}
