"""Station and vehicle as the command line runs them: from files, and what they say of unusable ones."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from charging_bench import CONTRACT, EVSE, clock_at_test_time
from pki_factory import ROLE, Minted, Pki, mint_pki
from plugpass.errors import ConfigurationError, LocalError
from plugpass.pki.bundle import pem
from plugpass.pki.policy import FIELD
from plugpass.pki.reasons import Reason
from plugpass.roles.station import RevocationRule, Station
from plugpass.roles.station.standalone import StandaloneStation, run_station
from plugpass.roles.vehicle import ChargingResult
from plugpass.roles.vehicle.standalone import StandaloneVehicle, run_vehicle, vehicle_policy
from plugpass.store.files import KeyFiles


@pytest.fixture(scope="module")
def pki() -> Pki:
    return mint_pki()


def key_files(folder: Path, name: str, minted: Minted) -> KeyFiles:
    chain, key, passphrase = folder / f"{name}.pem", folder / f"{name}.key", folder / f"{name}.txt"
    chain.write_text(pem(minted.chain))
    key.write_bytes(minted.signer.to_pem(b"a test passphrase"))
    passphrase.write_text("a test passphrase\n")
    return KeyFiles(chain=(chain,), key=key, passphrase_file=passphrase)


def station_settings(folder: Path, pki: Pki) -> StandaloneStation:
    leaf = pki.leaf(ROLE.SECC_LEAF, EVSE.display)
    (folder / "v2g.pem").write_text(pem([pki[ROLE.V2G_ROOT].der]))
    (folder / "mo.der").write_bytes(pki[ROLE.MO_ROOT].der)
    (folder / "staple.der").write_bytes(pki.ocsp_response(leaf.der, ROLE.CPO_SUB2))
    return StandaloneStation(
        evse_id=EVSE.display,
        secc=key_files(folder, "secc", leaf),
        v2g_roots=(folder / "v2g.pem",),
        mo_roots=(folder / "mo.der",),
        revocation=RevocationRule.UNCHECKED,
        sdp_port=0,
        ocsp_response=folder / "staple.der",
    )


def vehicle_settings(folder: Path, pki: Pki) -> StandaloneVehicle:
    return StandaloneVehicle(
        evcc_id="02:a0:b0:c0:d0:e0",
        v2g_roots=(folder / "v2g.pem",),
        mo_roots=(folder / "mo.der",),
        contract=key_files(folder, "contract", pki.leaf(ROLE.CONTRACT, str(CONTRACT))),
        loops=3,
    )


async def charge(station: StandaloneStation, vehicle: StandaloneVehicle) -> ChargingResult:
    """One session between the two."""
    clock, stop = clock_at_test_time(), asyncio.Event()
    ready: asyncio.Future[Station] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        run_station(station, clock=clock, random=os.urandom, stop=stop, on_ready=ready.set_result)
    )
    await asyncio.wait({ready, serving}, return_when=asyncio.FIRST_COMPLETED)
    try:
        return await run_vehicle(replace(vehicle, sdp_port=ready.result().sdp_port), clock=clock, random=os.urandom)
    finally:
        stop.set()
        await serving


async def test_station_and_vehicle_from_files(pki: Pki, tmp_path: Path) -> None:
    result = await charge(station_settings(tmp_path, pki), vehicle_settings(tmp_path, pki))
    assert result.ok, result.reason
    assert result.emaid == CONTRACT


async def test_state_keeps_the_contract(pki: Pki, tmp_path: Path) -> None:
    station, first = station_settings(tmp_path, pki), vehicle_settings(tmp_path, pki)
    assert first.contract is not None
    kept = replace(first, state=tmp_path / "vehicle.db", state_passphrase_file=first.contract.passphrase_file)
    assert (await charge(station, kept)).ok
    assert (await charge(station, replace(kept, contract=None))).emaid == CONTRACT


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"protocols": ("iso20",)}, "protocols"),
        ({"revocation": RevocationRule.OCSP}, "unchecked"),
        ({"v2g_roots": (Path("missing.pem"),)}, "cannot read missing.pem"),
        ({"ocsp_response": Path("missing.der")}, "cannot read missing.der"),
    ],
)
async def test_unusable_station_settings(pki: Pki, tmp_path: Path, change: dict[str, object], text: str) -> None:
    settings = replace(station_settings(tmp_path, pki), **change)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=text):
        await run_station(settings, clock=clock_at_test_time(), random=os.urandom)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"protocols": ("din",)}, "protocols"),
        ({"evcc_id": "car"}, "MAC address"),
        ({"policy": "lax"}, "policy"),
        ({"tolerate": ("everything",)}, "everything"),
        ({"state": Path("vehicle.db")}, "state_passphrase_file"),
    ],
)
async def test_unusable_vehicle_settings(pki: Pki, tmp_path: Path, change: dict[str, object], text: str) -> None:
    station_settings(tmp_path, pki)
    if "state" in change:
        change = {"state": tmp_path / "vehicle.db"}
    settings = replace(vehicle_settings(tmp_path, pki), **change)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=text):
        await run_vehicle(settings, clock=clock_at_test_time(), random=os.urandom)


def test_tolerance_is_for_the_station_leaf_only(pki: Pki, tmp_path: Path) -> None:
    settings = replace(vehicle_settings(tmp_path, pki), tolerate=("cn-syntax",))
    policy = vehicle_policy(settings)
    assert policy.name == "field+tolerate"
    assert policy.tolerated - FIELD.tolerated == {(Reason.CN_SYNTAX, ROLE.SECC_LEAF)}


async def test_wrong_passphrase_is_said_without_the_passphrase(pki: Pki, tmp_path: Path) -> None:
    settings = station_settings(tmp_path, pki)
    settings.secc.passphrase_file.write_text("another one")
    with pytest.raises(LocalError) as error:
        await run_station(settings, clock=clock_at_test_time(), random=os.urandom)
    assert "another one" not in str(error.value)


async def test_file_without_certificates(pki: Pki, tmp_path: Path) -> None:
    settings = station_settings(tmp_path, pki)
    (tmp_path / "v2g.pem").write_text("nothing here")
    with pytest.raises(ConfigurationError, match="holds no certificates"):
        await run_station(settings, clock=clock_at_test_time(), random=os.urandom)
