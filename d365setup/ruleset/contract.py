"""A work stream's routing contract: which context variables the platform knows, and of what type."""

from collections.abc import Mapping

from d365setup.ruleset.markup import parse

_CONTEXT = "liveworkitemcontext"


def read_contract(text: str) -> Mapping[str, str]:
    """Context variable -> data type, as `msdyn_contractdefinition` has them: `string`, `number`, ...

    Raises RuleSetError when the text is no contract. Where a name stands twice the first counts; a variable
    without a name is left out, since no rule can refer to it.
    """
    root = parse(text, "contract", "contract").root
    found: dict[str, str] = {}
    for group in root.named("complex"):
        if group.attributes.get("key") == _CONTEXT:
            for variable in group.named("variable"):
                found.setdefault(variable.attributes.get("name", ""), variable.attributes.get("data-type", ""))
    found.pop("", None)
    return found
