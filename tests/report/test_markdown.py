from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from d365setup.model import Action, Plan
from d365setup.report import MAX_CHARS, Document, markdown, render
from d365setup.report.comment.fitting import Section, Sheet, fitted
from d365setup.report.comment.markup import escaped, link
from d365setup.report.visible import visible
from tests.report.audits import AUDIT
from tests.report.everything import documents
from tests.report.samples import ENVIRONMENT, PLAN, RUN, change
from tests.report.test_every_form import GOLDEN, HOSTILE, check_markdown

INLINE = MarkdownIt("commonmark").enable(["table", "strikethrough"])


# -- what comes from outside -----------------------------------------------------------------------------------------


def shown(markup: str) -> str:
    """What a reader sees of one paragraph without any markup in it."""
    tokens = INLINE.parse(markup)
    assert [each.type for each in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    children = tokens[1].children or []
    assert {each.type for each in children} <= {"text", "text_special"}
    return "".join(each.content for each in children).replace("\u200b", "")


@settings(deadline=None)  # no test here is about time
@given(st.text(st.characters(codec=None), min_size=1, max_size=40), st.sampled_from(["", "x "]))
@example("    four blanks", "")
@example("\xa0no blank", "")
@example("- a list", "")
@example("1. a list", "")
@example("1) a list", "")
@example("---", "")
@example("back\\|slash", "")
@example("&lt;&#60;", "")
def test_any_text_is_shown_as_it_is(said: str, before: str) -> None:
    text = before + visible(said) + "x"
    assert shown(escaped(text, 1000)) == text.rstrip(" ")


@pytest.mark.parametrize("said", HOSTILE[:-2])
def test_nothing_pings_refers_or_links(said: str) -> None:
    text = escaped(visible(said))
    assert not re.search(r"@(?!&)|#(?![&0-9])", text)
    assert not re.search(r"(?i)(https?|ftp)://|www\.|gh-[0-9]", text)


@pytest.mark.parametrize(
    ("said", "markup"),
    [
        ("@nurses please", "@&#8203;nurses please"),
        ("see #12, GH-7", r"see \#&#8203;12, GH&#45;7"),
        ("https://evil.example and WWW.evil.example", "https&#58;//evil.example and WWW&#46;evil.example"),
        ("a|b $x$ ~~c~~ a_b_c", r"a&#124;b &#36;x&#36; \~\~c\~\~ a\_b\_c"),
    ],
)
def test_how_it_is_escaped(said: str, markup: str) -> None:
    assert escaped(said) == markup


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "", "https:", "file:///x"]
)
def test_links_lead_to_the_web_only(address: str) -> None:
    assert link("text", address) == "text"


def test_a_link_cannot_be_left() -> None:
    assert (
        link("a", "https://x.example/) [b](https://y.example")
        == "[a](https://x.example/%29%20%5Bb%5D%28https://y.example)"
    )


# -- what it says ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "document"), [("plan", PLAN), ("run", RUN), ("audit", AUDIT)])
def test_markdown_is_as_reviewed(name: str, document: Document) -> None:
    assert render(document, "markdown") == (GOLDEN / f"{name}.md").read_text(encoding="utf-8")


# -- the limit -------------------------------------------------------------------------------------------------------


def large(creations: int, updates: int, removals: int) -> Plan:
    """A plan with so many changes, in an order that is not theirs in the report."""
    actions = [Action.CREATE] * creations + [Action.UPDATE] * updates + [Action.DELETE] * removals
    changes = (
        change(action, "queue", f"Clinic {number:04}", ("description", "old", "new text"), line=number + 1)
        for number, action in enumerate(actions)
    )
    return Plan(ENVIRONMENT, "contoso-health-bot", "ab" * 32, tuple(changes))


