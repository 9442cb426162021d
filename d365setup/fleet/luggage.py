"""What travels to a worker beside its environment: the order, and the files that it and the playbooks name.

A worker shares no disk with whoever ran the command. Nothing that looks like a secret travels; certificates and token
files are paths on the worker.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from d365setup import __version__
from d365setup.errors import UsageError
from d365setup.fleet.entries import Environment
from d365setup.fleet.order import Order
from d365setup.fleet.results import Result
from d365setup.fleet.secrecy import is_secret

LARGEST = 64 * 1024 * 1024  # bytes in all; a playbook has some thousand
_FILES = ("--waivers", "--ca-bundle")  # the options that name a file
Texts = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Pack:
    """Files by their path from one folder; the first is what a playbook's path or an option means by ``name``."""

    name: str
    files: tuple[tuple[str, bytes], ...]

    @property
    def folder(self) -> str:
        """The folder as whoever ran this calls it, with a slash, for messages."""
        parent = Path(self.name).parent.as_posix()
        return "" if parent == "." else f"{parent.removesuffix('/')}/"


@dataclass(frozen=True)
class Luggage:
    """What all tasks of a run have in common. ``run`` names its events and topics on the cluster."""

    order: Order
    packs: tuple[Pack, ...]
    run: str
    version: str = __version__


def packed(order: Order, playbooks: Mapping[str, Texts], run: str) -> Luggage:
    """Pack the order. Raises UsageError for a file that cannot be read, is too large, or looks like a secret."""
    packs = (*(_playbook(name, texts) for name, texts in playbooks.items()), *map(_file, _named(order)))
    content = [each for pack in packs for _, each in pack.files]
    if sum(map(len, content)) > LARGEST:
        raise UsageError(f"the files of this run are larger than {LARGEST >> 20} MiB: too much to send to workers")
    for pack in packs:
        for path, each in pack.files:
            if is_secret(each.decode("utf-8", "replace")):
                told = "holds what looks like a secret, and files are sent to workers; take it out"
                raise UsageError(f"{pack.folder}{path} {told}")
    return Luggage(order, packs, run)


def _playbook(name: str, texts: Texts) -> Pack:
    folder = Path(name).parent
    pairs = ((Path(os.path.relpath(file, folder)).as_posix(), text) for file, text in texts)
    return Pack(name, tuple((path, text.encode("utf-8", "surrogatepass")) for path, text in pairs))


def _named(order: Order) -> Iterator[str]:
    for option in (*order.options, *order.reach):
        name, equals, path = option.partition("=")
        if equals and name in _FILES:
            yield path


def _file(name: str) -> Pack:
    try:
        with Path(name).open("rb") as stream:
            return Pack(name, ((Path(name).name, stream.read(LARGEST + 1)),))
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None


@dataclass(frozen=True)
class Unpacked:
    """Luggage in a folder of the worker."""

    luggage: Luggage
    folder: Path

    @property
    def _places(self) -> dict[str, str]:
        packs = enumerate(self.luggage.packs)
        return {pack.name: str(self.folder / str(number) / pack.files[0][0]) for number, pack in packs}

    def order(self, state_dir: Path) -> Order:
        """The order with the files where they are now."""
        given = self.luggage.order
        options, reach = (tuple(self._moved(part)) for part in (given.options, given.reach))
        return replace(given, options=options, reach=reach, state_dir=str(state_dir))

    def _moved(self, options: Iterable[str]) -> Iterator[str]:
        for option in options:
            name, _, path = option.partition("=")
            yield f"{name}={self._places[path]}" if name in _FILES else option

    def environment(self, given: Environment) -> Environment:
        """The environment with its playbook where it is now."""
        return replace(given, playbook=self._places[given.playbook or ""])

    def told(self, result: Result) -> Result:
        """The result with the files called as whoever ran this calls them."""
        return replace(result, message=self._named(result.message), cure=self._named(result.cure))

    def _named(self, text: str) -> str:
        for number, pack in enumerate(self.luggage.packs):
            text = text.replace(f"{self.folder / str(number)}{os.sep}", pack.folder)
        return text


def unpacked(luggage: Luggage, folder: Path) -> Unpacked:
    """Write the files below a folder. Raises OSError."""
    for number, pack in enumerate(luggage.packs):
        for path, content in pack.files:
            place = folder / str(number) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    return Unpacked(luggage, folder)
