"""`plugpass station` and `plugpass vehicle`: one role alone, against a real counterparty."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugpass.cli.options import Level, LogLevel, PassphraseFile

if TYPE_CHECKING:
    from plugpass.roles.station import Station
    from plugpass.roles.vehicle.result import ChargingResult
    from plugpass.store.files import KeyFiles

Interface = Annotated[
    str | None, typer.Option("--interface", "-i", help="Network interface for SDP and TLS; default loopback.")
]
SdpPort = Annotated[int, typer.Option("--sdp-port", help="UDP port of SECC discovery.", min=0, max=65535)]
V2gRoots = Annotated[list[Path], typer.Option("--v2g-root", help="V2G root certificate, PEM or DER; repeatable.")]
MoRoots = Annotated[list[Path] | None, typer.Option("--mo-root", help="MO root certificate; repeatable.")]
Patience = Annotated[float, typer.Option("--patience", help="Multiply all message times, for slow peers.", min=1.0)]


def station(
    evse_id: Annotated[str, typer.Option("--evse-id", help="EVSE ID, such as DE*ABC*E1001*1.")],
    chain: Annotated[list[Path], typer.Option("--chain", help="SECC leaf, then its Sub-CAs; one file or several.")],
    key: Annotated[Path, typer.Option("--key", help="Private key of the SECC leaf, encrypted PEM.")],
    v2g_root: V2gRoots,
    passphrase_file: PassphraseFile = None,
    mo_root: MoRoots = None,
    revocation: Annotated[
        str, typer.Option("--revocation", help="Contract certificates: ask their OCSP responders (ocsp), or unchecked.")
    ] = "ocsp",
    emaid: Annotated[
        list[str] | None, typer.Option("--emaid", help="Who may charge; default: every valid one.")
    ] = None,
    ocsp_response: Annotated[Path | None, typer.Option("--ocsp-response", help="DER OCSP response to staple.")] = None,
    receipt_every: Annotated[
        int | None, typer.Option("--receipt-every", help="Ask for a signed receipt every n-th loop.", min=2)
    ] = None,
    interface: Interface = None,
    sdp_port: SdpPort = 15118,
    patience: Patience = 1.0,
    log_level: LogLevel = Level.INFO,
) -> None:
    """Run a charging station (SECC) for ISO 15118-2 AC Plug & Charge, deciding by itself who may charge.

    It answers SECC discovery on the interface, serves TLS 1.2 with the given SECC leaf, validates contract chains
    against the given roots, and runs until Ctrl-C.
    """
    from plugpass.cli.logs import configure_logs
    from plugpass.net.clock import SystemClock
    from plugpass.net.http_client import http_client
    from plugpass.providers.ocsp import HttpRevocationSource
    from plugpass.roles.station.backend_local import RevocationRule
    from plugpass.roles.station.standalone import StandaloneStation, run_station

    configure_logs(log_level or Level.INFO)
    if revocation not in tuple(RevocationRule):
        raise typer.BadParameter(f"use one of {', '.join(RevocationRule)}", param_hint="--revocation")
    settings = StandaloneStation(
        evse_id=evse_id,
        secc=_key_files(chain, key, passphrase_file),
        v2g_roots=tuple(v2g_root),
        mo_roots=tuple(mo_root or ()),
        revocation=RevocationRule(revocation),
        interface=interface,
        sdp_port=sdp_port,
        ocsp_response=ocsp_response,
        emaids=tuple(emaid or ()),
        receipt_every=receipt_every,
        patience=patience,
    )

    def ready(running: Station) -> None:
        typer.echo(f"station {evse_id} is ready: SDP port {running.sdp_port}, TLS port {running.port}; Ctrl-C ends it")

    async def serve() -> None:
        clock = SystemClock()
        async with http_client(clock=clock) as http:
            source = HttpRevocationSource(http, clock=clock, actor="station", peer="responder")
            await run_station(settings, clock=clock, random=os.urandom, revocation=source, on_ready=ready)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


def vehicle(
    evcc_id: Annotated[str, typer.Option("--evcc-id", help="MAC address of the EVCC, 12 hexadecimal digits.")],
    v2g_root: V2gRoots,
    mo_root: MoRoots = None,
    passphrase_file: PassphraseFile = None,
    contract: Annotated[
        list[Path] | None, typer.Option("--contract", help="Contract chain, leaf first; one file or several.")
    ] = None,
    contract_key: Annotated[Path | None, typer.Option("--contract-key", help="Its private key, encrypted PEM.")] = None,
    provisioning: Annotated[
        list[Path] | None, typer.Option("--provisioning", help="OEM provisioning chain, to install a contract.")
    ] = None,
    provisioning_key: Annotated[Path | None, typer.Option("--provisioning-key", help="Its key, encrypted PEM.")] = None,
    state: Annotated[Path | None, typer.Option("--state", help="Database that keeps installed contracts.")] = None,
    install: Annotated[bool, typer.Option("--install", help="Ask for a contract although there is one.")] = False,
    loops: Annotated[int, typer.Option("--loops", help="ChargingStatus messages.", min=1)] = 10,
    policy: Annotated[str, typer.Option("--policy", help="For the station's chain: field or annex-f.")] = "field",
    tolerate: Annotated[
        list[str] | None,
        typer.Option("--tolerate", help="Let this finding on the SECC leaf pass, by its id; repeatable."),
    ] = None,
    staple: Annotated[
        str, typer.Option("--staple", help="OCSP staple of the station: required or tolerate-missing.")
    ] = "required",
    interface: Interface = None,
    sdp_port: SdpPort = 15118,
    patience: Patience = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    log_level: LogLevel = Level.WARNING,
) -> None:
    """Plug a vehicle (EVCC) in once: discover a station, charge with ISO 15118-2 AC Plug & Charge, and stop.

    Needs a contract (--contract, --contract-key), or a provisioning certificate to have one installed.
    Exit code 0 when it charged, 1 when it did not.
    """
    from plugpass.cli.logs import configure_logs
    from plugpass.net.clock import SystemClock
    from plugpass.roles.vehicle.standalone import StandaloneVehicle, run_vehicle
    from plugpass.roles.vehicle.trust import StapleRule

    configure_logs(log_level or Level.WARNING)
    if staple not in tuple(StapleRule):
        raise typer.BadParameter(f"use one of {', '.join(StapleRule)}", param_hint="--staple")
    settings = StandaloneVehicle(
        evcc_id=evcc_id,
        v2g_roots=tuple(v2g_root),
        mo_roots=tuple(mo_root or ()),
        interface=interface,
        sdp_port=sdp_port,
        provisioning=_optional_key_files(provisioning, provisioning_key, passphrase_file, "--provisioning"),
        contract=_optional_key_files(contract, contract_key, passphrase_file, "--contract"),
        state=state,
        state_passphrase_file=passphrase_file if state else None,
        request_installation=install,
        loops=loops,
        policy=policy,
        tolerate=tuple(tolerate or ()),
        staple=StapleRule(staple),
        patience=patience,
    )
    # Not uvloop: it loses the scope id of link-local addresses, and connecting to them fails with EINVAL.
    result = asyncio.run(run_vehicle(settings, clock=SystemClock(), random=os.urandom))
    _show(result, as_json=as_json)
    if not result.ok:
        raise typer.Exit(1)


def _key_files(chain: list[Path], key: Path, passphrase_file: Path | None) -> KeyFiles:
    from plugpass.store.files import KeyFiles

    if passphrase_file is None:
        raise typer.BadParameter(
            "private keys are encrypted: name the file with their passphrase", param_hint="--passphrase-file"
        )
    return KeyFiles(chain=tuple(chain), key=key, passphrase_file=passphrase_file)


def _optional_key_files(
    chain: list[Path] | None, key: Path | None, passphrase_file: Path | None, option: str
) -> KeyFiles | None:
    if not chain and key is None:
        return None
    if not chain or key is None:
        raise typer.BadParameter(f"goes together with {option}-key", param_hint=option)
    return _key_files(chain, key, passphrase_file)


def _show(result: ChargingResult, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result.as_dict(), indent=2))
        return
    for exchange in result.exchanges:
        print(f"{exchange.request:<28} {exchange.response_code:<36} {exchange.size:>6} B {exchange.ms:>8.1f} ms")
    verdict = "charged" if result.ok else "did not charge"
    print(f"{verdict}: {result.energy_wh} Wh, EMAID {result.emaid or '-'}, {result.ms:.0f} ms. {result.reason}")
