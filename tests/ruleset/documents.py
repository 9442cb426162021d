"""Rule set documents as somebody else might have written them, each rule's text known from the start.

Nothing here uses the code under test: texts are put together from pieces, and taken apart by a regular expression.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st

from d365setup.conditions import All, AnyOf, Condition, Operator, Test
from d365setup.ruleset import Wanted

SAMPLES = Path(__file__).parent / "samples"
RULE = re.compile(r"<rule\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*(?:/>|>.*?</rule>)", re.DOTALL)
GAPS = [
    "",
    " ",
    "\n    ",
    "\r\n\t",
    "\r\n\r\n    ",
    "\n<!-- keep me -->\n  ",
    "<?note keep?>",
    "\n    <!-- & < > -->",
    "\r",
]


def sample(name: str) -> str:
    return (SAMPLES / name).read_text(encoding="utf-8")


def rule_id(number: int) -> str:
    return f"33333333-cccc-4ccc-8ccc-{number:012d}"


def queue_id(number: int) -> str:
    return f"1111aaaa-aaaa-4aaa-8aaa-{number:012d}"


def wanted(name: str, condition: Condition, queue: int, number: int = 900) -> Wanted:
    return Wanted(name, rule_id(number), condition, queue_id(queue))


@dataclass(frozen=True)
class Part:
    """One rule of a generated document: its text, and what it means (None: what nobody could declare)."""

    name: str
    text: str
    declared: bool
    condition: Condition | None
    queue: str | None


@dataclass(frozen=True)
class Case:
    text: str
    parts: list[Part]
    wanted: list[Wanted] = field(default_factory=list)

    @property
    def new_names(self) -> set[str]:
        return {rule.name for rule in self.wanted} - {part.name for part in self.parts}


NAMES = [
    "Nurse",
    "nurse",
    "A & B <x>",
    'Say "hi"',
    "It's",
    "Tab\there",
    "Two\nlines",
    "Größe 😀",
    " edge ",
    "rule",
    "}{",
    "Last",
]
WRITABLE = st.characters(
    codec="utf-8", exclude_categories=["Cs"], exclude_characters=[chr(n) for n in range(32)] + ["\ufffe", "\uffff"]
)
VALUES = st.one_of(
    st.sampled_from(["Nurse", "nurse", "7", "a & b", "<x>", '"', "]]>", " edge ", "", "two\r\nlines\t"]),
    st.text(WRITABLE, max_size=8),
)
VARIABLES = st.sampled_from(["Topic", "Severity", "Größe", "a.b", "x&y"])
TESTS = st.one_of(
    st.builds(Test, VARIABLES, st.sampled_from([Operator.EQUALS, Operator.MORE_THAN, Operator.AT_LEAST]), VALUES),
    st.builds(Test, VARIABLES, st.just(Operator.EQUALS), st.integers(-5, 5)),
    st.builds(Test, VARIABLES, st.just(Operator.IS_ONE_OF), st.lists(VALUES, min_size=1, max_size=3).map(tuple)),
    st.builds(Test, VARIABLES, st.just(Operator.HAS_A_VALUE)),
)


def conditions(fewest: int) -> st.SearchStrategy[Condition]:
    """Conditions with at least so many parts in every group."""
    return st.recursive(
        TESTS,
        lambda inner: st.one_of(
            st.lists(inner, min_size=fewest, max_size=3).map(lambda parts: All(tuple(parts))),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
        ),
        max_leaves=6,
    )


WRITTEN = st.just(All()) | conditions(1)  # what no stored rule set is known to hold is left out: empty groups
CONDITIONS = st.just(All()) | conditions(0)
TOKENS = {Operator.EQUALS: "==", Operator.MORE_THAN: ">", Operator.AT_LEAST: ">="}


class Writer:
    """Writes rules in every style the grammar allows, as the drawn choices say."""

    def __init__(self, draw):
        self.draw = draw

    def pick(self, *choices):
        return self.draw(st.sampled_from(choices))

    def rule(self, name, number, condition, action):
        head = [f"id={self.quoted(self.pick(rule_id(number), rule_id(number).upper()))}", f"name={self.quoted(name)}"]
        head += self.pick([], ["note='kept'"])
        body = [self.conditions(condition), action]
        body = body[:: self.pick(1, -1)]
        space = [self.gap() for _ in range(len(body) + 1)]
        inner = "".join(gap + piece for gap, piece in zip(space, [*body, ""], strict=True))
        return f"<rule {self.pick(' ', chr(10), '  ').join(head[:: self.pick(1, -1)])}>{inner}</rule>"

    def gap(self):
        return self.draw(st.sampled_from(GAPS))

    def quoted(self, text):
        mark = self.pick('"', "'")
        escaped = self.escaped(text).replace("\n", "&#10;").replace("\t", "&#x9;").replace('"', "&quot;")
        return mark + escaped.replace("'", "&apos;") + mark

    def escaped(self, text):
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "]]&gt;").replace("\r", "&#13;")
        return text.replace("N", self.pick("N", "&#78;", "&#x4E;"))

    def text(self, text):
        if "]]>" not in text and "\r" not in text and self.pick(False, False, True):
            return f"<![CDATA[{text}]]>"
        return self.escaped(text) + self.pick("", "", "<!-- 1 -->")

    def conditions(self, condition):
        if condition == All():
            return ""
        inner = self.condition(condition)
        style = self.pick("bare", "single", "doubled", "guarded")
        if style == "bare":
            return inner
        if style == "guarded" and isinstance(condition, Test):
            guard = f'<condition operator="not-null">{self.left(condition)}</condition>'
            return f'<logical operator="AND">{guard}{self.gap()}{inner}</logical>'
        group = f"<logical operator='AND'>{self.gap()}{inner}{self.gap()}</logical>"
        return f'<logical operator="AND">{group}</logical>' if style == "doubled" else group

    def condition(self, condition):
        match condition:
            case All(parts):
                return self.group("AND", [self.condition(part) for part in parts])
            case AnyOf(parts):
                return self.group("OR", [self.condition(part) for part in parts])
            case Test(operator=Operator.HAS_A_VALUE):
                return f'<condition operator="not-null">{self.left(condition)}</condition>'
            case Test(operator=Operator.IS_ONE_OF):
                return self.one_of(condition)
        return self.comparison(condition, TOKENS[condition.operator], condition.texts[0])

    def one_of(self, test):
        if self.pick(False, True):
            return self.group("OR", [self.comparison(test, "==", text) for text in test.texts])
        values = "".join(f"<value>{self.text(text)}</value>" for text in test.texts)
        right = f'<rhs type="multistaticvalues">{values}</rhs>'
        return f'<condition operator="in">{self.left(test)}{right}</condition>'

    def comparison(self, test, token, text):
        sides = [self.left(test), f"<rhs type='staticvalue'>{self.text(text)}</rhs>"][:: self.pick(1, -1)]
        return f'<condition operator="{token}">{self.gap().join(sides)}</condition>'

    def left(self, test):
        pad = self.pick("", "", "\n  ")
        return f'<lhs type="attribute">{pad}liveworkitemcontext.{self.escaped(test.variable)}{pad}</lhs>'

    def group(self, operator, parts):
        return f'<logical operator="{operator}">{self.gap().join(parts)}</logical>'

    def queue_action(self, queue):
        written = self.pick(queue, f"{{{queue}}}", f"{{{queue.upper()}}}", queue.upper())
        written = self.pick(
            written, written, written.replace("-", "&#45;", 1), f"<![CDATA[{written}]]>", f"\n{written} "
        )
        left = '<lhs type="attribute">assign_to.queue</lhs>'
        overflow = (
            '<setattribute><lhs type="attribute">prequeue_overflow_ruleset.msdyn_decisionruleset.'
            f"msdyn_decisionrulesetid</lhs><rhs type='staticvalue'>{rule_id(77)}</rhs></setattribute>"
        )
        assign = f'<setattribute>{left}{self.gap()}<rhs type="staticvalue">{written}</rhs></setattribute>'
        pieces = self.pick([assign], [assign], [assign, overflow], [overflow, assign])
        return f"<action>{self.gap()}{''.join(pieces)}{self.gap()}</action>"

    def other_action(self):
        split = (
            "<upsertrecords><target>percentagebaseddistribution</target><records><record><setattribute>"
            '<lhs type="attribute">queuedetails.queueid</lhs><rhs type="staticvalue">'
            f"{queue_id(5)}</rhs></setattribute></record></records></upsertrecords>"
        )
        return self.pick("", "<action/>", f"<action>{split}</action>", "<action><orderby>x</orderby></action>")

    def foreign(self, name, number):
        odd = '<condition operator=">"><lhs type="attribute">msdyn_ocliveworkitem.msdyn_createdon</lhs>'
        odd += '<rhs type="staticvalue" unit="days">2026-01-15T00:00:00Z</rhs></condition>'
        text = self.rule(name, number, All(), self.other_action())
        return text.replace("</rule>", self.gap() + odd + "</rule>")


@st.composite
def cases(draw):
    """A document with declared and undeclared rules, and what is wanted of it: keep, change, add, reorder."""
    writer = Writer(draw)
    names = draw(st.permutations(NAMES))
    count = draw(st.integers(0, 5))
    parts = [_part(writer, name, number) for number, name in enumerate(names[:count])]
    fresh = names[count : count + draw(st.integers(0, 3))]
    chosen = [_wanted_of(writer, part) for part in parts if part.declared]
    chosen += [Wanted(name, rule_id(100 + i), draw(CONDITIONS), queue_id(i)) for i, name in enumerate(fresh)]
    return Case(_document(writer, parts), parts, draw(st.permutations(chosen)))


def _part(writer, name, number):
    declared = writer.pick(True, False)
    condition, queue = writer.draw(WRITTEN), queue_id(number)
    if writer.pick(True, True, False):
        text = writer.rule(name, number, condition, writer.queue_action(queue))
        return Part(name, text, declared, condition, queue)
    if writer.pick(True, False):
        return Part(name, writer.rule(name, number, condition, writer.other_action()), declared, condition, None)
    return Part(name, writer.foreign(name, number), declared, None, None)


def _wanted_of(writer, part):
    kept = part.condition if part.condition is not None and writer.pick(True, False) else writer.draw(CONDITIONS)
    queue = part.queue if part.queue and writer.pick(True, False) else queue_id(writer.draw(st.integers(50, 60)))
    return Wanted(part.name, "", kept, queue)


def _document(writer, parts):
    start = writer.pick("", "\ufeff", '<?xml version="1.0" encoding="utf-16"?>\r\n', "<!-- mine -->\n")
    start += "<decision version='1' hit-policy=\"all\">" + writer.gap()
    if not parts and writer.pick(True, False):
        return f"{start}<rules {writer.pick('', 'a=' + chr(39) + '/>' + chr(39))}/>{writer.gap()}</decision>\n"
    inner = "".join(writer.gap() + part.text for part in parts) + writer.gap()
    return f"{start}<rules>{inner}</rules>{writer.gap()}</decision>{writer.pick('', chr(10))}"
