"""The same act on many things at once, results in order."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def side_by_side(act: Callable[[A], B], items: Sequence[A], width: int) -> list[B]:
    """At most `width` at a time; one item needs no thread. The first exception (by order) is raised.

    When this thread is interrupted, what has not begun is not begun any more.
    """
    if len(items) <= 1 or width <= 1:
        return [act(item) for item in items]
    pool = ThreadPoolExecutor(max_workers=min(width, len(items)), thread_name_prefix="dataverse")
    try:
        futures = [pool.submit(act, item) for item in items]
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
