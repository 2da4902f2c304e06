"""Josev and plugpass, each on a host of its own: ISO 15118-2 AC Plug & Charge over TLS, with Josev's PKI."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from interop.josev import ours, peer
from interop.josev.namespaces import Cable, Host
from interop.josev.process import Peer, running

pytestmark = pytest.mark.interop

EMAID_INSTANCE = peer.CONTRACT_EMAID[5:14]

both = pytest.mark.parametrize("install", [False, True], ids=["stored contract", "contract installation"])


def plugpass(name: str, host: Host, argv: list[str], folder: Path) -> AbstractContextManager[Peer]:
    """Our side as a process on `host`."""
    folder.mkdir()
    return running(name, host.command(*argv), cwd=folder, env={"PYTHONPATH": str(peer.REPOSITORY / "tests")})


@both
def test_josev_vehicle_charges_at_our_station(
    josev: peer.Installation, josev_pki: peer.JosevPki, wire: Cable, tmp_path: Path, install: bool
) -> None:
    command = peer.vehicle_command(josev, josev_pki, wire.vehicle, tmp_path / "vehicle", install_contract=install)
    start = ours.providing_station_command if install else ours.station_command
    argv = start(josev_pki.folder, wire.station.interface)
    with plugpass("our station", wire.station, argv, tmp_path / "station") as station:
        station.wait_for(ours.READY, 30)
        with running("Josev's vehicle", command.argv, cwd=command.cwd, env=command.env) as vehicle:
            vehicle.wait_for(peer.VEHICLE_DONE, 60)
            ended = station.wait_for("phase=.*Ended", 30)
            log = vehicle.log
    assert "StoppedByEV" in ended
    assert "Starting TLS client" in log
    assert log.count("ChargingStatusRes received") >= 10
    assert log.count("MeteringReceiptRes received") >= 2
    assert ("CertificateInstallationRes received" in log) == install
    assert "ERROR" not in log, "a complaint of Josev's"


@both
def test_our_vehicle_charges_at_josevs_station(
    josev: peer.Installation, josev_pki: peer.JosevPki, wire: Cable, tmp_path: Path, install: bool
) -> None:
    command = peer.station_command(josev, josev_pki, wire.station, tmp_path / "station")
    argv = ours.vehicle_command(josev_pki.folder, wire.vehicle.interface, install=install)
    with running("Josev's station", command.argv, cwd=command.cwd, env=command.env) as station:
        station.wait_for(peer.STATION_READY, 30)
        with plugpass("our vehicle", wire.vehicle, argv, tmp_path / "vehicle") as vehicle:
            status = vehicle.wait_for_end(60)
            said = vehicle.log
        assert status == 0, said + station.log[-4000:]
    result = json.loads(said[said.index("\n{") if not said.startswith("{") else 0 :])
    assert result["ok"]
    assert result["protocol"] == "ISO 15118-2"
    assert EMAID_INSTANCE in str(result["emaid"])
    assert (EMAID_INSTANCE in str(result["installed"])) == install
    codes = {exchange["request"]: exchange["response_code"] for exchange in result["exchanges"]}
    assert codes["AuthorizationReq"] == "OK"
    assert codes["SessionStopReq"] == "OK"
    assert ("CertificateInstallationReq" in codes) == install


def test_missing_staple_is_refused_unless_tolerated_by_name(
    josev: peer.Installation, josev_pki: peer.JosevPki, wire: Cable, tmp_path: Path
) -> None:
    command = peer.station_command(josev, josev_pki, wire.station, tmp_path / "station")
    argv = ours.vehicle_command(josev_pki.folder, wire.vehicle.interface, install=False)
    strict = [word for word in argv if word not in {"--staple", "tolerate-missing"}]
    with running("Josev's station", command.argv, cwd=command.cwd, env=command.env) as station:
        station.wait_for(peer.STATION_READY, 30)
        with plugpass("our vehicle", wire.vehicle, strict, tmp_path / "vehicle") as vehicle:
            assert vehicle.wait_for_end(60) == 1
            assert '"tls_alert": "bad_certificate_status_response"' in vehicle.log
