"""What the tests of a playbook came to: values only, so that plans and runs can carry them at no cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from d365setup.model import NOWHERE, Source

if TYPE_CHECKING:
    from d365setup.routing import Simulation

State = Literal["passed", "failed", "open"]


@dataclass(frozen=True)
class Unmet:
    """An expectation that was not met, or not decided: what was expected, what came, why, and whose line it is."""

    message: str
    source: Source = NOWHERE


@dataclass(frozen=True)
class TestResult:
    """One test. ``undecided`` is what the playbook alone cannot tell and an environment can; elsewhere it is a problem.

    ``simulation`` is None where the conversation could not be played at all.
    """

    __test__: ClassVar[bool] = False  # pytest would otherwise collect whatever is called Test…

    name: str
    workstream: str
    source: Source = NOWHERE
    problems: tuple[Unmet, ...] = ()
    undecided: tuple[Unmet, ...] = ()
    simulation: Simulation | None = None

    @property
    def passed(self) -> bool:
        """Whether every expectation was met under both readings."""
        return self.state == "passed"

    @property
    def state(self) -> State:
        """failed, open (an environment must tell), or passed."""
        return "failed" if self.problems else "open" if self.undecided else "passed"


@dataclass(frozen=True)
class Proof:
    """All tests of a playbook, on one picture: ``origin`` as in `center.ContactCenter`. ``reason`` says why skipped."""

    results: tuple[TestResult, ...] = ()
    origin: str = "playbook"
    skipped: bool = False
    reason: str = ""

    @property
    def failed(self) -> tuple[TestResult, ...]:
        """The tests that failed."""
        return tuple(each for each in self.results if each.state == "failed")

    @property
    def exit_code(self) -> int:
        """4 where a test failed."""
        return 4 if self.failed else 0

    @property
    def summary(self) -> str:
        """In a few words: ``3 tests passed``, ``1 of 3 tests failed``, ``tests skipped (--skip-tests)``."""
        if self.skipped:
            return f"tests skipped ({self.reason})"
        if not self.results:
            return "no tests"
        total, left = len(self.results), sum(1 for each in self.results if each.state == "open")
        if self.failed:
            return f"{len(self.failed)} of {_tests(total)} failed"
        passed = f"{_tests(total - left)} passed"
        return f"{passed}, {left} cannot be decided without an environment" if left else passed


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"


SKIPPED = Proof(skipped=True, reason="--skip-tests")
