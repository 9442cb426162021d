"""Journals on the disk: written so that what is said to be durable is, and read with bounds."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from d365setup.errors import D365SetupError, Unrecorded, UsageError
from d365setup.journal import entries
from d365setup.journal.entries import Damaged, Recording
from d365setup.model import Plan, Write
from d365setup.outcome import Outcome

if TYPE_CHECKING:
    from filelock import FileLock

LARGEST = 64 * 1024 * 1024  # bytes of one journal; a plan of some thousand writes has a few
_RUN = re.compile(r"[0-9]{8}T[0-9]{9}Z-[0-9a-f]{6}")
_TAIL = 4096  # bytes at a journal's end that hold its last line, where that is its end
_PER_CHANGE, _ENDING = 1024, 8192  # bytes kept free beside the writes: for outcomes, for the end


class UnknownRun(UsageError):
    """No run of that name was recorded here."""


class Journal:
    """The file of one run that is under way. One thread writes; what a method returned from is on the disk.

    Raises Unrecorded from every method when it cannot write.
    """

    def __init__(self, path: Path, lock: FileLock, descriptor: int, run: str) -> None:
        self.path, self.run = path, run
        self._lock, self._descriptor, self._number = lock, descriptor, 0

    def sending(self, change_sets: Sequence[Sequence[Write]]) -> list[int]:
        """Before these go out side by side: the number of each."""
        numbers = [self._number + place for place in range(1, len(change_sets) + 1)]
        pairs = zip(numbers, change_sets, strict=True)
        self._write(*(entries.sending(number, _now(), writes) for number, writes in pairs))
        self._number += len(numbers)
        return numbers

    def answered(self, number: int, *, landed: bool | None) -> None:
        """What became of one of them."""
        self._write(entries.answered(number, _now(), landed=landed))

    def outcome(self, outcome: Outcome) -> None:
        """What became of a change; durable with whatever is written next."""
        self._write(entries.outcome(outcome, _now()), durable=False)

    def close(self, exit_code: int | None) -> None:
        """The run has ended; without an exit code nobody knows how, and the journal stays open."""
        try:
            if exit_code is not None:
                self._write(entries.over(_now(), exit_code))
            os.ftruncate(self._descriptor, os.lseek(self._descriptor, 0, os.SEEK_CUR))
        except OSError as error:
            raise _unwritten(self.path, error) from None
        finally:
            os.close(self._descriptor)
            self._lock.release()
            with suppress(OSError):
                Path(self._lock.lock_file).unlink()

    def _write(self, *events: entries.Event, durable: bool = True) -> None:
        try:
            _all(self._descriptor, b"".join(map(entries.line, events)))
            if durable:
                os.fsync(self._descriptor)
        except OSError as error:
            raise _unwritten(self.path, error) from None


class Runs:
    """The folder of all runs' journals."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / "runs"

    def start(self, command: str, plan: Plan, writes: Sequence[Write], version: str, *, undoes: str = "") -> Journal:
        """A new journal with room for these writes. Raises Unrecorded, before anything is sent, where there is none."""
        now = datetime.now(UTC)
        run = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{secrets.token_hex(3)}"  # they sort as they began
        path = self.folder / f"{run}.jsonl"
        first = entries.line(entries.began(run, command, _now(), plan, version, undoes))
        wanted = 2 * len(entries.line(entries.sending(0, "", writes))) + _PER_CHANGE * len(plan.changes) + _ENDING
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = _lock_of(path)
            lock.acquire(timeout=0)
        except OSError as error:
            raise _unwritten(path, error) from None
        try:
            descriptor = _begun(path, first, len(first) + wanted)
        except OSError as error:
            lock.release()
            for each in (path, path.with_suffix(".new"), Path(lock.lock_file)):
                with suppress(OSError):
                    each.unlink()
            raise _unwritten(path, error) from None
        return Journal(path, lock, descriptor, run)

    def names(self) -> list[str]:
        """The runs recorded here, oldest first."""
        try:
            found = [each.stem for each in self.folder.iterdir() if each.suffix == ".jsonl"]
        except OSError:
            return []
        return sorted(each for each in found if _RUN.fullmatch(each))

    def read(self, run: str) -> Recording:
        """One run. Raises UnknownRun, Damaged, TooNew."""
        path = self.folder / f"{run}.jsonl"
        if not _RUN.fullmatch(run) or not path.is_file():
            raise UnknownRun(f"there is no run {run!r} in {self.folder}; `d365setup history` lists those there are")
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise Damaged(f"{path} cannot be read: {error.strerror}") from None
        if len(data) > LARGEST:
            raise Damaged(f"{path} is larger than {LARGEST} bytes: no journal is; move it away")
        found = entries.understood(data.rstrip(b"\0").splitlines(), str(path))
        if found.run != run:
            raise Damaged(f"{path} tells of another run, {found.run}; give the file its name back")
        return found

    def all(self) -> Iterator[Recording | D365SetupError]:
        """Every run, oldest first; in the place of one that cannot be read, why."""
        return self._all(self.names())

    def _without_end(self) -> Iterator[str]:
        """The runs whose last line is not their end: all but the newest few are not worth reading whole."""
        for name in self.names():
            with suppress(OSError), (self.folder / f"{name}.jsonl").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                if not file.read().rstrip(b"\0\n").rpartition(b"\n")[2].startswith(entries.END):
                    yield name

    def _all(self, names: Iterable[str]) -> Iterator[Recording | D365SetupError]:
        for name in names:
            try:
                yield self.read(name)
            except D365SetupError as error:
                yield error

    def made_links(self, organization_id: str, playbook: str) -> frozenset[str]:
        """The links that this playbook made there, as far as journals here can be read (`entries.made_links`)."""
        found = (each for each in self.all() if isinstance(each, Recording))
        return entries.made_links(found, organization_id, playbook)

    def is_running(self, run: str) -> bool:
        """Whether the process that writes this journal is alive."""
        from filelock import Timeout  # noqa: PLC0415  # as below

        lock = _lock_of(self.folder / f"{run}.jsonl")
        if not Path(lock.lock_file).exists():
            return False
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:
            return False
        lock.release()
        return False

    def left_open(self, organization_id: str) -> list[Recording]:
        """Runs on this environment whose process died before it had written down how they ended."""
        found = [each for each in self._all(self._without_end()) if isinstance(each, Recording)]
        mine = (each for each in found if each.is_open and each.environment.organization_id == organization_id)
        dead = (self.read(each.run) for each in mine if not self.is_running(each.run))
        return [each for each in dead if each.is_open]  # asked again: it may have ended right after it was read

    def settle(self, recording: Recording, landed: dict[int, bool | None], by: str) -> None:
        """Write down what was found out about a run whose process died. Raises Unrecorded.

        Of several processes that do so at once, one does.
        """
        from filelock import Timeout  # noqa: PLC0415  # as below

        lock = _lock_of(self.folder / f"{recording.run}.jsonl")
        try:
            with lock.acquire(timeout=0):
                if self.read(recording.run).is_open:
                    self._settle(recording, landed, by)
                with suppress(OSError):
                    Path(lock.lock_file).unlink()
        except Timeout:
            return
        except OSError as error:
            raise _unwritten(Path(lock.lock_file), error) from None

    def _settle(self, recording: Recording, landed: dict[int, bool | None], by: str) -> None:
        path = self.folder / f"{recording.run}.jsonl"
        events = [entries.answered(number, _now(), landed=each) for number, each in landed.items()]
        events.append(entries.over(_now(), None, by))
        try:
            whole = path.read_bytes().rstrip(b"\0")
            kept = whole if whole.endswith(b"\n") else whole[: whole.rfind(b"\n") + 1]  # without a line cut in half
            _replace(path, kept + b"".join(map(entries.line, events)))
        except OSError as error:
            raise _unwritten(path, error) from None


