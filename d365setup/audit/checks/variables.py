"""Context variables: what rules say of them, and what the work stream and its contract know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from d365setup.audit.checking import Result, Seen, about_rule, about_variable, about_workstream, check, finding
from d365setup.audit.comparisons import Compared, comparisons
from d365setup.audit.findings import Unchecked
from d365setup.audit.reading import RuleSeen, rule_sets, unreadable
from d365setup.center import RuleSet, Variable, Workstream
from d365setup.kinds.context_variable import is_reserved
from d365setup.kinds.nearest import did_you_mean
from d365setup.model import fold

LONGEST_VALUE = 4000  # characters of a context variable's value (routing facts, 4.3)
CONTRACT_TYPES = {"text": "string", "number": "number", "boolean": "boolean"}
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_ORDERING = frozenset({">", ">=", "<", "<="})


@check("R05")
def declared_variables(seen: Seen) -> Iterator[Result]:
    """Every variable that a rule names is declared in the work stream, letter by letter."""
    for stream in seen.workstreams:
        yield from unreadable("R05", stream)
        known = _names(stream)
        for rule_set in rule_sets(stream):
            if known is None:
                yield Unchecked(
                    "R05", "the work stream's context variables could not be read", about_workstream(stream)
                )
                break
            for rule, name in _named(rule_set):
                if name not in known and not is_reserved(name):
                    subject = about_rule(stream, rule_set, rule)
                    declared = ", ".join(sorted(known)) or "none"
                    yield finding("R05", subject, _undeclared(name, known), variable=name, declared=declared)


def _undeclared(name: str, known: frozenset[str]) -> str:
    twin = next((each for each in sorted(known) if fold(each) == fold(name)), "")
    if twin:
        return f"it looks at {name!r}, and the variable is called {twin!r}: case, blanks and Unicode forms count"
    return f"it looks at the variable {name!r}, which the work stream does not declare{did_you_mean(name, known)}"


def _names(stream: Workstream) -> frozenset[str] | None:
    """Variables that can have a value: declared ones, and those that the questions before a conversation make."""
    if stream.variables is None:
        return None
    return frozenset((*(each.name for each in stream.variables), *(each.name for each in stream.questions or ())))


def _named(rule_set: RuleSet) -> Iterator[RuleSeen]:
    """Each variable a rule looks at, once a rule."""
    found = ((each.rule, each.variable) for each in comparisons(rule_set) if each.variable)
    return ((rule_set.rules[place], name) for place, name in dict.fromkeys(found))


@check("R06")
def fitting_literals(seen: Seen) -> Iterator[Result]:
    """What a variable is compared with is something it can hold."""
    for stream in seen.workstreams:
        yield from unreadable("R06", stream)
        if stream.variables is None:
            yield Unchecked("R06", "the work stream's context variables could not be read", about_workstream(stream))
            continue
        for rule_set in rule_sets(stream):
            for each in comparisons(rule_set):
                subject = about_rule(stream, rule_set, rule_set.rules[each.rule])
                for told in _misfits(each, stream.variable(each.variable)):
                    yield finding("R06", subject, told, variable=each.variable, values=_shown(each.values))


def _misfits(compared: Compared, variable: Variable | None) -> Iterator[str]:
    if not compared.variable:
        return
    longest = max(map(len, compared.values), default=0)
    if longest > LONGEST_VALUE:
        yield f"it compares {compared.variable} with {longest} characters, and a value has {LONGEST_VALUE} at most"
    kind = variable.type if variable else ""
    if kind == "text" and compared.operator in _ORDERING:
        yield f"it asks whether {compared.variable} is more or less than something, and {compared.variable} is a text"
    for value in compared.values:
        if kind == "number" and not _NUMBER.fullmatch(value.strip()):
            yield f"{compared.variable} is a number and can never be {_short(value)}"
        if kind == "boolean" and value.strip().lower() not in ("true", "false"):
            yield f"{compared.variable} is true or false and can never be {_short(value)}"


@check("R07")
def variables_and_contract(seen: Seen) -> Iterator[Result]:
    """The work stream's variables and its routing contract name the same variables with the same types."""
    for stream in seen.workstreams:
        subject = about_workstream(stream)
        if not stream.unified:
            continue
        if stream.contract_problem:
            yield finding("R07", subject, f"its routing contract cannot be used: {stream.contract_problem}")
        elif stream.contract is None or stream.variables is None:
            what = "routing contract" if stream.contract is None else "context variables"
            yield Unchecked("R07", f"the work stream's {what} could not be read", subject)
        else:
            yield from _drift(stream, stream.variables, stream.contract)


def _drift(stream: Workstream, variables: tuple[Variable, ...], contract: Mapping[str, str]) -> Iterator[Result]:
    names = {each.name for each in variables}
    for each in variables:
        wanted, found = CONTRACT_TYPES.get(each.type, ""), contract.get(each.name)
        subject = about_variable(stream, each.name)
        if found is None:
            near = _meant(each.name, contract)
            yield finding("R07", subject, f"the routing contract does not show it{near}", variable_type=each.type)
        elif wanted and found != wanted:
            told = f"it is declared as {each.type}, and the routing contract says {found or 'nothing'}"
            yield finding("R07", subject, told, variable_type=each.type, contract_type=found)
    told_of = {fold(name) for name in names - set(contract)}
    for name in (each for each in contract if each not in names and not is_reserved(each)):
        if fold(name) in told_of:  # the declared one is told of, with this name as what was meant
            continue
        told = f"the routing contract shows it, and the work stream does not declare it{_meant(name, names)}"
        yield finding("R07", about_variable(stream, name), told, contract_type=contract[name])


def _meant(name: str, names: Iterable[str]) -> str:
    found = [each for each in names if fold(each) == fold(name) and each != name]
    return f" (it has {found[0]!r}: case and blanks count)" if found else ""


def _shown(values: tuple[str, ...]) -> str:
    return ", ".join(map(_short, values)) or "none"


def _short(value: str) -> str:
    return repr(value) if len(value) <= 60 else f"{value[:60]!r}… ({len(value)} characters)"
