"""A scene -> where everything stands. The same scene always gives the same picture; all figures are SVG units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from d365setup.report.diagram.scene import Column, Node, Scene

MARGIN, TOP = 10.0, 40.0
WIDTHS = {Column.BOTS: 170, Column.STREAMS: 176, Column.RULES: 284, Column.QUEUES: 190, Column.PEOPLE: 176}
GAPS = {Column.BOTS: 54, Column.STREAMS: 40, Column.RULES: 84, Column.QUEUES: 40, Column.PEOPLE: 0}
HEIGHT, CHIP = 48.0, 28.0
BETWEEN, BETWEEN_CHIPS, BETWEEN_STREAMS = 16.0, 6.0, 40.0
LANE = 14.0  # how far a work stream's panel reaches beyond its boxes
SPINE = 18.0  # how far left of the rules the line runs that goes from rule to rule


@dataclass(frozen=True)
class Box:
    """Where a node stands."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> float:
        """Half way down."""
        return self.y + self.height / 2


@dataclass(frozen=True)
class Layout:
    """Boxes by node, a panel behind each work stream, and how large the whole is."""

    boxes: Mapping[str, Box]
    lanes: tuple[Box, ...]
    width: float
    height: float


def left_of(column: Column) -> float:
    """Where a column begins."""
    return MARGIN + sum(WIDTHS[each] + GAPS[each] for each in Column if each < column)


def laid_out(scene: Scene) -> Layout:
    """Work streams and their rules below one another; queues and bots as near to what they belong to as they can be."""
    boxes: dict[str, Box] = {}
    lanes = _streams(scene, boxes)
    members = _members_by_queue(scene)
    heights = {queue: max(HEIGHT, _stack(len(inside))) for queue, inside in members.items()}
    _column(scene, Column.QUEUES, boxes, heights)
    _column(scene, Column.BOTS, boxes, {})
    for queue, inside in members.items():
        _chips(inside, boxes[queue], boxes)
    width = left_of(Column.PEOPLE) + WIDTHS[Column.PEOPLE] + MARGIN
    bottom = max((box.bottom for box in (*boxes.values(), *lanes)), default=TOP)
    return Layout(boxes, lanes, width, bottom + MARGIN)


def _streams(scene: Scene, boxes: dict[str, Box]) -> tuple[Box, ...]:
    lanes = []
    top = TOP + LANE
    rules = {at: list(nodes) for at, nodes in groupby(scene.column(Column.RULES), key=lambda node: node.at)}
    for stream in scene.column(Column.STREAMS):
        below = rules.get(stream.at, [])
        boxes[stream.id] = _box(Column.STREAMS, top)
        for place, node in enumerate(below):
            boxes[node.id] = _box(Column.RULES, top + place * (HEIGHT + BETWEEN))
        height = max(1, len(below)) * (HEIGHT + BETWEEN) - BETWEEN
        lanes.append(_lane(top, height))
        top += height + BETWEEN_STREAMS
    return tuple(lanes)


def _lane(top: float, height: float) -> Box:
    left = left_of(Column.STREAMS) - LANE
    return Box(left, top - LANE, left_of(Column.RULES) + WIDTHS[Column.RULES] + LANE - left, height + 2 * LANE)


def _column(scene: Scene, column: Column, boxes: dict[str, Box], heights: Mapping[str, float]) -> None:
    """Each node beside the middle of what it is joined to, in that order, never on another."""
    wished = {node.id: _wish(scene, node, boxes) for node in scene.column(column)}
    ordered = sorted(wished, key=lambda each: wished[each])  # stable: ties stay in the scene's order
    sizes = [heights.get(each, HEIGHT) for each in ordered]
    tops = spread([wished[each] - size / 2 for each, size in zip(ordered, sizes, strict=True)], sizes, TOP + LANE)
    for each, size, top in zip(ordered, sizes, tops, strict=True):
        boxes[each] = _box(column, top + (size - HEIGHT) / 2)


def _wish(scene: Scene, node: Node, boxes: Mapping[str, Box]) -> float:
    joined = [edge.start for edge in scene.edges if edge.end == node.id and edge.line != "overflow"]
    joined += [edge.end for edge in scene.edges if edge.start == node.id]
    near = [boxes[each].middle for each in joined if each in boxes]
    return sum(near) / len(near) if near else max((box.bottom for box in boxes.values()), default=TOP)


def spread(tops: Sequence[float], sizes: Sequence[float], least: float) -> list[float]:
    """Places near the wished ones, in their order, that do not touch: pushed down, then back up as far as they go."""
    placed: list[float] = []
    floor = least
    for top, size in zip(tops, sizes, strict=True):
        placed.append(max(top, floor))
        floor = placed[-1] + size + BETWEEN
    return _drawn_up(placed, tops, sizes, least)


def _drawn_up(placed: list[float], wished: Sequence[float], sizes: Sequence[float], least: float) -> list[float]:
    """A run of boxes that pushed each other down is moved up together by half of what the last was pushed."""
    runs: list[list[int]] = []
    for place, top in enumerate(placed):
        touches = place and top <= placed[place - 1] + sizes[place - 1] + BETWEEN
        if touches:
            runs[-1].append(place)
        else:
            runs.append([place])
    result, floor = list(placed), least
    for run in runs:
        surplus = sum(placed[place] - wished[place] for place in run) / len(run)
        shift = min(max(surplus, 0.0), placed[run[0]] - floor)
        for place in run:
            result[place] = placed[place] - shift
        floor = result[run[-1]] + sizes[run[-1]] + BETWEEN
    return result


def _members_by_queue(scene: Scene) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for edge in scene.edges:
        if edge.line == "member":
            found.setdefault(edge.start, []).append(edge.end)
    return found


def _stack(count: int) -> float:
    return count * (CHIP + BETWEEN_CHIPS) - BETWEEN_CHIPS


def _chips(inside: Iterable[str], queue: Box, boxes: dict[str, Box]) -> None:
    ids = list(inside)
    top = queue.middle - _stack(len(ids)) / 2
    for place, each in enumerate(ids):
        y = top + place * (CHIP + BETWEEN_CHIPS)
        boxes[each] = Box(left_of(Column.PEOPLE), y, WIDTHS[Column.PEOPLE], CHIP)


def _box(column: Column, top: float) -> Box:
    return Box(left_of(column), top, WIDTHS[column], HEIGHT)
