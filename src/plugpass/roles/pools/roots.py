"""The root certificate pool (RCP)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime

import structlog

from plugpass.opcp.errors import bad_request, not_found
from plugpass.pki.certificate import Certificate, parse, public_key
from plugpass.pki.keys import InvalidPublicKey, verify
from plugpass.pki.profiles import RootType
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.contracts import PoolStore, RootEntry
from plugpass.ports.contracts import RootType as RootTypeName

log = structlog.get_logger(__name__)


class RootCertificatePool:
    """Trust anchors: everybody reads them, an administrator adds and deletes."""

    def __init__(self, *, store: PoolStore, random: Callable[[int], bytes]) -> None:
        self._store = store
        self._random = random

    async def list(self, root_type: RootTypeName | None = None) -> tuple[RootEntry, ...]:
        """All roots, or those of one type."""
        return tuple(entry for entry in await self._store.roots() if root_type in (None, entry.root_type))

    async def find(self, root_id: str) -> RootEntry:
        """One root. Raises OpcpError 404."""
        for entry in await self._store.roots():
            if entry.root_id == root_id.lower():
                return entry
        raise not_found("Root certificate with the given ID is not found")

    async def add(self, certificate: Certificate, root_type: RootTypeName, now: datetime) -> RootEntry:
        """Add a root; adding one twice gives the same entry. Raises OpcpError 400 for anything but a valid root."""
        if problem := _problem(certificate, now):
            raise bad_request(f"caCertificate cannot be a root: {problem}")
        root_id = str(uuid.UUID(bytes=self._random(16), version=4))
        entry = await self._store.add_root(
            RootEntry(root_id=root_id, root_type=root_type, certificate=certificate.encoded)
        )
        log.info("pools.root_added", root_id=entry.root_id, root_type=root_type, subject=str(certificate.subject))
        return entry

    async def delete(self, root_id: str) -> None:
        """Delete a root; what depends on it stays and is refused from now on. Raises OpcpError 404."""
        if not await self._store.delete_root(root_id.lower()):
            raise not_found("Root certificate with the given ID is not found")
        log.info("pools.root_deleted", root_id=root_id)

    async def anchors(self) -> TrustAnchors:
        """All roots as trust anchors."""
        anchors = TrustAnchors()
        for entry in await self._store.roots():
            anchors = anchors.adding(RootType(entry.root_type), entry.certificate)
        return anchors

    async def by_fingerprint(self, fingerprint: str) -> Certificate | None:
        """The root with this SHA-256 fingerprint."""
        certificates = (parse(entry.certificate) for entry in await self._store.roots())
        return next((one for one in certificates if one.fingerprint == fingerprint), None)


def _problem(certificate: Certificate, now: datetime) -> str:
    constraints = certificate.extensions.basic_constraints
    if constraints is None or not constraints.ca:
        return "it is no CA certificate"
    if not certificate.self_issued or not _signed_itself(certificate):
        return "it is not signed by itself"
    if not certificate.not_before <= now <= certificate.not_after:
        return "it is not valid now"
    return ""


def _signed_itself(certificate: Certificate) -> bool:
    try:
        key = public_key(certificate.key.encoded)
    except InvalidPublicKey:
        return False
    return verify(key, certificate.signature, certificate.tbs, algorithm=certificate.signature_algorithm)
