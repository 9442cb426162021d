"""The options commands share, and how they come in: as one frozen value for each group."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from d365setup.cli.output import Output, Settings
from d365setup.report import ENDINGS, FORMS, MAX_CHARS, PLAIN, Form

Command = Callable[..., int]
Decorator = Callable[[Command], Command]


@dataclasses.dataclass(frozen=True)
class Target:
    """Which environment, and how patient to be with it."""

    url: str | None = None
    emulator: bool = False
    emulator_data: Path | None = None
    expect_organization: str | None = None
    state_dir: Path | None = None
    ca_bundle: Path | None = None
    max_wait: float = 300.0
    device_code: bool = False


@dataclasses.dataclass(frozen=True)
class Given:
    """What the call says beside the playbook's file."""

    var: tuple[str, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """Values by variable name. Raises click.UsageError for one that is no NAME=VALUE, or comes twice."""
        found: dict[str, str] = {}
        for each in self.var:
            name, equals, value = each.partition("=")
            if not equals or not name.strip():
                raise click.UsageError("--var takes NAME=VALUE, for example --var bot_email=bot@contoso.example")
            if name.strip() in found:
                raise click.UsageError(f"--var {name.strip()} is given twice")
            found[name.strip()] = value
        return found


def gathered(kind: type, name: str, *options: Callable[[Command], Command]) -> Decorator:
    """Add options to a command, which gets them as one value of that dataclass under that name."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def call(**values: Any) -> int:
            own = {each.name: values.pop(each.name) for each in dataclasses.fields(kind) if each.name in values}
            return command(**{name: kind(**own)}, **values)

        found: Command = call
        for option in reversed(options):
            found = option(found)
        return found

    return decorate


_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0}
_AGES = {"m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """A time, written as 80ms, 1.5s or 2; for `type=` of an option."""
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s|)", text, re.ASCII)
    if not found:
        raise click.BadParameter(f"{text!r} is no time; write it like 80ms, 1.5s or 2")
    return float(found[1]) * _SECONDS[found[2]]


def age(text: str) -> float:
    """A longer time in seconds, written as 30m, 24h or 7d; for `type=` of an option."""
    found = re.fullmatch(r"([0-9]{1,5})([mhd])", text, re.ASCII)
    if not found:
        raise click.BadParameter(f"{text!r} is no time; write it like 30m, 24h or 7d")
    return float(found[1]) * _AGES[found[2]]


_FILE = click.Path(path_type=Path)

# what more than one group of options has
emulator_data = click.option(
    "--emulator-data", type=_FILE, metavar="FILE", help="The emulator's data. [default: STATE-DIR/emulator.db]"
)
state_dir = click.option(
    "--state-dir",
    type=_FILE,
    metavar="DIR",
    help="What lasts between runs. [env: D365_STATE_DIR; default: .d365setup]",
)
ca_bundle = click.option(
    "--ca-bundle",
    type=_FILE,
    metavar="FILE",
    help="Certificates to trust, where a proxy signs with its own. [env: D365_CA_BUNDLE]",
)
max_wait = click.option(
    "--max-wait",
    type=seconds,
    default="300",
    show_default=True,
    metavar="SECONDS",
    help="How long one request may wait in all when the service is busy.",
)
healthbot_resource = click.option(
    "--healthbot-resource",
    metavar="ID",
    help="Read the Health Bot's signing secret from Azure: the resource's id, or /subscriptions/ID to look for it "
    "there. [env: D365_HEALTHBOT_RESOURCE_ID]",
)

with_target = gathered(
    Target,
    "target",
    click.option("--url", metavar="URL", help="The environment, https://….crm.dynamics.com. [env: D365_URL]"),
    click.option("--emulator", is_flag=True, help="Use the built-in emulator instead of an environment."),
    emulator_data,
    click.option(
        "--expect-organization",
        metavar="NAME|ID",
        help="Refuse any other organization than this one.",
    ),
    state_dir,
    ca_bundle,
    max_wait,
    click.option("--device-code", is_flag=True, help="Sign in as a person, with a code. [env: D365_DEVICE_CODE]"),
)

with_variables = gathered(
    Given,
    "given",
    click.option(
        "--var", multiple=True, metavar="NAME=VALUE", help="A variable's value; wins over the environment. Repeats."
    ),
)


def ended(command: Callable[[], int], output: Output) -> int:
    """Run it; whatever it raises becomes a message and an exit code, told through the output."""
    try:
        return command()
    except BrokenPipeError:
        raise  # nobody reads any more: click ends the program quietly
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # the one place where all of them end
        return output.failed(error)


def _with_ending(command: Command, forms: tuple[Form, ...]) -> Command:
    @wraps(command)
    def call(output: Settings, **values: Any) -> int:
        speaker = Output(output)

        def act() -> int:
            speaker.open(forms)
            return command(output=speaker, **values)

        return ended(act, speaker)

    return call


def _options(forms: tuple[Form, ...]) -> tuple[Decorator, ...]:
    endings = ", ".join(ending for ending, form in ENDINGS.items() if form in forms)
    return (
        click.option(
            "--format",
            type=click.Choice(forms),
            default="text",
            show_default=True,
            help="What to print on stdout.",
        ),
        click.option(
            "--report",
            multiple=True,
            type=_FILE,
            metavar="FILE",
            help=f"Write the result to a file too; its ending says the format: {endings}. Repeats.",
        ),
        click.option(
            "--max-chars",
            type=click.IntRange(min=300),
            default=MAX_CHARS,
            show_default=True,
            metavar="N",
            help="The most characters that Markdown may have.",
        ),
        click.option("--redact", is_flag=True, help="Show people as person-1, person-2, …"),
        click.option("--no-color", is_flag=True, help="No colours on a terminal. [env: NO_COLOR]"),
        click.option("--verbose", is_flag=True, help="One line on stderr for each wait."),
    )


_ANNOTATIONS = click.option(
    "--annotations",
    type=click.Choice(["auto", "off"]),
    default="auto",
    envvar="D365_ANNOTATIONS",
    help="auto: annotations and a job summary in GitHub Actions and Azure Pipelines. "
    "[env: D365_ANNOTATIONS; default: auto]",
)


def with_output(command: Command) -> Command:
    """Add the output options; the command gets an `Output` and may raise anything."""
    return gathered(Settings, "output", *_options(FORMS), _ANNOTATIONS)(_with_ending(command, FORMS))


def with_plain_output(command: Command) -> Command:
    """As `with_output`, for a command whose results judge nothing: no JUnit, no SARIF, no annotations."""
    return gathered(Settings, "output", *_options(PLAIN))(_with_ending(command, PLAIN))


def taught(summary: str, *examples: str, exits: str = "") -> str:
    """The text of a command's `--help`: what it does, examples, and exit codes where they matter."""
    shown = "\n".join(f"  {each}" for each in examples)
    codes = f"\n\nExit codes: {exits}" if exits else ""
    return f"{summary}\n\n\b\nExamples:\n{shown}{codes}"
