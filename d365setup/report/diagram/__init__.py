"""A contact center as a picture: bots, work streams, rules, queues, people, with problems and a way marked on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from d365setup.audit.findings import Finding
from d365setup.center import ContactCenter
from d365setup.report.diagram.drawing import Drawing, drawing
from d365setup.report.diagram.layout import laid_out
from d365setup.report.diagram.marks import Marks
from d365setup.report.diagram.sketch import sketch
from d365setup.report.diagram.telling import Told, told
from d365setup.report.diagram.way import with_way
from d365setup.routing import Simulation

__all__ = ["Diagram", "Drawing", "Told", "diagram"]


@dataclass(frozen=True)
class Diagram:
    """The picture, the same as text, and what is left out of both. ``places`` are its nodes, by a finding's anchor."""

    drawing: Drawing
    told: tuple[Told, ...]
    left_out: tuple[str, ...]
    places: dict[str, str]


def diagram(
    center: ContactCenter,
    findings: Sequence[Finding] = (),
    *,
    anchors: Sequence[str] = (),
    path: Simulation | None = None,
    show: Callable[[str], str] = str,
) -> Diagram:
    """Draw a contact center. ``anchors`` are where findings are told; ``show`` makes foreign text fit to be seen."""
    scene = sketch(center, Marks(findings, anchors), path)
    if path:
        scene = with_way(scene, center, path)
    picture = drawing(scene, laid_out(scene), show)
    places = {mark.anchor: shape.id for shape in picture.shapes for mark in shape.marks}
    return Diagram(picture, told(scene, show), scene.left_out, places)
