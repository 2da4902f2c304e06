"""Path validation with revocation status fetched from the responders that the certificates name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import structlog

from plugpass.errors import Unavailable
from plugpass.pki import ocsp
from plugpass.pki.certificate import Certificate
from plugpass.pki.path import Policy, Verdict, validate
from plugpass.pki.profiles import CertificateRole
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.charging import RevocationSource

log = structlog.get_logger(__name__)


async def validate_online(
    chain: Sequence[bytes],
    *,
    role: CertificateRole,
    anchors: TrustAnchors,
    at: datetime,
    policy: Policy,
    revocation: RevocationSource | None,
    expected_cn: str | None = None,
) -> Verdict:
    """The verdict on a chain (DER, leaf first) at `at`, with OCSP asked through `revocation`.

    A responder that cannot be reached leaves the verdict indeterminate, which is no yes. `revocation=None` is
    the caller's decision not to look at revocation at all.
    """
    offline = validate(chain, role=role, anchors=anchors, at=at, policy=policy, expected_cn=expected_cn)
    if revocation is None or not offline.ok:
        return offline
    responses = await ocsp_responses(offline.path, revocation)
    return validate(
        chain, role=role, anchors=anchors, at=at, policy=policy, expected_cn=expected_cn, revocation=responses
    )


async def ocsp_responses(path: Sequence[Certificate], revocation: RevocationSource) -> dict[bytes, bytes]:
    """The OCSP response of each certificate of a path (leaf first, root last) that names a responder, by DER."""
    pairs = pairwise(path)
    answers = await asyncio.gather(*(_response(child, issuer, revocation) for child, issuer in pairs))
    return dict(answer for answer in answers if answer is not None)


async def _response(
    child: Certificate, issuer: Certificate, revocation: RevocationSource
) -> tuple[bytes, bytes] | None:
    url = ocsp.ocsp_url(child)
    if url is None:
        return None
    try:
        request = ocsp.build_request([ocsp.cert_id(child, issuer)])
        return child.encoded, await revocation.ocsp_response(request, url)
    except Unavailable as error:
        log.warning("ocsp.unavailable", subject=str(child.subject), cause=str(error))
        return None
