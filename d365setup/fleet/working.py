"""One environment's work in a process of its own: `python -m d365setup apply … --format json`.

What hangs is ended, what leaks goes with it, and its memory holds the secrets of one environment only. Secrets are
looked up where the work is done.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from d365setup.errors import NotReachable, Refused
from d365setup.fleet import signing
from d365setup.fleet.busy import alone
from d365setup.fleet.entries import Environment, Limits
from d365setup.fleet.judging import document, judged
from d365setup.fleet.order import Order
from d365setup.fleet.results import INTERRUPTED, REFUSED, Result
from d365setup.playbook import environment as surroundings

LARGEST = 64 * 1024 * 1024  # bytes of a result
GRACE = 10.0  # seconds a process gets to end what is under way, once it is told to stop
_OFTEN = 0.05  # seconds between two looks at a process
_UNREACHED = 6
_SPARE = "take back what removes them, or raise `limits` in the fleet file"


@dataclass(frozen=True)
class Ended:
    """How a process ended; ``why`` is "" when it did so by itself."""

    code: int
    out: str
    err: str
    why: str = ""


def home(state_dir: str, name: str) -> Path:
    """Where an environment's journals are, as any state directory has them."""
    return Path(state_dir) / "environments" / name


def never() -> bool:
    """Nobody asks to stop."""
    return False


def perform(order: Order, environment: Environment, stopping: Callable[[], bool] = never) -> Result:
    """Do it, and say how it ended; raises nothing that an environment or its sign-in can cause."""
    begun = time.monotonic()
    if stopping():
        return Result(environment.name, environment.url, "not started", message="stopped before its turn")
    work = _Work(order, environment, stopping, begun + order.timeout)
    try:
        return work.done(begun)
    except NotReachable as error:
        told = str(error)
        cure = "set it where this runs (with --scheduler: on each worker), or name another variable in the fleet file"
        return Result(environment.name, environment.url, "failed", _UNREACHED, told, cure)
    except Refused as error:
        return Result(
            environment.name,
            environment.url,
            "failed",
            REFUSED,
            str(error),
            "wait until that process ends, then go on with --resume",
        )
    except OSError as error:
        told = f"its process could not be started here ({error})"
        return Result(environment.name, environment.url, "failed", 1, told, "mend that, then run again")


@dataclass(frozen=True)
class _Work:
    order: Order
    environment: Environment
    stopping: Callable[[], bool]
    until: float

    @property
    def folder(self) -> Path:
        """What lasts between the runs on this environment: its journals, as any state directory has them."""
        return home(self.order.state_dir, self.environment.name)

    def done(self, begun: float) -> Result:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.order.command == "apply" and self.order.limits.removals:
            return self._limited(begun)
        return self._result(self._ran(self._call(self.order.command)), begun)

    def _limited(self, begun: float) -> Result:
        """Plan, hold the plan against the limits, and apply that very plan."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            plan = str(Path(folder) / "plan.json")
            prune = ["--prune"] if "--prune" in self.order.options else []
            ended = self._ran(self._call("plan", "--out", plan, *prune))
            found = document(ended.out)
            if ended.why or found is None or found["schema"] != "d365setup/plan/1":
                return self._result(ended, begun)
            if told := _too_many(found, self.order.limits):
                return self._failed(REFUSED, told, _SPARE, begun)
            kinds = [f"--allow-delete={kind}:{most}" for kind, most in self.order.limits.removals.items()]
            options = [each for each in self.order.options if each != "--prune"]
            call = ["apply", plan, *self._where, *options, *kinds]
            return self._result(self._ran(call), begun)

    def _call(self, command: str, *more: str) -> list[str]:
        variables = [f"--var={name}={value}" for name, value in self.environment.variables.items()]
        options = self.order.options if command == self.order.command else ()
        return [command, self.environment.playbook or "", *self._where, *variables, *options, *more]

    @property
    def _where(self) -> list[str]:
        expected = [f"--expect-organization={self.environment.organization}"] if self.environment.organization else []
        where = [f"--url={self.environment.url}", f"--state-dir={self.folder}", *expected]
        return [*where, "--format=json", *self.order.reach]

    def _result(self, ended: Ended, begun: float) -> Result:
        found = document(ended.out)
        if found is not None and not (ended.why and found["exit_code"] == INTERRUPTED):
            return self._judged(found, begun)
        landed = found is not None and bool(found.get("outcomes"))
        if ended.why == "stopped":
            told, cure = "stopped by whoever ran this", "run again, or go on with --resume"
            return self._failed(INTERRUPTED, told, cure, begun, state="stopped", landed=landed)
        if ended.why:
            told = f"it took longer than --timeout {self.order.timeout:g} s and was ended"
            cure = "see whether the service is slow or throttles there; give it more time with --timeout"
            return self._failed(1, told, cure, begun, state="timed out", landed=landed)
        told = (
            f"its process ended with {ended.code} and without a result: {ended.err.strip()[-300:] or 'it said nothing'}"
        )
        return self._failed(1, told, "run the command on this environment alone", begun)

    def _judged(self, found: Mapping[str, Any], begun: float) -> Result:
        result = judged(self.order.command, self.environment.name, self.environment.url, found, _since(begun))
        over = _too_many(found, self.order.limits) if result.state == "changes" else ""
        return replace(result, message=f"apply would refuse: {over}", cure=_SPARE) if over else result

    def _failed(self, code: int, told: str, cure: str, begun: float, **more: Any) -> Result:
        state = more.pop("state", "failed")
        name, url = self.environment.name, self.environment.url
        return Result(name, url, state, code, told, cure, seconds=_since(begun), **more)

    def _ran(self, call: Sequence[str]) -> Ended:
        """Run the command; end it when its time is over or somebody asks to stop."""
        around = surroundings(Path.cwd())
        own = signing.variables(self.environment.sign_in, around, self.order.references)
        variables = {**os.environ, "D365_ANNOTATIONS": "off", **own}
        with (
            alone(self.folder / "busy.lock", self.until) as held,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            with _process(call, variables, out, err, held) as process:
                why = self._waited(process)
            return Ended(process.returncode, _text(out), _text(err), why)

    def _waited(self, process: subprocess.Popen[bytes]) -> str:
        """Wait for its end; why it did not come by itself."""
        why, patience = "", 0.0
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_OFTEN)
                return why
            now = time.monotonic()
            if not why and (now > self.until or self.stopping()):
                why, patience = ("timeout" if now > self.until else "stopped"), now + GRACE
                process.terminate()  # it finishes what is under way and says what that was
            elif why and now > patience:
                process.kill()


@contextmanager
def _process(
    call: Sequence[str], variables: Mapping[str, str], out: IO[bytes], err: IO[bytes], held: tuple[int, ...]
) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a process that a Ctrl-C at our terminal does not reach, gone when this ends."""
    command = [sys.executable, "-m", "d365setup", *call]
    process = subprocess.Popen(  # noqa: S603  # our own program
        command,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        start_new_session=True,
        pass_fds=held,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read(LARGEST).decode("utf-8", "replace")


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 1)


def _too_many(plan: Mapping[str, Any], limits: Limits) -> str:
    """What a plan takes away beyond the limits; "" where it keeps them."""
    gone = [each["kind"] for each in plan["changes"] if each["action"] == "delete" and not each["manual"]]
    over = [(kind, gone.count(kind), most) for kind, most in limits.removals.items() if gone.count(kind) > most]
    told = ", ".join(f"{count} of {kind}, and {most} may go" for kind, count, most in over)
    return f"the fleet file forbids it: this would take away {told}" if told else ""
