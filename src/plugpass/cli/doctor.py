"""`plugpass doctor`: what this installation can do, and what is missing for the rest."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `needed` says whether the lab depends on it."""

    name: str
    ok: bool
    needed: bool
    text: str


def _python() -> Finding:
    return Finding("Python", sys.version_info >= (3, 11), True, platform.python_version())


def _exi_engine() -> Finding:
    from plugpass.exi import engine_name

    texts = {"c": "c", "python": "python (interpreter; slower, built where no C compiler was found)"}
    return Finding("EXI engine", True, True, texts[engine_name()])


def _openssl() -> Finding:
    from cryptography.hazmat.backends.openssl import backend

    return Finding("OpenSSL of cryptography", True, True, backend.openssl_version_text())


def _tls() -> Finding:
    from plugpass.net.tls import capabilities

    found = capabilities()
    missing = [name for name, ok in found.items() if not ok]
    return Finding(
        "TLS extensions", not missing, False, f"missing: {', '.join(missing)}" if missing else "all available"
    )


def _ipv6_loopback() -> Finding:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        return Finding("IPv6 loopback", False, False, f"{error.strerror}; the lab falls back to IPv4")
    return Finding("IPv6 loopback", True, False, "::1")


def _uvloop() -> Finding:
    found = importlib.util.find_spec("uvloop") is not None
    return Finding("uvloop", found, False, importlib.metadata.version("uvloop") if found else "not installed")


def _tool(name: str, use: str) -> Callable[[], Finding]:
    def look() -> Finding:
        path = shutil.which(name)
        return Finding(name, path is not None, False, "found" if path else f"not found; only needed for {use}")

    return look


CHECKS: tuple[Callable[[], Finding], ...] = (
    _python,
    _exi_engine,
    _openssl,
    _tls,
    _ipv6_loopback,
    _uvloop,
    _tool("java", "interop tests with Josev"),
    _tool("pki", "interop tests with the strongSwan EST client"),
    _tool("ip", "interop tests in network namespaces"),
)


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say what this installation can do: Python, EXI engine, TLS extensions, foreign peers for interop tests.

    Exit code 1 when something the lab needs is missing.
    """
    findings = [check() for check in CHECKS]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        table = Table("", "what", "found", show_edge=False)
        for finding in findings:
            mark = "[green]✓[/green]" if finding.ok else "[red]✗[/red]" if finding.needed else "[yellow]-[/yellow]"
            table.add_row(mark, finding.name, finding.text)
        Console().print(table)
    if any(finding.needed and not finding.ok for finding in findings):
        raise typer.Exit(1)
