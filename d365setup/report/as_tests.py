"""What a playbook's tests came to, as text and JSON: in plans, runs, validations, simulations and refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from d365setup.model import Source
from d365setup.proof import Proof, TestResult, Unmet

Show = Callable[[Any], str]
Paint = Callable[[str, str], str]
Data = dict[str, Any]

_WHERE = {
    "playbook": "on what the playbook says",
    "merged": "on the environment as it will be",
    "live": "on the environment as it is",
    "snapshot": "on a saved picture of an environment",
}
_BAD, _OPEN = "31", "33"


def proof_lines(proof: Proof | None, show: Show, paint: Paint) -> Iterator[str]:
    """One line where all is well; each test that failed, or that nobody can decide here, in full."""
    if proof is None:
        return
    summary = paint(proof.summary, _BAD) if proof.failed else show(proof.summary)
    yield f"tests {_WHERE[proof.origin]}: {summary}" if proof.results else summary
    for result in proof.results:
        if not result.passed:
            yield from _result(result, show, paint)


def _result(result: TestResult, show: Show, paint: Paint) -> Iterator[str]:
    word = {"failed": paint("failed", _BAD), "open": paint("open  ", _OPEN)}.get(result.state, "passed")
    yield f"  {word}  {show(result.name)}{_at(result.source, show)}"
    for unmet in (*result.problems, *result.undecided):
        yield f"          {show(unmet.message)}{_at(unmet.source, show)}"


def _at(source: Source, show: Show) -> str:
    return f"  {show(source.file)}:{source.line}" if source.line else ""


def proof_data(proof: Proof | None) -> Data | None:
    """The same as JSON-ready values; None where no tests were asked for."""
    if proof is None:
        return None
    return {
        "state": "skipped" if proof.skipped else "failed" if proof.failed else "passed" if proof.results else "none",
        "summary": proof.summary,
        "on": proof.origin,
        "reason": proof.reason,
        "results": [_data(each) for each in proof.results],
    }


def _data(result: TestResult) -> Data:
    return {
        "name": result.name,
        "workstream": result.workstream,
        "state": result.state,
        "source": _source(result.source),
        "problems": [_unmet(each) for each in result.problems],
        "undecided": [_unmet(each) for each in result.undecided],
        "differences": list(result.simulation.differences) if result.simulation else [],
    }


def _unmet(unmet: Unmet) -> Data:
    return {"message": unmet.message, "source": _source(unmet.source)}


def _source(source: Source) -> Data | None:
    return {"file": source.file, "line": source.line, "column": source.column} if source.line else None
