"""The commands as tests/cli calls them."""

from tests.cli.conftest import _folder, at, emulator, run

__all__ = ["_folder", "at", "emulator", "run"]
