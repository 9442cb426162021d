"""`export --update` of any playbook with comments anywhere, after any drift: in line, and no comment is lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d365setup.emulator import Emulator, Options
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.queue import Queue
from d365setup.kinds.queue_member import QueueMember
from d365setup.model import Spec
from tests.engine.driver import APPLICATION, BOT_ID, applied, decided, playbook
from tests.engine.test_convergence import playbooks
from tests.exporting.driver import export
from tests.exporting.test_property import lose, makeable

LISTS = ("members:", "roles:", "context_variables:", "routing_rules:")
VARIABLES = {"bot_application_id": APPLICATION, "health_bot_id": BOT_ID, "nurse": "nurse.one@contoso.example"}


class _InLines(yaml.SafeDumper):
    """Texts of several lines in quotes on one line, lists indented: a comment can stand above and behind each line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # theirs
        del indentless
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:
        """What stands twice is written twice: an item that goes would take its anchor along."""
        del data
        return True


_InLines.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style='"' if not text or "\n" in text or "$" in text else None
    ),
)


def text_of(value: dict[str, Any]) -> str:
    """The playbook with variables in the places of ids and of one person."""
    head = {name: {"default": value} for name, value in VARIABLES.items()}
    bots = [
        {**bot, "application_id": "${bot_application_id}", "bot_application_id": "${health_bot_id}"}
        for bot in value["bot_users"]
    ]
    queues = [_with_nurse(queue) for queue in value["queues"]]
    whole = {**value, "variables": head, "bot_users": bots, "queues": queues}
    return yaml.dump(whole, Dumper=_InLines, sort_keys=False, allow_unicode=True, width=100_000)


def _with_nurse(queue: dict[str, Any]) -> dict[str, Any]:
    if "members" not in queue:
        return queue
    users = ["${nurse}" if each == VARIABLES["nurse"] else each for each in queue["members"]["users"]]
    return {**queue, "members": {"mode": "include", "users": users}}


@st.composite
def commented(draw: st.DrawFn) -> tuple[str, str]:
    """A playbook, and the same with comments above its lines and behind them; each says the number of its line."""
    plain = text_of(draw(playbooks()))
    lines: list[str] = []
    for number, line in enumerate(plain.splitlines(), start=1):
        indent = " " * (len(line) - len(line.lstrip()))
        for comment in draw(st.sampled_from([(), (), ("",), ("# apart {}", ""), ("# above {}",), ("", "# above {}")])):
            lines.append(f"{indent}{comment.format(number)}".rstrip())
        lines.append(line + (f"  # behind {number}" if draw(st.booleans()) else ""))
    return plain, "\n".join((*lines, "# the end", ""))


def comments(text: str) -> Iterator[tuple[str, int]]:
    for kind, number in re.findall(r"# (apart|above|behind) ([0-9]+)$", text, re.MULTILINE):
        yield kind, int(number)


def extent(text: str, first: int) -> range:
    """The lines of what begins on this one: those below it that are indented deeper."""
    lines = text.splitlines()
    indent = len(lines[first - 1]) - len(lines[first - 1].lstrip())
    deeper = (n for n, line in enumerate(lines[first:], start=first + 1) if len(line) - len(line.lstrip()) <= indent)
    return range(first, next(deeper, len(lines) + 1))


def taken_along(text: str, gone: Iterable[Spec]) -> Iterator[range]:
    """The lines of what is gone, and of lists of which nothing is left."""
    found = [extent(text, each.source.line) for each in gone]
    yield from found
    lines = {line for each in found for line in each}
    for first, line in enumerate(text.splitlines(), start=1):
        items = {n for n in extent(text, first) if text.splitlines()[n - 1].lstrip().startswith("- ")}
        if line.strip() in LISTS and items <= lines:
            yield extent(text, first)


def is_excused(comment: tuple[str, int], gone: Iterable[range]) -> bool:
    """Whether a comment went with what is gone: one apart from an item, by an empty line, is not the item's."""
    kind, number = comment
    return any(number in each and not (kind == "apart" and number == each.start) for each in gone)


def drift(emulator: Emulator, act: str) -> None:
    stream = emulator.sql("SELECT msdyn_liveworkstreamid FROM msdyn_liveworkstream")[0][0]
    queues = [
        row for (row,) in emulator.sql("SELECT queueid FROM queue WHERE msdyn_isomnichannelqueue = 1 ORDER BY name")
    ]
    if act == "numbers":
        for number, row in enumerate(queues):
            emulator.change("queue", row, msdyn_priority=20 + number, description=f"Changed: {number} # now")
    elif act == "fallback":
        emulator.change("msdyn_liveworkstream", stream, msdyn_defaultqueue=queues[-1])
    elif act == "member":
        (person,) = emulator.sql("SELECT systemuserid FROM systemuser WHERE internalemailaddress LIKE 'billing.two@%'")[
            0
        ]
        for row in queues:
            if not emulator.sql("SELECT 1 FROM queuemembership WHERE queueid = ? AND systemuserid = ?", [row, person]):
                emulator.link("queue", row, "queuemembership_association", person)
    elif act == "variable":
        emulator.add(
            "msdyn_ocliveworkstreamcontextvariable",
            msdyn_name="Arrived", msdyn_datatype=192350000, msdyn_liveworkstreamid=stream,
        )  # fmt: skip


acts = st.lists(st.sampled_from(["numbers", "fallback", "member", "variable"]), unique=True, max_size=4)
quiet = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@quiet
@given(texts=commented(), acts=acts, data=st.data())
def test_no_comment_is_lost_but_those_of_what_is_gone(
    texts: tuple[str, str], acts: list[str], data: st.DataObject
) -> None:
    plain, text = texts
    emulator = Emulator(None, Options())
    with closing(emulator), emulator.serve():
        before = playbook(plain)
        applied(emulator, plain)
        for act in acts:
            drift(emulator, act)
        losable = [each for each in makeable(before) if not isinstance(each, Queue | BotUser)]
        for each in data.draw(st.lists(st.sampled_from(losable), max_size=2, unique=True)):
            lose(emulator, each)
        Path("it.yaml").write_text(text, encoding="utf-8")
        found = export(emulator, "--update", "it.yaml")
        assert found.code == 0, found.err
        after = Path("it.yaml").read_text(encoding="utf-8")
        assert decided(emulator, after).plan.changes == ()
        assert "nothing to update" in export(emulator, "--update", "it.yaml").out
    left = {each.id for each in playbook(after).desired.specs}
    gone = [each for each in before.desired.specs if each.id not in left]
    ranges = list(taken_along(plain, gone))
    lost = set(comments(text)) - set(comments(after))
    assert [each for each in sorted(lost) if not is_excused(each, ranges)] == []
    assert after.endswith("# the end\n")
    nurses = {each.id for each in before.desired.of(QueueMember) if each.name == VARIABLES["nurse"]} & left
    assert after.count("${nurse}") == len(nurses)
    assert after.count("${bot_application_id}") == 1
