"""Absent packages: told on somebody's machine, an error where the gate runs."""

from __future__ import annotations

import pytest

from .conftest import missing, needed


def test_skipped_on_a_machine_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"no_such_package.*tests/vendors/install"):
        needed("no_such_package")


def test_never_skipped_by_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="node is not on the PATH"):
        missing("node is not on the PATH")
