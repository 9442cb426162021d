"""Stored rule sets as the designer and others left them, and what must never be taken for one."""

import pytest

from d365setup.conditions import All, AnyOf, Condition, Foreign, Operator, Test, describe
from d365setup.ruleset import MOST_CHARACTERS, Rule, RuleSetError, read

from .documents import queue_id, sample

QUEUE = "5c1f0d2e-0a1b-4c3d-8e4f-{:012d}".format
RULE = "7d2e1f30-1b2c-4d4e-9f50-{:012d}".format
CONFIG = "overflowaction.msdyn_overflowactionconfig.msdyn_overflowactionconfigid"
CONTACT = "msdyn_ocliveworkitem.msdyn_customer_msdyn_ocliveworkitem_contact.contactid"


def eq(variable: str, value: str) -> Test:
    return Test(variable, Operator.EQUALS, value)


def has(variable: str) -> Test:
    return Test(variable, Operator.HAS_A_VALUE)


CAPTURED = {
    "unconditional": [Rule(RULE(1), "Everyone meets the bot", All(), QUEUE(1))],
    "conversation-field": [
        Rule(
            RULE(2),
            "Since the opening",
            Foreign("msdyn_ocliveworkitem.msdyn_createdon > 2026-03-01T08:00:00Z"),
            QUEUE(2),
        )
    ],
    "doubled-group": [Rule(RULE(3), "Appointments", eq("Topic", "appointment"), QUEUE(2))],
    "alternatives": [
        Rule(
            RULE(4),
            "Known doctor",
            All((eq("DoctorMail", "doctor@clinic.example"), AnyOf((eq("Ward", "North"), has("CaseNumber"))))),
            QUEUE(3),
        )
    ],
    "empty": [],
    "percentage-split": [
        Rule(
            RULE(5),
            "French split",
            eq("Language", "FR"),
            None,
            "percentage split",
            shares=((QUEUE(1), "70"), (QUEUE(2), "30")),
        )
    ],
    "overflow-of-a-rule": [
        Rule(
            RULE(6),
            "Urgent",
            All((has("Severity"), Test("Severity", Operator.AT_LEAST, "7"))),
            QUEUE(2),
            overflow=RULE(90),
        )
    ],
    "overflow-prequeue": [
        Rule(
            RULE(7),
            "Long wait",
            All(
                (
                    Foreign("queue_prequeue.estimatedwaittimeinminutes not-null"),
                    Foreign("queue_prequeue.estimatedwaittimeinminutes >= 5"),
                )
            ),
            None,
            f"sets overflow.estimatedwaittimeoverflow, {CONFIG}",
        ),
        Rule(
            RULE(8),
            "Long queue",
            All(
                (Foreign("queue_prequeue.currentqueuesize not-null"), Foreign("queue_prequeue.currentqueuesize >= 20"))
            ),
            None,
            f"sets overflow.queuesizeoverflow, {CONFIG}",
        ),
    ],
    "overflow-inqueue": [
        Rule(
            RULE(9),
            "Waited too long",
            All(
                (
                    Foreign("queue_inqueue.lapsedwaittime not-null"),
                    Foreign("queue_inqueue.lapsedwaittime >= 90 seconds"),
                )
            ),
            None,
            f"sets overflow.lapsedwaittimeoverflow, {CONFIG}",
        )
    ],
    "classification": [
        Rule(
            RULE(10),
            "Known patient",
            Foreign(f"{CONTACT} == {{{RULE(94)}}}"),
            None,
            "sets msdyn_ocliveworkitem.msdyn_priorityscore",
        )
    ],
}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(("name", "rules"), CAPTURED.items(), ids=CAPTURED)
def test_stored_shapes(name: str, rules: list[Rule], line_end: str) -> None:
    found = read(sample(f"{name}.xml").replace("\n", line_end))
    assert list(found.rules) == rules
    assert found.hit_policy == ("first" if name == "classification" else "all")


