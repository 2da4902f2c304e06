"""Josev against Josev: where this fails, the harness or the machine is at fault, not plugpass."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop.josev.namespaces import Cable
from interop.josev.peer import (
    STATION_READY,
    VEHICLE_DONE,
    Installation,
    JosevPki,
    station_command,
    vehicle_command,
)
from interop.josev.process import running

pytestmark = pytest.mark.interop


def test_josev_charges_at_josev(josev: Installation, josev_pki: JosevPki, wire: Cable, tmp_path: Path) -> None:
    station = station_command(josev, josev_pki, wire.station, tmp_path / "station")
    vehicle = vehicle_command(josev, josev_pki, wire.vehicle, tmp_path / "vehicle", install_contract=True)
    with running("Josev's station", station.argv, cwd=station.cwd, env=station.env) as secc:
        secc.wait_for(STATION_READY, 30)
        with running("Josev's vehicle", vehicle.argv, cwd=vehicle.cwd, env=vehicle.env) as evcc:
            evcc.wait_for(VEHICLE_DONE, 60)
            assert "CertificateInstallationRes received" in evcc.log
            assert "ChargingStatusRes received" in evcc.log
