"""The gate that all processes of one user on this machine share when they are the same to the service.

Service protection counts by user (learn.microsoft.com, "Service protection API limits"), not by process: who is told to
wait writes down until when, by the clock on the wall, and the others see it before they send.
"""

import hashlib
import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from d365setup.dataverse.auth.secret import claims
from d365setup.dataverse.gate_file import LARGEST, GateFile, Mark, Unusable, own_user
from d365setup.dataverse.payload import parse_json

FARTHEST = 3600.0  # seconds; told to wait longer, other processes ask again after an hour
SKEW = 1.0  # seconds a file may come from the future: the clock is set in small steps all the time
_OPEN = float("-inf")


def default_folder(variables: Mapping[str, str]) -> Path:
    """Where the gates of this user are: not the working folder, so that two checkouts share them."""
    runtime = variables.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_absolute() and Path(runtime).is_dir():
        return Path(runtime) / "d365setup"
    # Not tempfile.gettempdir(), which tries each folder by writing to it.
    temporary = next(filter(None, (variables.get(name, "") for name in ("TMPDIR", "TEMP", "TMP"))), "/tmp")  # noqa: S108  # the folder in it is checked
    user = own_user()
    return Path(temporary) / ("d365setup" if user is None else f"d365setup-{user}")


def file_name(origin: str, token: str) -> str:
    """The name of the gate of whoever bears the token, in one environment; nothing can be read from it."""
    known = "|".join((origin, *identity(token)))
    return hashlib.sha256(known.encode()).hexdigest()[:32] + ".gate"


def identity(token: str) -> tuple[str, ...]:
    """Whom the service takes the bearer for, as the token tells it: tenant and person or application.

    A token nobody can read stands for itself, by its hash. Wrong claims harm nobody: a gate is shared, or it is not.
    """
    told = claims(token)
    tenant = _text(told.get("tid"))
    if _text(told.get("oid")):  # of an application too: its object in the tenant
        return "principal", tenant, _text(told.get("oid"))
    application = _text(told.get("appid")) or _text(told.get("azp"))
    if application and not told.get("scp"):  # with a scope it acts for a person, and which is not told
        return "application", tenant, application
    return "token", hashlib.sha256(token.encode()).hexdigest()


class SharedGate:
    """The gate in a file. Safe to use from many threads; whatever is wrong with the file, nothing is ever raised.

    `clock` is the one its moments are on, `wall` the clock all processes share, both in seconds; `tell` hears once of
    each reason why the file is of no use, which then counts as open; `user` is the owner that it must have.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float],
        *,
        wall: Callable[[], float] = time.time,
        tell: Callable[[str], None] | None = None,
        user: int | None = None,
    ) -> None:
        self._file = GateFile(path, own_user() if user is None else user)
        self._clock, self._wall, self._tell = clock, wall, tell
        self._lock = threading.Lock()
        self._seen: tuple[Mark | None, float] = None, _OPEN
        self._told: set[str] = set()

    def opens(self) -> float:
        """The moment when it opens, in the past when it is open: one look at the file's state, no lock."""
        mark = self._file.mark()
        if mark != self._seen[0]:
            with self._lock:
                self._seen = mark, self._moment()
        return self._seen[1]

    def hold(self, until: float) -> None:
        """Keep it closed until that moment, for everyone. The latest of all who say so counts."""
        until = min(until, self._clock() + FARTHEST)
        if self.opens() >= until:
            return
        try:
            with self._lock, self._file.locked():
                self._write(until)
        except Unusable as error:
            self._say(f"other processes are not told to wait: {self._file.path} cannot be written ({error})")

    def _write(self, until: float) -> None:
        theirs = self._moment()
        if theirs >= until:
            self._seen = self._file.mark(), theirs
            return
        if until <= self._clock():  # it has opened while we waited for the lock
            return
        now = self._wall()
        written, opens = math.floor(now * 1000), math.ceil((now + until - self._clock()) * 1000)
        content = json.dumps({"written": written, "until": opens}).encode()
        self._seen = self._file.replace(content, opens * 1_000_000), until

    def _moment(self) -> float:
        """When it opens, as the file tells it now."""
        try:
            content = self._file.read()
            return _OPEN if content is None else self._clock() + seconds_left(content, self._wall())
        except (Unusable, ValueError) as error:
            self._say(f"{self._file.path}, which says how long all processes wait, counts as open: {error}")
            return _OPEN

    def _say(self, text: str) -> None:
        if self._tell is not None and text not in self._told:
            self._told.add(text)
            self._tell(text)


def seconds_left(content: bytes, now: float) -> float:
    """How long to wait from `now` (seconds since 1970), below 0 when no more; ValueError for what we never wrote.

    Milliseconds, since whole numbers survive JSON: `{"written": 1700000000000, "until": 1700000005000}`.
    """
    if len(content) > LARGEST:
        raise ValueError("it is too large")
    try:
        found = parse_json(content)
    except ValueError:
        raise ValueError("it is torn, or not ours") from None
    written, until = (found.get("written"), found.get("until")) if isinstance(found, dict) else (None, None)
    if type(written) is not int or type(until) is not int:  # not isinstance: true is no time
        raise ValueError("it is torn, or not ours")
    if written > (now + SKEW) * 1000:
        raise ValueError("it was written in the future, so the clock has been set back since")
    if not 0 <= until - written <= (FARTHEST + SKEW) * 1000:
        raise ValueError(f"it asks for more than {FARTHEST:.0f} s, or less than none")
    return float(until) / 1000 - now


def _text(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) and len(value) <= 200 else ""
