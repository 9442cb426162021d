from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from functools import cache

import pytest

from d365setup.journal import Runs
from d365setup.outcome import Status
from tests.matrix.ground import Ground, applied
from tests.matrix.plain import Plain, Plainly, statuses_of


@pytest.fixture(scope="module", autouse=True)
def _no_power_fails() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with closing(Ground(tmp_path_factory.mktemp("ground"))) as found:
        yield found


@pytest.fixture(scope="module")
def plainly(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Plainly:
    """Make an undisturbed run of a playbook; once each."""
    runs = Runs(tmp_path_factory.mktemp("plain"))

    @cache
    def run(name: str) -> Plain:
        ground.put_back()
        before = ground.rows()
        first = applied(ground, name, runs)
        changes = first.run.plan.changes
        after, touched, present = ground.rows(), ground.touched(), ground.traces(changes)
        assert statuses_of(first.run) == dict.fromkeys(map(str, (each.id for each in changes)), Status.VERIFIED)
        assert applied(ground, name, runs).run.plan.changes == ()
        assert (ground.rows(), ground.touched()) == (after, touched)
        ground.put_back()
        assert (ground.rows(), ground.touched()) == (before, frozenset())
        absent = ground.traces(changes)
        assert not [key for key in present if present[key] == absent[key]]
        return Plain(before, after, touched, changes, absent, present, first.requests)

    return run
