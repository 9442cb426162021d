"""`export --update`: a playbook's file, brought in line with the environment it describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from d365setup.cli.environment import Surroundings, loaded
from d365setup.cli.exported import Naming, plan_of, prove, read_export, told
from d365setup.cli.options import Given, Target
from d365setup.cli.output import Output
from d365setup.dataverse.client import Client
from d365setup.errors import UsageError
from d365setup.exporting import NAMES, Chosen, Export, Page, Unfit, part_of, refreshed
from d365setup.kinds import discover, specs
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.queue import Queue
from d365setup.kinds.workstream import Workstream
from d365setup.model import ResourceId, fold
from d365setup.playbook import Playbook, load
from d365setup.report import Exported
from d365setup.survey import Part

Rows = Sequence[Mapping[str, Any]]


def known(path: Path, given: Given, target: Target, output: Output) -> Playbook:
    """The playbook as it is. Raises UsageError for one in several files, PlaybookError for one with mistakes."""
    playbook = loaded(path, given, Surroundings.here(), examples=target.emulator)
    if len(playbook.files) > 1:
        raise UsageError(
            f"--update {path}: it extends {playbook.files[1]}, and which file should say what is new only you know; "
            f"`d365setup plan {path}` shows what differs, and export --out FILE writes it in words to take over"
        )
    output.notebook.took("playbook", str(path), playbook.sha256)
    return playbook


def updated(client: Client, path: Path, playbook: Playbook, target: Target, output: Output) -> Exported:
    """Read, change what differs, prove, write; what became of it. Raises NotProved, UsageError."""
    names = client.read(NAMES)
    part = _part(playbook, *names)
    before = path.read_bytes()
    taken = frozenset(_declared(playbook))
    found = read_export(client, part, Naming(playbook.name, taken), target.expect_organization or "", output)
    values = {**found.export.variables, **{use.name: use.value for use in playbook.variables}}
    text = _text(client, playbook, found.export, values)
    proved = prove(client, text, _used(text, values), output)
    after = _as_before(text, before)
    is_changed = after != before
    if is_changed:
        _replace(path, after)
    account = told(found, proved, after, "updated" if is_changed else "in line already", path)
    return replace(account, not_declared=tuple(_not_declared(proved.playbook, *names)))


def _not_declared(playbook: Playbook, streams: Rows, queues: Rows, bots: Rows) -> Iterator[ResourceId]:
    """What is there and nothing in the playbook speaks of. Bots go by their ids: people give them other names."""
    desired = playbook.desired
    there = (
        ("workstream", ((row.get("msdyn_name"), row.get("msdyn_name")) for row in streams), desired.of(Workstream)),
        ("queue", ((row.get("name"), row.get("name")) for row in queues if _is_made(row)), desired.of(Queue)),
        ("bot_user", ((row.get("applicationid"), row.get("fullname")) for row in bots), desired.of(BotUser)),
    )
    for kind, rows, declared in there:
        known = {fold(each.application_id if isinstance(each, BotUser) else each.name) for each in declared}
        yield from (ResourceId(kind, str(name)) for key, name in rows if fold(str(key)) not in known)


def _is_made(queue: Mapping[str, Any]) -> bool:
    """Whether somebody made it; Omnichannel comes with some."""
    return not queue.get("msdyn_isdefaultqueue")


def _declared(playbook: Playbook) -> tuple[str, ...]:
    """The names under `variables`, also of those that nothing uses."""
    section = Page(playbook).root.get("variables")
    return tuple(getattr(section, "by_name", ()))


def _part(playbook: Playbook, streams: Rows, queues: Rows, bots: Rows) -> Part | None:
    """What the playbook declares and the environment has. Work streams must be there: nobody makes them."""
    desired = playbook.desired
    there = {row.get("name") for row in queues}
    ids = {str(row.get("applicationid") or "").lower() for row in bots}
    chosen = Chosen(
        tuple(each.name for each in desired.of(Workstream)),
        tuple(each.name for each in desired.of(Queue) if each.name in there),
        tuple(each.application_id for each in desired.of(BotUser) if each.application_id in ids),
    )
    return part_of(chosen, streams, queues, bots) or Part()


def _text(client: Client, playbook: Playbook, export: Export, values: Mapping[str, str]) -> str:
    """The new text; a bot's `highest` becomes a number where a plan would change it otherwise."""
    fresh = Page(load(export.text, specs(discover()), export.variables, name="the export"))
    try:
        text = refreshed(Page(playbook), fresh)
        plan = plan_of(client, text, _used(text, values)).plan
        bots = [each for each in plan.changes if isinstance(each.desired, BotUser)]
        names = {each.desired.name for each in bots if any(f.field == "capacity" for f in each.fields) and each.desired}
        return refreshed(Page(playbook), fresh, frozenset(names)) if names else text
    except Unfit as error:
        raise UsageError(f"--update cannot work on this layout, and nothing was written: {error}") from None


def _used(text: str, values: Mapping[str, str]) -> dict[str, str]:
    """The values of the variables that the text speaks of: any other would be a mistake of the call."""
    return {name: value for name, value in values.items() if f"${{{name}}}" in text}


def _as_before(text: str, before: bytes) -> bytes:
    """With the line ends and the byte order mark that the file had."""
    if not before.endswith(b"\n"):
        text = text.removesuffix("\n")
    ended = text.replace("\n", "\r\n") if b"\r\n" in before else text
    return (b"\xef\xbb\xbf" if before.startswith(b"\xef\xbb\xbf") else b"") + ended.encode()


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_bytes(content)
        fresh.replace(path)
    except OSError as error:
        raise UsageError(f"--update {path} cannot be written: {error.strerror}") from None
