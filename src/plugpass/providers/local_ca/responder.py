"""The OCSP responder of a hierarchy: one delegated signer for each CA, renewed by itself (RFC 6960).

A response without a nonce is signed once and given again until half of its life is over (RFC 5019 §2.2.4, RFC 6960
§2.5). A revocation drops it at once where `forget` tells of it; one that another process wrote into the ledger is seen
at the next look there, at most `recheck` later: one short question for all responses together.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha1

import structlog

from plugpass.clock import Clock
from plugpass.errors import LocalError, Unavailable
from plugpass.pki import ocsp
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.keys import generate
from plugpass.pki.names import subject
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.issuing import CertificateLedger, CertificateRecord
from plugpass.ports.keys import Credential, KeyStore
from plugpass.providers.local_ca.hierarchy import NewKey, Operator
from plugpass.providers.local_ca.registrar import IssuingCa, Order, Registrar

log = structlog.get_logger(__name__)

SIGNER_VALIDITY = timedelta(days=30)  #: short: a signer cannot be revoked (id-pkix-ocsp-nocheck)
RESPONSE_VALIDITY = timedelta(days=1)  #: far below the week that [V2G2-649] allows
RECHECK = timedelta(seconds=2)  #: for an authority whose `revoke` calls `forget`
_MAX_NONCE = 32  #: octets (RFC 8954 §2.1)
_MAX_KEPT = 4096  #: responses, about 1 KiB each
_MAX_KEPT_REQUEST = 1024  #: octets; longer requests are answered and not remembered


def signer_name(ca: CertificateRole) -> str:
    """The name of a CA's delegated OCSP signer in the key store."""
    return f"ocsp:{ca}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A signed response and what it is about."""

    response: bytes
    key_id: str
    serials: frozenset[int]
    signed_at: datetime
    renew_at: datetime


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
        recheck: timedelta = timedelta(0),
        new_key: NewKey = generate,
    ) -> None:
        """`recheck` is how long a signed response is given without a look into the ledger; zero looks every time."""
        self._cas = cas
        self._operator = operator
        self._keys = keys
        self._ledger = ledger
        self._registrar = registrar
        self._clock = clock
        self._validity = validity
        self._recheck = recheck.total_seconds()
        self._new_key = new_key
        self._signers: dict[CertificateRole, Credential] = {}
        self._renewal = asyncio.Lock()
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._changes = 0  #: of records, as far as is known: what was signed before one is not kept after it
        self._revocations = -1
        self._look_again = clock.monotonic()
        self._looking = asyncio.Lock()

    async def respond(self, request: bytes) -> bytes:
        """The DER OCSPResponse. Never raises for what was sent: bad requests get OCSP's own error (RFC 6960 §2.3)."""
        if self._clock.monotonic() >= self._look_again:
            await self._look()
        kept = self._kept.get(request)
        if kept is not None and kept.signed_at <= self._clock.now() < kept.renew_at:
            return kept.response
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
            return await self._answer(request, asked, ca)
        except LocalError as error:
            log.error("ocsp.cannot_sign", ca=ca.role.value, cause=str(error))
            return ocsp.error_response(ocsp.ResponseError.INTERNAL_ERROR)
        except Unavailable as error:  # a token that is not there now may be back in a minute
            log.error("ocsp.cannot_sign_now", ca=ca.role.value, cause=str(error))
            return ocsp.error_response(ocsp.ResponseError.TRY_LATER)

    def forget(self, issuer_key_id: str, serial: int) -> None:
        """Give no signed response about this certificate again: its record has changed.

        To be called after the ledger was; a response that is being signed meanwhile is not kept.
        """
        self._changes += 1
        for request, kept in list(self._kept.items()):
            if kept.key_id == issuer_key_id and serial in kept.serials:
                del self._kept[request]

    async def _look(self) -> None:
        """Drop everything where anything was revoked: rare enough, and signing anew is quick."""
        async with self._looking:
            moment = self._clock.monotonic()
            if moment < self._look_again:
                return
            found = await self._ledger.revocations()
            if found != self._revocations:
                self._revocations = found
                self._changes += 1
                self._kept.clear()
            self._look_again = moment + self._recheck

    def _responsible(self, asked: ocsp.OcspRequest) -> IssuingCa | None:
        """The CA that all the certificates are of; a response has one signer, so they must be of the same."""
        for ca in self._cas.values():
            certificate, _ = _identity(ca.credential.chain[0])
            if all(ocsp.same_certificate(item, item, certificate) for item in asked.cert_ids):
                return ca
        return None

    async def _answer(self, request: bytes, asked: ocsp.OcspRequest, ca: IssuingCa) -> bytes:
        now, changes = self._clock.now().replace(microsecond=0), self._changes
        _, key_id = _identity(ca.credential.chain[0])
        records = {item.serial: await self._ledger.find(key_id, item.serial) for item in asked.cert_ids}
        statuses = [self._status(item, records[item.serial], now) for item in asked.cert_ids]
        signer = await self._signer(ca, now)
        response = ocsp.build_response(statuses, signer.signer, signer.chain[0], produced_at=now, nonce=asked.nonce)
        # What was never issued is not kept either: it might be issued in the next moment.
        lasting = asked.nonce is None and None not in records.values()
        if lasting and len(request) <= _MAX_KEPT_REQUEST and changes == self._changes:
            kept = _Kept(
                response=response,
                key_id=key_id,
                serials=frozenset(records),
                signed_at=now,
                renew_at=min(now + self._validity / 2, parse(signer.chain[0]).not_after),
            )
            self._keep(request, kept)
        return response

    def _keep(self, request: bytes, kept: _Kept) -> None:
        self._kept[request] = kept
        self._kept.move_to_end(request)
        if len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)

    def _status(self, item: ocsp.CertId, record: CertificateRecord | None, now: datetime) -> ocsp.SingleStatus:
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


@lru_cache(maxsize=256)
def _identity(certificate: bytes) -> tuple[Certificate, str]:
    """A CA certificate read, and the id of its key in the ledger."""
    parsed = parse(certificate)
    return parsed, sha1(parsed.key.bits, usedforsecurity=False).hexdigest()


def _usable(signer: Credential, ca: IssuingCa, now: datetime) -> bool:
    certificate = parse(signer.chain[0])
    of_this_ca = certificate.extensions.authority_key_identifier == ca.certificate.extensions.subject_key_identifier
    renewal = certificate.not_before + (certificate.not_after - certificate.not_before) * 2 / 3
    return of_this_ca and certificate.not_before <= now < renewal
