"""How much one work stream may hold (Customer Service: service quotas, September 2026)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, about_workstream, check, finding
from d365setup.center import Workstream

MOST_ROUTES, MOST_SETS, MOST_RULES, MOST_OUTPUTS, MOST_LINKS, MOST_LEVELS = 200, 10, 100, 5, 14, 2

# `msdyn_ocliveworkitem.<relationship>.<column>`: each relationship on the way is one link entity
_PATH = re.compile(r">\s*(msdyn_ocliveworkitem(?:\.[A-Za-z0-9_]+){2,})\s*<")
_RULE = re.compile(r"<rule\b")


@check("R23")
def quotas(seen: Seen) -> Iterator[Result]:
    """Rules, classification and conditions stay within what the service takes."""
    for stream in seen.workstreams:
        for told, found, most in (*_rules(stream), *_classification(stream), *_links(stream)):
            yield finding("R23", about_workstream(stream), told, found=found, most=most)


def _rules(stream: Workstream) -> Iterator[tuple[str, int, int]]:
    count = len(stream.routes.rules) if stream.routes else 0
    if count > MOST_ROUTES:
        yield f"it has {count} route-to-queue rules, and the service takes {MOST_ROUTES}", count, MOST_ROUTES


def _classification(stream: Workstream) -> Iterator[tuple[str, int, int]]:
    sets = stream.classifications
    if len(sets) > MOST_SETS:
        yield f"it has {len(sets)} classification rule sets, and the service takes {MOST_SETS}", len(sets), MOST_SETS
    for each in sets:
        count = len(each.rules)
        if count > MOST_RULES:
            yield f"its rule set {each.name} has {count} rules, and the service takes {MOST_RULES}", count, MOST_RULES
        for rule in each.rules:
            if len(rule.sets) > MOST_OUTPUTS:
                told = f"its rule {rule.name} sets {len(rule.sets)} values, and the service takes {MOST_OUTPUTS}"
                yield told, len(rule.sets), MOST_OUTPUTS


def _links(stream: Workstream) -> Iterator[tuple[str, int, int]]:
    for each in filter(None, (stream.routes, *stream.classifications)):
        ways = [_relationships(text) for text in _RULE.split(each.text)[1:]]
        most = max(map(len, ways), default=0)
        if most > MOST_LINKS:
            told = f"a condition of {each.name} reaches over {most} relationships, and the service takes {MOST_LINKS}"
            yield told, most, MOST_LINKS
        deepest = max((way.count(".") for found in ways for way in found), default=0)
        if deepest > MOST_LEVELS:
            told = (
                f"a condition of {each.name} reaches {deepest} relationships deep, and the service takes {MOST_LEVELS}"
            )
            yield told, deepest, MOST_LEVELS


def _relationships(text: str) -> frozenset[str]:
    """Each relationship on the way to a column that a rule's conditions compare."""
    found = (path.split(".")[:-1] for path in _PATH.findall(text))
    return frozenset(".".join(path[:end]) for path in found for end in range(2, len(path) + 1))
