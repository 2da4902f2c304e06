"""The few handshake messages that tell a listener how records are protected and who is there (RFC 5246, RFC 8446)."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from plugpass.errors import PeerError

CLIENT_HELLO: Final = 1
SERVER_HELLO: Final = 2
CERTIFICATE: Final = 11
FINISHED: Final = 20
KEY_UPDATE: Final = 24

TLS_1_2: Final = 0x0303
TLS_1_3: Final = 0x0304
VERSIONS: Final = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", TLS_1_2: "TLS 1.2", TLS_1_3: "TLS 1.3"}

MAX_MESSAGE: Final = 128 * 1024  #: octets

_ENCRYPT_THEN_MAC: Final = 22
_SUPPORTED_VERSIONS: Final = 43
_RETRY: Final = hashlib.sha256(b"HelloRetryRequest").digest()  # RFC 8446 §4.1.3: the random of such a ServerHello


class MalformedHandshake(PeerError):
    """A handshake message is not what its type says."""


class ServerHello(NamedTuple):
    """What the server chose; `retry` says that the client shall try again instead."""

    random: bytes
    version: int
    suite: int
    encrypt_then_mac: bool
    retry: bool


class _Fields:
    """Takes a message apart from the front."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def take(self, size: int) -> bytes:
        octets = self._octets[self._at : self._at + size]
        if len(octets) < size:
            raise MalformedHandshake("a handshake message is shorter than its fields")
        self._at += size
        return octets

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size_of_length: int) -> bytes:
        return self.take(self.number(size_of_length))

    @property
    def more(self) -> bool:
        return self._at < len(self._octets)


def client_random(body: bytes) -> bytes:
    """The random of a ClientHello. Raises MalformedHandshake."""
    fields = _Fields(body)
    fields.take(2)
    return fields.take(32)


def server_hello(body: bytes) -> ServerHello:
    """A ServerHello. Raises MalformedHandshake."""
    fields = _Fields(body)
    version, random = fields.number(2), fields.take(32)
    fields.vector(1)
    suite = fields.number(2)
    fields.take(1)
    extensions: dict[int, bytes] = {}
    if fields.more:
        entries = _Fields(fields.vector(2))
        while entries.more:
            kind = entries.number(2)
            extensions[kind] = entries.vector(2)
    return ServerHello(
        random=random,
        version=int.from_bytes(extensions.get(_SUPPORTED_VERSIONS, version.to_bytes(2, "big")), "big"),
        suite=suite,
        encrypt_then_mac=_ENCRYPT_THEN_MAC in extensions,
        retry=random == _RETRY,
    )


def certificates(body: bytes, version: int) -> tuple[bytes, ...]:
    """The DER certificates of a Certificate message, leaf first. Raises MalformedHandshake."""
    fields = _Fields(body)
    if version == TLS_1_3:
        fields.vector(1)
    entries = _Fields(fields.vector(3))
    found = []
    while entries.more:
        found.append(entries.vector(3))
        if version == TLS_1_3:
            entries.vector(2)
    return tuple(found)