def _lock_of(path: Path) -> FileLock:
    from filelock import FileLock  # noqa: PLC0415  # it loads asyncio, which a plan without changes need not wait for

    return FileLock(f"{path}.lock", mode=0o600)


def _all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _begun(path: Path, first: bytes, size: int) -> int:
    """A new file of this size, open behind its first line: whoever may die here, what has the name has that line."""
    fresh, flags = path.with_suffix(".new"), os.O_WRONLY | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(fresh, flags | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _reserve(descriptor, size)
        _all(descriptor, first)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.rename(path)
    _sync_folder(path.parent)
    descriptor = os.open(path, flags)
    os.lseek(descriptor, len(first), os.SEEK_SET)
    return descriptor


def _reserve(descriptor: int, size: int) -> None:
    """Have the disk promise the room, where it can: what is full shows now, and not in the middle of an apply."""
    allocate: Any = getattr(os, "posix_fallocate", None)
    if allocate is None:
        return
    try:
        allocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise


_CANNOT = {22, 38, 45, 95}  # EINVAL, ENOSYS, ENOTSUP, EOPNOTSUPP: file systems that cannot promise room


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """A new name is durable once its folder is; Windows has no such call."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _unwritten(path: Path, error: OSError) -> Unrecorded:
    cure = "free some space, or name a place that can be written with --state-dir"
    return Unrecorded(
        f"the journal {path} cannot be written ({error.strerror}), and nothing is sent without it; {cure}"
    )
