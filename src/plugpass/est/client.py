"""What an EST client sends, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from plugpass.errors import PeerError
from plugpass.est.bodies import Base64Form, encode_body
from plugpass.est.messages import PKCS10, EstRequest, EstResponse, Operation
from plugpass.pki.bundle import read_certificates
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.der import MalformedDer
from plugpass.pki.keys import PublicKey, public_key_info

_PREFIX = "/.well-known/est"
_DEFAULT_WAIT = timedelta(seconds=5)
_SHOWN = 120  #: characters of a server's reason in an error message


class EstAnswerRefused(PeerError):
    """The EST server refuses, or its answer is unusable; `wire` is the HTTP status it gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """The request is taken and not decided yet: repeat it identically after `wait` (RFC 7030 §4.2.3)."""

    wait: timedelta


def ca_certificates_request(label: str) -> EstRequest:
    """GET /cacerts of the CA `label`, "" for the server's default."""
    return EstRequest(method="GET", path=_path(label, Operation.CACERTS))


def enrol_request(label: str, csr: bytes, *, renewing: bool = False) -> EstRequest:
    """POST /simpleenroll, or /simplereenroll, of the DER PKCS#10 `csr` at the CA `label`."""
    operation = Operation.SIMPLE_REENROLL if renewing else Operation.SIMPLE_ENROLL
    # Wrapped lines are what the strictest server (libest) can read, and every other one too.
    body = encode_body(csr, Base64Form.WRAPPED)
    return EstRequest(method="POST", path=_path(label, operation), headers={"content-type": PKCS10}, body=body)


def read_ca_certificates(response: EstResponse) -> tuple[bytes, ...]:
    """The CA certificates of a /cacerts answer, DER, in the server's order. Raises EstAnswerRefused."""
    if response.status != 200:
        raise _refused(response)
    return _certificates(response)


def read_enrolment(response: EstResponse, *, now: datetime) -> tuple[bytes, ...] | Pending:
    """The certificates of an enrolment's answer, DER, in the server's order; Pending for a 202.

    Raises EstAnswerRefused.
    """
    if response.status == 202:
        return Pending(wait=retry_after(response.headers.get("retry-after", ""), now=now))
    if response.status != 200:
        raise _refused(response)
    return _certificates(response)


def retry_after(value: str, *, now: datetime) -> timedelta:
    """The time a Retry-After header asks for: seconds or an HTTP date (RFC 9110 §10.2.3), never negative."""
    if value.strip().isdecimal():
        return timedelta(seconds=min(int(value), 10**6))
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return _DEFAULT_WAIT
    return max(timedelta(0), (when if when.tzinfo else when.replace(tzinfo=UTC)) - now)


def certificate_for(key: PublicKey, certificates: Iterable[bytes]) -> bytes:
    """The certificate of `key` among those of an answer, whatever their order. Raises EstAnswerRefused."""
    wanted = public_key_info(key)
    for certificate in certificates:
        if _parsed(certificate).key.encoded == wanted:
            return certificate
    raise EstAnswerRefused("the EST server's answer has no certificate for the key of the request", wire="200")


def issuers_first(certificates: Iterable[bytes]) -> tuple[bytes, ...]:
    """CA certificates from the issuing CA to the root, as far as names lead; servers send them in any order."""
    remaining = {der: _parsed(der) for der in certificates}
    ordered: list[bytes] = []
    while remaining:
        lowest = next((der for der in remaining if not _issues_another(remaining[der], remaining.values())), None)
        chosen = lowest if lowest is not None else next(iter(remaining))  # a loop of names: any order is as good
        ordered.append(chosen)
        del remaining[chosen]
    return tuple(ordered)


def _issues_another(candidate: Certificate, others: Iterable[Certificate]) -> bool:
    return any(other != candidate and other.issuer.key == candidate.subject.key for other in others)


def _path(label: str, operation: Operation) -> str:
    return "/".join(part for part in (_PREFIX, label, operation) if part)


def _certificates(response: EstResponse) -> tuple[bytes, ...]:
    try:
        return read_certificates(response.body)
    except MalformedDer as error:
        raise EstAnswerRefused(f"the EST server's answer is unreadable: {error}", wire="200") from error


def _parsed(certificate: bytes) -> Certificate:
    try:
        return parse(certificate)
    except MalformedDer as error:
        raise EstAnswerRefused(f"the EST server's answer has a broken certificate: {error}", wire="200") from error


def _refused(response: EstResponse) -> EstAnswerRefused:
    reason = " ".join(response.body.decode("utf-8", "replace").split())
    return EstAnswerRefused(
        f"the EST server answers {response.status}: {reason[:_SHOWN]!a}"
        if reason
        else f"the EST server answers {response.status}",
        wire=str(response.status),
    )


def lower_case(headers: Mapping[str, str]) -> dict[str, str]:
    """Header names in lower case, as EstResponse has them."""
    return {name.lower(): value for name, value in headers.items()}
