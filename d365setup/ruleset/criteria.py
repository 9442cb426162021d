"""A rule's conditions: XML -> Condition and back. What is not understood becomes Foreign, never a guess.

Stored rule sets hold them as one `logical`, a doubled one (the designer's habit), with nested groups, or as
bare `condition` siblings that all must hold.
"""

from collections.abc import Iterable, Sequence

from d365setup.conditions import (
    ALWAYS,
    NEVER,
    All,
    AnyOf,
    Comparison,
    Condition,
    Foreign,
    Operator,
    Test,
    describe,
    simplified,
)
from d365setup.ruleset.markup import DEEPEST, Element, RuleSetError
from d365setup.ruleset.writing import Tag

ELEMENTS = frozenset({"logical", "condition"})

_VARIABLE = "liveworkitemcontext."
_STATIC, _SEVERAL, _NOTHING, _ODD = "staticvalue", "multistaticvalues", "nothing", "odd"
_OPERATORS = {  # by token and by what is on the right-hand side
    ("==", _STATIC): Operator.EQUALS,
    (">", _STATIC): Operator.MORE_THAN,
    (">=", _STATIC): Operator.AT_LEAST,
    ("not-null", _NOTHING): Operator.HAS_A_VALUE,
    ("in", _SEVERAL): Operator.IS_ONE_OF,
}
_TOKENS = {Operator.EQUALS: "==", Operator.MORE_THAN: ">", Operator.AT_LEAST: ">="}
_MOST_GROUPS = DEEPEST - 8  # around a rule's groups: decision, rules, rule, the doubled AND; inside: condition, rhs


def read_condition(rule: Element) -> Condition:
    """When the rule holds. What is neither condition nor action is a part that is not understood."""
    parts = (_condition(child) for child in rule.children if child.name != "action")
    return _one_or_all(part for part in parts if part != ALWAYS)


def condition_tag(condition: Condition, rule: str) -> Tag | None:
    """The designer's doubled AND group around a condition; None for one that always holds.

    Raises RuleSetError, naming the rule, for what cannot be written.
    """
    written = simplified(condition)
    if written == ALWAYS:
        return None
    try:
        parts = _tags(written.parts if isinstance(written, All) else (written,), _MOST_GROUPS)
    except RuleSetError as error:
        raise RuleSetError(f"The condition of rule {rule!r} cannot be written: {error}") from None
    return _group_tag("AND", (_group_tag("AND", parts),))


def left(element: Element) -> str:
    """The attribute a condition or an assignment is about; empty unless it is exactly one, plain."""
    sides = element.named("lhs")
    if len(sides) == 1 and own_attributes(sides[0]) == {"type": "attribute"} and not sides[0].children:
        return sides[0].text.strip()
    return ""


def own_attributes(element: Element) -> dict[str, str]:
    """An element's attributes without those of XML itself."""
    return {name: value for name, value in element.attributes.items() if not name.startswith("xml")}


def _condition(element: Element) -> Condition:
    if element.name == "condition":
        return _comparison(element)
    if element.name == "logical":
        return _group(element)
    return Foreign(f"<{element.name}>")


def _group(element: Element) -> Condition:
    parts = tuple(_condition(child) for child in element.children)
    operator = element.attributes.get("operator", "").upper()
    plain = len(own_attributes(element)) == 1
    if plain and operator == "AND":
        return _one_or_all(parts)
    # How the engine takes an OR without parts, or an empty group inside one, nobody has seen.
    if plain and operator == "OR" and parts and ALWAYS not in parts:
        return parts[0] if len(parts) == 1 else AnyOf(parts)
    return Foreign(f"<logical{_shown(own_attributes(element))}> of ({'; '.join(map(describe, parts))})")


def _one_or_all(parts: Iterable[Condition]) -> Condition:
    found = tuple(parts)
    return found[0] if len(found) == 1 else All(found)


def _comparison(element: Element) -> Condition:
    subject = left(element)
    kind, values = _right(element)
    operator = _OPERATORS.get((element.attributes.get("operator", ""), kind))
    if operator is None or not subject.startswith(_VARIABLE) or subject == _VARIABLE:
        return Foreign(_shown_comparison(element), _plain_comparison(element))
    variable = subject.removeprefix(_VARIABLE)
    if operator is Operator.IS_ONE_OF:
        return Test(variable, operator, values)
    return Test(variable, operator, *values)