def test_thirty_rules_of_somebody_else() -> None:
    rules = read(sample("thirty-rules.xml").replace("\n", "\r\n")).rules
    assert [rule.name[:2] for rule in rules] == [f"{number:02d}" for number in range(1, 31)]
    assert [int(rule.name[:2]) for rule in rules if rule.queue is None] == [4]
    unusual = {4: "percentage split"}
    assert {int(rule.name[:2]): rule.action for rule in rules if rule.action != "queue"} == unusual
    described = {int(rule.name[:2]): describe(rule.condition) for rule in rules}
    assert described[8] == "msdyn_ocliveworkitem.msdyn_createdon > 2026-01-15T00:00:00Z and Topic equals children"
    assert described[12] == (
        "Topic equals records or Topic equals other or (Severity has a value and Severity more than 3)"
    )
    assert described[14] == "Ward has a value and Ward equals North"
    assert described[18] == "liveworkitemcontext.Topic contains children"
    assert described[20] == "Ward is one of North, South"
    assert described[23] == 'Topic equals "a < b & c"'
    assert described[27] == described[30] == "always"
    assert rules[22].overflow == RULE(95)


def document(rule: str) -> str:
    return (
        f'<decision hit-policy="all"><rules><rule id="{{{RULE(1).upper()}}}" name="R">{rule}</rule></rules></decision>'
    )


def comparison(operator: str, left: str, right: str = "", extra: str = "") -> str:
    return f'<condition operator="{operator}"{extra}><lhs type="attribute">{left}</lhs>{right}</condition>'


X = "liveworkitemcontext.X"
STATIC = '<rhs type="staticvalue">1</rhs>'
SEVERAL = '<rhs type="multistaticvalues">{}</rhs>'.format
CONDITIONS: dict[str, tuple[str, Condition]] = {
    "equals": (comparison("==", X, STATIC), eq("X", "1")),
    "right side first": (
        f'<condition operator="==">{STATIC}<lhs type="attribute">{X}</lhs></condition>',
        eq("X", "1"),
    ),
    "white space counts in values only": (
        comparison("==", f"\n {X}\n", STATIC.replace("1", "\r\n 1 ")),
        eq("X", "\n 1 "),
    ),
    "an empty value": (comparison("==", X, '<rhs type="staticvalue"/>'), eq("X", "")),
    "CDATA and references": (comparison("==", X, STATIC.replace("1", "<![CDATA[<]]>&amp;&#x1F600;")), eq("X", "<&😀")),
    "attributes of XML itself": (comparison("==", X, STATIC, ' xml:space="preserve"'), eq("X", "1")),
    "a dot in the name": (comparison("not-null", X + ".y"), has("X.y")),
    "lower-case group": (
        f'<logical operator="or">{comparison("==", X, STATIC)}{comparison("not-null", X)}</logical>',
        AnyOf((eq("X", "1"), has("X"))),
    ),
    "OR of one": (f'<logical operator="OR">{comparison("not-null", X)}</logical>', has("X")),
    "empty AND": ('<logical operator="AND"><logical operator="AND"/></logical>', All()),
    "bare next to an empty AND": ('<logical operator="AND"/>' + comparison("not-null", X), has("X")),
    "list": (
        comparison("in", X, SEVERAL("<value>a</value> <value>b</value>")),
        Test("X", Operator.IS_ONE_OF, ("a", "b")),
    ),
    "empty list": (comparison("in", X, SEVERAL("")), Foreign(f"{X} in")),
    "list with text": (comparison("in", X, SEVERAL("a<value>b</value>")), Foreign(f"{X} in a b")),
    "list of something": (comparison("in", X, SEVERAL("<item>a</item>")), Foreign(f"{X} in a")),
    "list of attributed values": (comparison("in", X, SEVERAL('<value a="b">a</value>')), Foreign(f"{X} in a")),
    "list of elements": (comparison("in", X, SEVERAL("<value>a<b/></value>")), Foreign(f"{X} in a")),
    "in with one value": (comparison("in", X, STATIC), Foreign(f"{X} in 1")),
    "equals a list": (comparison("==", X, SEVERAL("<value>a</value><value>b</value>")), Foreign(f"{X} == a, b")),
    "unit": (comparison(">", X, '<rhs type="staticvalue" unit="days">1</rhs>'), Foreign(f"{X} > 1 days")),
    "another type": (
        comparison("==", X, '<rhs type="attribute">a.b</rhs>'),
        Foreign(f"{X} == <rhs type=attribute> a.b"),
    ),
    "an element in the value": (comparison("==", X, '<rhs type="staticvalue">1<b>2</b></rhs>'), Foreign(f"{X} == 1 2")),
    "another attribute": (comparison("==", X, STATIC, ' not="true"'), Foreign(f"{X} == not=true 1")),
    "two values": (comparison("==", X, STATIC + STATIC), Foreign(f"{X} == 1 1")),
    "another side": (comparison("==", X, STATIC + "<mid a='b'>z</mid>"), Foreign(f"{X} == 1 <mid a=b> z")),
    "unknown operator": (comparison("contains", X, STATIC), Foreign(f"{X} contains 1")),
    "no operator": (comparison("", X, STATIC).replace(' operator=""', ""), Foreign(f"{X} ? 1")),
    "no value": (comparison("==", X), Foreign(f"{X} ==")),
    "a value for not-null": (comparison("not-null", X, STATIC), Foreign(f"{X} not-null 1")),
    "no name": (comparison("not-null", "liveworkitemcontext."), Foreign("liveworkitemcontext. not-null")),
    "another prefix": (comparison("==", "LiveWorkItemContext.X", STATIC), Foreign("LiveWorkItemContext.X == 1")),
    "no subject": (f'<condition operator="==">{STATIC}</condition>', Foreign("? == 1")),
    "a subject of another type": (
        f'<condition operator="=="><lhs type="value">{X}</lhs>{STATIC}</condition>',
        Foreign(f"? == <lhs type=value> {X} 1"),
    ),
    "unknown group": (
        f'<logical operator="NOT">{comparison("not-null", X)}</logical>',
        Foreign("<logical operator=NOT> of (X has a value)"),
    ),
    "group without operator": ("<logical/>", Foreign("<logical> of ()")),
    "empty OR": ('<logical operator="OR"/>', Foreign("<logical operator=OR> of ()")),
    "an empty group in an OR": (
        f'<logical operator="OR"><logical operator="AND"/>{comparison("not-null", X)}</logical>',
        Foreign("<logical operator=OR> of (always; X has a value)"),
    ),
    "a group with more": (
        f'<logical operator="AND" not="1">{comparison("not-null", X)}</logical>',
        Foreign("<logical operator=AND not=1> of (X has a value)"),
    ),
    "partly understood": (
        f'<logical operator="AND">{comparison("not-null", X)}<never/></logical><exists/>',
        All((All((has("X"), Foreign("<never>"))), Foreign("<exists>"))),
    ),
}


