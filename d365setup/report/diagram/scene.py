"""What a drawing shows, before anybody knows where it stands on the paper: nodes, edges, marks, the way taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from d365setup.report.diagram.marks import Mark


class Column(IntEnum):
    """The columns, from left to right in the order a conversation passes them."""

    BOTS = 0
    STREAMS = 1
    RULES = 2
    QUEUES = 3
    PEOPLE = 4


HEADINGS = {
    Column.BOTS: "Bots",
    Column.STREAMS: "Work streams",
    Column.RULES: "Rules, in order",
    Column.QUEUES: "Queues",
    Column.PEOPLE: "Who is in them",
}

Tone = Literal["plain", "quiet", "missing", "bot", "people"]
Line = Literal["rule", "flow", "fallback", "overflow", "handoff", "member"]


@dataclass(frozen=True)
class Node:
    """A box. Title and detail are cut where they do not fit, ``told`` never. ``at`` is its work stream's place."""

    id: str
    column: Column
    title: str
    detail: str = ""
    tone: Tone = "plain"
    marks: tuple[Mark, ...] = ()
    at: int = 0

    @property
    def told(self) -> str:
        """The whole of it on one line."""
        return f"{self.title}: {self.detail}" if self.detail else self.title


@dataclass(frozen=True)
class Edge:
    """A line from node to node. ``steps`` are the steps of the simulated way that go along it."""

    start: str
    end: str
    line: Line = "flow"
    label: str = ""
    steps: tuple[int, ...] = ()


@dataclass(frozen=True)
class Scene:
    """All of it. ``left_out`` are sentences about what is not drawn.

    ``way`` are the nodes a simulation came by, ``ends`` the nodes where a step of it ended badly, with how.
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    left_out: tuple[str, ...] = ()
    way: frozenset[str] = frozenset()
    ends: tuple[tuple[str, str], ...] = ()
    is_simulated: bool = False

    def column(self, column: Column) -> tuple[Node, ...]:
        """The nodes of one column, in the order they were put in."""
        return tuple(node for node in self.nodes if node.column is column)

    def leading(self, node_id: str) -> Iterable[Edge]:
        """The edges that begin at a node."""
        return (edge for edge in self.edges if edge.start == node_id)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Every finding that is marked, each once."""
        return tuple(dict.fromkeys(mark for node in self.nodes for mark in node.marks))
