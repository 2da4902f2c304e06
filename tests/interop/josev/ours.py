"""Our sides of a session with Josev: the `plugpass` commands, and a station that also provides contracts.

The command line's station has no contract provider of its own, so the one that Josev installs a contract from is this
module run as a program: `python -m interop.josev.ours <json>`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from charging_bench import SealingProvider
from plugpass.cli.logs import configure_logs
from plugpass.ids import EMAID
from plugpass.net.clock import SystemClock
from plugpass.pki.certificate import parse
from plugpass.pki.keys import LocalSigner
from plugpass.roles.station import RevocationRule, Station
from plugpass.roles.station.standalone import StandaloneStation, run_station
from plugpass.store.files import KeyFiles, read_credential

EVSE_ID = "DE*PLU*E1001*1"
READY = "is ready"


class JosevFiles:
    """Josev's PKI, sorted by what our settings call it."""

    def __init__(self, pki: Path) -> None:
        self._certificates = pki / "iso15118_2" / "certs"
        self._keys = pki / "iso15118_2" / "private_keys"

    def certificates(self, *names: str) -> tuple[Path, ...]:
        return tuple(self._certificates / name for name in names)

    def credential(self, key: str, *chain: str) -> KeyFiles:
        return KeyFiles(
            chain=self.certificates(*chain),
            key=self._keys / f"{key}.key",
            passphrase_file=self._keys / f"{key}Password.txt",
        )

    @property
    def contract(self) -> KeyFiles:
        return self.credential("contractLeaf", "contractLeafCert.der", "moSubCA2Cert.der", "moSubCA1Cert.der")

    @property
    def cps(self) -> KeyFiles:
        return self.credential("cpsLeaf", "cpsLeafCert.der", "cpsSubCA2Cert.der", "cpsSubCA1Cert.der")

    @property
    def oem(self) -> KeyFiles:
        return self.credential("oemLeaf", "oemLeafCert.der", "oemSubCA2Cert.der", "oemSubCA1Cert.der")

    @property
    def secc(self) -> KeyFiles:
        return self.credential("seccLeaf", "cpoCertChain.pem")

    @property
    def v2g_roots(self) -> tuple[Path, ...]:
        return self.certificates("v2gRootCACert.der")

    @property
    def mo_roots(self) -> tuple[Path, ...]:
        return self.certificates("moRootCACert.der")


def station_command(pki: Path, interface: str) -> list[str]:
    """`plugpass station` with Josev's SECC leaf and roots."""
    files = JosevFiles(pki)
    return [
        *(sys.executable, "-m", "plugpass", "station", "--evse-id", EVSE_ID, "--interface", interface),
        *_key_options("--chain", "--key", files.secc),
        *("--passphrase-file", str(files.secc.passphrase_file)),
        *_repeated("--v2g-root", files.v2g_roots),
        *_repeated("--mo-root", files.mo_roots),
        *("--revocation", "unchecked"),  # its certificates name an OCSP responder that does not exist
        *("--receipt-every", "4"),
    ]


def providing_station_command(pki: Path, interface: str) -> list[str]:
    """The same station, with a contract provider."""
    return [sys.executable, "-m", "interop.josev.ours", json.dumps({"pki": str(pki), "interface": interface})]


def vehicle_command(pki: Path, interface: str, *, install: bool) -> list[str]:
    """`plugpass vehicle` with Josev's provisioning certificate, and with its contract or with none."""
    files = JosevFiles(pki)
    credential = ("--provisioning", "--provisioning-key", files.oem)
    if not install:
        credential = ("--contract", "--contract-key", files.contract)
    return [
        *(sys.executable, "-m", "plugpass", "vehicle", "--evcc-id", "02a0b0c0d0e0", "--interface", interface),
        *_repeated("--v2g-root", files.v2g_roots),
        *_repeated("--mo-root", files.mo_roots),
        *_key_options(*credential),
        *("--passphrase-file", str(files.oem.passphrase_file)),  # one password opens all its keys
        *("--staple", "tolerate-missing"),  # it does not staple
        *("--patience", "5"),  # its Java codec takes its time
        "--json",
    ]


def _repeated(option: str, paths: tuple[Path, ...]) -> list[str]:
    return [word for path in paths for word in (option, str(path))]


def _key_options(chain: str, key: str, files: KeyFiles) -> list[str]:
    return [*_repeated(chain, files.chain), key, str(files.key)]


async def _serve(options: dict[str, Any]) -> None:
    files = JosevFiles(Path(options["pki"]))
    contract = read_credential(files.contract)
    assert isinstance(contract.signer, LocalSigner)
    provider = SealingProvider(
        contract=contract,
        contract_key=contract.signer,
        emaid=EMAID.parse(parse(contract.chain[0]).common_name),
        cps=read_credential(files.cps),
    )
    settings = StandaloneStation(
        evse_id=EVSE_ID,
        secc=files.secc,
        v2g_roots=files.v2g_roots,
        mo_roots=files.mo_roots,
        revocation=RevocationRule.UNCHECKED,
        interface=options["interface"],
        receipt_every=4,
    )

    def ready(station: Station) -> None:
        print(f"station {READY}: TLS port {station.port}", flush=True)

    await run_station(settings, clock=SystemClock(), random=os.urandom, contracts=provider, on_ready=ready)


if __name__ == "__main__":
    configure_logs("info")
    asyncio.run(_serve(json.loads(sys.argv[1])))
