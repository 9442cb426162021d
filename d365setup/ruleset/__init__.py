"""Rule set XML <-> rules, touching only what changed; pure.

`read` understands what an environment holds, `edit` puts declared rules into it, `new` starts one, `without` takes
rules out; `order`, `moved` and `behind_unconditional` say beforehand what that does to the sequence. `read_contract`
tells which context variables the platform knows of, `read_overflow` when a queue has too much. Everything raises
RuleSetError, and nothing else, for text it cannot take.
"""

from d365setup.ruleset.contract import read_contract
from d365setup.ruleset.editing import Wanted, edit, new, without
from d365setup.ruleset.markup import MOST_CHARACTERS, RuleSetError, TooLong
from d365setup.ruleset.ordering import behind_unconditional, moved, order
from d365setup.ruleset.overflows import OverflowRule, read_overflow
from d365setup.ruleset.reading import Rule, RuleSet, read

__all__ = [
    "MOST_CHARACTERS",
    "OverflowRule",
    "Rule",
    "RuleSet",
    "RuleSetError",
    "TooLong",
    "Wanted",
    "behind_unconditional",
    "edit",
    "moved",
    "new",
    "order",
    "read",
    "read_contract",
    "read_overflow",
    "without",
]
