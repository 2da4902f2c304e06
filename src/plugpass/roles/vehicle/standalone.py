"""One plug-in of a vehicle, from files: what the `plugpass vehicle` command runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from plugpass.clock import Clock
from plugpass.errors import ConfigurationError
from plugpass.ids import EMAID
from plugpass.iso15118.iso2.config import EnergyRequest
from plugpass.iso15118.sdp import SDP_PORT
from plugpass.iso15118.timing import ISO2_TIMING
from plugpass.pki.certificate import parse
from plugpass.pki.policy import POLICIES, Policy
from plugpass.pki.profiles import CertificateRole
from plugpass.pki.reasons import Reason
from plugpass.ports.trace import Trace
from plugpass.roles.vehicle.result import ChargingResult
from plugpass.roles.vehicle.trust import StapleRule
from plugpass.roles.vehicle.vehicle import OEM_PROVISIONING, Outlet, Vehicle, VehicleSettings
from plugpass.store.database import Database
from plugpass.store.files import KeyFiles, read_anchors, read_credential, read_passphrase
from plugpass.store.keys import SqlKeyStore

PROTOCOLS = ("iso2",)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandaloneVehicle:
    """Everything the vehicle needs, as a person would write it on a command line."""

    evcc_id: str  #: MAC address, 12 hexadecimal digits
    v2g_roots: tuple[Path, ...]
    mo_roots: tuple[Path, ...]
    interface: str | None = None  #: None: loopback
    sdp_port: int = SDP_PORT
    provisioning: KeyFiles | None = None  #: without it no contract can be installed
    contract: KeyFiles | None = None
    state: Path | None = None  #: database in which installed contracts are kept; None: gone at the end
    state_passphrase_file: Path | None = None  #: opens the keys in `state`
    request_installation: bool = False
    loops: int = 10
    amount_wh: int = 20_000
    policy: str = "field"  #: how strictly the station's chain is judged
    tolerate: tuple[str, ...] = ()  #: compatibility switch: profile findings on the SECC leaf let pass, by reason id
    staple: StapleRule = StapleRule.REQUIRED
    protocols: tuple[str, ...] = PROTOCOLS
    patience: float = 1.0  #: compatibility switch for slow peers: all message times are multiplied by it


async def run_vehicle(
    settings: StandaloneVehicle, *, clock: Clock, random: Callable[[int], bytes], trace: Trace | None = None
) -> ChargingResult:
    """Plug in once. Raises ConfigurationError for unusable settings."""
    if unknown := set(settings.protocols) - set(PROTOCOLS):
        raise ConfigurationError(f"protocols has {sorted(unknown)}; this version speaks {list(PROTOCOLS)}")
    anchors = read_anchors(v2g=settings.v2g_roots, mo=settings.mo_roots)
    chosen = VehicleSettings(
        evcc_id=_mac(settings.evcc_id),
        energy=EnergyRequest(amount_wh=settings.amount_wh),
        max_loops=settings.loops,
        policy=vehicle_policy(settings),
        staple=settings.staple,
        timing=ISO2_TIMING.relaxed(settings.patience),
    )
    database = await (Database.at(settings.state) if settings.state else Database.in_memory())
    try:
        store = SqlKeyStore(database, _state_passphrase(settings, random))
        await _fill(store, settings)
        vehicle = Vehicle(
            settings=chosen, keys=store, contracts=store, anchors=anchors, clock=clock, random=random, trace=trace
        )
        outlet = Outlet(interface=settings.interface, sdp_port=settings.sdp_port)
        return await vehicle.plug_in(outlet, request_installation=settings.request_installation)
    finally:
        await database.close()


async def _fill(store: SqlKeyStore, settings: StandaloneVehicle) -> None:
    """Put what the files hold into the store; a contract in the store is newer than the one in the files."""
    if settings.provisioning is not None:
        await store.put(OEM_PROVISIONING, read_credential(settings.provisioning))
    if settings.contract is not None and await store.current() is None:
        contract = read_credential(settings.contract)
        await store.install(EMAID.parse(parse(contract.chain[0]).common_name), contract)


def vehicle_policy(settings: StandaloneVehicle) -> Policy:
    """How the station's chain is judged. Raises ConfigurationError for unknown names."""
    base = POLICIES.get(settings.policy)
    if base is None:
        raise ConfigurationError(f"policy is {settings.policy!r}; use one of {', '.join(POLICIES)}")
    if not settings.tolerate:
        return base
    if unknown := set(settings.tolerate) - set(Reason):
        raise ConfigurationError(f"tolerate has {sorted(unknown)}, which are no reason ids; see `plugpass.pki.reasons`")
    extra = {(Reason(reason), CertificateRole.SECC_LEAF) for reason in settings.tolerate}
    return dataclasses.replace(base, name=f"{base.name}+tolerate", tolerated=base.tolerated | extra)


def _state_passphrase(settings: StandaloneVehicle, random: Callable[[int], bytes]) -> bytes:
    if settings.state is None:
        return random(32)  # the keys live in memory only
    if settings.state_passphrase_file is None:
        raise ConfigurationError("state needs state_passphrase_file: keys are never at rest in the clear")
    return read_passphrase(settings.state_passphrase_file)


def _mac(text: str) -> bytes:
    try:
        return bytes.fromhex(text.replace(":", ""))
    except ValueError:
        raise ConfigurationError(f"evcc_id is {text!r}; give a MAC address such as 02a0b0c0d0e0") from None
