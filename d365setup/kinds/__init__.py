"""Every kind of thing, found by looking in this folder: adding a kind edits no other file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from copy import copy
from graphlib import TopologicalSorter
from typing import Any, TypeGuard

from d365setup.kinds.base import Kind
from d365setup.model import Spec

Kinds = Mapping[str, Kind[Any]]


def discover() -> Kinds:
    """All kinds by name, each after those it names in ``after``. Raises ImportError when a file here is broken."""
    return ordered(_defined())


def ordered(kinds: Iterable[Kind[Any]]) -> Kinds:
    """These kinds by name, each after those it names in ``after``. Raises ImportError where that is impossible."""
    found: dict[str, Kind[Any]] = {}
    for kind in kinds:
        if kind.kind in found:
            both = f"{type(found[kind.kind]).__module__} and {type(kind).__module__}"
            raise ImportError(f"{both} both define the kind {kind.kind!r}; rename one")
        found[kind.kind] = kind
    order = TopologicalSorter({name: kind.after for name, kind in sorted(found.items())}).static_order()
    return {name: _known(name, found) for name in order}


def widened(kinds: Kinds, without: Iterable[str] = ()) -> Kinds:
    """The same kinds, which also ask for what nobody declares: what pruning must look at.

    ``without`` names queries, by label, that the environment does not answer.
    """
    found = {name: copy(kind) for name, kind in kinds.items()}
    for kind in found.values():
        kind.widely, kind.unanswered = True, frozenset(without)
    return found


def specs(kinds: Kinds) -> dict[str, type[Spec]]:
    """The spec types, as the playbook loader wants them."""
    return {name: kind.spec for name, kind in kinds.items()}


def _known(name: str, found: Kinds) -> Kind[Any]:
    if name not in found:
        followers = ", ".join(type(kind).__module__ for kind in found.values() if name in kind.after)
        raise ImportError(f"{followers}: after names {name!r}, which is no kind")
    return found[name]


def _defined() -> list[Kind[Any]]:
    kinds: list[Kind[Any]] = []
    for module in pkgutil.iter_modules(__path__):
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if _is_kind(value) and value.__module__ == f"{__name__}.{module.name}":
                kinds.append(value())
    return kinds


def _is_kind(value: object) -> TypeGuard[type[Kind[Any]]]:
    return isinstance(value, type) and issubclass(value, Kind) and hasattr(value, "kind")
