"""What an EST server decides about a request: pure steps, in the order a server takes them.

`addressed` finds the operation, `presented` reads credentials, `read_csr` the request, `check_reenrolment` and
`plugpass.est.authorization.authorise` the right to it; the `..._response` functions make the answers. Every refusal is
an `EstRefusal`, which `refusal_response` turns into bytes. Authenticating and issuing happen between the steps.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from plugpass.est.bodies import encode_body, form_for
from plugpass.est.messages import (
    MAX_BODY,
    PKCS7,
    PKCS10,
    ROLE_OF_LABEL,
    EstRefusal,
    EstRequest,
    EstResponse,
    Label,
    Operation,
)
from plugpass.est.paths import parse_target
from plugpass.ids import EVSEID
from plugpass.pki.bundle import pkcs7_certs_only
from plugpass.pki.certificate import Certificate
from plugpass.pki.csr import Csr, CsrRefused, parse_csr
from plugpass.pki.profiles import CertificateRole

_NOT_OFFERED = frozenset({Operation.FULL_CMC, Operation.SERVER_KEYGEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a request is about."""

    operation: Operation
    label: Label
    role: CertificateRole


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicCredentials:
    """What a client claims to be (RFC 7617)."""

    name: str
    password: str = field(repr=False)


def addressed(request: EstRequest, offered: Iterable[Label], *, default: Label = Label.CPO) -> Task:
    """The task of a request at a server that has CAs for the labels `offered`; `default` where the path names none.

    Raises EstRefusal: 404, 405 or 501.
    """
    target = parse_target(request.method, request.path)
    label = target.label or default
    if label not in offered or label not in ROLE_OF_LABEL:
        raise EstRefusal(404, f"there is no CA {label} here")
    if target.operation in _NOT_OFFERED:
        raise EstRefusal(501, f"{target.operation} is not offered here: use simpleenroll")
    return Task(operation=target.operation, label=label, role=ROLE_OF_LABEL[label])


def presented(request: EstRequest) -> BasicCredentials | None:
    """The HTTP Basic credentials of a request, or None. Raises EstRefusal 401 where they cannot be read."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(token.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise challenge("the Basic credentials are unreadable") from None
    if not colon:
        raise challenge("the Basic credentials have no colon")
    return BasicCredentials(name=name, password=password)


def challenge(reason: str) -> EstRefusal:
    """The 401 that tells a client how to authenticate (RFC 7030 §3.2.3)."""
    return EstRefusal(401, reason, headers={"www-authenticate": 'Basic realm="EST", charset="UTF-8"'})


def read_csr(request: EstRequest) -> Csr:
    """The PKCS#10 of an enrolment, as base64 wrapped or not, PEM or DER; Content-Transfer-Encoding is ignored.

    Raises EstRefusal: 413 too large, 415 another content type, 400 unreadable or proof of possession missing.
    """
    if len(request.body) > MAX_BODY:
        raise EstRefusal(413, f"a request of more than {MAX_BODY} octets is not read")
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != PKCS10:
        raise EstRefusal(415, f"send {PKCS10}, not {ascii(content_type[:64]) if content_type else 'nothing'}")
    try:
        return parse_csr(request.body)
    except CsrRefused as error:
        raise EstRefusal(int(error.wire), str(error)) from error


def check_reenrolment(csr: Csr, evse_id: EVSEID | None, current: Certificate, *, now: datetime) -> None:
    """Subject and SubjectAltName must be those of the certificate being renewed (RFC 7030 §4.2.2).

    Names are compared without regard to the order of their parts, which certificates in the field do not keep.
    `evse_id` is what would be certified. Raises EstRefusal 403.
    """
    if not current.not_before <= now <= current.not_after:
        raise EstRefusal(403, "the certificate to renew is not valid now: enrol anew with simpleenroll")
    if Counter(csr.subject.key) != Counter(current.subject.key):
        raise EstRefusal(403, f"the subject differs from the certificate's, which is {current.subject}")
    certified = {EVSEID.from_uri(uri) for uri in current.extensions.san_uris}
    if certified != ({evse_id} if evse_id else set()):
        raise EstRefusal(403, "the SubjectAltName differs from the certificate's")


def ca_certificates_response(request: EstRequest, certificates: Iterable[bytes]) -> EstResponse:
    """The CA certificates (DER, root last) as certs-only PKCS#7 (RFC 7030 §4.1.3)."""
    return _pkcs7_response(request, certificates, PKCS7)


def enrolled_response(request: EstRequest, certificate: bytes) -> EstResponse:
    """The issued certificate (DER) and nothing else (RFC 7030 §4.2.3); its Sub-CAs are to be had by /cacerts."""
    return _pkcs7_response(request, (certificate,), f"{PKCS7}; smime-type=certs-only")


def no_attributes_response() -> EstResponse:
    """No wishes about the content of requests (RFC 7030 §4.5.2): the profile decides."""
    return EstResponse(status=204)


def _pkcs7_response(request: EstRequest, certificates: Iterable[bytes], content_type: str) -> EstResponse:
    form = form_for(request.headers.get("user-agent", ""))
    body = encode_body(pkcs7_certs_only(certificates), form)
    return EstResponse(status=200, headers={"content-type": content_type}, body=body)
