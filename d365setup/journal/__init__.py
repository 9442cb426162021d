"""What was done here, durable before it is done: one file for each run, in the state directory's folder `runs`."""

from d365setup.journal.entries import Damaged, Recorded, Recording, Sent, TooNew
from d365setup.journal.files import Journal, Runs, UnknownRun

__all__ = ["Damaged", "Journal", "Recorded", "Recording", "Runs", "Sent", "TooNew", "UnknownRun"]
