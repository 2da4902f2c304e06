"""Signed trust lists: a CMS SignedData (RFC 5652) around a list of roots, made by one known signer.

What is signed is any form that roots come in: a PEM bundle, or a pool's JSON. `openssl cms -sign -nodetach -binary`
makes one. The signer's certificate is given by whoever imports the list; certificates inside the message count for
nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256, sha384, sha512
from types import MappingProxyType
from typing import Any, Final

from plugpass.errors import PeerError
from plugpass.pki import der, oids
from plugpass.pki.bundle import decode_armour
from plugpass.pki.certificate import Certificate, public_key
from plugpass.pki.keys import InvalidPublicKey, verify
from plugpass.pki.names import parse_name
from plugpass.pki.profiles import KeyUsage

MAX_LIST_BYTES: Final = 4 * 1024 * 1024

_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_DIGESTS: Final[Mapping[str, Any]] = MappingProxyType({oids.SHA256: sha256, oids.SHA384: sha384, oids.SHA512: sha512})
_SIGNED_ATTRIBUTES: Final = der.context(0)


class SignedListRefused(PeerError):
    """A signed list cannot be read, or was not signed by the signer it should be from."""


def open_signed_list(data: bytes, signer: Certificate, *, at: datetime) -> bytes:
    """The content of a CMS SignedData (DER, PEM or base64) that `signer` signed.

    Exactly one signature, with signed attributes, by the key of `signer`, whose certificate is valid at the time `at`
    and may sign. Raises SignedListRefused.
    """
    if len(data) > 2 * MAX_LIST_BYTES:
        raise SignedListRefused(f"{len(data)} octets are more than a signed list needs")
    if not signer.not_before <= at <= signer.not_after:
        raise SignedListRefused(f"the signer {signer.subject} is not valid at {at:%Y-%m-%d}")
    usage = signer.extensions.key_usage
    if usage is not None and not usage & {KeyUsage.DIGITAL_SIGNATURE, KeyUsage.NON_REPUDIATION}:
        raise SignedListRefused(f"the signer {signer.subject} has no digitalSignature in its KeyUsage")
    try:
        return _open(decode_armour(data, ""), signer)
    except der.MalformedDer as error:
        raise SignedListRefused(f"the file is no signed list in DER: {error}") from None


def _open(data: bytes, signer: Certificate) -> bytes:
    content_info = der.read_sequence(data)
    if der.read_oid(content_info.next()) != oids.SIGNED_DATA:
        raise SignedListRefused("the file is no CMS SignedData")
    fields = der.read_sequence(der.read_explicit(content_info.next(), 0).encoded)
    fields.next(der.INTEGER)
    fields.next(der.SET)
    encapsulated = der.Reader(fields.next(der.SEQUENCE).content)
    content_type, wrapped = der.read_oid(encapsulated.next()), encapsulated.optional(der.context(0))
    if wrapped is None:
        raise SignedListRefused("the signature is detached: the list itself must be inside")
    content = der.parse(wrapped.content, der.OCTET_STRING).content
    fields.optional(der.context(0))
    fields.optional(der.context(1))
    infos = der.split(fields.next(der.SET).content)
    if len(infos) != 1:
        raise SignedListRefused(f"the list has {len(infos)} signatures, exactly one is taken")
    _check(infos[0], content_type, content, signer)
    return content


def _check(info: der.Element, content_type: str, content: bytes, signer: Certificate) -> None:
    """RFC 5652 §5.6."""
    fields = der.read_sequence(info.encoded)
    fields.next(der.INTEGER)
    _check_signer(fields.next(), signer)
    digest = _DIGESTS.get(der.read_oid(der.Reader(fields.next(der.SEQUENCE).content).next()))
    attributes = fields.optional(_SIGNED_ATTRIBUTES)
    algorithm = der.read_oid(der.Reader(fields.next(der.SEQUENCE).content).next())
    signature = der.parse(fields.next(der.OCTET_STRING).encoded).content
    if digest is None or attributes is None:
        raise SignedListRefused("the signature has no signed attributes, or a digest that is not SHA-2")
    found = _attributes(attributes)
    if _CONTENT_TYPE not in found or der.read_oid(found[_CONTENT_TYPE]) != content_type:
        raise SignedListRefused("the signature is about another type of content")
    stated = found.get(_MESSAGE_DIGEST)
    if stated is None or not hmac.compare_digest(stated.content, digest(content).digest()):
        raise SignedListRefused("the content is not what was signed")
    try:
        key = public_key(signer.key.encoded)
    except InvalidPublicKey as error:
        raise SignedListRefused(f"the signer's key cannot be used: {error}") from None
    signed = der.set_of(*(item.encoded for item in der.split(attributes.content)))  # RFC 5652 §5.4: as a SET OF
    if not verify(key, signature, signed, algorithm=algorithm):
        raise SignedListRefused(f"the signature is not by {signer.subject}")


def _check_signer(identifier: der.Element, signer: Certificate) -> None:
    if identifier.tag == der.SEQUENCE:
        fields = der.Reader(identifier.content)
        named = parse_name(fields.next(der.SEQUENCE).encoded).key, der.read_integer(fields.next())
        same = named == (signer.issuer.key, signer.serial)
    else:
        same = identifier.content == signer.extensions.subject_key_identifier
    if not same:
        raise SignedListRefused(f"the list names another signer than {signer.subject}")


def _attributes(field: der.Element) -> dict[str, der.Element]:
    """The single values of the signed attributes."""
    found: dict[str, der.Element] = {}
    for item in der.split(field.content):
        pair = der.read_sequence(item.encoded)
        name, values = der.read_oid(pair.next()), der.split(pair.next(der.SET).content)
        if len(values) == 1 and name not in found:
            found[name] = values[0]
    return found
