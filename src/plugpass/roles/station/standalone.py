"""A station without a CSMS, from files: what the `plugpass station` command runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from plugpass.clock import Clock
from plugpass.errors import ConfigurationError
from plugpass.ids import EMAID, EVSEID
from plugpass.iso15118.sdp import SDP_PORT
from plugpass.iso15118.timing import ISO2_TIMING
from plugpass.ports.charging import ContractProvider, RevocationSource
from plugpass.roles.station.backend_local import LocalBackend, LocalRules, RevocationRule
from plugpass.roles.station.credentials import FixedCredential
from plugpass.roles.station.station import Station, StationSettings
from plugpass.store.files import KeyFiles, read_anchors, read_credential, read_file

log = structlog.get_logger(__name__)

PROTOCOLS = ("iso2",)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandaloneStation:
    """Everything the station needs, as a person would write it on a command line."""

    evse_id: str
    secc: KeyFiles  #: SECC leaf, Sub-CA 2, Sub-CA 1, and the leaf's key
    v2g_roots: tuple[Path, ...]  #: contracts may end in these, too
    mo_roots: tuple[Path, ...]
    revocation: RevocationRule  #: no default: leaving it unchecked is a decision
    interface: str | None = None  #: None: loopback
    sdp_port: int = SDP_PORT
    ocsp_response: Path | None = None  #: DER, stapled to every handshake
    emaids: tuple[str, ...] = ()  #: who may charge; empty: every valid contract
    protocols: tuple[str, ...] = PROTOCOLS
    receipt_every: int | None = None
    patience: float = 1.0  #: compatibility switch for slow peers: all message times are multiplied by it


async def run_station(
    settings: StandaloneStation,
    *,
    clock: Clock,
    random: Callable[[int], bytes],
    revocation: RevocationSource | None = None,
    contracts: ContractProvider | None = None,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[Station], None] | None = None,
) -> None:
    """Serve vehicles until `stop` is set or the task is cancelled. Raises ConfigurationError for unusable settings."""
    if unknown := set(settings.protocols) - set(PROTOCOLS):
        raise ConfigurationError(f"protocols has {sorted(unknown)}; this version serves {list(PROTOCOLS)}")
    if settings.revocation is RevocationRule.OCSP and revocation is None:
        raise ConfigurationError("revocation is 'ocsp', but there is no way to ask responders; use 'unchecked'")
    anchors = read_anchors(v2g=settings.v2g_roots, mo=settings.mo_roots)
    backend = LocalBackend(
        rules=LocalRules(
            revocation=settings.revocation, emaids=frozenset(EMAID.parse(emaid) for emaid in settings.emaids)
        ),
        anchors=lambda: anchors,
        clock=clock,
        revocation=revocation,
        contracts=contracts,
    )
    station = Station(
        settings=StationSettings(
            evse_id=EVSEID.parse(settings.evse_id),
            interface=settings.interface,
            sdp_port=settings.sdp_port,
            certificate_service=contracts is not None,
            receipt_every=settings.receipt_every,
            timing=ISO2_TIMING.relaxed(settings.patience),
        ),
        credentials=FixedCredential(
            chain=read_credential(settings.secc),
            ocsp_response=read_file(settings.ocsp_response) if settings.ocsp_response else None,
        ),
        anchors=lambda: anchors,
        backend=backend,
        clock=clock,
        random=random,
    )
    async with station:
        if on_ready is not None:
            on_ready(station)
        await (stop or asyncio.Event()).wait()