def left_out(text: str) -> dict[str, tuple[int, int]]:
    """What the report says it left out: how many of how many, by what."""
    told = re.search(r"\*\*Cut to fit the limit of [0-9,]+\. Left out: (.*)\.\*\*\n\Z", text)
    assert told
    parts = (re.fullmatch(r"([0-9]+) of ([0-9]+) (.+)", each) for each in told[1].split(", "))
    return {each[3]: (int(each[1]), int(each[2])) for each in parts if each}


def rows(text: str) -> list[str]:
    return re.findall(r"^\| queue:(Clinic [0-9]+) \|", text, re.MULTILINE)


def test_a_report_that_fits_is_whole() -> None:
    text = render(large(20, 20, 20), "markdown")
    assert len(rows(text)) == 60
    assert "Cut" not in text


@pytest.mark.parametrize("limit", [MAX_CHARS, 150_000, 20_000, 5_000, 2_000, 1_000])
def test_five_thousand_changes_fit_and_say_what_was_left_out(limit: int) -> None:
    text = render(large(4_000, 900, 100), "markdown", max_chars=limit)
    assert len(text) <= limit
    check_markdown(text)
    cut = left_out(text)
    assert len(rows(text)) == 5_000 - sum(count for count, _ in cut.values())
    assert "4000 to create, 900 to update, 100 to remove" in text
    if limit >= 20_000:
        assert "removals" not in cut
        assert rows(text)[0] == "Clinic 4900"
        assert len(text) > limit * 0.95, "there was room for more"


def test_removals_stay_longest_then_updates() -> None:
    kept = {
        limit: {noun: total - count for noun, (count, total) in left_out(text).items()}
        for limit in (1_500, 9_000, 40_000)
        for text in [render(large(500, 100, 50), "markdown", max_chars=limit)]
    }
    assert kept[1_500]["updates"] == kept[1_500]["creations"] == 0 < kept[1_500]["removals"]
    assert kept[9_000]["creations"] == 0 < kept[9_000]["updates"]
    assert set(kept[40_000]) == {"creations"}


@settings(deadline=None, max_examples=60)  # no test here is about time
@given(
    st.integers(0, 3_000),
    st.text(st.sampled_from("ab`|<>@#é\u20ac\U0001f600* "), max_size=80),
    st.sampled_from(sorted(documents("x"))),
)
def test_it_is_never_longer_and_always_whole(limit: int, said: str, name: str) -> None:
    document = documents(said)[name]
    text = markdown(document, limit)
    assert len(text) <= limit
    check_markdown(text)
    if limit >= 300 and len(markdown(document, 10**9)) > limit:
        assert "Cut to fit the limit" in text
    in_bytes = markdown(document, limit, measure=lambda each: len(each.encode()))
    assert len(in_bytes.encode()) <= limit


@settings(deadline=None)  # no test here is about time
@given(
    st.lists(st.tuples(st.lists(st.text("ab ", min_size=1, max_size=30), max_size=40), st.booleans()), max_size=5),
    st.integers(0, 1_500),
)
def test_what_was_cut_is_told_to_the_row(parts: list[tuple[list[str], bool]], limit: int) -> None:
    sections = tuple(
        Section(f"S{place}", f"kind{place}", tuple(f"- {row}" for row in given_rows), fence="```" if fenced else "")
        for place, (given_rows, fenced) in enumerate(parts)
    )
    sheet = Sheet("Title", ("one", "two"), sections)
    whole, text = fitted(sheet, 10**9), fitted(sheet, limit)
    here, total = len(re.findall(r"^- ", text, re.MULTILINE)), sum(len(each.rows) for each in sections)
    assert len(text) <= limit
    if len(whole) <= limit:
        assert text == whole
        assert here == total
    elif "Left out" in text:
        assert total - here == sum(count for count, _ in left_out(text).values()) > 0
    else:
        assert here == 0


def test_a_long_name_is_shortened_and_says_so() -> None:
    text = render(replace(PLAN, playbook="n" * 10_000), "markdown")
    assert r"… \(10000 characters\)" in text
    assert len(text) < 5_000
