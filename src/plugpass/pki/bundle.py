"""Chains and bundles of certificates as bytes: PEM, DER, base64, and the certs-only PKCS#7 of EST.

Reading is bounded and takes any of these forms; writing keeps the order given. Certificates come out as DER, not
judged and not even parsed beyond their outer length.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from typing import Final

from plugpass.pki import der, oids
from plugpass.pki.certificate import CertificateLike, der_of

MAX_BUNDLE_BYTES: Final = 256 * 1024
MAX_CERTIFICATES: Final = 64

_CERTIFICATE_LABELS: Final = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"})
_PKCS7_LABELS: Final = frozenset({b"PKCS7", b"CMS"})


class MalformedBundle(der.MalformedDer):
    """Bytes hold no certificates in any known form, or more than is reasonable."""


# --- armour --------------------------------------------------------------------------------------------------------


def decode_armour(data: bytes, label: str) -> bytes:
    """DER from `data`, which is DER already, one PEM block whose label ends in `label`, or bare base64.

    Raises MalformedDer.
    """
    text = data.strip()
    if text.startswith(b"-----"):
        blocks = [body for name, body in _blocks(text) if name.endswith(label.encode())]
        if len(blocks) != 1:
            raise MalformedBundle(f"expected one PEM block {label}, found {len(blocks)}")
        return _base64(blocks[0])
    return data if data[:1] == b"\x30" and not _is_base64(text) else _base64(text)


def _is_base64(text: bytes) -> bool:
    """Whether `text` (which begins with '0', as DER does) is base64: no octet outside its alphabet."""
    return re.fullmatch(rb"[A-Za-z0-9+/=\s]+", text) is not None


def _base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        raise MalformedBundle("not base64") from None


def _blocks(data: bytes) -> list[tuple[bytes, bytes]]:
    """(label, body) of every PEM block; text around the blocks is ignored. Raises MalformedBundle for an open end."""
    parts = data.split(b"-----")
    found = []
    for at, part in enumerate(parts):
        if part.startswith(b"BEGIN "):
            label = part.removeprefix(b"BEGIN ")
            if parts[at + 2 : at + 3] != [b"END " + label]:
                raise MalformedBundle("a PEM block has no matching END line")
            found.append((label, parts[at + 1]))
    return found


# --- reading -------------------------------------------------------------------------------------------------------


def read_certificates(data: bytes | str) -> tuple[bytes, ...]:
    """The certificates in `data`, in their order: PEM blocks, PKCS#7, DER one after the other, or base64 of these.

    Raises MalformedBundle where there is none, where something cannot be read, or where a bound is exceeded.
    """
    raw = data.encode("ascii", "replace") if isinstance(data, str) else data
    if len(raw) > MAX_BUNDLE_BYTES:
        raise MalformedBundle(f"{len(raw)} octets are more than a certificate bundle needs ({MAX_BUNDLE_BYTES})")
    certificates = _bounded(_from_pem(raw) if b"-----BEGIN" in raw else _from_der(decode_armour(raw, "")))
    if not certificates:
        raise MalformedBundle("no certificate found")
    return certificates


def _from_pem(data: bytes) -> Sequence[bytes]:
    found: list[bytes] = []
    for label, body in _blocks(data):
        if label in _CERTIFICATE_LABELS:
            found.append(der.parse(_base64(body), der.SEQUENCE).encoded)
        elif label in _PKCS7_LABELS:
            found += parse_pkcs7(_base64(body))
    return found


def _from_der(data: bytes) -> Sequence[bytes]:
    elements = der.split(data)
    if len(elements) == 1 and _is_pkcs7(elements[0]):
        return parse_pkcs7(data)
    if any(element.tag != der.SEQUENCE for element in elements):
        raise MalformedBundle("neither a certificate nor a PKCS#7")
    return [element.encoded for element in elements]


def _is_pkcs7(element: der.Element) -> bool:
    return element.tag == der.SEQUENCE and element.content.startswith(der.oid(oids.SIGNED_DATA))


def _bounded(certificates: Sequence[bytes]) -> tuple[bytes, ...]:
    if len(certificates) > MAX_CERTIFICATES:
        raise MalformedBundle(f"{len(certificates)} certificates, at most {MAX_CERTIFICATES} are read")
    return tuple(certificates)


def parse_pkcs7(data: bytes) -> tuple[bytes, ...]:
    """The certificates of a PKCS#7 SignedData, in the order of the encoding; DER, PEM or base64, wrapped or not.

    Raises MalformedDer. Signers and CRLs are ignored: a certs-only message has none (RFC 7030 §4.1.3).
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise MalformedBundle(f"{len(data)} octets are more than a PKCS#7 of certificates needs ({MAX_BUNDLE_BYTES})")
    content_info = der.read_sequence(decode_armour(data, ""))
    if der.read_oid(content_info.next()) != oids.SIGNED_DATA:
        raise MalformedBundle("the PKCS#7 is no SignedData")
    fields = der.read_sequence(der.read_explicit(content_info.next(), 0).encoded)
    fields.next(der.INTEGER)
    fields.next(der.SET)
    fields.next(der.SEQUENCE)
    certificates = fields.optional(der.context(0))
    if certificates is None:
        return ()
    return _bounded([item.encoded for item in der.split(certificates.content) if item.tag == der.SEQUENCE])


# --- writing -------------------------------------------------------------------------------------------------------


def pkcs7_certs_only(certificates: Iterable[CertificateLike]) -> bytes:
    """A DER certs-only PKCS#7 that keeps the order given: issuing CA first, root last for EST /cacerts.

    Certificates are a SET OF, which DER would sort by encoding; readers in the field take positions for meaning, and
    CMS allows BER here (RFC 5652 §1), so the order stands.
    """
    bodies = b"".join(map(der_of, certificates))
    return der.sequence(
        der.oid(oids.SIGNED_DATA),
        der.explicit(
            0,
            der.sequence(
                der.integer(1),
                der.set_of(),
                der.sequence(der.oid(oids.DATA)),
                der.element(der.context(0), bodies),
                der.set_of(),
            ),
        ),
    )


def pem(certificates: Iterable[CertificateLike]) -> str:
    """The certificates as PEM, in the order given, each ending in a line feed."""
    return "".join(pem_block(der_of(certificate), "CERTIFICATE") for certificate in certificates)


def pem_block(encoded: bytes, label: str) -> str:
    """One PEM block of 64 columns (RFC 7468)."""
    text = base64.b64encode(encoded).decode()
    lines = (text[at : at + 64] for at in range(0, len(text), 64))
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))
