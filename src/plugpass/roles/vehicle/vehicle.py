"""The vehicle: one plug-in from SDP to the closed connection."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from plugpass.clock import Clock
from plugpass.errors import PeerError, Unavailable
from plugpass.iso15118.iso2 import Evcc
from plugpass.iso15118.iso2.config import ContractCredential, EnergyRequest, EvccConfig, Installation
from plugpass.iso15118.machine import SessionEnded
from plugpass.iso15118.sdp import MAX_REQUESTS, SDP_PORT
from plugpass.iso15118.timing import ISO2_TIMING, SessionTiming
from plugpass.net.evcc_client import SeccAddress, connect, discover
from plugpass.net.session import run_session
from plugpass.net.stream import ByteStream
from plugpass.net.tls import TlsRefused, TlsStream
from plugpass.pki.policy import FIELD, Policy
from plugpass.pki.profiles import RootType
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.keys import ContractStore, KeyStore
from plugpass.ports.trace import NullTrace, Trace, WireEvent
from plugpass.roles.vehicle.result import ChargingResult
from plugpass.roles.vehicle.session import VehicleSession
from plugpass.roles.vehicle.trust import StapleRule, StationTrust

log = structlog.get_logger(__name__)

OEM_PROVISIONING = "oem-provisioning"  #: the provisioning certificate's name in the key store

_SDP_OCTETS = 10 + 28  #: request and response with their V2GTP headers


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleSettings:
    """What a vehicle is and wants."""

    evcc_id: bytes  #: MAC address, 6 octets
    energy: EnergyRequest = field(default_factory=EnergyRequest)
    max_loops: int | None = 10  #: ChargingStatus messages of one session; None: until the energy is delivered
    loop_interval: float = 0.0  #: seconds
    ongoing_interval: float = 0.25  #: seconds
    external_payment: bool = False  #: take other payment where no contract can be used
    policy: Policy = FIELD  #: how strictly the station's chain is judged
    staple: StapleRule = StapleRule.REQUIRED
    timing: SessionTiming = ISO2_TIMING


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Where the vehicle is plugged in: the interface SDP runs on."""

    interface: str | None = None  #: None: loopback
    sdp_port: int = SDP_PORT
    sdp_tries: int = MAX_REQUESTS  #: requests without an answer before giving up [V2G2-161]
    tls: bool = True