@pytest.mark.parametrize(("xml", "condition"), CONDITIONS.values(), ids=CONDITIONS)
def test_conditions(xml: str, condition: Condition) -> None:
    assert [rule.condition for rule in read(document(xml)).rules] == [condition]


def assign(attribute: str, value: str) -> str:
    return f'<setattribute><lhs type="attribute">{attribute}</lhs><rhs type="staticvalue">{value}</rhs></setattribute>'


Q1, Q2 = (assign("assign_to.queue", queue_id(number)) for number in (1, 2))
ACTIONS = {
    "bare": (f"<action>{Q1}</action>", queue_id(1), "queue"),
    "upper-case in braces": (
        f"<action>{assign('assign_to.queue', ' {' + queue_id(1).upper() + '} ')}</action>",
        queue_id(1),
        "queue",
    ),
    "with something else set": (f"<action>{assign('a.b', '1')}{Q1}</action>", queue_id(1), "queue"),
    "none": ("", None, "no action"),
    "empty": ("<action/>", None, "no queue"),
    "two actions": (f"<action>{Q1}</action><action>{Q1}</action>", None, "several actions"),
    "two queues": (f"<action>{Q1}{Q2}</action>", None, "several queues"),
    "no id": (f"<action>{assign('assign_to.queue', 'Nurses')}</action>", None, "sets assign_to.queue"),
    "half in braces": (
        f"<action>{assign('assign_to.queue', '{' + queue_id(1))}</action>",
        None,
        "sets assign_to.queue",
    ),
    "an element in it": (
        f"<action>{assign('assign_to.queue', queue_id(1) + '<b/>')}</action>",
        None,
        "sets assign_to.queue",
    ),
    "something beside it": (f"<action>{Q1}<orderby/></action>", None, "sets assign_to.queue"),
    "nothing named": ("<action><setattribute/></action>", None, "sets ?"),
}