def _plain_comparison(element: Element) -> Comparison | None:
    """One attribute, one operator, and one value or none; anything more is not understood."""
    subject, sides = left(element), element.named("rhs")
    if not subject or set(own_attributes(element)) != {"operator"} or len(element.children) != 1 + len(sides):
        return None
    if len(sides) > 1 or not all(map(_is_one_value, sides)):
        return None
    value = sides[0].text if sides else None
    unit = own_attributes(sides[0]).get("unit", "") if sides else ""
    variable = subject.removeprefix(_VARIABLE) if subject.startswith(_VARIABLE) else ""
    return Comparison(subject, element.attributes["operator"], value, unit, variable)


def _is_one_value(side: Element) -> bool:
    attributes = own_attributes(side)
    attributes.pop("unit", None)
    return attributes == {"type": _STATIC} and not side.children


def _right(element: Element) -> tuple[str, tuple[str, ...]]:
    """What a condition compares with: the kind and the values; odd as soon as anything is unheard of."""
    sides = element.named("rhs")
    if len(own_attributes(element)) != 1 or len(element.children) != 1 + len(sides) or len(sides) > 1:
        return _ODD, ()
    if not sides:
        return _NOTHING, ()
    side = sides[0]
    if own_attributes(side) == {"type": _STATIC} and not side.children:
        return _STATIC, (side.text,)
    if own_attributes(side) == {"type": _SEVERAL} and _is_list_of_values(side):
        return _SEVERAL, tuple(value.text for value in side.children)
    return _ODD, ()


def _is_list_of_values(side: Element) -> bool:
    plain = (v.name == "value" and not v.children and not own_attributes(v) for v in side.children)
    return bool(side.children) and not side.text.strip() and all(plain)


def _shown_comparison(element: Element) -> str:
    """`msdyn_ocliveworkitem.msdyn_createdon > 2026-01-15T00:00:00Z`, with whatever is unusual about it."""
    subject = left(element)
    extra = {name: value for name, value in own_attributes(element).items() if name != "operator"}
    token = element.attributes.get("operator", "?") + _shown(extra)
    sides = [_shown_side(child) for child in element.children if child.name != "lhs" or not subject]
    return " ".join(filter(None, (subject or "?", token, *sides)))


def _shown_side(side: Element) -> str:
    unit = own_attributes(side).get("unit", "")
    unusual = {k: v for k, v in own_attributes(side).items() if k != "unit" and v not in {_STATIC, _SEVERAL}}
    name = "" if side.name == "rhs" and not unusual else f"<{side.name}{_shown(unusual)}>"
    values = ", ".join(child.text for child in side.children)
    return " ".join(filter(None, (name, side.text.strip(), values, unit)))


def _shown(attributes: dict[str, str]) -> str:
    return "".join(f" {name}={value}" for name, value in attributes.items())


def _tags(parts: Iterable[Condition], room: int) -> tuple[Tag, ...]:
    if room == 0:
        raise RuleSetError("its groups nest too deep; write it flatter.")
    return tuple(tag for part in parts for tag in _part_tags(part, room))


def _part_tags(part: Condition, room: int) -> Iterable[Tag]:
    match part:
        case Foreign(text):
            raise RuleSetError(f"{text} is none of this tool's operators on a context variable.")
        case AnyOf(parts):
            if part == NEVER:
                raise RuleSetError("it can never hold: a list of alternatives is empty.")
            alternatives = (inner for one in parts for inner in _alternatives(one))
            return (_group_tag("OR", _tags(alternatives, room - 1)),)
        case All(parts):
            return (_group_tag("AND", _tags(parts, room - 1)),)
        case Test(operator=Operator.IS_ONE_OF):
            return (_group_tag("OR", _tags(_alternatives(part), room)),)
    return (_test_tag(part),)


def _alternatives(part: Condition) -> Sequence[Condition]:
    """`is one of` as the equals it is written as; no stored rule set of the designer's had a list."""
    if isinstance(part, Test) and part.operator is Operator.IS_ONE_OF:
        return [Test(part.variable, Operator.EQUALS, text) for text in part.texts]
    return [part]


def _test_tag(test: Test) -> Tag:
    if not test.variable or test.variable != test.variable.strip():
        raise RuleSetError(f"{test.variable!r} is no name of a context variable.")
    subject = Tag("lhs", {"type": "attribute"}, _VARIABLE + test.variable)
    if test.operator is Operator.HAS_A_VALUE:
        return Tag("condition", {"operator": "not-null"}, (subject,))
    if len(test.texts) != 1:
        raise RuleSetError(f"{describe(test)} needs exactly one value.")
    value = Tag("rhs", {"type": _STATIC}, test.texts[0])
    return Tag("condition", {"operator": _TOKENS[test.operator]}, (subject, value))


def _group_tag(operator: str, parts: tuple[Tag, ...]) -> Tag:
    return Tag("logical", {"operator": operator}, parts)
