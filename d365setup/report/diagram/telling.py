"""A scene as a list of texts that says the same as its picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from d365setup.report.diagram.scene import Column, Edge, Node, Scene

Show = Callable[[str], str]


@dataclass(frozen=True)
class Told:
    """A line, what stands below it, and the findings marked there: id, level, anchor."""

    text: str
    below: tuple[Told, ...] = ()
    marks: tuple[tuple[str, str, str], ...] = ()


def told(scene: Scene, show: Show) -> tuple[Told, ...]:
    """Work streams with their rules, queues with who is in them, bots with where they hand over to."""
    nodes = {node.id: node for node in scene.nodes}
    columns = (Column.STREAMS, Column.QUEUES, Column.BOTS)
    return tuple(_thing(node, scene, nodes, show) for column in columns for node in scene.column(column))


def _thing(node: Node, scene: Scene, nodes: Mapping[str, Node], show: Show) -> Told:
    names = {Column.STREAMS: "Work stream", Column.QUEUES: "Queue", Column.BOTS: "Bot"}
    below = tuple(_below(node, scene, nodes, show))
    return Told(f"{names[node.column]} {show(node.told)}", below, _marks(node))


def _below(node: Node, scene: Scene, nodes: Mapping[str, Node], show: Show) -> Iterator[Told]:
    yield from (Told(f"a simulated step ends here: {text}") for place, text in scene.ends if place == node.id)
    for edge in scene.leading(node.id):
        end = nodes[edge.end]
        if edge.line == "rule":
            yield Told(_route(end, scene, nodes, show) + _steps(edge), (), _marks(end))
        elif edge.line == "handoff":
            yield Told(f"hands over to work stream {show(end.title)}{_steps(edge)}")
        elif edge.line == "overflow":
            yield Told(f"spills over to queue {show(end.title)}{_steps(edge)}")
        else:
            yield Told(f"{show(end.told)}{_steps(edge)}")


def _route(rule: Node, scene: Scene, nodes: Mapping[str, Node], show: Show) -> str:
    ends = (
        f"{show(nodes[edge.end].title)}{f' ({edge.label})' if edge.label else ''}" for edge in scene.leading(rule.id)
    )
    where = ", ".join(ends)
    return f"{show(rule.told)}{f' → {where}' if where else ''}"


def _steps(edge: Edge) -> str:
    return f" [step {', '.join(str(step) for step in edge.steps)} of the simulation]" if edge.steps else ""


def _marks(node: Node) -> tuple[tuple[str, str, str], ...]:
    return tuple((mark.id, mark.level, mark.anchor) for mark in node.marks)
