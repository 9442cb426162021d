"""A contact center read from an environment, or from a snapshot of one."""

from d365setup.survey.kept import Answer, Kept
from d365setup.survey.queries import Part
from d365setup.survey.reading import read_center
from d365setup.survey.snapshot import Snapshot, dump, load, open_snapshot, save

__all__ = ["Answer", "Kept", "Part", "Snapshot", "dump", "load", "open_snapshot", "read_center", "save"]
