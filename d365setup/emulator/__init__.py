"""A small, honest Dataverse with Omnichannel tables on a loopback port, for trying, rehearsing and testing.

It knows nothing of the rest of the project: it is a second reading of the same published documents.
"""

from .core import Emulator
from .options import Fault, Options, Request, Switches
from .store import DataFileError

__all__ = ["DataFileError", "Emulator", "Fault", "Options", "Request", "Switches"]
