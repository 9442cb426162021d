"""What an edit writes, to the byte."""

import re

import pytest

from d365setup.conditions import ALWAYS, All, AnyOf, Condition, Foreign, Operator, Test, same
from d365setup.ruleset import MOST_CHARACTERS, RuleSetError, Wanted, edit, new, read

from .documents import queue_id, rule_id, sample, wanted
from .test_read import CAPTURED, QUEUE

NURSE = Test("Topic", Operator.EQUALS, "Nurse")


def action(queue: str) -> str:
    return (
        '<action><setattribute><lhs type="attribute">assign_to.queue</lhs>'
        f'<rhs type="staticvalue">{queue}</rhs></setattribute></action>'
    )


def compact(condition: str, queue: str = "", name: str = "A", number: int = 900) -> str:
    return f'<rule id="{rule_id(number)}" name="{name}">{condition}{action(queue or f"{{{queue_id(1)}}}")}</rule>'


def document(*rules: str) -> str:
    return f'<decision hit-policy="all" version="1"><rules>{"".join(rules)}</rules></decision>'


COMPACT = (
    '<logical operator="AND"><logical operator="AND"><condition operator="=="><lhs type="attribute">'
    'liveworkitemcontext.Topic</lhs><rhs type="staticvalue">Nurse</rhs></condition></logical></logical>'
)
OTHER = COMPACT.replace("Nurse", "Other")
BARE, BRACED, UPPER = queue_id(1), f"{{{queue_id(1)}}}", f"{{{queue_id(1).upper()}}}"


def test_a_fresh_rule_set_is_laid_out_as_the_designer_does() -> None:
    emergency = AnyOf(
        (Test("Severity", Operator.AT_LEAST, 7), Test("Topic", Operator.IS_ONE_OF, ("Emergency", "Urgent")))
    )
    text = new(
        [
            wanted("Hand off <now>", NURSE, 1, 1),
            wanted('"Urgent" & more', All((Test("Vip", Operator.HAS_A_VALUE), emergency)), 2, 2),
            wanted("Everyone", ALWAYS, 3, 3),
        ]
    )
    assert text == sample("fresh.xml").rstrip("\n")


def test_nothing_wanted_is_an_empty_rule_set() -> None:
    assert new([]) == sample("empty.xml").rstrip("\n")


@pytest.mark.parametrize("name", CAPTURED)
def test_stored_rule_sets_that_are_right_are_returned_as_they_are(name: str) -> None:
    text = sample(f"{name}.xml").replace("\n", "\r\n")
    rules = [rule for rule in read(text).rules if rule.queue and not isinstance(rule.condition, Foreign)]
    assert edit(text, [Wanted(rule.name, "", rule.condition, rule.queue) for rule in rules if rule.queue]) == text


