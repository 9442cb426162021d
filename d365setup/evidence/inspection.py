"""What looking at evidence files amounts to: each by itself, its signature, and the chain between them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from d365setup.evidence.examination import Alteration, Examined, NoEvidence, examined
from d365setup.evidence.linked import broken_links

State = Literal["unaltered", "altered", "unchained", "unreadable"]
Signature = Literal["valid", "not checked", "none", "missing", "wrong"]


class Verifier(Protocol):
    """A public key (`signing.Verifier`)."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the key."""
        ...

    @property
    def holds(self) -> Any:
        """Called with the bytes and the signature: whether the one signs the other."""
        ...


@dataclass(frozen=True)
class Given:
    """A file as it was read: its bytes, or why there are none; the signature beside it, None where none is."""

    name: str
    data: bytes = b""
    signature: bytes | None = None
    problem: str = ""


@dataclass(frozen=True)
class Inspected:
    """What one file came to. ``problems`` tell what is wrong beside the ``alteration``."""

    file: str
    state: State
    signature: Signature = "none"
    alteration: Alteration | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    found: Examined | None = None

    @property
    def call(self) -> Mapping[str, Any]:
        """What the file says of the command; empty where it cannot be read."""
        return (self.found and self.found.call) or {}


@dataclass(frozen=True)
class Inspection:
    """All files, in the order in which they were given."""

    files: tuple[Inspected, ...]

    @property
    def exit_code(self) -> int:
        """4 with an altered file or a broken chain, 2 with one that is no evidence, else 0."""
        states = {each.state for each in self.files}
        return 4 if states & {"altered", "unchained"} else 2 if "unreadable" in states else 0


def inspected(files: Sequence[Given], verifier: Verifier | None = None) -> Inspection:
    """Look at all of them. With a key, each must be signed by it."""
    found = [_one(each, verifier) for each in files]
    readable = [(place, each.found) for place, each in enumerate(found) if each.found]
    broken = broken_links([(found[place].file, each) for place, each in readable])
    for index, problem in broken.items():
        place = readable[index][0]
        state: State = "altered" if found[place].state == "altered" else "unchained"
        found[place] = replace(found[place], state=state, problems=(*found[place].problems, problem))
    if readable:
        place, first = readable[0]
        found[place] = replace(found[place], notes=(*found[place].notes, *_beginning(first)))
    return Inspection(tuple(found))


def _one(given: Given, verifier: Verifier | None) -> Inspected:
    if given.problem:
        return Inspected(given.name, "unreadable", problems=(given.problem,))
    try:
        found = examined(given.data)
    except NoEvidence as error:
        return Inspected(given.name, "unreadable", problems=(str(error),))
    signature, problem = _signature(given, found, verifier)
    state: State = "altered" if found.alteration or problem else "unaltered"
    notes = ("it is signed; --public-key checks by whom",) if signature == "not checked" else ()
    return Inspected(given.name, state, signature, found.alteration, (problem,) if problem else (), notes, found)


def _signature(given: Given, found: Examined, verifier: Verifier | None) -> tuple[Signature, str]:
    if given.signature is None and not found.signed_by and verifier is None:
        return "none", ""
    if given.signature is None:
        return "missing", f"its signature is missing: {given.name}.sig is not there"
    if verifier is None:
        return "not checked", ""
    if verifier.holds(given.data, given.signature):
        return "valid", ""
    if found.signed_by and found.signed_by != verifier.fingerprint:
        told = f"it says that the key {found.signed_by} signed it, and --public-key is {verifier.fingerprint}"
        return "wrong", f"the signature is not by this key: {told}"
    return "wrong", "the signature is not of this file: the file was altered, or the signature is another file's"


def _beginning(first: Examined) -> tuple[str, ...]:
    if first.previous is None:
        return ()
    return (f"it follows {first.previous.file}, which was not given: what was before is not checked",)
