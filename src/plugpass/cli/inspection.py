"""`plugpass inspect`: what a signed CertificateInstallationRes says, and whether it holds."""

from __future__ import annotations

import base64
import binascii
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from plugpass.errors import LocalError

if TYPE_CHECKING:
    from plugpass.iso15118.inspection import ChainReport, Inspection

MAX_INPUT = 1 << 20
FIELD_NAME = "certificateInstallationRes"


def command(
    file: Annotated[
        str, typer.Argument(help="EXI as raw octets, base64 or hex, or JSON that contains one; - for standard input.")
    ],
    v2g_root: Annotated[list[Path] | None, typer.Option("--v2g-root", help="V2G root, PEM or DER; repeatable.")] = None,
    mo_root: Annotated[list[Path] | None, typer.Option("--mo-root", help="MO root, PEM or DER; repeatable.")] = None,
    at: Annotated[
        str, typer.Option("--at", help="Judge at this time (ISO 8601); default: when all certificates are valid.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Show a signed contract: chains, EMAID, validity, and the verdict on the CPS signature.

    Takes a CertificateInstallationRes of ISO 15118-2 as a pool (OPCP), a CSMS (OCPP Get15118EVCertificate) or a
    capture has it. Of JSON, the first member named certificateInstallationRes or exiResponse is taken. Without roots,
    the chains are checked inside, and not who stands above them.

    Exit code 0 when nothing is wrong with it, 1 when something is, 2 when it cannot be read.
    """
    from plugpass.errors import PeerError
    from plugpass.iso15118.inspection import inspect_installation
    from plugpass.store.files import read_anchors

    roots = (tuple(v2g_root or ()), tuple(mo_root or ()))
    anchors = read_anchors(v2g=roots[0], mo=roots[1]) if any(roots) else None
    octets = _find_exi(_read(file))
    try:
        report = inspect_installation(octets, anchors=anchors, at=_time(at) if at else None)
    except PeerError as error:
        raise LocalError(f"{file}: {error}") from error
    if as_json:
        print(json.dumps(_as_dict(report), indent=2))
    else:
        _print(report)
    if not report.ok:
        raise typer.Exit(1)


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read(MAX_INPUT)
    try:
        with Path(file).open("rb") as stream:
            return stream.read(MAX_INPUT)
    except OSError as error:
        raise LocalError(f"cannot read {file}: {error.strerror}") from None


def _find_exi(content: bytes) -> bytes:
    """The EXI in whatever form it was given; raw octets begin with the EXI header 0x80."""
    if content[:1] == b"\x80":
        return content
    text = content.decode("ascii", errors="replace").strip()
    if text[:1] in ("{", "["):
        text = _find_member(text)
    compact = "".join(text.split())
    if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", compact):
        return bytes.fromhex(compact)
    try:
        return base64.b64decode(compact, validate=True)
    except (binascii.Error, ValueError):
        raise LocalError("the input is neither EXI nor its base64 or hex, nor JSON that contains one") from None


def _find_member(text: str) -> str:
    try:
        found = next(_members(json.loads(text)), None)
    except json.JSONDecodeError as error:
        raise LocalError(f"the input looks like JSON and is not: {error}") from None
    if found is None:
        raise LocalError(f"the JSON has no member {FIELD_NAME} or exiResponse with EXI in it")
    return found


def _members(value: Any) -> Iterator[str]:
    """Every plausible EXI string under one of the two names, depth first."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name in (FIELD_NAME, "exiResponse") and isinstance(member, str) and len(member) > 200:
                yield member
            else:
                yield from _members(member)
    elif isinstance(value, list):
        for member in value:
            yield from _members(member)


def _time(text: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise LocalError(f"--at {text} is no ISO 8601 time, such as 2026-01-31T12:00:00Z") from None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _chain_dict(chain: ChainReport) -> dict[str, Any]:
    return {
        "role": chain.role,
        "certificates": [
            {
                "subject": str(certificate.subject),
                "serial": f"{certificate.serial:x}",
                "size": len(certificate.encoded),
                "not_before": certificate.not_before.isoformat(),
                "not_after": certificate.not_after.isoformat(),
            }
            for certificate in chain.certificates
        ],
        "trusted": chain.verdict.ok if chain.verdict else None,
        "findings": list(chain.findings),
    }


def _as_dict(report: Inspection) -> dict[str, Any]:
    signature = report.signature
    return {
        "ok": report.ok,
        "size": report.size,
        "session_id": report.session_id.hex(),
        "response_code": report.response_code,
        "emaid": report.emaid,
        "valid_from": report.valid_from.isoformat() if report.valid_from else None,
        "valid_to": report.valid_to.isoformat() if report.valid_to else None,
        "judged_at": report.at.isoformat() if report.at else None,
        "signature": {
            "ok": signature.ok,
            "grammar": signature.grammar,
            "emaid_form": signature.emaid_form,
            "references": [
                {"id": reference.element_id, "ok": not reference.problem, "problem": reference.problem}
                for reference in signature.references
            ],
            "findings": list(signature.findings),
        },
        "cps_chain": _chain_dict(report.cps),
        "contract_chain": _chain_dict(report.contract),
        "findings": list(report.findings),
        "remarks": list(report.remarks),
    }


def _print(report: Inspection) -> None:
    console = Console(highlight=False)
    yes, no = "[green]✓[/green]", "[bold red]✗[/bold red]"
    console.print(f"[bold]CertificateInstallationRes[/bold], {report.size:,} octets of EXI, {report.response_code}")
    facts = Table.grid(padding=(0, 2))
    facts.add_row("EMAID", report.emaid)
    facts.add_row("session", report.session_id.hex())
    facts.add_row("valid", f"{_day(report.valid_from)} to {_day(report.valid_to)} (all certificates)")
    facts.add_row("judged at", _day(report.at))
    grammar = f"in the {report.signature.grammar} grammar" if report.signature.grammar else "in no grammar"
    facts.add_row("signature", f"{yes if report.signature.ok else no} by the CPS leaf, {grammar}")
    for reference in report.signature.references:
        mark = no if reference.problem else yes
        facts.add_row("", f"{mark} #{reference.element_id} {reference.problem}")
    console.print(facts)
    for title, chain in (("CPS chain", report.cps), ("Contract chain", report.contract)):
        _print_chain(console, title, chain)
    for finding in report.findings:
        console.print(f"{no} {finding}", soft_wrap=True)
    for remark in report.remarks:
        console.print(f"[yellow]![/yellow] {remark}", soft_wrap=True)


def _print_chain(console: Console, title: str, chain: ChainReport) -> None:
    trusted = "not judged, no roots given" if chain.verdict is None else "trusted" if chain.verdict.ok else "refused"
    console.print(f"[bold]{title}[/bold]: {trusted}")
    for certificate in chain.certificates:
        console.print(
            f"  {certificate.common_name:<26} {len(certificate.encoded):>4} B"
            f"  {certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}  {certificate.serial:x}",
            soft_wrap=True,
            markup=False,
        )


def _day(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else "-"
