"""Texts that break what pastes them, and playbooks made of such texts."""

from __future__ import annotations

from hypothesis import strategies as st

from d365setup.model import Desired
from d365setup.playbook import End, Escalate, Playbook, Scenario

PIECES = [
    "'", '"', "`", "\\", "\\\\", "\n", "\r\n", "\0", "\x1b", "\x7f", "\u2028", "\u2029", "\ufeff", "\u202e", "\u00a0",
    "</script>", "<!--", "-->", "${", "${session}", "}", "{{name}}", "$name", "@name", "&name", "%20", "*/", "//",
    "/*", "\U0001f9d1\u200d\u2695\ufe0f", "\U000e0041", "é", "您好", "__proto__", "constructor", "toString", "\\u0041",
    "\\x41", "\\0", '"})', "');", "nurse", " ", "in", "of", "new", "Thank you", "scenario.x", "7", "1e3", "null", "=",
    "+", "(", ")",
]  # fmt: skip

texts = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=30),
)
names = texts.map(
    lambda text: "".join(char for char in text if ord(char) >= 32 and char != "\x7f").strip()[:100]
).filter(bool)
numbers = st.integers(-(2**53) + 1, 2**53 - 1)
contexts = st.dictionaries(names, st.one_of(numbers, texts), max_size=4)
escalations = st.builds(Escalate, summary=texts, context=contexts)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    hand_over = draw(st.one_of(st.none(), escalations))
    end = None if hand_over else End()
    return Scenario(name=draw(names), trigger="any_trigger", say=draw(texts), escalate=hand_over, end=end)


def playbook(*scenarios: Scenario) -> Playbook:
    return Playbook("contoso-health-bot", "", Desired(()), scenarios=scenarios)
