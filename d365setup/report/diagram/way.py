"""The way a simulated conversation took, laid over a scene."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from d365setup.center import ContactCenter, Workstream
from d365setup.report.diagram.scene import Scene
from d365setup.routing import Escalated, Leg, Simulation, Transferred

Pair = tuple[str, str]


def with_way(scene: Scene, center: ContactCenter, path: Simulation) -> Scene:
    """The scene with each step's number on the edges it went along. Drawn is the strict reading."""
    stream = center.workstream(path.workstream)
    if stream is None:
        return scene
    steps: dict[Pair, list[int]] = defaultdict(list)
    holder = ""
    for number, leg in enumerate(path.strict.legs, start=1):
        for pair in _pairs(leg, stream, center, holder):
            steps[pair].append(number)
        holder = leg.answered_by if leg.answer == "bot" else ""
    edges = tuple(replace(edge, steps=tuple(steps.get((edge.start, edge.end), ()))) for edge in scene.edges)
    on_it = frozenset(node for edge in edges if edge.steps for node in (edge.start, edge.end))
    return replace(scene, edges=edges, way=on_it, ends=tuple(_ends(path, scene, f"w-{stream.row_id}")))


def _ends(path: Simulation, scene: Scene, place: str) -> Iterator[Pair]:
    """Where a step left the patient without anybody: in its queue, or in the work stream where it came to none."""
    drawn = {node.id for node in scene.nodes}
    for number, leg in enumerate(path.strict.legs, start=1):
        if leg.chosen_by != "end" and leg.answer not in ("bot", "person"):
            queue = f"q-{leg.queue_id}"
            yield queue if queue in drawn else place, f"{number}: {_bad_end(leg)}"


def _bad_end(leg: Leg) -> str:
    if leg.closed:
        return "closed by the system"
    if leg.waits:
        return "waits for ever"
    return "cannot be decided" if leg.answer == "unknown" else "nobody answers"


def _pairs(leg: Leg, stream: Workstream, center: ContactCenter, holder: str) -> Iterator[Pair]:
    place, queue = f"w-{stream.row_id}", f"q-{leg.queue_id}"
    if isinstance(leg.event, Escalated):
        bot = _id_of(center, leg.event.bot or holder)
        yield f"b-{bot}", place
    if not isinstance(leg.event, Transferred):
        yield from _routed(leg, stream)
    if leg.answer == "person":
        yield queue, f"m-{leg.queue_id}"
    elif leg.answer == "bot":
        yield queue, f"m-{leg.queue_id}-{_id_of(center, leg.answered_by)}"


def _routed(leg: Leg, stream: Workstream) -> Iterator[Pair]:
    """From the work stream to the queue: through what chose it, and on where that queue spilled over."""
    place, through, first = f"w-{stream.row_id}", "", leg.queue_id
    if leg.chosen_by == "fallback queue":
        through = f"{place}-fallback"
    elif leg.chosen_by == "work stream bot":
        through = f"{place}-own"
    elif leg.rule:
        through, first = _rule(leg, stream)
    if through:
        yield place, through
        yield through, f"q-{first}"
    if first != leg.queue_id:
        yield f"q-{first}", f"q-{leg.queue_id}"


def _rule(leg: Leg, stream: Workstream) -> Pair:
    """The node of the rule that chose, and the id of the queue it leads to."""
    ids = [rule.rule_id for rule in leg.rules if rule.name == leg.rule and rule.result == "matched"]
    for number, rule in enumerate(stream.routes.rules if stream.routes else (), start=1):
        if rule.id in ids or (not ids and rule.name == leg.rule):
            return f"w-{stream.row_id}-r{number}", rule.queue or leg.queue_id
    return "", leg.queue_id


def _id_of(center: ContactCenter, name: str) -> str:
    return next((bot.row_id for bot in center.bots if bot.name == name), "")
