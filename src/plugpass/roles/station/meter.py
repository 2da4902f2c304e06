"""The energy meter and the contactor behind it."""

from __future__ import annotations

from typing import Protocol

from plugpass.iso15118.iso2.config import MeterReading


class Meter(Protocol):
    """The metrology of one EVSE: its register only ever grows."""

    def read(self) -> MeterReading:
        """The register now."""
        ...

    def switch(self, *, closed: bool) -> None:
        """Close or open the contactor."""
        ...


class SimulatedMeter:
    """A meter without hardware: each reading with a closed contactor finds `step_wh` more than the one before."""

    def __init__(self, *, meter_id: str = "PLUGPASS-SIM-1", register_wh: int = 0, step_wh: int = 250) -> None:
        self._meter_id = meter_id
        self._register_wh = register_wh
        self._step_wh = step_wh
        self._closed = False

    @property
    def register_wh(self) -> int:
        """The register, looked at without moving it."""
        return self._register_wh

    def read(self) -> MeterReading:
        """The register now, in watt-hours."""
        if self._closed:
            self._register_wh += self._step_wh
        return MeterReading(meter_id=self._meter_id, energy_wh=self._register_wh)

    def switch(self, *, closed: bool) -> None:
        """Close or open the contactor."""
        self._closed = closed
