"""Opening protected TLS records: AEAD and CBC suites of TLS 1.2, the AEAD suites of TLS 1.3.

A suite is a row of a table. Every record is authenticated: one that does not verify was damaged, or the key is wrong.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from plugpass.errors import PeerError
from plugpass.iso15118.capture.tls_keys import expand_label, prf

_BLOCK: Final = 16


class BadRecord(PeerError):
    """A protected record does not authenticate."""


class _Aead(Protocol):
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A cipher suite as far as it protects records; how keys were agreed on and who signed does not matter here."""

    name: str
    hash_name: str  #: of the key derivation
    key_size: int
    aead: Callable[[bytes], _Aead] | None = None  #: None: CBC with HMAC
    mac_name: str = ""  #: CBC: hash of the HMAC
    explicit_nonce: int = 8  #: TLS 1.2 AEAD: octets of the nonce that come with each record


def _ccm_8(key: bytes) -> _Aead:
    return AESCCM(key, tag_length=8)


def _suites(names: dict[int, str], **row: object) -> dict[int, Suite]:
    return {code: Suite(name=name, **row) for code, name in names.items()}  # type: ignore[arg-type]  # rows below


SUITES_12: Final[dict[int, Suite]] = {
    **_suites(
        {
            0xC023: "ECDHE-ECDSA-AES128-SHA256",  # the suite of ISO 15118-2
            0xC025: "ECDH-ECDSA-AES128-SHA256",
            0xC027: "ECDHE-RSA-AES128-SHA256",
        },
        hash_name="sha256",
        key_size=16,
        mac_name="sha256",
    ),
    **_suites(
        {0xC024: "ECDHE-ECDSA-AES256-SHA384", 0xC028: "ECDHE-RSA-AES256-SHA384"},
        hash_name="sha384",
        key_size=32,
        mac_name="sha384",
    ),
    **_suites(
        {0xC009: "ECDHE-ECDSA-AES128-SHA", 0xC013: "ECDHE-RSA-AES128-SHA"},
        hash_name="sha256",
        key_size=16,
        mac_name="sha1",
    ),
    **_suites(
        {0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256", 0xC02F: "ECDHE-RSA-AES128-GCM-SHA256"},
        hash_name="sha256",
        key_size=16,
        aead=AESGCM,
    ),
    **_suites(
        {0xC02C: "ECDHE-ECDSA-AES256-GCM-SHA384", 0xC030: "ECDHE-RSA-AES256-GCM-SHA384"},
        hash_name="sha384",
        key_size=32,
        aead=AESGCM,
    ),
    **_suites(
        {0xCCA9: "ECDHE-ECDSA-CHACHA20-POLY1305", 0xCCA8: "ECDHE-RSA-CHACHA20-POLY1305"},
        hash_name="sha256",
        key_size=32,
        aead=ChaCha20Poly1305,
        explicit_nonce=0,
    ),
    **_suites({0xC0AC: "ECDHE-ECDSA-AES128-CCM"}, hash_name="sha256", key_size=16, aead=AESCCM),
    **_suites({0xC0AE: "ECDHE-ECDSA-AES128-CCM8"}, hash_name="sha256", key_size=16, aead=_ccm_8),
}

SUITES_13: Final[dict[int, Suite]] = {
    0x1301: Suite(name="TLS_AES_128_GCM_SHA256", hash_name="sha256", key_size=16, aead=AESGCM),
    0x1302: Suite(name="TLS_AES_256_GCM_SHA384", hash_name="sha384", key_size=32, aead=AESGCM),
    0x1303: Suite(name="TLS_CHACHA20_POLY1305_SHA256", hash_name="sha256", key_size=32, aead=ChaCha20Poly1305),
    0x1304: Suite(name="TLS_AES_128_CCM_SHA256", hash_name="sha256", key_size=16, aead=AESCCM),
    0x1305: Suite(name="TLS_AES_128_CCM_8_SHA256", hash_name="sha256", key_size=16, aead=_ccm_8),
}


class Protection(Protocol):
    """The keys of one direction."""

    def open(self, header: bytes, fragment: bytes, sequence: int) -> tuple[int, bytes]:
        """Content type and content of the record number `sequence`. Raises BadRecord."""
        ...

    def updated(self) -> Protection:
        """The next generation of keys (TLS 1.3 KeyUpdate); itself where there is none."""
        ...


# --- TLS 1.2 --------------------------------------------------------------------------------------------------------


def protections_12(
    suite: Suite, master: bytes, client_random: bytes, server_random: bytes, *, encrypt_then_mac: bool
) -> tuple[Protection, Protection]:
    """The protection of what the client sends, and of what the server sends (RFC 5246 §6.3)."""
    mac_size = _digest_size(suite.mac_name) if suite.mac_name else 0
    iv_size = 0 if suite.aead is None else 12 - suite.explicit_nonce
    sizes = (mac_size, mac_size, suite.key_size, suite.key_size, iv_size, iv_size)
    block = prf(suite.hash_name, master, b"key expansion", server_random + client_random, sum(sizes))
    parts = []
    for size in sizes:
        parts.append(block[:size])
        block = block[size:]

    def protection(side: int) -> Protection:
        mac_key, key, iv = parts[side], parts[2 + side], parts[4 + side]
        if suite.aead is not None:
            return _Aead12(suite.aead(key), iv, suite.explicit_nonce, 8 if suite.aead is _ccm_8 else 16)
        return _Cbc(key, mac_key, suite.mac_name, encrypt_then_mac)

    return protection(0), protection(1)


@dataclass(frozen=True, slots=True)
class _Aead12:
    """RFC 5288 (GCM), RFC 6655 (CCM): part of the nonce comes with the record. RFC 7905 (ChaCha20): none of it."""

    aead: _Aead
    iv: bytes
    explicit_nonce: int
    tag_size: int

    def open(self, header: bytes, fragment: bytes, sequence: int) -> tuple[int, bytes]:
        """See `Protection`."""
        explicit, sealed = fragment[: self.explicit_nonce], fragment[self.explicit_nonce :]
        nonce = self.iv + explicit if self.explicit_nonce else _xor(self.iv, sequence)
        size = len(sealed) - self.tag_size
        if size < 0:
            raise BadRecord("the record is shorter than its protection")
        associated = sequence.to_bytes(8, "big") + header[:3] + size.to_bytes(2, "big")
        return header[0], _decrypted(self.aead, nonce, sealed, associated)

    def updated(self) -> Protection:
        """TLS 1.2 has no key update."""
        return self


@dataclass(frozen=True, slots=True)
class _Cbc:
    """RFC 5246 §6.2.3.2, and RFC 7366 where `encrypt_then_mac` was negotiated."""

    key: bytes
    mac_key: bytes
    mac_name: str
    encrypt_then_mac: bool

    def open(self, header: bytes, fragment: bytes, sequence: int) -> tuple[int, bytes]:
        """See `Protection`."""
        if self.encrypt_then_mac:
            fragment = self._authentic(header, fragment, sequence)
            return header[0], self._decrypted(fragment)
        return header[0], self._authentic(header, self._decrypted(fragment), sequence)

    def updated(self) -> Protection:
        """TLS 1.2 has no key update."""
        return self

    def _decrypted(self, fragment: bytes) -> bytes:
        if len(fragment) < 2 * _BLOCK or len(fragment) % _BLOCK:
            raise BadRecord("the record is no whole number of cipher blocks")
        decryptor = Cipher(AES(self.key), CBC(fragment[:_BLOCK])).decryptor()
        padded = decryptor.update(fragment[_BLOCK:]) + decryptor.finalize()
        padding = padded[-1] + 1
        if padded[-padding:] != bytes((padded[-1],)) * padding:
            raise BadRecord("the record's padding is wrong")
        return padded[:-padding]

    def _authentic(self, header: bytes, octets: bytes, sequence: int) -> bytes:
        size = len(octets) - _digest_size(self.mac_name)
        if size < 0:
            raise BadRecord("the record is shorter than its authentication code")
        content, code = octets[:size], octets[size:]
        covered = sequence.to_bytes(8, "big") + header[:3] + size.to_bytes(2, "big") + content
        if not hmac.compare_digest(hmac.digest(self.mac_key, covered, self.mac_name), code):
            raise BadRecord("the record does not authenticate")
        return content


# --- TLS 1.3 --------------------------------------------------------------------------------------------------------


class Protection13:
    """The keys that follow from one traffic secret (RFC 8446 §5.2 to §5.4, §7.2, §7.3)."""

    __slots__ = ("_aead", "_iv", "_secret", "_suite")

    def __init__(self, suite: Suite, secret: bytes) -> None:
        assert suite.aead is not None
        self._suite = suite
        self._secret = secret
        self._aead = suite.aead(expand_label(suite.hash_name, secret, b"key", suite.key_size))
        self._iv = expand_label(suite.hash_name, secret, b"iv", 12)

    def open(self, header: bytes, fragment: bytes, sequence: int) -> tuple[int, bytes]:
        """See `Protection`."""
        inner = _decrypted(self._aead, _xor(self._iv, sequence), fragment, header).rstrip(b"\0")
        if not inner:
            raise BadRecord("the record has no content type")
        return inner[-1], inner[:-1]

    def updated(self) -> Protection:
        """The generation after a KeyUpdate."""
        return Protection13(
            self._suite, expand_label(self._suite.hash_name, self._secret, b"traffic upd", len(self._secret))
        )


def _xor(iv: bytes, sequence: int) -> bytes:
    return (int.from_bytes(iv, "big") ^ sequence).to_bytes(len(iv), "big")


def _decrypted(aead: _Aead, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    try:
        return aead.decrypt(nonce, sealed, associated)
    except (InvalidTag, ValueError):
        raise BadRecord("the record does not authenticate") from None


def _digest_size(hash_name: str) -> int:
    return hashlib.new(hash_name).digest_size
