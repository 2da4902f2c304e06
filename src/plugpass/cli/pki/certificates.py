"""Issuing, requesting and revoking leaves in a workspace."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final

from plugpass.cli.pki.inputs import UnusableFile, read_bounded, read_certificates_of
from plugpass.cli.pki.workspace import AuthorityPlan, Workspace, leaf_key_name
from plugpass.errors import LocalError
from plugpass.ids import EMAID, EVCCID, EVSEID, PCID, SECCID, InvalidIdentifier
from plugpass.pki import der
from plugpass.pki.bundle import decode_armour, pem
from plugpass.pki.certificate import parse
from plugpass.pki.csr import MAX_CSR_BYTES, CsrRefused, create_csr, parse_csr
from plugpass.pki.keys import Curve, LocalSigner, generate, public_key_info
from plugpass.pki.profiles import CertificateRole, Generation, profiles
from plugpass.ports.audit import Ceremony
from plugpass.ports.keys import Credential
from plugpass.providers.local_ca import Hierarchy
from plugpass.store.layouts import write_file

HIERARCHY: Final[Mapping[CertificateRole, Hierarchy]] = MappingProxyType(
    {
        CertificateRole.SECC_LEAF: Hierarchy.V2G,
        CertificateRole.CPS_LEAF: Hierarchy.V2G,
        CertificateRole.OEM_PROVISIONING: Hierarchy.OEM,
        CertificateRole.VEHICLE_LEAF: Hierarchy.OEM,
        CertificateRole.CONTRACT: Hierarchy.MO,
        CertificateRole.PE_SECC: Hierarchy.PE,
    }
)


# --- issuing -------------------------------------------------------------------------------------------------------


async def issue_leaf(
    workspace: Workspace,
    plan: AuthorityPlan,
    role: CertificateRole,
    common_name: str,
    *,
    days: int | None = None,
    reuse: bool = False,
) -> tuple[bytes, ...]:
    """A chain for a new key that stays in the workspace; with `reuse`, the one that is there already.

    Raises CsrRefused where the name is not of the kind the role needs.
    """
    name, keys = leaf_key_name(role, common_name), workspace.realm(plan.name)
    kept = await keys.get(name)
    if kept is not None and reuse:
        return kept.chain
    signer = generate(plan.curve)
    csr = request(signer, role, common_name, plan.organization, plan.country)
    chain = await sign_request(workspace, plan, role, csr, days=days)
    await keys.put(name, Credential(chain=chain, signer=signer))
    return chain


async def sign_request(
    workspace: Workspace, plan: AuthorityPlan, role: CertificateRole, csr: bytes, *, days: int | None = None
) -> tuple[bytes, ...]:
    """The chain for somebody's PKCS#10, leaf first. Raises CsrRefused."""
    lives = {role: timedelta(days=days)} if days else None
    authority = await workspace.authority(plan, lives=lives)
    return (await authority.issue(csr, role)).certificates


def request(signer: LocalSigner, role: CertificateRole, common_name: str, organization: str, country: str) -> bytes:
    """A DER PKCS#10 for a leaf of `role`; a SECC's EVSEID is its SubjectAltName as well (switch S10)."""
    evse_id = None
    if role is CertificateRole.SECC_LEAF:
        try:
            evse_id = EVSEID.parse(common_name)
        except InvalidIdentifier:
            evse_id = None  # then it is a SECCID, or the profile refuses it
    return create_csr(
        signer,
        common_name=common_name,
        organization=organization,
        country=country,
        evse_id=evse_id,
        key_usage=profiles(Generation.ISO20)[role].key_usage.issue,
    )


def curve_for(generation: Generation, wanted: Curve | None) -> Curve:
    """The curve of a leaf key. Raises LocalError where the generation does not have it."""
    profile = profiles(generation)[CertificateRole.SECC_LEAF]
    if wanted is not None and wanted not in profile.curves:
        raise LocalError(f"{generation} has no keys on {wanted}; use {', '.join(sorted(profile.curves))}")
    return wanted or profile.preferred_curve


# --- requests of others ----------------------------------------------------------------------------------------------


