"""Who answers for a certificate: the responder of the CAs in use, or the one of a CA that was replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from plugpass.clock import Clock
from plugpass.pki import ocsp
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.issuing import CertificateLedger
from plugpass.ports.keys import KeyStore
from plugpass.providers.local_ca.hierarchy import NewKey, Operator
from plugpass.providers.local_ca.realm import RealmKeyStore
from plugpass.providers.local_ca.registrar import IssuingCa, Registrar
from plugpass.providers.local_ca.responder import RECHECK, OcspResponder


class Responders:
    """The OCSP responders of one hierarchy. A CA with a replaced key has one of its own, with a signer of its own."""

    def __init__(
        self,
        current: Mapping[CertificateRole, IssuingCa],
        retired: Sequence[IssuingCa],
        *,
        operator: Operator,
        keys: KeyStore,
        ledger: CertificateLedger,
        registrar: Registrar,
        clock: Clock,
        validity: timedelta,
        new_key: NewKey,
    ) -> None:
        """`current` is the authority's own table: its changes count."""
        self._operator = operator
        self._keys = keys
        self._ledger = ledger
        self._registrar = registrar
        self._clock = clock
        self._validity = validity
        self._new_key = new_key
        self._current = self._make(current, keys)
        self._retired: list[tuple[IssuingCa, OcspResponder]] = []
        self.retire(retired)

    def retire(self, cas: Sequence[IssuingCa]) -> None:
        """Answer for these replaced CAs from now on; those that are known already stay as they are."""
        known = {ca.key_id for ca, _ in self._retired}
        self._retired += [
            (ca, self._make({ca.role: ca}, RealmKeyStore(self._keys, f"old-{ca.key_id[:16]}")))
            for ca in cas
            if ca.key_id not in known
        ]

    def forget(self, issuer_key_id: str, serial: int) -> None:
        """Give no response about this certificate again that was signed before now."""
        for responder in (self._current, *(responder for _, responder in self._retired)):
            responder.forget(issuer_key_id, serial)

    async def respond(self, request: bytes) -> bytes:
        """The DER OCSPResponse."""
        return await self._responsible(request).respond(request)

    def _responsible(self, request: bytes) -> OcspResponder:
        if not self._retired:
            return self._current
        try:
            asked = ocsp.parse_request(request)
        except ocsp.MalformedOcsp:
            return self._current  # which has the answer for that as well
        for ca, responder in self._retired:
            if all(ocsp.same_certificate(item, item, ca.certificate) for item in asked.cert_ids):
                return responder
        return self._current

    def _make(self, cas: Mapping[CertificateRole, IssuingCa], keys: KeyStore) -> OcspResponder:
        return OcspResponder(
            cas,
            operator=self._operator,
            keys=keys,
            ledger=self._ledger,
            registrar=self._registrar,
            clock=self._clock,
            validity=self._validity,
            recheck=RECHECK,
            new_key=self._new_key,
        )
