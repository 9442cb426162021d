"""A run's imports, taken back: a scenario that it overwrote is imported as it was. Pure.

As with rows, only what still is as the run left it is touched. What the run added stays: no call deletes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from d365setup.healthbot.meaning import changed
from d365setup.healthbot.scenario import StoredScenario, read_scenario
from d365setup.healthbot.side import UNDELETABLE, portal_in, version, written
from d365setup.journal import Recorded, Recording
from d365setup.model import Action, Change, Errand, Note, ResourceId

Found = Mapping[str, StoredScenario]


def taken_back(recording: Recording, portal: str, found: Sequence[StoredScenario]) -> Errand:
    """What takes these imports back as things stand now; what cannot be is among the notes."""
    now = {each.name: each for each in found}
    parts = [_part(write, portal, now) for sent in recording.landed for write in sent.writes]
    lost = tuple(_lost(each) for sent in recording.unknown for write in sent.writes for each in write.changes)
    return Errand(
        tuple(each for part in parts for each in part.changes),
        tuple(each for part in parts for each in part.writes),
        (*(each for part in parts for each in part.notes), *lost),
    )


def became(write: Recorded, found: StoredScenario | None) -> bool | None:
    """Whether an import landed, by what is there now; None where it is neither."""
    if found is not None and write.body and not tuple(changed(found, read_scenario(write.body))):
        return True
    if found is None:
        return False if write.makes_row else None
    return False if write.condition.get("If-Match") == version(found) else None


def _part(write: Recorded, portal: str, now: Found) -> Errand:
    (id_,), ours = write.changes, read_scenario(write.body)
    found = now.get(ours.name)
    if portal_in(write.path) != portal:
        return _kept(id_, f"it is in another Health Bot ({portal_in(write.path)})")
    if found is None:
        return Errand() if write.before is None else _kept(id_, "somebody deleted it since")
    if write.before is not None and not tuple(changed(found, read_scenario(write.before))):
        return Errand()  # it is as it was already
    told = ", ".join(each.field for each in changed(found, ours))
    if told:
        return _kept(id_, f"somebody changed it since ({told})")
    if write.before is None:
        return Errand((Change(Action.DELETE, id_, None, row_id=found.id, manual=UNDELETABLE),))
    return _restored(id_, portal, found, read_scenario(write.before))


def _restored(id_: ResourceId, portal: str, found: StoredScenario, before: StoredScenario) -> Errand:
    change = Change(Action.UPDATE, id_, None, tuple(changed(found, before)), row_id=found.id, etag=version(found))
    return Errand((change,), (written(portal, change, before, found),))


def _kept(id_: ResourceId, why: str) -> Errand:
    return Errand(notes=(Note("warning", id_, f"left as it is: {why}"),))


def _lost(id_: ResourceId) -> Note:
    told = "not taken back: its answer was lost; the next apply (or push) settles the run, then roll back again"
    return Note("warning", id_, told)
