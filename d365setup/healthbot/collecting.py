"""Backups and exported scenarios from the disk, within bounds. Reads only."""

from __future__ import annotations

from pathlib import Path

from d365setup.errors import UsageError
from d365setup.healthbot import backup as backups
from d365setup.healthbot.backup import MOST_SCENARIOS, read_backup
from d365setup.healthbot.collected import Collected, Found, Origin, Text
from d365setup.healthbot.graph import LARGEST, ScenarioError, parsed
from d365setup.healthbot.scenario import read_scenario


def from_backup(path: Path) -> Collected:
    """The bot of a backup's file. Raises UsageError where it cannot be read, ScenarioError where it is none."""
    return of_backup(_text(path, backups.LARGEST, "--backup"), str(path), "backup")


def of_backup(text: str, name: str, origin: Origin) -> Collected:
    """The bot of a backup's text; ``name`` is its file, or the link it came from. Raises ScenarioError."""
    found = read_backup(text, name)
    file = Text(name, text) if origin == "backup" else None
    return Collected(name, origin, tuple(Found(each, file) for each in found.scenarios), found)


def from_folder(folder: Path) -> Collected:
    """The scenarios of a folder: each `*.json` in it is an export, or a list of them. Raises as `from_backup`."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.is_file())
    except OSError as error:
        raise UsageError(f"--scenarios {folder} cannot be read: {error.strerror}") from None
    if not files:
        raise UsageError(f"--scenarios {folder} holds no scenario: each is a file that ends in .json")
    if len(files) > MOST_SCENARIOS:
        raise UsageError(f"--scenarios {folder} holds {len(files):,} files, more than the {MOST_SCENARIOS:,} read")
    return Collected(str(folder), "scenarios", tuple(found for path in files for found in _scenarios(path)))


def _scenarios(path: Path) -> list[Found]:
    """An export is one scenario; what the management API takes is a list of them."""
    text = _text(path, LARGEST, "--scenarios")
    value = parsed(text, str(path))
    if isinstance(value, dict) and "configuration" in value and "scenarios" in value:
        raise ScenarioError("it is a backup, no scenario; give it with --backup", str(path))
    listed = value if isinstance(value, list) else [value]
    names = [f"{path}[{at}]" for at in range(len(listed))] if isinstance(value, list) else [str(path)]
    file = Text(str(path), text)
    return [Found(read_scenario(each, name), file) for each, name in zip(listed, names, strict=True)]


def _text(path: Path, most: int, option: str) -> str:
    """What a file says. Raises UsageError, and ScenarioError before more than ``most`` bytes are read."""
    try:
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise UsageError(f"{option} {path} cannot be read: {error.strerror}") from None
    if len(content) > most:
        raise ScenarioError(f"it has more than {most:,} bytes, and no more are read", str(path))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"it is no UTF-8 text: byte {error.start + 1:,} fits nowhere", str(path)) from None
