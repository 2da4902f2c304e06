"""Whether the vehicle believes a station: its certificate chain and the OCSP response stapled to the handshake."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import structlog

from plugpass.clock import Clock
from plugpass.errors import PeerError
from plugpass.pki import certificate, ocsp, path
from plugpass.pki.policy import Policy
from plugpass.pki.profiles import CertificateRole
from plugpass.pki.reasons import Reason
from plugpass.pki.trust import TrustAnchors

log = structlog.get_logger(__name__)

#: TLS alerts (RFC 5246 §7.2.2, RFC 6066 §8) by what is wrong; anything else is a `bad_certificate`.
ALERT_OF_REASON: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.EXPIRED: "certificate_expired",
        Reason.NOT_YET_VALID: "certificate_expired",
        Reason.REVOKED: "certificate_revoked",
        Reason.UNKNOWN_ROOT: "unknown_ca",
        Reason.WRONG_ROOT_TYPE: "unknown_ca",
        Reason.INCOMPLETE_PATH: "unknown_ca",
        Reason.SIGNATURE: "unknown_ca",
        Reason.NO_CERTIFICATE: "bad_certificate",
    }
)
STAPLE_ALERT: Final = "bad_certificate_status_response"


class StapleRule(StrEnum):
    """What the vehicle demands of the stapled OCSP response. A response that is there must always be good."""

    REQUIRED = "required"  #: [V2G2-873]: without one the vehicle closes the connection
    TOLERATE_MISSING = "tolerate-missing"  #: for peers that cannot staple; the leaf's revocation stays unknown


class StationRefused(PeerError):
    """The vehicle does not believe the station; `wire` is the TLS alert."""


class StationTrust:
    """The verifier of one handshake; remembers what the station presented, also where it is refused."""

    def __init__(self, *, anchors: TrustAnchors, policy: Policy, staple: StapleRule, clock: Clock) -> None:
        self._anchors = anchors
        self._policy = policy
        self._staple = staple
        self._clock = clock
        self.serial: int | None = None  #: of the leaf presented
        self.octets = 0  #: of certificates and staple

    def __call__(self, chain: tuple[bytes, ...], staple: bytes | None) -> None:
        """Accept, or raise StationRefused.

        -2 wants one OCSP response for each certificate of the chain [V2G2-871]; TLS stacks deliver the leaf's only, so
        the Sub-CAs' revocation is not looked at here.
        """
        self.octets = sum(map(len, chain)) + len(staple or b"")
        at = self._clock.now()
        verdict = path.validate(
            chain, role=CertificateRole.SECC_LEAF, anchors=self._anchors, at=at, policy=self._policy
        )
        if chain:
            self.serial = certificate.parse(chain[0]).serial
        if not verdict.ok:
            alert = ALERT_OF_REASON.get(verdict.reasons[0], "bad_certificate") if verdict.reasons else "bad_certificate"
            raise StationRefused(f"the station's certificate is refused: {verdict.summary}", wire=alert)
        if staple is None:
            self._without_staple()
            return
        leaf, issuer = verdict.path[0], verdict.path[1]
        try:
            status = ocsp.verify_response(
                staple, ocsp.cert_id(leaf, issuer), issuer, at=at, max_age=self._policy.ocsp_max_age
            )
        except ocsp.OcspRejected as error:
            raise StationRefused(f"the stapled OCSP response is refused: {error}", wire=STAPLE_ALERT) from error
        if status.status is not ocsp.CertStatus.GOOD:
            alert = "certificate_revoked" if status.status is ocsp.CertStatus.REVOKED else STAPLE_ALERT
            raise StationRefused(f"the stapled OCSP response says {status.status}", wire=alert)

    def _without_staple(self) -> None:
        if self._staple is StapleRule.REQUIRED:  # [V2G2-873]
            raise StationRefused("the station sent no OCSP response with its certificate", wire=STAPLE_ALERT)
        log.warning("station_without_staple", tolerated=self._staple)