class Vehicle:
    """A vehicle with its provisioning certificate, its contracts and its trust anchors.

    `anchors` holds V2G roots (stations, provisioning services) and MO roots (contracts).
    """

    def __init__(
        self,
        *,
        settings: VehicleSettings,
        keys: KeyStore,
        contracts: ContractStore,
        anchors: TrustAnchors,
        clock: Clock,
        random: Callable[[int], bytes],
        trace: Trace | None = None,
    ) -> None:
        self.settings = settings
        self._keys = keys
        self._contracts = contracts
        self._anchors = anchors
        self._clock = clock
        self._trace = trace or NullTrace()
        self._random = random

    async def plug_in(self, outlet: Outlet, *, request_installation: bool = False) -> ChargingResult:
        """Charge once. `request_installation` asks for a contract certificate although there is one (renewal).

        Whatever the station or the network does is in the result; raises LocalError only where our own stores fail.
        """
        begun = self._clock.monotonic()
        trust = StationTrust(
            anchors=self._anchors, policy=self.settings.policy, staple=self.settings.staple, clock=self._clock
        )
        try:
            result = await self._charge(outlet, trust, request_installation)
        except TlsRefused as refusal:
            self._record_tls(trust, begun, ok=False, detail=refusal.alert or str(refusal))
            log.warning("tls_refused", alert=refusal.alert, by_station=refusal.by_peer, reason=_cause(refusal))
            result = ChargingResult(
                ok=False, reason=_cause(refusal), tls_alert=refusal.alert or "close", server_serial=trust.serial
            )
        except Unavailable as error:
            log.warning("no_station", reason=str(error))
            result = ChargingResult(ok=False, reason=str(error))
        return dataclasses.replace(result, ms=(self._clock.monotonic() - begun) * 1000)

    async def _charge(self, outlet: Outlet, trust: StationTrust, request_installation: bool) -> ChargingResult:
        address = await self._discover(outlet)
        begun = self._clock.monotonic()
        roots = self._anchors.of_type(RootType.V2G)
        stream = await connect(address, verify=trust if address.tls else None, roots=roots)
        if isinstance(stream, TlsStream):
            self._record_tls(trust, begun, ok=True, detail=f"SECC leaf {trust.serial:x}" if trust.serial else "")
        return await self._session(stream, trust, tls=address.tls, request_installation=request_installation)

    async def _discover(self, outlet: Outlet) -> SeccAddress:
        begun = self._clock.monotonic()
        address = await discover(
            interface=outlet.interface, sdp_port=outlet.sdp_port, tls=outlet.tls, tries=outlet.sdp_tries
        )
        self._trace.record(
            WireEvent(
                actor="vehicle",
                peer="station",
                protocol="SDP",
                message="SECCDiscoveryReq",
                size=_SDP_OCTETS,
                ms=(self._clock.monotonic() - begun) * 1000,
                detail=f"port {address.port}, {'TLS' if address.tls else 'no TLS'}",
            )
        )
        return address

    async def _session(
        self, stream: ByteStream, trust: StationTrust, *, tls: bool, request_installation: bool
    ) -> ChargingResult:
        try:
            config = await self._config(tls=tls, request_installation=request_installation)
        except BaseException:
            await stream.close()
            raise
        session = VehicleSession(
            contracts=self._contracts,
            clock=self._clock,
            trace=self._trace,
            emaid=config.contract.emaid if config.contract else None,
        )
        machine = Evcc(config, random=self._random, now=self._clock.monotonic())
        ended = await run_session(stream, machine, clock=self._clock, handle=session.handle)
        return _result(session, ended, trust.serial)

    async def _config(self, *, tls: bool, request_installation: bool) -> EvccConfig:
        oem = await self._keys.get(OEM_PROVISIONING)
        current = await self._contracts.current()
        contract = None
        if current is not None:
            emaid, credential = current
            contract = ContractCredential(emaid=emaid, chain=credential.chain, signer=credential.signer)
        wanted = Installation.ALWAYS if request_installation else Installation.IF_MISSING
        chosen = self.settings
        return EvccConfig(
            evcc_id=chosen.evcc_id,
            wall_clock=self._clock.now,
            anchors=self._anchors,
            tls=tls,
            oem=oem,
            contract=contract,
            installation=wanted if oem is not None else Installation.NEVER,
            external_payment=chosen.external_payment,
            energy=chosen.energy,
            max_loops=chosen.max_loops,
            loop_interval=chosen.loop_interval,
            ongoing_interval=chosen.ongoing_interval,
            timing=chosen.timing,
        )

    def _record_tls(self, trust: StationTrust, begun: float, *, ok: bool, detail: str) -> None:
        self._trace.record(
            WireEvent(
                actor="vehicle",
                peer="station",
                protocol="TLS",
                message="handshake",
                size=trust.octets,
                ms=(self._clock.monotonic() - begun) * 1000,
                ok=ok,
                detail=detail,
            )
        )


def _cause(refusal: TlsRefused) -> str:
    """What our own verifier said, where it was ours who refused."""
    return str(refusal.__cause__) if isinstance(refusal.__cause__, PeerError) else str(refusal)


def _result(session: VehicleSession, ended: SessionEnded, serial: int | None) -> ChargingResult:
    return ChargingResult(
        ok=ended.ok,
        reason=ended.reason,
        emaid=session.emaid,
        installed=session.installed,
        installation_refusal=session.installation_refusal,
        refused=session.refused,
        protocol=session.protocol,
        session_id=session.session_id,
        evse_id=session.evse_id,
        server_serial=serial,
        exchanges=tuple(session.exchanges),
        receipts=session.receipts,
        energy_wh=session.energy_wh,
        expires_soon=session.expires_soon,
        ms_to_charging=session.ms_to_charging,
    )
