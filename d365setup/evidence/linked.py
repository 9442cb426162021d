"""Evidence files behind each other: is the chain between them whole, and in this order. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from d365setup.evidence.examination import Examined


def broken_links(files: Sequence[tuple[str, Examined]]) -> dict[int, str]:
    """What is wrong between a file and the one given before it, by the place of the later one.

    The first file may follow one that was not given.
    """
    told = {}
    for place in range(1, len(files)):
        problem = _broken(place, files)
        if problem:
            told[place] = problem
    return told


def _broken(place: int, files: Sequence[tuple[str, Examined]]) -> str:
    (before, earlier), (_, later) = files[place - 1], files[place]
    if any(each.sha256 == later.sha256 for _, each in files[:place]):
        return "it is given twice, or is a copy of a file before it"
    if later.previous is None:
        return f"it begins a chain of its own, and does not follow {before}"
    if later.previous.sha256 == earlier.sha256:
        return ""
    named = later.previous.file
    elsewhere = next((name for name, each in files if each.sha256 == later.previous.sha256), "")
    if elsewhere:
        return f"it follows {elsewhere}, and stands behind {before}: files are missing between, or in another order"
    if named == before.replace("\\", "/").rpartition("/")[2]:
        return f"{before} is not the file it was written behind: that one was altered or replaced since"
    return f"it follows {named}, which is not given: it is missing, or was replaced"
