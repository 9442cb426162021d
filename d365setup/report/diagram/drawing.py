"""A scene and its layout -> everything the template draws: boxes with texts that fit, lines, marks, numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from d365setup.report.diagram.layout import Box, Layout, left_of
from d365setup.report.diagram.lines import Curve, drawn
from d365setup.report.diagram.marks import Mark
from d365setup.report.diagram.scene import HEADINGS, Column, Edge, Node, Scene
from d365setup.report.diagram.wording import counted, shortened, width

TITLE, DETAIL, MARK = 13.0, 11.5, 11.0  # font sizes; the style sheet has the same
BOLD = 1.1  # how much wider
MOST_MARKS = 3
_PADDING = 12.0

Show = Callable[[str], str]


@dataclass(frozen=True)
class Badge:
    """A mark as drawn: `R12`, or `+4` for those that have no room."""

    x: float
    y: float
    width: float
    text: str
    level: str
    anchor: str
    told: str


@dataclass(frozen=True)
class End:
    """Where a simulated step left the patient alone: `2: waits for ever`."""

    x: float
    y: float
    width: float
    text: str


@dataclass(frozen=True)
class Shape:
    """A box as drawn."""

    id: str
    box: Box
    title: str
    detail: str
    told: str
    tone: str
    is_on_way: bool
    marks: tuple[Mark, ...]
    badges: tuple[Badge, ...]
    ends: tuple[End, ...]

    @property
    def worst(self) -> str:
        """The worst level marked on it; "" for none."""
        return self.marks[0].level if self.marks else ""


@dataclass(frozen=True)
class Stroke:
    """A line as drawn; ``number`` is the step, or the steps, that go along it."""

    curve: Curve
    line: str
    label: str
    number: str


@dataclass(frozen=True)
class Drawing:
    """The whole picture."""

    width: float
    height: float
    headings: tuple[tuple[float, str], ...]
    lanes: tuple[Box, ...]
    strokes: tuple[Stroke, ...]
    shapes: tuple[Shape, ...]
    is_simulated: bool
    summary: str


def drawing(scene: Scene, layout: Layout, show: Show) -> Drawing:
    """Put texts and lines to the places."""
    headings = tuple((left_of(column), text) for column, text in HEADINGS.items() if scene.column(column))
    strokes = tuple(sorted(_strokes(scene, layout), key=lambda stroke: bool(stroke.number)))  # the way is on top
    shapes = tuple(_shape(f"d{place}", node, layout, scene, show) for place, node in enumerate(scene.nodes))
    summary = _summary(scene)
    return Drawing(layout.width, layout.height, headings, layout.lanes, strokes, shapes, scene.is_simulated, summary)


def _strokes(scene: Scene, layout: Layout) -> Iterator[Stroke]:
    for edge in scene.edges:
        yield _stroke(edge, layout)


def _stroke(edge: Edge, layout: Layout) -> Stroke:
    curve = drawn(edge.line, layout.boxes[edge.start], layout.boxes[edge.end])
    number = ", ".join(str(step) for step in edge.steps)
    return Stroke(curve, edge.line, edge.label, number)


def _shape(dom_id: str, node: Node, layout: Layout, scene: Scene, show: Show) -> Shape:
    box, title, detail = layout.boxes[node.id], show(node.title), show(node.detail)
    room = box.width - 2 * _PADDING
    short = shortened(title, TITLE * BOLD, room)
    badges = tuple(_badges(node.marks, box, show))
    told = show(node.told)
    return Shape(
        dom_id,
        box,
        short,
        shortened(detail, DETAIL, room),
        told,
        node.tone,
        node.id in scene.way,
        node.marks,
        badges,
        tuple(_ends(node, box, scene)),
    )


def _badges(marks: tuple[Mark, ...], box: Box, show: Show) -> Iterator[Badge]:
    """From the right, so that the worst stands leftmost."""
    shown = [(mark.id, mark) for mark in marks[:MOST_MARKS]]
    if len(marks) > MOST_MARKS:
        shown.append((f"+{len(marks) - MOST_MARKS}", marks[MOST_MARKS]))
    right = box.right - 8
    for text, mark in reversed(shown):
        wide = width(text, MARK * BOLD) + 26
        right -= wide
        yield Badge(right, box.y - 9, wide, text, mark.level, mark.anchor, show(f"{mark.level}: {mark.message}"))
        right -= 4


def _ends(node: Node, box: Box, scene: Scene) -> Iterator[End]:
    """Below its lower edge, side by side."""
    left = box.x + 8
    for text in (text for place, text in scene.ends if place == node.id):
        wide = width(text, MARK * BOLD) + 26
        yield End(left, box.bottom - 4, wide, text)
        left += wide + 4


def _summary(scene: Scene) -> str:
    counts = [
        counted(len(scene.column(Column.BOTS)), "bot"),
        counted(len(scene.column(Column.STREAMS)), "work stream"),
        counted(len(scene.column(Column.QUEUES)), "queue"),
    ]
    marked = counted(len(scene.marks), "problem") if scene.marks else "no problem"
    return f"{', '.join(counts)}; {marked} marked on them. All of it stands as text below the drawing."
