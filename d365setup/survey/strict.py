"""JSON from outside, strictly: of bounded size, nothing in it twice, no numbers that are none."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NoReturn

from d365setup.survey.codec import Malformed


def parsed(text: str, most: int) -> Any:
    """What a JSON text holds. Raises Malformed for what is none, and for what another reader may read otherwise.

    ``most`` is how many characters it may have.
    """
    if len(text) > most:
        raise Malformed(f"it has more than {most // 1024 // 1024} million characters")
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except RecursionError:
        raise Malformed("it nests too deeply") from None
    except Malformed:
        raise
    except ValueError as error:
        raise Malformed(f"it is not JSON ({error})") from None


def _no_constant(name: str) -> NoReturn:
    raise Malformed(f"it holds {name}, which is not JSON")


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Malformed(f"{key[:60]!r} stands twice in one object")
        found[key] = value
    return found
