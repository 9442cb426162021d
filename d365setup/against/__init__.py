"""Planning against a snapshot: what a plan asks is answered from rows that were kept, and nothing is sent."""

from d365setup.against.asking import keep
from d365setup.against.planning import Planning

__all__ = ["Planning", "keep"]
