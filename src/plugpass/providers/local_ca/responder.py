"""The OCSP responder of a hierarchy: one delegated signer for each CA, renewed by itself (RFC 6960)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog

from plugpass.clock import Clock
from plugpass.errors import LocalError
from plugpass.pki import ocsp
from plugpass.pki.certificate import parse
from plugpass.pki.keys import generate
from plugpass.pki.names import subject
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.issuing import CertificateLedger
from plugpass.ports.keys import Credential, KeyStore
from plugpass.providers.local_ca.hierarchy import NewKey, Operator
from plugpass.providers.local_ca.registrar import IssuingCa, Order, Registrar

log = structlog.get_logger(__name__)

SIGNER_VALIDITY = timedelta(days=30)  #: short: a signer cannot be revoked (id-pkix-ocsp-nocheck)
RESPONSE_VALIDITY = timedelta(days=1)  #: far below the week that [V2G2-649] allows
_MAX_NONCE = 32  #: octets (RFC 9654 §2.1)


def signer_name(ca: CertificateRole) -> str:
    """The name of a CA's delegated OCSP signer in the key store."""
    return f"ocsp:{ca}"


class OcspResponder:
    """Answers for every CA of a hierarchy, the root included, from the ledger."""

    def __init__(
        self,
        cas: Mapping[CertificateRole, IssuingCa],
        *,
        operator: Operator,
        keys: KeyStore,
        ledger: CertificateLedger,
        registrar: Registrar,
        clock: Clock,
        validity: timedelta = RESPONSE_VALIDITY,
        new_key: NewKey = generate,
    ) -> None:
        self._cas = cas
        self._operator = operator
        self._keys = keys
        self._ledger = ledger
        self._registrar = registrar
        self._clock = clock
        self._validity = validity
        self._new_key = new_key
        self._signers: dict[CertificateRole, Credential] = {}
        self._renewal = asyncio.Lock()

    async def respond(self, request: bytes) -> bytes:
        """The DER OCSPResponse. Never raises for what was sent: bad requests get OCSP's own error (RFC 6960 §2.3)."""
        try:
            asked = ocsp.parse_request(request)
            if asked.nonce is not None and not 1 <= len(asked.nonce) <= _MAX_NONCE:
                raise ocsp.MalformedOcsp(f"a nonce has 1 to {_MAX_NONCE} octets, this one {len(asked.nonce)}")
        except ocsp.MalformedOcsp as error:
            log.warning("ocsp.malformed_request", cause=str(error))
            return ocsp.error_response(ocsp.ResponseError.MALFORMED_REQUEST)
        ca = self._responsible(asked)
        if ca is None:
            log.warning("ocsp.foreign_issuer", key_hash=asked.cert_ids[0].issuer_key_hash_hex)
            return ocsp.error_response(ocsp.ResponseError.UNAUTHORIZED)
        try:
            return await self._answer(asked, ca)
        except LocalError as error:
            log.error("ocsp.cannot_sign", ca=ca.role.value, cause=str(error))
            return ocsp.error_response(ocsp.ResponseError.INTERNAL_ERROR)

    def _responsible(self, asked: ocsp.OcspRequest) -> IssuingCa | None:
        """The CA that all the certificates are of; a response has one signer, so they must be of the same."""
        for ca in self._cas.values():
            if all(ocsp.same_certificate(item, item, ca.certificate) for item in asked.cert_ids):
                return ca
        return None

    async def _answer(self, asked: ocsp.OcspRequest, ca: IssuingCa) -> bytes:
        now = self._clock.now().replace(microsecond=0)
        statuses = [await self._status(item, ca, now) for item in asked.cert_ids]
        signer = await self._signer(ca, now)
        return ocsp.build_response(statuses, signer.signer, signer.chain[0], produced_at=now, nonce=asked.nonce)

    async def _status(self, item: ocsp.CertId, ca: IssuingCa, now: datetime) -> ocsp.SingleStatus:
        record = await self._ledger.find(ca.key_id, item.serial)
        status, reason = ocsp.CertStatus.GOOD, None
        if record is None:  # never issued by this CA: a "good" would vouch for a forgery (RFC 6960 §2.2)
            status = ocsp.CertStatus.UNKNOWN
        elif record.revoked_at is not None:
            status = ocsp.CertStatus.REVOKED
            reason = ocsp.RevocationReason[record.revocation_reason or "unspecified"]
        return ocsp.SingleStatus(
            cert_id=item,
            status=status,
            this_update=now,
            next_update=now + self._validity,
            revoked_at=record.revoked_at if record else None,
            revocation_reason=reason,
        )

    async def _signer(self, ca: IssuingCa, now: datetime) -> Credential:
        """The delegate of `ca`, from memory, from the key store, or new where the old one is past two thirds."""
        async with self._renewal:
            known = self._signers.get(ca.role) or await self._keys.get(signer_name(ca.role))
            if known is None or not _usable(known, ca, now):
                known = await self._new_signer(ca)
                await self._keys.put(signer_name(ca.role), known)
            self._signers[ca.role] = known
            return known

    async def _new_signer(self, ca: IssuingCa) -> Credential:
        key = self._new_key()
        role = CertificateRole.OCSP_SIGNER
        name = subject(
            self._registrar.profile(role),
            f"{ca.role} OCSP Responder",
            self._operator.organization,
            self._operator.country,
        )
        order = Order(role=role, subject=name, public_key=key.public_key, validity=SIGNER_VALIDITY)
        return Credential(chain=(await self._registrar.sign(order, ca),), signer=key)


def _usable(signer: Credential, ca: IssuingCa, now: datetime) -> bool:
    certificate = parse(signer.chain[0])
    of_this_ca = certificate.extensions.authority_key_identifier == ca.certificate.extensions.subject_key_identifier
    renewal = certificate.not_before + (certificate.not_after - certificate.not_before) * 2 / 3
    return of_this_ca and certificate.not_before <= now < renewal
