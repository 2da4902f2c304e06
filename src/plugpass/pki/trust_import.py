"""Roots from outside into trust entries: certificate bundles, and the root lists of OPCP and OPNC pools.

What is no usable root is named and left out; the rest comes in. Only the certificate's own fields count: what a pool
says about it beside the certificate is informative.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from plugpass.errors import PeerError
from plugpass.pki.building import signed_by
from plugpass.pki.bundle import MAX_BUNDLE_BYTES, MalformedBundle, decode_armour, read_certificates
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.der import MalformedDer
from plugpass.pki.profiles import RootType
from plugpass.pki.trust_store import Provenance, Stage, TrustEntry

MAX_POOL_BYTES: Final = 16 * MAX_BUNDLE_BYTES

#: Names of root types in the pools' bodies; OPNC calls the mobility operator eMSP in lists and MO in events.
_ROOT_TYPES: Final[Mapping[str, RootType]] = MappingProxyType(
    {**{root_type.value.lower(): root_type for root_type in RootType}, "emsp": RootType.MO}
)


class MalformedRootList(PeerError):
    """A body is no list of root certificates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One item that did not become an entry."""

    item: str  #: subject, or position where it cannot be read
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of an import."""

    entries: tuple[TrustEntry, ...]
    refused: tuple[Refused, ...] = ()


def root_problem(certificate: Certificate, at: datetime) -> str:
    """Why a certificate is no root to trust at this time; "" where it is one."""
    constraints = certificate.extensions.basic_constraints
    if constraints is None or not constraints.ca:
        return "it is no CA certificate"
    if not certificate.self_issued or not signed_by(certificate, certificate):
        return "it is not signed by itself, so it is no root"
    if at > certificate.not_after:
        return f"it expired on {certificate.not_after:%Y-%m-%d}"
    return ""


def import_bundle(
    data: bytes | str, root_type: RootType, provenance: Provenance, *, stage: Stage = Stage.ACTIVE
) -> Imported:
    """The roots of a bundle (PEM, DER, PKCS#7, base64) as roots of one type. Raises MalformedBundle.

    Sub-CAs and leaves in the bundle are refused by name: a chain file is no set of roots.
    """
    items = ((f"certificate {number}", encoded) for number, encoded in enumerate(read_certificates(data), start=1))
    return _imported(((name, encoded, (root_type,)) for name, encoded in items), provenance, stage)


def import_pool(body: bytes | str, provenance: Provenance, *, stage: Stage = Stage.ACTIVE) -> Imported:
    """The roots of an OPCP (`RootCertificateCollection`) or OPNC (`rootCertificateCollection`) answer, or of one root.

    Raises MalformedRootList where the body is no JSON of any of these shapes.
    """
    if len(body) > MAX_POOL_BYTES:
        raise MalformedRootList(f"{len(body)} octets are more than a list of roots needs ({MAX_POOL_BYTES})")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedRootList("the root list is no JSON") from None
    return _imported(_pool_items(_listed(content)), provenance, stage)


def _listed(content: object) -> Sequence[object]:
    """The root objects, wherever the two dialects put them."""
    if not isinstance(content, dict):
        raise MalformedRootList("the root list is no JSON object")
    opcp = content.get("RootCertificateCollection")
    single = content.get("RootResponse", content if "caCertificate" in content else None)
    listed = opcp.get("rootCertificates") if isinstance(opcp, dict) else content.get("rootCertificateCollection")
    if isinstance(listed, list):
        return listed
    if isinstance(single, dict):
        return [single]
    raise MalformedRootList("the body has neither RootCertificateCollection nor rootCertificateCollection")


def _pool_items(listed: Sequence[object]) -> Iterator[tuple[str, bytes | str, tuple[RootType, ...]]]:
    for number, item in enumerate(listed, start=1):
        name = f"root {number}"
        fields = item if isinstance(item, dict) else {}
        armoured = fields.get("caCertificate")
        if not isinstance(armoured, str):
            yield name, "it has no caCertificate", ()
            continue
        named = fields.get("rootTypeList") or [fields.get("rootType")]
        types = [_ROOT_TYPES.get(str(one).lower()) for one in (named if isinstance(named, list) else [named])]
        known = tuple(one for one in types if one is not None)
        if not known or len(known) != len(types):
            yield name, f"root type {named!a} is none of {', '.join(sorted(_ROOT_TYPES))}", ()
            continue
        try:
            yield name, decode_armour(armoured.encode("ascii", "replace"), "CERTIFICATE"), known
        except MalformedBundle as error:
            yield name, f"its certificate cannot be read: {error}", ()


def _imported(
    items: Iterator[tuple[str, bytes | str, tuple[RootType, ...]]], provenance: Provenance, stage: Stage
) -> Imported:
    """Entries of (name, certificate or problem, root types)."""
    entries: list[TrustEntry] = []
    refused: list[Refused] = []
    for name, found, root_types in items:
        if isinstance(found, str):
            refused.append(Refused(item=name, problem=found))
            continue
        try:
            certificate = parse(found)
        except MalformedDer as error:
            refused.append(Refused(item=name, problem=f"it cannot be read: {error}"))
            continue
        if problem := root_problem(certificate, provenance.added_at):
            refused.append(Refused(item=str(certificate.subject), problem=problem))
            continue
        entries += (
            TrustEntry(root_type=one, certificate=certificate, provenance=provenance, stage=stage) for one in root_types
        )
    return Imported(entries=tuple(dict.fromkeys(entries)), refused=tuple(refused))
