"""Josev (PyPI `iso15118`), the Java-based peer: installed into a virtual environment of its own, with its own PKI."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interop.josev.namespaces import Host

REPOSITORY = Path(__file__).resolve().parents[3]
REQUIREMENTS = REPOSITORY / "requirements" / "josev.txt"
CACHE = REPOSITORY / ".interop"

STATION_READY = r"UDP server (started|socket ready)"
VEHICLE_DONE = r"SessionStopRes received"

CONTRACT_EMAID = "UKSWI1234567915"
_CONTRACT_EMAID_AS_SHIPPED = "UKSWI123456791A"  #: its check digit is wrong, so no strict peer can take it


def missing_tools() -> str:
    """What this machine lacks for sessions with Josev, or "" where it has everything."""
    lacking = []
    if shutil.which("java") is None:
        lacking.append("Java (a `java` command; Josev's EXI codec is a jar file)")
    if shutil.which("openssl") is None:
        lacking.append("openssl (Josev's PKI script calls it)")
    if shutil.which("ip") is None:
        lacking.append("iproute2 (the `ip` command)")
    if os.geteuid() != 0:
        lacking.append("root (network namespaces)")
    elif shutil.which("ip") and not _namespaces_work():
        lacking.append("the right to make network namespaces")
    return ", ".join(lacking)


def _namespaces_work() -> bool:
    name = f"pp-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Josev's virtual environment."""

    python: Path

    @property
    def package(self) -> Path:
        """The folder of the installed package."""
        (found,) = self.python.parents[1].glob("lib/python*/site-packages/iso15118")
        return found


def install() -> Installation:
    """Josev from the pinned, hashed requirements; built once for each content of that file, then reused."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = CACHE / f"josev-{digest}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "josev.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parallel test workers share the one installation
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _call(sys.executable, "-m", "venv", str(folder))
            pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            _call(*pip, "--require-hashes", "--requirement", str(REQUIREMENTS))
            (folder / "complete").touch()
    return Installation(python=folder / "bin" / "python")


@dataclass(frozen=True, slots=True, kw_only=True)
class JosevPki:
    """The certificates and keys that Josev's own script mints, valid from now on for its short lifetimes."""

    folder: Path

    @property
    def certificates(self) -> Path:
        """PEM and DER certificates."""
        return self.folder / "iso15118_2" / "certs"

    @property
    def keys(self) -> Path:
        """Encrypted PEM keys, and the files with their passwords."""
        return self.folder / "iso15118_2" / "private_keys"


def mint_pki(installation: Installation, folder: Path) -> JosevPki:
    """Run Josev's script in `folder`, with the contract's EMAID corrected; everything else is as it ships."""
    folder.mkdir(parents=True)
    pki = installation.package / "shared" / "pki"
    shutil.copytree(pki / "configs", folder / "configs")
    contract = folder / "configs" / "contractLeafCert.cnf"
    contract.write_text(contract.read_text().replace(_CONTRACT_EMAID_AS_SHIPPED, CONTRACT_EMAID))
    shutil.copy(pki / "create_certs.sh", folder)
    _call("bash", "./create_certs.sh", "-v", "iso-2", cwd=folder)
    return JosevPki(folder=folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class JosevCommand:
    """How to start one of its sides: command line, environment, and a working folder without a `.env` file."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path


def station_command(installation: Installation, pki: JosevPki, host: Host, folder: Path) -> JosevCommand:
    """Its SECC."""
    return _command(installation, pki, host, folder, "iso15118.secc.main")


def vehicle_command(
    installation: Installation, pki: JosevPki, host: Host, folder: Path, *, install_contract: bool
) -> JosevCommand:
    """Its EVCC, about to do one ISO 15118-2 AC Plug & Charge session with ten charging loops."""
    settings = {
        "supportedProtocols": ["ISO_15118_2"],
        "supportedEnergyServices": ["AC"],
        "energyTransferMode": "AC_three_phase_core",
        "isCertInstallNeeded": install_contract,
        "useTls": True,
        "chargeLoopCycle": 10,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "evcc.json"
    path.write_text(json.dumps(settings))
    return _command(installation, pki, host, folder, "iso15118.evcc.main", str(path))


def _command(
    installation: Installation, pki: JosevPki, host: Host, folder: Path, module: str, *arguments: str
) -> JosevCommand:
    folder.mkdir(parents=True, exist_ok=True)
    return JosevCommand(
        argv=tuple(host.command(str(installation.python), "-m", module, *arguments)),
        env={
            "NETWORK_INTERFACE": host.interface,
            "PKI_PATH": f"{pki.folder}/",  # it concatenates without a separator
            "LOG_LEVEL": "INFO",
            "PYTHONUNBUFFERED": "1",
        },
        cwd=folder,
    )


def _call(*argv: str, cwd: Path | None = None) -> None:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"`{' '.join(argv)}` failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
