"""The lines between boxes, as SVG paths."""

from __future__ import annotations

from dataclasses import dataclass

from d365setup.report.diagram.layout import SPINE, Box
from d365setup.report.diagram.scene import Line

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A path, where on it a step's number goes, and where its label goes."""

    path: str
    number: Point
    label: Point


def drawn(line: Line, start: Box, end: Box) -> Curve:
    """The line from box to box."""
    if line == "rule":
        return _down_the_rules(start, end)
    if line == "overflow":
        return _beside(start, end)
    return _across(start, end)


def _across(start: Box, end: Box) -> Curve:
    x1, y1, x2, y2 = start.right, start.middle, end.x, end.middle
    bend = (x2 - x1) / 2
    path = f"M{x1:g} {y1:g} C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    return Curve(path, ((x1 + x2) / 2, (y1 + y2) / 2), (x2 - 28, y2 - 5))


def _down_the_rules(start: Box, end: Box) -> Curve:
    spine = end.x - SPINE
    path = f"M{start.right:g} {start.middle:g} H{spine:g} V{end.middle:g} H{end.x:g}"
    return Curve(path, (spine, end.middle), (spine, end.middle))


def _beside(start: Box, end: Box) -> Curve:
    """From a queue to another of the same column, bulging to the left."""
    y1, y2 = start.middle + 12, end.middle - 12
    out = start.x - 30
    path = f"M{start.x:g} {y1:g} C{out:g} {y1:g} {out:g} {y2:g} {end.x:g} {y2:g}"
    middle = (start.x - 22, (y1 + y2) / 2)
    return Curve(path, middle, middle)
