"""Hand-offs in scripts that people write: what reading tells is what running them does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.healthbot.expressions import Expression, Literal
from d365setup.healthbot.script import MOST, handoffs
from d365setup.healthbot.tokens import LONGEST, unescaped

from .node import Engine

# Each is run as well: what it sends must be what was read in it.
WRITTEN = Path(__file__).with_name("handoffs.js").read_text(encoding="utf-8").split("// ----\n")


def told(sent: dict[str, Any]) -> tuple[Any, ...]:
    """What an activity hands over, and whether its tags are a text."""
    tags = sent["channelData"]["tags"]
    command = json.loads(tags) if isinstance(tags, str) else tags
    return sent["text"], command["type"], command.get("context", {}), isinstance(tags, str)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("script", WRITTEN)
def test_reading_tells_what_running_does(engine: Engine, script: str, line_end: str) -> None:
    script = script.replace("\n", line_end)
    found = handoffs(script)
    assert [each.problem for each in found] == [""] * len(found)
    values = [{key: each.value for key, each in one.context if isinstance(each, Literal)} for one in found]
    read = [(one.summary, one.type, context, one.tags_is_string) for one, context in zip(found, values, strict=True)]
    sent = [each for each in engine.sent(script) if "tags" in (each.get("channelData") or {})]
    assert read == [told(each) for each in sent]


def handed(context: str, before: str = "") -> str:
    return f"{before}session.sendChannelData('s', {{tags: JSON.stringify({{type: 'Escalate', context: {context}}})}})"


@pytest.mark.parametrize(
    ("script", "source"),
    [
        (handed("{A: scenario.answer}"), "scenario.answer"),
        (handed("{A: 1 + x}"), "1 + x"),
        (handed("{A: `to ${x}`}"), "`to ${x}`"),
        (handed("{A: 'a' + x}"), "'a' + x"),
        (handed("{A: [1, 2]}"), "[1, 2]"),
        (handed("{A}"), "A"),
        (handed("{A: x}", "let x = 'a'; x = 'b'; "), "x"),  # given another value
        (handed("{A: x}", "let x = 'a'; f(x); "), "x"),  # given away: somebody else may mention it
        (handed("{A: x}", "var x = 'a'\n+ y; "), "x"),  # the line goes on
        (handed("{A: x}", "x = 'a'; "), "x"),
        (handed("{A: x}", "let x; "), "x"),
        (handed("{A: x}", "let x = ; "), "x"),
        (handed("{A: x}", "let x = (1; "), "x"),
        (handed("{A: x}", "let x = 'a' "), "x"),  # no line ends here
        (handed("{A: x}", "function f(x = 'a') {} "), "x"),
        (handed("{A: " + "(" * 12 + "1" + ")" * 12 + "}"), "(" * 12 + "1" + ")" * 12),
        (handed("{A: undefined}"), "undefined"),
        (handed("{A: 10n}"), "10n"),
    ],
)
def test_values_that_only_running_tells(script: str, source: str) -> None:
    (found,) = handoffs(script)
    assert found.context == (("A", Expression(source)),)
    assert found.problem == ""


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("session.sendChannelData('s', data)", "what it sends is written `data`, which only running"),
        ("session.sendChannelData('s', {tags: make(1)})", "its tags are written `make(1)`, which only running"),
        ("session.sendChannelData('s', {tags: JSON.stringify(all)})", "its command is written `all`, which only"),
        ("session.sendChannelData('s', {tags: JSON.stringify({a: 1}, pick)})", "its tags are written `JSON.stringify("),
        ("session.sendChannelData('s', {tags: JSON.stringify({type: t, context: {}})})", "its `type` is one that only"),
        ("session.sendChannelData('s', {tags: JSON.stringify({context: {}})})", "its command has no `type`"),
        (handed("conversation"), "its context is written `conversation`, which only running"),
        (handed("{...all}"), "in its context an object is spread into it"),
        (handed("{[name]: 1}"), "in its context it has a key that only running"),
        (handed("{f() { return 1 }}"), "in its context it has a key that only running"),
        (handed("{__proto__: 'a'}"), "in its context `__proto__` sets no key"),
        ("session.sendChannelData('s', {...all})", "an object is spread into it"),
        ("session.sendChannelData('s', {tags: 'Hidden,Message'})", "its tags are no JSON object"),
        ("session.sendChannelData('s', {tags: '[1]'})", "its tags are no JSON object"),
        ("session.sendChannelData('s', {tags: 7})", "its tags are no JSON object"),
        ('session.sendChannelData("s", {tags: \'{"context": 1}\'})', "its command has no `type`; its context is no"),
        ("const send = session.sendChannelData; send('s', {})", "sendChannelData is not simply called here"),
        ("session.sendChannelData.call(session, 's', {})", "sendChannelData is not simply called here"),
        ("x = `${session.sendChannelData('s', {})}`", "sendChannelData is not simply called here"),
        ("session.sendChannelData('s', {tags: 1", "sendChannelData is not simply called here"),
        ("session.sendChannelData('s)", "line 1: a text never ends"),
        ("x\n= 'a\n'; sendChannelData()", "line 2: a text never ends"),
        ("/* sendChannelData", "line 1: a comment never ends"),
        ("x = `sendChannelData", "line 1: a template never ends"),
        ("x = `${ {} sendChannelData", "line 1: a template's substitution never ends"),
        ("x = / sendChannelData", "line 1: a regular expression never ends"),
        ("sendChannelData" + " " * LONGEST, "characters, more than the 200,000 that are read"),
        ("`${" * 100 + "sendChannelData", "templates are nested too deeply"),
    ],
)
def test_what_cannot_be_understood_is_told(script: str, problem: str) -> None:
    (found,) = handoffs(script)
    assert problem in found.problem


def test_where_it_is_found() -> None:
    text = "let a = 1;\r\n\n" + handed("{A: 1}") + "\n" + handed("{A: 2}")
    assert [each.line for each in handoffs(text)] == [3, 4]


def test_so_many_calls_are_looked_at() -> None:
    found = handoffs((handed("{A: 1}") + ";\n") * (MOST + 5))
    assert len(found) == MOST + 1
    assert found[-1].problem == f"the script mentions sendChannelData more than {MOST} times"


@pytest.mark.parametrize(
    "script", ["", "scenario.x = 1", "// nothing", "'unfinished", "x = 'sendChannelData'", "/* sendChannelData */"]
)
def test_scripts_that_hand_nothing_over(script: str) -> None:
    assert handoffs(script) == ()


FRAGMENTS = [
    "session", ".", "sendChannelData", "(", ")", "{", "}", "[", "]", ",", ":", ";", "tags", "JSON.stringify(", "type",
    "'Escalate'", "context", "'", '"', "`", "${", "\\", "/", "*", "//", "/*", "\n", "\u2028", " ", "=", "=>",
    "const x =", "x", "1", "-", "+", "...", "?.", "if (", "return", "é", "\U0001f9d1", "\ud800", "\0", "#", "@",
    "__proto__",
]  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join))
def test_no_script_is_too_broken(script: str) -> None:
    for each in handoffs(f"{script} sendChannelData"):
        assert each.problem or each.type


ESCAPES = st.one_of(
    st.sampled_from(
        ["\\n", "\\0", "\\x41", "\\u0041", "\\u{1f9d1}", "\\ud83e\\uddd1", "\\'", "\\\n", "\\q", "\\101", "\\7"]
    ),
    st.characters(codec="utf-8", exclude_characters="'\\\n\r"),
)


@given(st.lists(ESCAPES, max_size=12).map("".join))
def test_texts_mean_what_javascript_says(engine: Engine, inside: str) -> None:
    assert unescaped(inside) == engine.value(f"'{inside}'")
