"""The options of `emulator serve` as the emulator takes them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from d365setup.cli.options import seconds
from d365setup.errors import UsageError

if TYPE_CHECKING:
    from d365setup.emulator import Limits, Switches


def options_of(package: Any, **chosen: Any) -> Any:
    """The emulator's options; raises UsageError for what cannot be understood."""
    try:
        given = {
            **chosen,
            "switches": _switches(package.Switches, chosen["switches"]),
            "users": _users(chosen["users"]),
            "limits": _limits(package.Limits, chosen["limits"]),
            "faults": tuple(package.fault_of(each) for each in chosen["faults"]),
        }
    except ValueError as error:
        raise UsageError(f"--fault {error}") from None
    return package.Options(**given)


def _users(given: tuple[str, ...]) -> dict[str, str]:
    """Users by token. Raises UsageError."""
    found = {}
    for number, each in enumerate(given, 1):
        token, equals, who = each.partition("=")
        if not equals or not token.strip() or not who.partition(":")[0].strip():
            raise UsageError(f"--user, number {number}: it takes TOKEN=NAME or TOKEN=NAME:ROLE,ROLE")
        found[token.strip()] = who.strip()
    return found


def _limits(kind: type[Limits], given: tuple[str, ...]) -> Limits:
    """The published limits with what was given in place. Raises UsageError, listing all there are."""
    chosen: dict[str, Any] = {}
    for each in given:
        name, _, value = each.partition("=")
        if name in {"requests", "concurrent"} and value.isascii() and value.isdecimal():
            chosen[name] = int(value)
        elif name in {"execution", "window"} and value:
            chosen[name] = seconds(value)
        else:
            raise UsageError(
                f"--limit {each}: it takes NAME=VALUE, one of requests=N, concurrent=N, execution=TIME, window=TIME"
            )
    return dataclasses.replace(kind(), **chosen)


def _switches(kind: type[Switches], given: tuple[str, ...]) -> Switches:
    """The defaults with what was given in place. Raises UsageError, listing all there are."""
    known = {name: get_args(hint) for name, hint in get_type_hints(kind).items()}
    chosen: dict[str, Any] = {}
    for each in given:
        name, _, value = each.partition("=")
        is_number = name in known and not known[name] and value.isascii() and value.isdecimal()
        if value not in known.get(name, ()) and not is_number:
            told = "; ".join(f"{switch}={'|'.join(values) or 'N'}" for switch, values in known.items())
            raise UsageError(f"--switch {each}: it takes NAME=VALUE, one of {told}")
        chosen[name] = int(value) if is_number else value
    return dataclasses.replace(kind(), **chosen)