@pytest.mark.parametrize(("xml", "queue", "action"), ACTIONS.values(), ids=ACTIONS)
def test_actions(xml: str, queue: str | None, action: str) -> None:
    (rule,) = read(document(xml)).rules
    assert (rule.queue, rule.action, rule.overflow, rule.shares) == (queue, action, None, ())
    assert (rule.id, rule.name, rule.condition) == (RULE(1), "R", All())


def test_a_split_that_cannot_be_read_is_shown_as_it_is() -> None:
    xml = "<action><upsertrecords><target>\n percentagebaseddistribution</target><records><record/><record>"
    xml += f"{assign('queuedetails.queueid', 'Nurses')}</record></records></upsertrecords></action>"
    (rule,) = read(document(xml)).rules
    assert (rule.action, rule.shares) == ("percentage split", (("", ""), ("Nurses", "")))


def test_names_and_prefixes() -> None:
    text = document(f"<action>{Q1}</action>").replace("<rule ", "<x:rule xmlns:x='urn:other'/><rule note='1' ")
    assert [rule.name for rule in read(text).rules] == ["R"]
    prefixed = text.replace("</", "<#").replace("<", "<d:").replace("<d:#", "</d:").replace("d:x:", "x:")
    assert read(prefixed) == read(text)
    assert read(prefixed.replace("d:rule>", "rule>").replace("d:rule ", "rule ")).rules == ()
    assert read("<decision><rules><rule/></rules></decision>").rules == (Rule("", "", All(), None, "no action"),)
    assert read("<decision><rules/></decision>").hit_policy == ""


BOMB = '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><decision><rules>&b;</rules></decision>'
MALFORMED = "The rule set is not well-formed XML: "
REFUSED = {
    "an entity bomb": (BOMB, "The rule set has a DOCTYPE, line 1, column 13; no rule set needs one"),
    "an outside DOCTYPE": ('<!DOCTYPE d SYSTEM "file:///secret">\n<decision/>', "The rule set has a DOCTYPE, line 1"),
    "an undeclared entity": ("<decision>&boom;</decision>", MALFORMED + "undefined entity, line 1, column 11"),
    "too long": ("<decision>" + "x" * MOST_CHARACTERS, "The rule set has 1048586 characters; the most is 1048576."),
    "too deep": ("<decision>\n" + "<rules>" * 64, "The rule set nests deeper than 64 elements, line 2, column 442."),
    "nothing": ("", MALFORMED + "no element found, line 1, column 1."),
    "half of it": (sample("doubled-group.xml")[:200], MALFORMED + "unclosed token, line 6, column 11."),
    "no end": ("<decision>\n<rules>", MALFORMED + "no element found, line 2, column 8."),
    "crossed": ("<decision>\r\n  <rules></decision>", MALFORMED + "mismatched tag, line 2, column 12."),
    "two documents": ("<decision/><decision/>", MALFORMED + "junk after document element, line 1"),
    "binary": ("\x00\x01\x02", MALFORMED),
    "control character": (
        "<decision>é\x0b</decision>",
        MALFORMED + "not well-formed (invalid token), line 1, column 12.",
    ),
    "half a character": (
        "<decision>\n é\ud83d</decision>",
        "The rule set holds half of a character (a lone surrogate), line 2, column 3.",
    ),
    "JSON": ('{"rules": []}', MALFORMED),
    "something else": (
        "<!-- x -->\n<contract/>",
        "The rule set is not a <decision> but a <contract>, line 2, column 1.",
    ),
    "no rules": ("<decision/>", "A rule set has one <rules> in its <decision>; this one has 0."),
    "two lists": (
        "<decision><rules/><rules/></decision>",
        "A rule set has one <rules> in its <decision>; this one has 2.",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(RuleSetError) as caught:
        read(text)
    assert str(caught.value).startswith(message)
