"""The certificates in a message or handshake, summarised."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Any

from plugpass.iso15118.capture.records import CertificateSummary
from plugpass.pki.certificate import parse
from plugpass.pki.der import MalformedDer

_ELEMENTS = frozenset({"Certificate", "OEMProvisioningCert", "X509Certificate"})
"""The elements of all schemas that hold a certificate."""


def certificates_in(value: Any) -> tuple[CertificateSummary, ...]:
    """The certificates in a message, given as `to_json` gives it."""
    return tuple(_encoded(path, text) for path, text in _leaves(value, ()) if path and path[-1] in _ELEMENTS)


def chain_summary(field: str, chain: Sequence[bytes]) -> tuple[CertificateSummary, ...]:
    """The certificates of a chain, DER."""
    return tuple(summarise(field, encoded) for encoded in chain)


def summarise(field: str, encoded: bytes) -> CertificateSummary:
    """What to show of one certificate."""
    try:
        certificate = parse(encoded)
    except MalformedDer as error:
        return CertificateSummary(field=field, fault=str(error))
    return CertificateSummary(
        field=field,
        subject=str(certificate.subject),
        issuer=str(certificate.issuer),
        serial=f"{certificate.serial:x}",
        not_before=certificate.not_before.isoformat(),
        not_after=certificate.not_after.isoformat(),
    )


def _encoded(path: tuple[str, ...], text: object) -> CertificateSummary:
    field = "/".join(path)
    try:
        return summarise(field, base64.b64decode(str(text), validate=True))
    except binascii.Error:
        return CertificateSummary(field=field, fault="no base64")


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    match value:
        case dict():
            for name, content in value.items():
                yield from _leaves(content, (*path, name))
        case list():
            for item in value:
                yield from _leaves(item, path)
        case _:
            yield path, value
