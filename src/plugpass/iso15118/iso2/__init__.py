"""ISO 15118-2 charging sessions: the message flow as a table, and the SECC and EVCC machines that follow it."""

from plugpass.iso15118.iso2.evcc import Evcc
from plugpass.iso15118.iso2.secc import Secc

__all__ = ["Evcc", "Secc"]
