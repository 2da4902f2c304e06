"""Certificates, keys and messages in JSON fields: base64 in, base64 out, and the texts the pools print about them."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from plugpass.ids import EMAID, PCID, InvalidIdentifier
from plugpass.opcp.errors import bad_request
from plugpass.pki import oids
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.der import MalformedDer

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def to_field(octets: bytes) -> str:
    """Base64 in one line."""
    return base64.b64encode(octets).decode()


def octets_field(text: str, field: str) -> bytes:
    """The octets in a base64 field, line breaks tolerated. Raises OpcpError 400 naming the field."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise bad_request(f"{field} is not valid base64.") from None


def certificate_field(text: str, field: str) -> Certificate:
    """The certificate in a field: base64 DER, base64 PEM or PEM, as the specifications have it in different places.

    Raises OpcpError 400, in the specification's words.
    """
    try:
        octets = _unarmoured(text) if _BEGIN in text else octets_field(text, field)
        if octets.startswith(_BEGIN.encode()):
            octets = _unarmoured(octets.decode("ascii", "replace"))
        return parse(octets)
    except (MalformedDer, binascii.Error):
        raise bad_request(f"Invalid certificate format on {field}") from None


def _unarmoured(pem: str) -> bytes:
    return base64.b64decode("".join(pem.partition(_BEGIN)[2].partition(_END)[0].split()), validate=True)


def emaid_field(text: str) -> EMAID:
    """The EMAID of a field or path. Raises OpcpError 400."""
    try:
        return EMAID.parse(text)
    except InvalidIdentifier as error:
        raise bad_request(f"emaid : {error}") from None


def pcid_field(text: str) -> PCID:
    """The PCID of a field or path. Raises OpcpError 400."""
    try:
        return PCID.parse(text)
    except InvalidIdentifier as error:
        raise bad_request(f"pcid : {error}") from None


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def hex_serial(certificate: Certificate) -> str:
    """The serial number in lower-case hex."""
    return f"{certificate.serial:x}"


def key_identifier(certificate: Certificate) -> str:
    """The SubjectKeyIdentifier in hex with colons, "" where there is none."""
    identifier = certificate.extensions.subject_key_identifier
    return "" if identifier is None else identifier.hex(":")


def organization(certificate: Certificate) -> str:
    """The subject's first organization name, "" where there is none."""
    return next(iter(certificate.subject.values(oids.ORGANIZATION)), "")
