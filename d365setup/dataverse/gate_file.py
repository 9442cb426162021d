"""A small file of one user's processes: read without a lock, replaced whole under one, in a folder of that user alone.

The lock is the system's own and taken here: the library for it (filelock) takes 15 to 35 ms to load, at the moment when
the others must hear.
"""

import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LARGEST = 200  # bytes; ours has about fifty
LOCK_SECONDS = 2.0  # who holds the lock writes fifty bytes
_PAUSE = 0.002
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # neither a link nor a pipe holds us up

Mark = tuple[int, ...]
"""Tells one state of the file from every other; see `GateFile.mark`."""


def own_user() -> int | None:
    """The user we run as; None where the system has no such numbers and keeps folders apart by itself."""
    ask = getattr(os, "geteuid", None)
    return ask() if ask else None


class Unusable(Exception):
    """The file or its folder cannot be trusted, made, read or written; the text says why, in a few words."""


class GateFile:
    """`path` in a folder that must be `user`'s: made 0700 with the first `locked`, and checked each time."""

    def __init__(self, path: Path, user: int | None = None) -> None:
        self.path = path
        self._user = user
        self._name = str(path)

    def mark(self) -> Mark | None:
        """Changes with every replacement; None where no file is. One system call."""
        try:
            found = os.lstat(self._name)
        except FileNotFoundError:
            return None
        except OSError as error:
            return (error.errno or 0,)
        return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode

    def read(self) -> bytes | None:
        """What stands in it, cut behind `LARGEST`; None where no file is. Raises Unusable."""
        try:
            self._check_folder()
            handle = os.open(self._name, os.O_RDONLY | _NO_LINK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unusable(_why(error)) from None
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise Unusable("it is no plain file")
            self._check_owner(found, "it")
            return os.read(handle, LARGEST + 1)
        except OSError as error:
            raise Unusable(_why(error)) from None
        finally:
            os.close(handle)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold all other writers off; makes the folder where there is none. Raises Unusable."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_folder()
            handle = os.open(f"{self._name}.lock", os.O_RDWR | os.O_CREAT | _NO_LINK, 0o600)
        except OSError as error:
            raise Unusable(_why(error)) from None
        try:
            _take_in_time(handle)
            yield
        finally:
            os.close(handle)  # and with it the lock

    def replace(self, content: bytes, stamp: int) -> Mark | None:
        """Put this in place of what is there, whole or not at all; only while `locked`. Raises Unusable.

        `stamp` (nanoseconds) becomes its time of change: two writers within one tick of the system's clock are told
        apart all the same.
        """
        new = f"{self._name}.new"  # one name will do under the lock, and what a killed process left goes
        try:
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_LINK, 0o600)
            try:
                is_whole = os.write(handle, content) == len(content)
            finally:
                os.close(handle)
            if not is_whole:
                raise Unusable("the disk is full")
            os.utime(new, ns=(stamp, stamp))
            Path(new).replace(self.path)
        except OSError as error:
            raise Unusable(_why(error)) from None
        return self.mark()

    def _check_folder(self) -> None:
        found = self.path.parent.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise Unusable("its folder is a link, or none")
        self._check_owner(found, "its folder")

    def _check_owner(self, found: os.stat_result, what: str) -> None:
        if self._user is None:
            return
        if found.st_uid != self._user:
            raise Unusable(f"{what} belongs to another user")
        if found.st_mode & 0o022:
            raise Unusable(f"other users may write to {what}")


def _why(error: OSError) -> str:
    return "it is a link" if error.errno == errno.ELOOP else (error.strerror or type(error).__name__)


def _take_in_time(handle: int) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while not _taken(handle):
        if time.monotonic() > deadline:
            raise Unusable(f"its lock was not free within {LOCK_SECONDS:g} s")
        time.sleep(_PAUSE)


def _taken(handle: int) -> bool:
    """Try to take the lock, which ends with the handle, and so with the process. Raises Unusable where none exists."""
    # Loaded here: nobody needs a lock while nobody is throttled.
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the second is how Windows says it
        return False
    except OSError as error:
        raise Unusable(_why(error)) from None
    return True
