"""OCSP responses for the station's own leaf, fetched through the CSMS (M06), verified before they are stapled."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from plugpass.clock import Clock
from plugpass.errors import PlugpassError
from plugpass.ocpp.enums import Iso15118EVCertificateStatus
from plugpass.ocpp.messages import GetCertificateStatusRequest
from plugpass.pki.ocsp import CertStatus, SingleStatus, cert_id, verify_response
from plugpass.pki.trust import TrustAnchors
from plugpass.roles.station.hash_data import ocsp_request_data, with_issuers
from plugpass.roles.station.uplink import Uplink

log = structlog.get_logger(__name__)

FETCH_TIMEOUT = 5.0  #: seconds
WEEK = timedelta(days=7)  #: a staple is at most this old [V2G2-649], M06.FR.10
RETRY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staple:
    """A verified OCSP response of one leaf."""

    response: bytes
    refresh_at: datetime


async def fetch_staple(chain: Sequence[bytes], anchors: TrustAnchors, uplink: Uplink, clock: Clock) -> Staple | None:
    """A fresh response for the leaf of `chain`, None where none can be had; the log says why."""
    pair = next(with_issuers(chain, anchors), None)
    data = ocsp_request_data(*pair) if pair else None
    if pair is None or data is None:
        log.warning("staple_impossible", reason="the leaf's issuer or its OCSP responder is unknown")
        return None
    try:
        answer = await uplink.call(GetCertificateStatusRequest(ocsp_request_data=data), timeout=FETCH_TIMEOUT)
        if answer.status is not Iso15118EVCertificateStatus.ACCEPTED or not answer.ocsp_result:
            log.warning("staple_refused", status=answer.status, reason=_reason(answer.status_info))
            return None
        response = base64.b64decode(answer.ocsp_result, validate=True)
        leaf, issuer = pair
        status = verify_response(response, cert_id(leaf, issuer), issuer, at=clock.now())
    except (PlugpassError, binascii.Error) as error:
        log.warning("staple_unusable", reason=str(error))
        return None
    if status.status is not CertStatus.GOOD:
        # Stapled all the same: the vehicle is to hear what the responder says.
        log.error("secc_leaf_not_good", status=status.status)
    return Staple(response=response, refresh_at=_half_life(status, clock.now()))


def _half_life(status: SingleStatus, now: datetime) -> datetime:
    if status.next_update is None:
        return now + WEEK
    return max(now + RETRY, min(now + WEEK, status.this_update + (status.next_update - status.this_update) / 2))


def _reason(info: object) -> str:
    return str(getattr(info, "additional_info", "") or "")
