"""Carry out a plan: stages of change sets, each read back in the same `$batch` and compared. Yields as it goes."""

from d365setup.apply.application import Recorder, Settings, apply_plan
from d365setup.apply.failures import failure_of
from d365setup.apply.parcels import estimate

__all__ = ["Recorder", "Settings", "apply_plan", "estimate", "failure_of"]
