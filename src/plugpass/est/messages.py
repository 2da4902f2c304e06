"""The vocabulary of EST: requests, responses, operations, labels and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from plugpass.errors import PeerError
from plugpass.pki.profiles import CertificateRole

MAX_BODY = 16 * 1024  #: octets of a request body; a P-256 PKCS#10 in PEM has about 700

PKCS10 = "application/pkcs10"
PKCS7 = "application/pkcs7-mime"
PLAIN = "text/plain; charset=utf-8"


class Operation(StrEnum):
    """The path segment that names what is asked for (RFC 7030 §3.2.2)."""

    CACERTS = "cacerts"
    SIMPLE_ENROLL = "simpleenroll"
    SIMPLE_REENROLL = "simplereenroll"
    FULL_CMC = "fullcmc"
    SERVER_KEYGEN = "serverkeygen"
    CSR_ATTRS = "csrattrs"


class Label(StrEnum):
    """The path segment that selects the CA (RFC 7030 §3.2.2), with the values OPCP gives it."""

    CPO = "cpo"
    CPS = "cps"
    MO = "mo"
    OEM = "oem"
    VEH = "veh"


#: What each label enrols. `veh` is an ISO 15118-20 certificate and has no role in the -2 profile.
ROLE_OF_LABEL: Mapping[Label, CertificateRole] = {
    Label.CPO: CertificateRole.SECC_LEAF,
    Label.CPS: CertificateRole.CPS_LEAF,
    Label.MO: CertificateRole.CONTRACT,
    Label.OEM: CertificateRole.OEM_PROVISIONING,
}


class EstRefusal(PeerError):
    """The request is refused; `wire` is the HTTP status, the text is the one-line body the client gets."""

    def __init__(self, status: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, wire=str(status))
        self.status = status
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class EstRequest:
    """One HTTP request as the shell received it; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class EstResponse:
    """One HTTP response. The shell adds Content-Length: both common clients reject chunked answers (est.md §4)."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def refusal_response(refusal: EstRefusal) -> EstResponse:
    """The answer for a refusal: its status and the reason on one line of plain text (RFC 7030 §4.2.3)."""
    reason = " ".join(str(refusal).split())
    headers = {"content-type": PLAIN, **refusal.headers}
    return EstResponse(status=refusal.status, headers=headers, body=reason.encode() + b"\n")