EDITS: dict[str, tuple[str, list[Wanted], str]] = {
    "the queue, bare": (compact("", BARE), [wanted("A", ALWAYS, 2)], compact("", queue_id(2))),
    "the queue, in braces": (compact("", BRACED), [wanted("A", ALWAYS, 2)], compact("", f"{{{queue_id(2)}}}")),
    "the queue, in capitals": (compact("", UPPER), [wanted("A", ALWAYS, 2)], compact("", f"{{{queue_id(2).upper()}}}")),
    "the queue, among white space": (
        compact("", f"\r\n {BARE} "),
        [wanted("A", ALWAYS, 2)],
        compact("", f"\r\n {queue_id(2)} "),
    ),
    "the queue, beside a comment": (
        compact("", f"<!-- {queue_id(9)} é -->{BARE}<?x?>"),
        [wanted("A", ALWAYS, 2)],
        compact("", f"<!-- {queue_id(9)} é -->{queue_id(2)}<?x?>"),
    ),
    "the queue, in CDATA": (
        compact("", f"<![CDATA[{BRACED}]]>"),
        [wanted("A", ALWAYS, 2)],
        compact("", f"<![CDATA[{{{queue_id(2)}}}]]>"),
    ),
    "the queue, behind references": (
        compact("", UPPER.replace("-", "&#45;")),
        [wanted("A", ALWAYS, 2)],
        compact("", f"{{{queue_id(2).upper()}}}"),
    ),
    "the queue, half of it behind a reference": (
        compact("", BARE.replace("-", "&#45;", 1)),
        [wanted("A", ALWAYS, 2)],
        compact("", queue_id(2)),
    ),
    "the condition": (compact(OTHER), [wanted("A", NURSE, 1)], compact(COMPACT)),
    "the condition, bare ones": (
        compact('<condition operator="x"/> <!-- keep --><logical operator="AND"/>'),
        [wanted("A", NURSE, 1)],
        compact(f"{COMPACT} <!-- keep -->"),
    ),
    "no condition any more": (compact(f" {OTHER}\n{OTHER}"), [wanted("A", ALWAYS, 1)], compact("")),
    "a condition for the first time": (compact(""), [wanted("A", NURSE, 1)], compact(COMPACT)),
    "both": (compact(OTHER), [wanted("A", NURSE, 2)], compact(COMPACT, f"{{{queue_id(2)}}}")),
    "a guard is no difference": (
        compact(
            COMPACT.replace(
                "<condition",
                '<condition operator="not-null"><lhs type="attribute">'
                "liveworkitemcontext.Topic</lhs></condition><condition",
                1,
            )
        ),
        [wanted("A", NURSE, 1)],
        compact(
            COMPACT.replace(
                "<condition",
                '<condition operator="not-null"><lhs type="attribute">'
                "liveworkitemcontext.Topic</lhs></condition><condition",
                1,
            )
        ),
    ),
    "another action": (
        compact(COMPACT).replace(action(BRACED), "<!-- a --><action><orderby/></action><action/><!-- b -->"),
        [wanted("A", NURSE, 1)],
        compact(COMPACT).replace(action(BRACED), f"<!-- a -->{action(BRACED)}<!-- b -->"),
    ),
    "no action": (compact(COMPACT).replace(action(BRACED), ""), [wanted("A", NURSE, 1)], compact(COMPACT)),
    "nothing in it": (f'<rule id="{rule_id(900)}" name="A"></rule>', [wanted("A", NURSE, 1)], compact(COMPACT)),
    "nothing in it at all": (f'<rule id="{rule_id(900)}" name="A" />', [wanted("A", NURSE, 1)], compact(COMPACT)),
    "braces as most have them": (
        compact("", BARE) + compact("", BARE, "B", 901) + compact("", BRACED, "C", 902),
        [wanted("A", ALWAYS, 1), wanted("N", ALWAYS, 2, 903)],
        compact("", BARE)
        + compact("", queue_id(2), "N", 903)
        + compact("", BARE, "B", 901)
        + compact("", BRACED, "C", 902),
    ),
    "two that change places": (
        f"{compact('')}<!-- 1 -->{compact('', '', 'x', 1)}\r\n{compact(OTHER, BARE, 'B', 2)}",
        [wanted("B", NURSE, 1, 2), wanted("A", ALWAYS, 1)],
        f"{compact(COMPACT, BARE, 'B', 2)}<!-- 1 -->{compact('', '', 'x', 1)}\r\n{compact('')}",
    ),
}


@pytest.mark.parametrize(("before", "rules", "after"), EDITS.values(), ids=EDITS)
def test_edits(before: str, rules: list[Wanted], after: str) -> None:
    assert edit(document(before), rules) == document(after)
    assert edit(document(after), rules) == document(after)


