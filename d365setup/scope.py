"""What a kind may know when it decides: the playbook, the live state, which row a thing is, what is to go."""

from __future__ import annotations

import unicodedata
import uuid
from dataclasses import dataclass, field

from d365setup.model import Desired, LiveState, ResourceId

_NAMESPACE = uuid.UUID("5d1f6a1e-3b0c-5c5a-9f0e-d365000e7a01")  # ours, fixed for ever: every row id depends on it


@dataclass(frozen=True)
class Ids:
    """Answers which row a thing is, whether it exists or is about to."""

    organization_id: str
    playbook: str
    live: LiveState

    def made(self, kind: str, identity: str) -> str:
        """The id a row gets when this playbook creates it: a lower-case GUID that never changes for these names."""
        return self._named(self.playbook, kind, identity)

    def shared(self, kind: str, identity: str) -> str:
        """As `made`, for a row that several playbooks write to: the same whoever of them makes it first."""
        return self._named("", kind, identity)

    def _named(self, playbook: str, kind: str, identity: str) -> str:
        text = "|".join((self.organization_id.lower(), playbook, kind, identity))
        return str(uuid.uuid5(_NAMESPACE, unicodedata.normalize("NFC", text)))

    def of(self, kind: str, identity: str) -> str:
        """The id of the live row, or the one it will get."""
        found = self.live.find(kind, identity)
        return found.row_id if found else self.made(kind, identity)


@dataclass(frozen=True)
class Prune:
    """That what this playbook made and no longer declares is to go.

    ``links`` are the links its journals say it made, each as the address below the service root that a DELETE ends it
    by: ``queues(…)/queuemembership_association(…)/$ref``, ids in lower case. ``everything`` counts nothing as declared
    (``destroy``). ``going`` are the removals decided on; None while that is being decided.
    """

    links: frozenset[str] = frozenset()
    everything: bool = False
    going: frozenset[ResourceId] | None = None


@dataclass(frozen=True)
class Scope:
    """What a kind may know when it decides: the playbook (resolved as far as it has come), the live state, the ids.

    ``prune`` is None where nothing is pruned.
    """

    desired: Desired
    live: LiveState
    ids: Ids
    resolved: Desired = field(default_factory=Desired)
    prune: Prune | None = None
