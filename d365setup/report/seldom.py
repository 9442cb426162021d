"""Documents that few commands end with: what shows one is loaded when there is one, not each time a command starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

# by the class's name: the module beside this one, and what its `…_data` and `…_lines` begin with
_SHOWN = {
    "Audit": ("as_audit", "audit"),
    "Checklist": ("as_checklist", "checklist"),
    "Comparison": ("as_comparison", "comparison"),
    "Diagnosis": ("as_doctor", "doctor"),
    "Exported": ("as_export", "export"),
    "Explained": ("as_page", "page"),
    "FleetRun": ("as_fleet", "fleet"),
    "History": ("as_history", "history"),
    "Inspection": ("as_evidence", "evidence"),
    "Push": ("as_push", "push"),
    "Recorded": ("as_history", "recorded"),
    "Simulated": ("as_simulation", "simulation"),
}


def seldom_data(document: Any) -> dict[str, Any]:
    """The document as JSON can hold it."""
    found: dict[str, Any] = _function(document, "data")(document)
    return found


def seldom_lines(document: Any, show: Callable[[Any], str], paint: Callable[[str, str], str]) -> Iterable[str]:
    """The document as lines of text."""
    found: Iterable[str] = _function(document, "lines")(document, show, paint)
    return found


def _function(document: Any, what: str) -> Callable[..., Any]:
    module, stem = _SHOWN[type(document).__name__]
    found: Callable[..., Any] = getattr(import_module(f"d365setup.report.{module}"), f"{stem}_{what}")
    return found
