"""The command line: `d365setup COMMAND`. Importing it loads click and nothing else of weight."""

from d365setup.cli.front import main

__all__ = ["main"]
