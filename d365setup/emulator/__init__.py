"""A small, honest Dataverse with Omnichannel tables on a loopback port, for trying, rehearsing and testing.

It knows nothing of the rest of the project: it is a second reading of the same published documents.
"""

from .core import Emulator
from .faults import fault_of
from .options import Fault, Limits, Options, Request, Switches
from .organizations import Organizations
from .store import DataFileError

__all__ = [
    "DataFileError",
    "Emulator",
    "Fault",
    "Limits",
    "Options",
    "Organizations",
    "Request",
    "Switches",
    "fault_of",
]
