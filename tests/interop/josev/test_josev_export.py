"""Josev charges with hierarchies that `plugpass pki` made and exported in its folder layout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from interop.josev import ours, peer
from interop.josev.namespaces import Cable
from interop.josev.process import running

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> peer.JosevPki:
    """Our own ecosystem where Josev looks for its own."""
    folder = tmp_path_factory.mktemp("export")
    for arguments in (
        ("init", "--dir", folder / "ws"),
        ("export", "--format", "josev", "--out", folder / "pki", "--dir", folder / "ws"),
    ):
        subprocess.run(
            [sys.executable, "-m", "plugpass", "pki", *map(str, arguments)],
            check=True,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PLUGPASS_PKI_PASSPHRASE": "workspace", "PLUGPASS_EXPORT_PASSPHRASE": "12345"},
        )
    return peer.JosevPki(folder=folder / "pki")


def test_josevs_vehicle_charges_on_our_certificates(
    josev: peer.Installation, exported: peer.JosevPki, wire: Cable, tmp_path: Path
) -> None:
    command = peer.vehicle_command(josev, exported, wire.vehicle, tmp_path / "vehicle", install_contract=False)
    argv = wire.station.command(*ours.station_command(exported.folder, wire.station.interface))
    environment = {"PYTHONPATH": str(peer.REPOSITORY / "tests")}
    with running("our station", argv, cwd=tmp_path, env=environment) as station:
        station.wait_for(ours.READY, 30)
        with running("Josev's vehicle", command.argv, cwd=command.cwd, env=command.env) as vehicle:
            vehicle.wait_for(peer.VEHICLE_DONE, 60)
            assert "ERROR" not in vehicle.log, "a complaint of Josev's"


def test_our_vehicle_charges_at_josevs_station_on_our_certificates(
    josev: peer.Installation, exported: peer.JosevPki, wire: Cable, tmp_path: Path
) -> None:
    command = peer.station_command(josev, exported, wire.station, tmp_path / "station")
    argv = wire.vehicle.command(*ours.vehicle_command(exported.folder, wire.vehicle.interface, install=True))
    environment = {"PYTHONPATH": str(peer.REPOSITORY / "tests")}
    with running("Josev's station", command.argv, cwd=command.cwd, env=command.env) as station:
        station.wait_for(peer.STATION_READY, 30)
        with running("our vehicle", argv, cwd=tmp_path, env=environment) as vehicle:
            assert vehicle.wait_for_end(60) == 0, vehicle.log + station.log[-4000:]
            assert '"ok": true' in vehicle.log