def read_request(path: Path) -> bytes:
    """The PKCS#10 of a file. Raises UnusableFile where it is none."""
    content = read_bounded(path, 2 * MAX_CSR_BYTES)
    try:
        encoded = decode_armour(content, "CERTIFICATE REQUEST")
        der.read_sequence(encoded)
    except der.MalformedDer as error:
        raise UnusableFile(f"{path} is no certificate request: {error}") from None
    return encoded


def _station(name: str) -> str:
    for kind in (EVSEID, SECCID):
        try:
            return kind.parse(name).operator_prefix
        except InvalidIdentifier:
            continue
    raise CsrRefused(f"the common name {name!a} is neither an EVSEID nor a SECCID")


_OWNER: Final[Mapping[CertificateRole, Callable[[str], str]]] = MappingProxyType(
    {
        CertificateRole.SECC_LEAF: _station,
        CertificateRole.PE_SECC: _station,
        CertificateRole.CONTRACT: lambda name: EMAID.parse(name).provider_prefix,
        CertificateRole.OEM_PROVISIONING: lambda name: PCID.parse(name).wmi,
        CertificateRole.VEHICLE_LEAF: lambda name: EVCCID.parse(name).wmi,
    }
)


def check_owner(csr: bytes, role: CertificateRole, generation: Generation, prefix: str) -> None:
    """Refuse a request whose name does not belong to the party it is signed for. Raises CsrRefused."""
    name = parse_csr(csr, curves=profiles(generation)[role].curves).common_name
    try:
        owner = _OWNER[role](name) if role in _OWNER else ""
    except InvalidIdentifier as error:
        raise CsrRefused(f"the common name of the request is refused: {error}") from None
    if owner != prefix.upper().replace("*", "").replace("-", ""):
        raise CsrRefused(f"the request names {name}, which belongs to {owner or 'nobody'}, not to {prefix}", wire="403")


async def check_key_reuse(workspace: Workspace, csr: bytes, role: CertificateRole, generation: Generation) -> None:
    """Refuse a key that is certified for another name already: one key is one party. Raises CsrRefused."""
    request = parse_csr(csr, curves=profiles(generation)[role].curves)
    key = public_key_info(request.public_key)
    for record in await workspace.ledger.all():
        certificate = parse(record.certificate)
        if certificate.key.encoded == key and certificate.subject.common_name != request.common_name:
            raise CsrRefused(
                f"the key of the request is that of {record.role} serial {record.serial:x}, which has another name: "
                "make a new key",
                wire="403",
            )


# --- revoking ------------------------------------------------------------------------------------------------------


async def find_certificate(workspace: Workspace, text: str) -> bytes:
    """The DER certificate that a file, a serial number (hex) or the beginning of a fingerprint names.

    Raises LocalError where it names none of this workspace, or several.
    """
    if (named := _in_file(text)) is not None:
        return named
    wanted = text.lower().replace(":", "")
    found = [
        record.certificate
        for record in await workspace.ledger.all()
        if wanted
        and (f"{record.serial:x}" == wanted.lstrip("0") or parse(record.certificate).fingerprint.startswith(wanted))
    ]
    if len(found) != 1:
        problem = "no certificate of this workspace" if not found else f"{len(found)} certificates"
        raise LocalError(f"{text} is no file and names {problem}: give a file, a serial number or a fingerprint")
    return found[0]


def _in_file(text: str) -> bytes | None:
    path = Path(text)
    return read_certificates_of(path)[0].encoded if path.exists() else None


# --- writing -------------------------------------------------------------------------------------------------------


def write_chain(workspace: Workspace, plan: AuthorityPlan, name: str, chain: tuple[bytes, ...]) -> Path:
    """Write a chain into `certs/` of the workspace; gives the file."""
    path = workspace.folder / "certs" / plan.name / name
    write_file(path, pem(chain).encode())
    return path


def file_name(role: CertificateRole, common_name: str) -> str:
    """A file name for a leaf: identifiers have characters that shells and file systems have views on."""
    return f"{role}-{re.sub(r'[^A-Za-z0-9._-]+', '_', common_name)}.pem"


async def audit_export(workspace: Workspace, subject: str, target: Path) -> None:
    """Write down that a private key leaves the workspace, before it does."""
    await workspace.audit.append(Ceremony.KEY_EXPORTED, subject, {"target": target.name})
