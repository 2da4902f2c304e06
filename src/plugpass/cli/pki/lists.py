"""Revocation lists of a workspace as files: one for each CA key, signed anew when half of its life is over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from plugpass.cli.pki.workspace import AuthorityPlan, Workspace
from plugpass.pki.crl import MalformedCrl, parse_crl
from plugpass.pki.profiles import KeyUsage
from plugpass.providers.local_ca.registrar import IssuingCa
from plugpass.store.layouts import write_file

_FOLDER: Final = "crl"
WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenList:
    """One list that was signed."""

    path: Path
    authority: str
    ca: str  #: role
    issuer: str
    entries: int


async def sign_lists(
    workspace: Workspace, plans: Iterable[AuthorityPlan], *, ca: str = "", validity: timedelta = WEEK
) -> tuple[WrittenList, ...]:
    """Sign and write the lists of all CAs of these authorities that may sign some, or of those in the role `ca`."""
    written = []
    for plan in plans:
        for issuer in (await workspace.authority(plan)).cas:
            if issuer.role.value == ca or (not ca and may_sign_lists(issuer)):
                written.append(await _sign(workspace, plan, issuer, validity))
    return tuple(written)


async def sign_list_of(workspace: Workspace, plan: AuthorityPlan, issuer_key_id: str) -> None:
    """Sign the list of one CA key anew, where that CA may sign lists."""
    for issuer in (await workspace.authority(plan)).cas:
        if issuer.key_id == issuer_key_id and may_sign_lists(issuer):
            await _sign(workspace, plan, issuer, WEEK)


async def fetch_list(workspace: Workspace, name: str) -> bytes | None:
    """The list of this file name: as it is, or signed anew where it is missing or past half of its life."""
    path = workspace.folder / _FOLDER / name
    if (kept := _still_young(path, workspace.clock.now())) is not None:
        return kept
    for plan in workspace.plan.authorities:
        for issuer in (await workspace.authority(plan)).cas:
            if issuer.crl_name == name and may_sign_lists(issuer):
                return (await _sign(workspace, plan, issuer, WEEK)).path.read_bytes()
    return None


def may_sign_lists(ca: IssuingCa) -> bool:
    """Whether the CA's certificate has cRLSign: private roots and vehicle Sub-CAs do not."""
    return KeyUsage.CRL_SIGN in (ca.certificate.extensions.key_usage or ())


async def _sign(workspace: Workspace, plan: AuthorityPlan, issuer: IssuingCa, validity: timedelta) -> WrittenList:
    signed = await (await workspace.authority(plan)).crl(issuer, validity=validity)
    path = workspace.folder / _FOLDER / issuer.crl_name
    write_file(path, signed)
    return WrittenList(
        path=path,
        authority=plan.name,
        ca=issuer.role.value,
        issuer=str(issuer.certificate.subject),
        entries=len(parse_crl(signed).revoked),
    )


def _still_young(path: Path, now: datetime) -> bytes | None:
    try:
        content = path.read_bytes()
        crl = parse_crl(content)
    except (OSError, MalformedCrl):
        return None
    if crl.next_update is None or now >= crl.this_update + (crl.next_update - crl.this_update) / 2:
        return None
    return content