SOMETIMES = "<rule name='x'><never/></rule>"
FILLED = {
    "one tag": ("<decision><rules/></decision>", "<decision><rules>@</rules></decision>"),
    "one tag, an attribute": ('<decision><rules a="/>" /></decision>', '<decision><rules a="/>">@</rules></decision>'),
    "two tags": ("<decision><rules></rules></decision>", "<decision><rules>@</rules></decision>"),
    "two lines": (
        "<decision>\r\n <rules>\r\n </rules>\r\n</decision>",
        "<decision>\r\n <rules>\r\n  @\r\n </rules>\r\n</decision>",
    ),
    "a comment": (
        "<decision>\n\t<rules>\n\t\t<!-- none -->\n\t</rules></decision>",
        "<decision>\n\t<rules>\n\t\t<!-- none -->\n\t\t@\n\t</rules></decision>",
    ),
    "a comment, on one line": (
        "<decision>\n<rules><!-- none --></rules></decision>",
        "<decision>\n<rules><!-- none -->\n  @\n</rules></decision>",
    ),
    "no indentation": ("<decision>\r<rules/></decision>", "<decision>\r<rules>\r  @\r</rules></decision>"),
    "before an unconditional rule": (
        "<decision>\n <rules>\n   <rule name='x'/>\n </rules></decision>",
        "<decision>\n <rules>\n   @\n   <rule name='x'/>\n </rules></decision>",
    ),
    "at the end of a line's middle": (
        f"<decision>\r\n <rules>\r\n   {SOMETIMES} {SOMETIMES}<!-- z --></rules></decision>",
        f"<decision>\r\n <rules>\r\n   {SOMETIMES} {SOMETIMES}\r\n   @<!-- z --></rules></decision>",
    ),
    "rules further out than their list": (
        "<decision>\n    <rules>\n  <rule name='x'/>\n    </rules></decision>",
        "<decision>\n    <rules>\n  @\n  <rule name='x'/>\n    </rules></decision>",
    ),
    "rules as far in as their list": (
        "<decision>\n\t<rules>\n\t<rule name='x'/></rules></decision>",
        "<decision>\n\t<rules>\n\t@\n\t<rule name='x'/></rules></decision>",
    ),
    "all on one line": (
        "<?xml version='1.0'?>\n<decision><rules><rule name='x'/></rules></decision>\n",
        "<?xml version='1.0'?>\n<decision><rules>@<rule name='x'/></rules></decision>\n",
    ),
    "a prefix": (
        "<d:decision xmlns:d='urn:d'><d:rules/></d:decision>",
        "<d:decision xmlns:d='urn:d'><d:rules>@</d:rules></d:decision>",
    ),
}


@pytest.mark.parametrize(("before", "after"), FILLED.values(), ids=FILLED)
def test_a_new_rule_follows_the_layout_around_it(before: str, after: str) -> None:
    result = edit(before, [wanted("N", NURSE, 1)])
    start, end = after.split("@")
    assert result.startswith(start)
    assert result.endswith(end)
    rule = result[len(start) : len(result) - len(end)]
    plain = rule.replace("<d:", "<").replace("</d:", "</")
    assert re.sub(r"\s+(?=<)", "", plain) == compact(COMPACT, name="N")
    line_ends = set(re.findall(r"\r\n|\r|\n", rule))
    assert line_ends <= ({"\r\n"} if "\r\n" in before else {"\r"} if "\r" in before else {"\n"})
    assert bool(line_ends) == bool(start.splitlines()[-1].isspace())
    assert edit(result, [wanted("N", NURSE, 1)]) == result


def test_inner_lines_are_indented_by_the_documents_own_unit() -> None:
    text = "<decision>\r\n<rules>\r\n\t<rule name='x'/>\r\n</rules>\r\n</decision>"
    lines = edit(text, [wanted("N", ALWAYS, 1)]).split("\r\n")
    assert lines[2:8] == [
        f'\t<rule id="{rule_id(900)}" name="N">',
        "\t\t<action>",
        "\t\t\t<setattribute>",
        '\t\t\t\t<lhs type="attribute">assign_to.queue</lhs>',
        f'\t\t\t\t<rhs type="staticvalue">{BRACED}</rhs>',
        "\t\t\t</setattribute>",
    ]


def test_among_thirty_rules_of_somebody_else() -> None:
    text = sample("thirty-rules.xml").replace("\n", "\r\n")
    names = {int(rule.name[:2]): rule.name for rule in read(text).rules}
    rules = [
        Wanted(names[29], "", Test("Severity", Operator.AT_LEAST, 8), QUEUE(5)),
        Wanted("New", rule_id(1), NURSE, QUEUE(9)),
        Wanted(names[23], "", Test("Topic", Operator.EQUALS, "a < b & c"), QUEUE(1)),
        Wanted(names[4], "", Test("Topic", Operator.EQUALS, "lab"), QUEUE(2)),
    ]
    result = edit(text, rules)
    pattern = re.compile(r"    <rule .*?</rule>\r\n", re.DOTALL)
    before, after = pattern.findall(text), pattern.findall(result)
    assert pattern.split(result) == [*pattern.split(text)[:4], "", *pattern.split(text)[4:]]
    new_at = 4
    assert [i for i, (a, b) in enumerate(zip(before, after[:new_at] + after[new_at + 1 :], strict=True)) if a != b] == [
        3,
        22,
        28,
    ]
    assert after[3] == before[28].replace(">7<", ">8<").replace(guard("Severity"), "")
    assert after[23] == before[22].replace(QUEUE(6), QUEUE(1))
    assert "percentage" not in after[29]
    found = {rule.name: rule for rule in read(result).rules}
    assert all(same(found[rule.name].condition, rule.condition) for rule in rules)
    assert [rule.name for rule in read(result).rules if rule.name in {w.name for w in rules}] == [w.name for w in rules]
    assert edit(result, rules) == result


