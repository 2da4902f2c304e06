"""Who answers for a certificate: the responder of the CAs in use, or the one of a CA that was replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from plugpass.pki import ocsp
from plugpass.pki.profiles import CertificateRole
from plugpass.providers.local_ca.registrar import IssuingCa
from plugpass.providers.local_ca.responder import OcspResponder

MakeResponder = Callable[[Mapping[CertificateRole, IssuingCa], str], OcspResponder]


class Responders:
    """The OCSP responders of one hierarchy. A CA with a replaced key has one of its own, with a signer of its own."""

    def __init__(
        self, current: Mapping[CertificateRole, IssuingCa], retired: Sequence[IssuingCa], make: MakeResponder
    ) -> None:
        """`make` gets the CAs to answer for and a name for the signers' part of the key store."""
        self._make = make
        self._current = make(current, "")
        self._retired: list[tuple[IssuingCa, OcspResponder]] = []
        self.retire(retired)

    def retire(self, cas: Sequence[IssuingCa]) -> None:
        """Answer for these replaced CAs from now on; those that are known already stay as they are."""
        known = {ca.key_id for ca, _ in self._retired}
        self._retired += [
            (ca, self._make({ca.role: ca}, f"old-{ca.key_id[:16]}")) for ca in cas if ca.key_id not in known
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
