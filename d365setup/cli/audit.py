"""`d365setup audit`: what is wrong with how an environment routes, and what that does to a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from d365setup import waivers
from d365setup.audit import LEVELS, Audit, Level, Seen
from d365setup.audit import audit as judged
from d365setup.audit.checking import checks
from d365setup.audit.scope import part_of
from d365setup.center import ContactCenter
from d365setup.cli.environment import Surroundings, loaded, reached
from d365setup.cli.options import Given, Target, gathered, taught, with_output, with_target, with_variables
from d365setup.cli.output import Output
from d365setup.cli.sealing import with_evidence
from d365setup.cli.surveyed import bots_in, declared_part, people_in
from d365setup.dataverse.client import Client
from d365setup.errors import UsageError
from d365setup.evidence.chain import sha256
from d365setup.kinds import discover
from d365setup.model import Environment
from d365setup.pages import nearest, written
from d365setup.playbook import Playbook
from d365setup.session import check_expected
from d365setup.survey import Kept, open_snapshot, read_center, save

_HELP = taught(
    "Judge how an environment routes conversations, and say what each finding does to one and how it is cured. Without "
    "a playbook the whole environment; with one only the part it declares and leads to. Sends nothing but reads.",
    "d365setup audit --url https://contoso.crm.dynamics.com",
    "d365setup audit playbooks/health-bot.yaml --emulator",
    "d365setup audit --url https://contoso.crm.dynamics.com --save contoso.json",
    "d365setup audit --snapshot contoso.json --fail-on warning --waivers waivers.yaml",
    "d365setup audit --snapshot contoso.json --only R01,R11 --format json",
    exits="0 nothing at or above --fail-on, 4 findings (or a waiver that expired).",
)


@dataclass(frozen=True)
class Asked:
    """What is to be audited, and what is made of it."""

    save: Path | None = None
    snapshot: Path | None = None
    fail_on: Level = "error"
    waivers: Path | None = None
    only: tuple[str, ...] = ()
    examples: bool = False


_FILE = click.Path(path_type=Path)
_with_asked = gathered(
    Asked,
    "asked",
    click.option(
        "--save", type=_FILE, metavar="SNAPSHOT.json", help="Keep what was read of the environment in a file."
    ),
    click.option(
        "--snapshot", type=_FILE, metavar="SNAPSHOT.json", help="Judge what --save kept; no network, no credentials."
    ),
    click.option(
        "--fail-on",
        type=click.Choice(LEVELS),
        default="error",
        show_default=True,
        help="End with exit code 4 for findings of this level or a worse one.",
    ),
    click.option(
        "--waivers", type=_FILE, metavar="FILE", help="Findings that somebody answers for: listed, and not counted."
    ),
    click.option("--only", multiple=True, metavar="R12,…", help="Only these findings. Repeats."),
    click.option("--examples", is_flag=True, help="A variable without a value takes its example, as with --emulator."),
)


@click.command("audit", help=_HELP)
@click.argument("playbook", required=False, type=_FILE)
@_with_asked
@with_variables
@with_target
@with_output
@with_evidence
def command(playbook: Path | None, *, asked: Asked, given: Given, target: Target, output: Output) -> int:
    """Load, read, judge."""
    only = tuple(_ids(asked.only))
    answered = waivers.load(asked.waivers) if asked.waivers else None
    _check(asked, target)
    examples = asked.examples or target.emulator
    wished = loaded(playbook, given, Surroundings.here(), examples=examples) if playbook else None
    _note(output, asked, wished)
    center = _center(asked, wished, target, output)
    result = judged(Seen(center, _moment(center), wished), only=only).failing_on(asked.fail_on)
    return output.emit(_answered_for(result, answered, only) if answered else result)


def _check(asked: Asked, target: Target) -> None:
    """Raises UsageError for options that exclude each other."""
    if asked.snapshot is None:
        return
    given = {
        "--save": asked.save is not None,
        "--url": target.url is not None,
        "--emulator": target.emulator,
        "--device-code": target.device_code,
    }
    for option, is_given in given.items():
        if is_given:
            raise UsageError(f"--snapshot and {option} exclude each other: a snapshot is judged without an environment")


def _ids(only: tuple[str, ...]) -> Iterator[str]:
    """The ids asked for. Raises UsageError for one that is no finding's."""
    known = {each.id for each in checks()}
    for text in (part.strip() for each in only for part in each.split(",")):
        if written(text) not in known:
            near = nearest(text)
            meant = f"; did you mean {near}?" if near in known else ""
            raise UsageError(f"--only {text[:40]!r} is no finding{meant} (`d365setup explain` lists them)")
        yield written(text)


def _note(output: Output, asked: Asked, playbook: Playbook | None) -> None:
    """What evidence tells of the inputs."""
    for name, text in playbook.texts if playbook else ():
        output.notebook.took("playbook", name, sha256(text.encode("utf-8", "surrogatepass")))
    for role, path in (("waivers", asked.waivers), ("snapshot", asked.snapshot)):
        if path is not None and path.is_file():
            output.notebook.took(role, str(path), sha256(path.read_bytes()))


def _center(asked: Asked, playbook: Playbook | None, target: Target, output: Output) -> ContactCenter:
    """What is judged: read, or kept from before; only the playbook's part where there is one."""
    kept = None
    if asked.snapshot is not None:
        center = open_snapshot(asked.snapshot).center
    else:
        with reached(target, output, read_only=True) as (client, _):
            # what is kept is a picture of the environment, whatever part of it is asked about now
            part = declared_part(playbook) if playbook and not asked.save else None
            center = read_center(client, part)
            kept = _kept(client, playbook) if asked.save else None
    output.know_people(people_in(center), bots_in(center))
    check_expected(
        Environment(center.url, center.organization_id, center.organization), target.expect_organization or ""
    )
    if asked.save is not None:
        save(asked.save, center, kept)
    return part_of(center, playbook) if playbook else center


def _kept(client: Client, playbook: Playbook | None) -> Kept:
    """What plans are made against."""
    from d365setup.against import keep  # noqa: PLC0415  # only --save needs it

    return keep(client, discover(), playbook.desired if playbook else None)


def _moment(center: ContactCenter) -> datetime:
    """When the environment was as it is judged: what changed just before a snapshot still counts as changed."""
    return datetime.fromisoformat(center.taken_at) if center.taken_at else datetime.now(UTC)


def _answered_for(result: Audit, answered: waivers.Waivers, only: tuple[str, ...]) -> Audit:
    """With the waivers of what was looked for: another one is not unused."""
    items = tuple(each for each in answered.items if not only or each.finding in only)
    return waivers.apply(result, replace(answered, items=items), datetime.now(UTC).date())
