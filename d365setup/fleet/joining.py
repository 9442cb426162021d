"""The way to a Dask cluster: reach the scheduler, and make sure that everybody runs the same versions.

`distributed` is imported here and on workers, and only when a scheduler was named.
"""

from __future__ import annotations

import importlib
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from d365setup.errors import NotReachable, UsageError
from d365setup.fleet.link import Link
from d365setup.fleet.versions import asked, mismatch

PATIENCE = 10.0  # seconds for the scheduler to answer, also when the connection was lost
NOT_INSTALLED = "--scheduler needs Dask, which is not installed here: pip install 'd365setup[fleet]'"
_ADDRESS = re.compile(r"(?:tcp|tls)://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_LOGGERS = ("distributed", "distributed.client")


def checked(address: str) -> str:
    """The address. Raises UsageError where it is none."""
    found = _ADDRESS.fullmatch(address)
    if found and 0 < int(found[1]) <= 65535:
        return address
    raise UsageError(f"--scheduler {address}: write it like tcp://HOST:8786, or tls://HOST:8786")


@contextmanager
def joined(address: str) -> Iterator[Link]:
    """A link to the cluster. Raises UsageError and NotReachable; nothing has been sent then."""
    distributed = _distributed()
    with _silent(), _connected(distributed, checked(address)) as client:
        link = Link(client, address)
        if told := mismatch(asked(client)):
            raise UsageError(told)
        yield link


def _distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ModuleNotFoundError as error:
        raise UsageError(f"{NOT_INSTALLED} ({error.name} is missing)") from None


@contextmanager
def _connected(distributed: Any, address: str) -> Iterator[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions, which we compare ourselves
            client = distributed.Client(address, timeout=PATIENCE, set_as_default=False, name="d365setup")
    except (OSError, TimeoutError) as error:
        told = f"no Dask scheduler answers at {address} within {PATIENCE:g} s ({_short(error)}); nothing was sent"
        raise NotReachable(f"{told}. See that it runs, and that this machine may reach it") from None
    except (TypeError, ValueError, ImportError, AssertionError) as error:
        told = f"--scheduler {address}: {_short(error)}; nothing was sent"
        raise UsageError(f"{told}. TLS wants certificates in Dask's configuration (docs/fleet.md)") from None
    try:
        yield client
    finally:
        with suppress(OSError, TimeoutError):
            client.close(timeout=PATIENCE)


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


@contextmanager
def _silent() -> Iterator[None]:
    """What Dask would print about a lost connection is told by us."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)