def guard(variable: str) -> str:
    lines = [
        '<condition operator="not-null">',
        f'  <lhs type="attribute">liveworkitemcontext.{variable}</lhs>',
        "</condition>",
    ]
    return "".join(f"          {line}\r\n" for line in lines)


def nested(depth: int) -> Condition:
    condition: Condition = NURSE
    for level in range(depth):
        condition = (All if level % 2 else AnyOf)((condition, Test(f"V{level}", Operator.HAS_A_VALUE)))
    return condition


def test_deep_conditions_are_written_as_long_as_they_can_be_read() -> None:
    deepest = nested(54)
    assert same(read(new([wanted("A", deepest, 1)])).rules[0].condition, deepest)
    with pytest.raises(RuleSetError, match="rule 'A' cannot be written: its groups nest too deep"):
        new([wanted("A", nested(60), 1)])


BAD = {
    "a control character in a name": ([wanted("A\x07", NURSE, 1)], "cannot hold the character U+0007 in 'A\\x07'"),
    "a control character in a value": ([wanted("A", Test("T", Operator.EQUALS, "\x00"), 1)], "character U+0000"),
    "half a character": ([wanted("A", Test("T", Operator.EQUALS, "\ud83d"), 1)], "character U+D83D"),
    "no character": ([wanted("\uffff", NURSE, 1)], "character U+FFFF"),
    "a foreign part": ([wanted("A", All((NURSE, Foreign("x > 1"))), 1)], "rule 'A' cannot be written: x > 1 is none"),
    "never": ([wanted("A", AnyOf(), 1)], "rule 'A' cannot be written: it can never hold"),
    "no variable": ([wanted("A", Test("", Operator.HAS_A_VALUE), 1)], "'' is no name of a context variable"),
    "white space": ([wanted("A", Test("x ", Operator.HAS_A_VALUE), 1)], "'x ' is no name of a context variable"),
    "no value": ([wanted("A", Test("x", Operator.MORE_THAN), 1)], "x more than  needs exactly one value"),
    "two values": ([wanted("A", Test("x", Operator.AT_LEAST, (1, 2)), 1)], "x at least 1, 2 needs exactly one value"),
    "no queue id": ([Wanted("A", rule_id(1), NURSE, "Nurses")], "'Nurses' is no id for the queue of rule 'A'"),
    "no rule id": ([Wanted("A", "", NURSE, BARE)], "'' is no id for rule 'A'"),
    "declared twice": ([wanted("A", NURSE, 1), wanted("A", NURSE, 2)], "Rule 'A' is declared twice"),
    "a renamed rule": ([wanted("A", NURSE, 1, 7)], "is that of rule 'Seven', which was probably renamed"),
    "one id for two": ([wanted("A", NURSE, 1), wanted("B", NURSE, 1)], "is that of rule 'A'"),
    "two of that name": ([wanted("Twin", NURSE, 1)], f"Two rules are called 'Twin': {rule_id(8)} and {rule_id(9)}"),
    "unknown things in it": ([wanted("Odd", NURSE, 1)], "Rule 'Odd' holds <never>, line 1, column"),
}


@pytest.mark.parametrize(("rules", "message"), BAD.values(), ids=BAD)
def test_refused(rules: list[Wanted], message: str) -> None:
    text = document(
        f'<rule id="{{{rule_id(7).upper()}}}" name="Seven"/>',
        *(f'<rule id="{rule_id(number)}" name="Twin"/>' for number in (8, 9)),
        '<rule id="x" name="Odd"><never/></rule>',
    )
    with pytest.raises(RuleSetError) as caught:
        edit(text, rules)
    assert message in str(caught.value)


def test_a_result_that_the_column_cannot_hold_is_refused() -> None:
    text = document(f"<!--{'x' * (MOST_CHARACTERS - 200)}-->")
    with pytest.raises(RuleSetError, match="The rule set would have 1048"):
        edit(text, [wanted("A", NURSE, 1)])


def test_ids_are_written_in_lower_case_without_braces() -> None:
    assert new([Wanted("A", f"{{{rule_id(1).upper()}}}", ALWAYS, UPPER)]) == new([wanted("A", ALWAYS, 1, 1)])
