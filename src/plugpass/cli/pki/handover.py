"""Taking certificates and keys out of a workspace."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from plugpass.cli.pki.certificates import HIERARCHY, audit_export
from plugpass.cli.pki.secrets import EXPORT_VARIABLE, find_passphrase
from plugpass.cli.pki.workspace import ROOT_TYPE, AuthorityPlan, Workspace
from plugpass.errors import LocalError
from plugpass.pki.bundle import pem
from plugpass.pki.certificate import parse
from plugpass.pki.keys import LocalSigner
from plugpass.pki.profiles import CertificateRole, Generation
from plugpass.ports.keys import Credential
from plugpass.providers.local_ca.hierarchy import key_name
from plugpass.store.layouts import (
    Ecosystem,
    Layout,
    everest_layout,
    josev_layout,
    write_file,
    write_private,
    write_tree,
)

_LAYOUTS: Final[Mapping[str, Callable[[Ecosystem, bytes], Layout]]] = MappingProxyType(
    {"josev": josev_layout, "everest": everest_layout}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which credential is to be exported."""

    role: str
    name: str = ""
    root: str = ""
    authority: str = ""


# --- one certificate -------------------------------------------------------------------------------------------------


async def export_one(
    workspace: Workspace, form: str, out: Path, wish: Wish, passphrase_file: Path | None
) -> dict[str, Any]:
    """Write one credential as `form`: pem, der, p12 or key. Raises LocalError where it is not there."""
    plan, credential = await _find(workspace, wish)
    chain = await _chain(workspace, plan, credential, wish.root)
    subject = str(parse(chain[0]).subject)
    if form in ("p12", "key"):
        passphrase = find_passphrase(passphrase_file, EXPORT_VARIABLE, purpose=f"for {out}", confirm=True)
        content = _sealed(form, credential, chain, subject, passphrase)
        await audit_export(workspace, _anonymous(wish.role or "leaf", credential), out)
        write_private(out, content)
    else:
        write_file(out, pem(chain).encode() if form == "pem" else chain[0])
    return {"ok": True, "subject": subject, "file": str(out), "certificates": len(chain)}


def _sealed(form: str, credential: Credential, chain: tuple[bytes, ...], subject: str, passphrase: bytes) -> bytes:
    signer = credential.signer
    if not isinstance(signer, LocalSigner):
        raise LocalError(f"the key of {subject} is in a token and cannot be exported")
    if form == "key":
        return signer.to_pem(passphrase)
    leaf, *above = (x509.load_der_x509_certificate(der) for der in chain)
    return pkcs12.serialize_key_and_certificates(
        parse(chain[0]).common_name.encode(), signer.private_key, leaf, above, BestAvailableEncryption(passphrase)
    )


async def _find(workspace: Workspace, wish: Wish) -> tuple[AuthorityPlan, Credential]:
    """The credential of a CA role, or of the leaf of a role and name."""
    found = [
        (plan, name)
        for plan in workspace.plan.authorities
        if wish.authority in ("", plan.name)
        for name in await workspace.realm(plan.name).names()
        if _names(name, wish)
    ]
    if len(found) != 1:
        options = ", ".join(f"{plan.name} {name.partition(':')[2]}" for plan, name in found)
        problem = f"these fit: {options}; say --authority and --name" if found else "there is none"
        raise LocalError(f"no single {wish.role or 'credential'} {wish.name}".rstrip() + f" to export: {problem}")
    (plan, name), *_ = found
    credential = await workspace.realm(plan.name).get(name)
    if credential is None:
        raise LocalError(f"{name} has just been deleted from {plan.name}")
    return plan, credential


def _names(key: str, wish: Wish) -> bool:
    if key.startswith("leaf:"):
        _, role, name = key.split(":", 2)
        return wish.role in ("", role) and wish.name in ("", name)
    return bool(wish.role) and key == f"ca:{wish.role}" and not wish.name


async def _chain(workspace: Workspace, plan: AuthorityPlan, credential: Credential, root: str) -> tuple[bytes, ...]:
    """The credential's chain, or its way up to the root with this fingerprint."""
    if not root:
        return credential.chain
    wanted = root.lower().replace(":", "")
    chains = await (await workspace.authority(plan)).chains(credential.chain[0])
    fitting = [chain for chain in chains if parse(chain.root).fingerprint.startswith(wanted)]
    if not fitting:
        roots = ", ".join(sorted({parse(chain.root).fingerprint[:16] for chain in chains}))
        raise LocalError(f"no chain ends in the root {root}; there are chains to {roots}")
    return fitting[0].certificates


# --- folders -------------------------------------------------------------------------------------------------------


async def export_layout(
    workspace: Workspace,
    layout: str,
    out: Path,
    generation: Generation,
    authority: str,
    passphrase_file: Path | None,
) -> dict[str, Any]:
    """Write a folder layout, all of it or nothing. `authority` chooses the V2G root where there are several."""
    chosen = [
        plan
        for plan in workspace.plan.authorities
        if plan.generation is generation and (not authority or plan.name == authority or not _competes(plan))
    ]
    if authority and not any(plan.name == authority for plan in chosen):
        raise LocalError(f"there is no authority {authority} of {generation} to lay out")
    ecosystem = await _ecosystem(workspace, chosen)
    passphrase = _layout_passphrase(passphrase_file)
    made = _LAYOUTS[layout](ecosystem, passphrase)
    for role, credential in ecosystem.credentials.items():
        await audit_export(workspace, _anonymous(role, credential), out)
    write_tree(out, made.files)
    return {"ok": True, "folder": str(out), "files": len(made.files), "missing": list(made.missing)}


def _competes(plan: AuthorityPlan) -> bool:
    return plan.hierarchy.value in ("v2g", "pe")


async def _ecosystem(workspace: Workspace, plans: list[AuthorityPlan]) -> Ecosystem:
    roots: dict[Any, tuple[bytes, ...]] = {}
    credentials: dict[CertificateRole, Credential] = {}
    for plan in plans:
        authority = await workspace.authority(plan)
        root_type = ROOT_TYPE[plan.hierarchy]
        roots[root_type] = (*roots.get(root_type, ()), authority.root)
        realm = workspace.realm(plan.name)
        for role in HIERARCHY:
            names = await realm.names(f"leaf:{role}:")
            credential = await realm.get(names[0]) if names and role not in credentials else None
            if credential is not None:
                credentials[role] = credential
        for role in authority.certificates:
            if role is CertificateRole.MO_SUB2 and (stored := await realm.get(key_name(role))) is not None:
                credentials[role] = stored  # Josev's station signs sales tariffs with it
    return Ecosystem(roots=roots, credentials=credentials)


def _layout_passphrase(file: Path | None) -> bytes:
    """The passphrase given; else a random one: the layout has it in a file of its own anyway."""
    try:
        return find_passphrase(file, EXPORT_VARIABLE, purpose="for the exported keys", confirm=True)
    except LocalError:
        if file is not None:
            raise
        return secrets.token_urlsafe(24).encode()


def _anonymous(role: str, credential: Credential) -> str:
    """How the audit log calls a credential: drivers and vehicles are told apart by the serial number, not by name."""
    return f"{role} serial {parse(credential.chain[0]).serial:x}"
