"""What the CSMS may do with the station's certificates: install roots (M05), list (M03), delete (M04)."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from plugpass.clock import Clock
from plugpass.errors import PeerError
from plugpass.ocpp.enums import (
    DeleteCertificateStatus,
    GetCertificateIdUse,
    GetInstalledCertificateStatus,
    InstallCertificateStatus,
)
from plugpass.ocpp.messages import (
    CertificateHashData,
    CertificateHashDataChain,
    DeleteCertificateRequest,
    DeleteCertificateResponse,
    GetInstalledCertificateIdsRequest,
    GetInstalledCertificateIdsResponse,
    InstallCertificateRequest,
    InstallCertificateResponse,
    StatusInfo,
)
from plugpass.ocpp.rules import hash_key
from plugpass.pki.bundle import read_certificates
from plugpass.roles.station.credentials import SeccCredentials
from plugpass.roles.station.hash_data import MAX_HASH_DATA, hash_data, with_issuers
from plugpass.roles.station.roots import RootRefused, StationRoots
from plugpass.store.station import InstalledRoot

log = structlog.get_logger(__name__)


class CertificateCommands:
    """Handlers of the CSMS's certificate messages."""

    def __init__(self, *, roots: StationRoots, credentials: SeccCredentials, clock: Clock) -> None:
        self._roots = roots
        self._credentials = credentials
        self._clock = clock

    async def install(self, request: InstallCertificateRequest) -> InstallCertificateResponse:
        """M05: exactly one valid self-signed root of a kind this station keeps."""
        try:
            certificates = read_certificates(request.certificate)
            if len(certificates) != 1:
                raise RootRefused(f"{len(certificates)} certificates, expected one root")
            await self._roots.install(certificates[0], request.certificate_type, self._clock.now())
        except PeerError as error:
            log.warning("root_refused", use=request.certificate_type, reason=str(error))
            info = StatusInfo(reason_code="InvalidCertificate", additional_info=str(error)[:512])
            return InstallCertificateResponse(status=InstallCertificateStatus.REJECTED, status_info=info)
        log.info("root_installed", use=request.certificate_type)
        return InstallCertificateResponse(status=InstallCertificateStatus.ACCEPTED)

    async def list(self, request: GetInstalledCertificateIdsRequest) -> GetInstalledCertificateIdsResponse:
        """M03: the roots, and the SECC leaf with its Sub-CAs as children."""
        wanted = request.certificate_type or tuple(GetCertificateIdUse)
        found = tuple(entry for entry in self._entries() if entry.certificate_type in wanted)
        if not found:
            return GetInstalledCertificateIdsResponse(status=GetInstalledCertificateStatus.NOT_FOUND)  # M03.FR.02
        return GetInstalledCertificateIdsResponse(
            status=GetInstalledCertificateStatus.ACCEPTED, certificate_hash_data_chain=found
        )

    async def delete(self, request: DeleteCertificateRequest) -> DeleteCertificateResponse:
        """M04: a root or the SECC leaf, named as `list` names it (M04.FR.07)."""
        wanted = hash_key(request.certificate_hash_data)
        roots = [root for root in self._roots.installed if hash_key(_name(root)) == wanted]
        for root in roots:
            await self._roots.remove(root)
            log.info("root_deleted", use=root.use)
        if roots:
            return DeleteCertificateResponse(status=DeleteCertificateStatus.ACCEPTED)
        chain = self._secc_entry()
        if chain is None:
            return DeleteCertificateResponse(status=DeleteCertificateStatus.NOT_FOUND)
        if hash_key(chain.certificate_hash_data) == wanted:
            await self._credentials.delete()
            log.warning("secc_leaf_deleted", evse_id=self._credentials.evse_id)
            return DeleteCertificateResponse(status=DeleteCertificateStatus.ACCEPTED)
        if wanted in {hash_key(child) for child in chain.child_certificate_hash_data or ()}:
            info = StatusInfo(reason_code="InUse", additional_info="a Sub-CA goes with its leaf; delete that")
            return DeleteCertificateResponse(status=DeleteCertificateStatus.FAILED, status_info=info)
        return DeleteCertificateResponse(status=DeleteCertificateStatus.NOT_FOUND)

    def _entries(self) -> Iterator[CertificateHashDataChain]:
        for root in self._roots.installed:
            yield CertificateHashDataChain(
                certificate_type=GetCertificateIdUse(root.use), certificate_hash_data=_name(root)
            )
        if (chain := self._secc_entry()) is not None:
            yield chain

    def _secc_entry(self) -> CertificateHashDataChain | None:
        credential = self._credentials.newest
        if credential is None:
            return None
        names = [hash_data(*pair) for pair in with_issuers(credential.chain, self._roots.anchors())]
        if not names:
            return None
        return CertificateHashDataChain(
            certificate_type=GetCertificateIdUse.V2G_CHAIN,
            certificate_hash_data=names[0],
            child_certificate_hash_data=tuple(names[1 : 1 + MAX_HASH_DATA]) or None,  # M03.FR.05
        )


def _name(root: InstalledRoot) -> CertificateHashData:
    """A root is its own issuer."""
    return hash_data(root.certificate, root.certificate)
