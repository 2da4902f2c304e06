"""TLS between vehicle and station (ISO 15118-2 §7.7.3), with what the standard library cannot do: stapling, root hints.

pyOpenSSL runs on memory BIOs and is pumped over asyncio streams. This is the only module that knows pyOpenSSL, and the
only one that touches its private `_lib`; `FEATURES` says what the probe found there. Without a feature:

* `signature_algorithms`: any algorithm OpenSSL allows may be negotiated, certificates are still judged by `Verify`;
* `trusted_ca_keys`: the vehicle does not name its roots and the station presents its first chain [V2G2-923].

-2 asks for `status_request_v2` (one response per certificate, [V2G2-871]), which OpenSSL does not have: both roles use
`status_request` with the response for the leaf.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto

from plugpass.errors import LocalError, PeerError, Unavailable
from plugpass.iso15118.capture.tls_alerts import ALERTS, FATAL
from plugpass.net.credentials import certificates, private_key
from plugpass.net.stream import READ_SIZE, hang_up, send
from plugpass.ports.keys import Credential

HANDSHAKE_TIMEOUT = 10.0  #: seconds
HANDSHAKE_LIMIT = (
    32 * 1024
)  #: octets taken from a peer before the handshake is over; three certificates are under 8 KiB

_TRUSTED_CA_KEYS = 3  #: extension type (RFC 6066 §6)
_CERT_SHA1_HASH = 3  #: identifier type
_SHA1_SIZE = 20

_lib: Any = SSL._lib  # type: ignore[attr-defined]  # private on purpose, see the module's docstring
_ffi: Any = SSL._ffi  # type: ignore[attr-defined]  # likewise

Verify = Callable[[tuple[bytes, ...], bytes | None], None]
"""Judges a station's chain (DER, leaf first, as sent) and OCSP staple (DER, or None); raises PeerError to refuse it.

A `wire` that names a TLS alert (RFC 5246 §7.2.2, such as "certificate_expired") is the alert sent to the station.
"""

KeyLogger = Callable[[bytes], None]
"""Takes the lines of an NSS key log, which open all traffic to whoever has them: never given unless asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What pyOpenSSL's private bindings offer here."""

    signature_algorithms: bool
    trusted_ca_keys: bool


FEATURES = Features(
    signature_algorithms=hasattr(_lib, "SSL_CTX_set1_sigalgs_list"),
    trusted_ca_keys=all(
        hasattr(_lib, name)
        for name in ("SSL_CTX_add_client_custom_ext", "SSL_CTX_add_server_custom_ext", "SSL_CTX_set_cert_cb")
    ),
)


def capabilities() -> dict[str, bool]:
    """`FEATURES` by name, for people: `plugpass doctor` shows them."""
    return asdict(FEATURES)


_ALERT_CODES = {name: code for code, name in ALERTS.items()}


class TlsRefused(PeerError):
    """A handshake or a running TLS connection was ended for cause: `alert` names the TLS alert, `by_peer` who sent it.

    Where our own verifier refused, its error is the `__cause__`.
    """

    def __init__(self, message: str, *, alert: str = "", by_peer: bool = False) -> None:
        super().__init__(message)
        self.alert = alert
        self.by_peer = by_peer


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsProfile:
    """What may be negotiated. A relaxation for a peer is another value of this class, with a name of its own."""

    name: str
    cipher_list: bytes  #: OpenSSL cipher string
    curve: ec.EllipticCurve  #: the only group
    signature_algorithms: bytes  #: OpenSSL list


#: The one suite of -2 that current OpenSSL has; static ECDH is gone from it.
ISO2 = TlsProfile(
    name="ISO 15118-2",
    cipher_list=b"ECDHE-ECDSA-AES128-SHA256",
    curve=ec.SECP256R1(),
    signature_algorithms=b"ecdsa_secp256r1_sha256",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One chain a station can present."""

    credential: Credential
    staple: bytes | None = None  #: DER OCSPResponse for the leaf
    root_sha1: bytes | None = None  #: SHA-1 of the DER root it leads to, to be matched with the vehicle's root hints


@dataclass(slots=True)
class _Record:
    """What happened on one connection, filled in by OpenSSL's callbacks, which must live as long as the connection."""

    received_alert: str = ""
    sent_alert: str = ""
    chain: tuple[bytes, ...] = ()
    staple: bytes | None = None
    judged: bool = False
    refusal: Exception | None = None
    trusted_ca_sha1: tuple[bytes, ...] = ()
    keep: list[object] = field(default_factory=list)


class TlsStream:
    """A TLS connection as a `ByteStream`. Made by `connect_tls` and `accept_tls` with the handshake already done."""

    def __init__(
        self,
        connection: SSL.Connection,
        record: _Record,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._connection = connection
        self._record = record
        self._reader = reader
        self._writer = writer
        self._closed = False

    @property
    def peer_chain(self) -> tuple[bytes, ...]:
        """The certificates the peer sent: DER, leaf first."""
        return self._record.chain

    @property
    def staple(self) -> bytes | None:
        """The OCSP response the station stapled, DER."""
        return self._record.staple

    @property
    def trusted_ca_sha1(self) -> tuple[bytes, ...]:
        """At the station: SHA-1 hashes of the roots the vehicle named [V2G2-651]."""
        return self._record.trusted_ca_sha1

    @property
    def cipher(self) -> str:
        """OpenSSL's name of the negotiated suite."""
        return self._connection.get_cipher_name() or ""

    @property
    def group(self) -> str:
        """OpenSSL's name of the key agreement's group."""
        return self._connection.get_group_name() or ""

    @property
    def protocol(self) -> str:
        """Such as "TLSv1.2"."""
        return self._connection.get_protocol_version_name()

    async def read(self) -> bytes:
        """The next octets; empty at the end, with or without close_notify: a V2GTP frame says itself if it is whole.

        Raises TlsRefused for a fatal alert or a broken record.
        """
        while True:
            try:
                return self._connection.recv(READ_SIZE)
            except SSL.WantReadError:
                await self._flush()
            except SSL.ZeroReturnError:
                return b""
            except SSL.Error as error:
                await self._flush_alert()
                raise self._refused("the TLS connection broke", error) from None
            octets = await self._reader.read(READ_SIZE)
            if not octets:
                return b""
            self._connection.bio_write(octets)

    async def write(self, data: bytes) -> None:
        """Send `data` with one call to the socket: small peers read a frame with one `read`."""
        try:
            self._connection.sendall(data)
        except SSL.Error as error:
            raise self._refused("the TLS connection broke", error) from None
        await self._flush()

    async def close(self) -> None:
        """Send close_notify and hang up without waiting for the peer's [RFC 5246 §7.2.1]."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(SSL.Error, OSError):
            self._connection.shutdown()
            await self._flush()
        await hang_up(self._writer)

    async def _handshake(self) -> None:
        taken = 0
        while True:
            try:
                self._connection.do_handshake()
                break
            except SSL.WantReadError:
                await self._flush()
            except SSL.Error as error:
                await self._flush_alert()
                if self._record.refusal is not None and not isinstance(self._record.refusal, PeerError):
                    raise self._record.refusal from None
                raise self._refused("the TLS handshake failed", error) from self._record.refusal
            octets = await self._reader.read(READ_SIZE)
            if not octets:
                raise TlsRefused("the peer closed the connection during the TLS handshake", by_peer=True)
            taken += len(octets)
            if taken > HANDSHAKE_LIMIT:
                raise TlsRefused(f"the peer sent more than {HANDSHAKE_LIMIT} octets before the TLS handshake was over")
            self._connection.bio_write(octets)
        await self._flush()

    async def _flush(self) -> None:
        if octets := self._pending():
            await send(self._writer, octets)

    async def _flush_alert(self) -> None:
        """Send the alert; where our verifier refused, the one it asked for.

        Chain and staple are judged together in the status callback, whose only alert is
        bad_certificate_status_response. In TLS 1.2 no keys are in use by then: the alert is a plain record, and ours
        takes its place.
        """
        octets = self._pending()
        if self._record.refusal is not None and self.protocol == "TLSv1.2":
            self._record.sent_alert = _alert_for(self._record.refusal)
            octets = alert_record(self._record.sent_alert)
        with contextlib.suppress(OSError):
            if octets:
                await send(self._writer, octets)

    def _pending(self) -> bytes:
        parts: list[bytes] = []
        with contextlib.suppress(SSL.WantReadError):
            while True:
                parts.append(self._connection.bio_read(READ_SIZE))
        return b"".join(parts)

    def _refused(self, what: str, error: SSL.Error) -> TlsRefused:
        record = self._record
        if record.received_alert:
            text = f"{what}: the peer sent the alert {record.received_alert}"
            return TlsRefused(text, alert=record.received_alert, by_peer=True)
        reason = str(record.refusal) if record.refusal is not None else _openssl_reason(error)
        return TlsRefused(f"{what}: {reason}", alert=record.sent_alert)


async def connect_tls(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    verify: Verify,
    roots: Sequence[bytes] = (),
    profile: TlsProfile = ISO2,
    handshake_timeout: float = HANDSHAKE_TIMEOUT,
    keylog: KeyLogger | None = None,
) -> TlsStream:
    """Make the vehicle's handshake over an open connection; `roots` (DER) are named to the station [V2G2-651].

    Raises TlsRefused where either side refuses, Unavailable after `handshake_timeout` seconds or on a broken
    connection; the connection is closed then.
    """
    record = _Record()
    context = _context(profile, record, keylog)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)  # judged below, chain and staple together
    context.set_ocsp_client_callback(lambda connection, staple, _: _judge(connection, staple, record, verify))
    if roots and FEATURES.trusted_ca_keys:
        _send_trusted_ca_keys(context, roots, record)
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    connection.request_ocsp()
    stream = await _shake(connection, record, reader, writer, handshake_timeout)
    if not record.judged:
        await stream.close()
        raise TlsRefused("the TLS library finished a handshake without asking for a verdict: connection refused")
    return stream


async def accept_tls(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    identities: Sequence[Identity],
    profile: TlsProfile = ISO2,
    handshake_timeout: float = HANDSHAKE_TIMEOUT,
    keylog: KeyLogger | None = None,
) -> TlsStream:
    """Make the station's handshake with the first of `identities`, or the first that leads to a root the vehicle named.

    Raises like `connect_tls`.
    """
    if not identities:
        raise LocalError("a TLS server needs at least one identity: install a SECC certificate first")
    record = _Record()
    contexts = [_server_context(profile, record, identity, keylog) for identity in identities]
    if FEATURES.trusted_ca_keys:
        _receive_trusted_ca_keys(contexts, identities, record)
    connection = SSL.Connection(contexts[0], None)
    connection.set_accept_state()
    return await _shake(connection, record, reader, writer, handshake_timeout)


def alert_record(alert: str) -> bytes:
    """A fatal alert as a record of TLS 1.2 before any keys are in use."""
    return bytes((21, 3, 3, 0, 2, FATAL, _ALERT_CODES[alert]))


async def _shake(
    connection: SSL.Connection,
    record: _Record,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    handshake_timeout: float,
) -> TlsStream:
    stream = TlsStream(connection, record, reader, writer)
    try:
        async with asyncio.timeout(handshake_timeout):
            await stream._handshake()
    except TimeoutError:
        await hang_up(writer)
        raise Unavailable(f"the TLS handshake was not over after {handshake_timeout:g} s: connection closed") from None
    except OSError as error:
        await hang_up(writer)
        raise Unavailable(f"the connection broke during the TLS handshake: {error}") from None
    except BaseException:
        await hang_up(writer)
        raise
    return stream


def _context(profile: TlsProfile, record: _Record, keylog: KeyLogger | None) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(profile.cipher_list)
    context.set_tmp_ecdh(
        profile.curve
    )  # the only group, also in a ClientHello: post-quantum shares confuse small peers
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if keylog is not None:
        context.set_keylog_callback(lambda _, line: keylog(line))
    context.set_info_callback(lambda _, where, value: _note_alert(record, where, value))
    if FEATURES.signature_algorithms and not _lib.SSL_CTX_set1_sigalgs_list(
        context._context, profile.signature_algorithms
    ):
        raise LocalError(f"OpenSSL does not know the signature algorithms of the TLS profile {profile.name!r}")
    return context


def _server_context(profile: TlsProfile, record: _Record, identity: Identity, keylog: KeyLogger | None) -> SSL.Context:
    context = _context(profile, record, keylog)
    leaf, *sub_cas = certificates(identity.credential)
    try:
        context.use_certificate(leaf)
        for certificate in sub_cas:
            context.add_extra_chain_cert(certificate)  # leaf, Sub-CA 2, Sub-CA 1: the order small peers rely on
        context.use_privatekey(private_key(identity.credential))
        context.check_privatekey()
    except SSL.Error as error:
        raise LocalError(f"OpenSSL cannot serve our own credential: {_openssl_reason(error)}") from None
    context.set_ocsp_server_callback(lambda *_: identity.staple or b"")
    return context


def _judge(connection: SSL.Connection, staple: bytes, record: _Record, verify: Verify) -> bool:
    """The station's flight is complete and nothing of ours depends on it yet: accept it or not."""
    record.judged = True
    record.chain = tuple(
        crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        for certificate in connection.get_peer_cert_chain() or ()
    )
    record.staple = staple or None
    try:
        verify(record.chain, record.staple)
    except Exception as error:  # nothing may unwind through OpenSSL; `_handshake` raises it
        record.refusal = error
    return record.refusal is None


def _alert_for(refusal: Exception) -> str:
    if not isinstance(refusal, PeerError):
        return "internal_error"
    return refusal.wire if refusal.wire in _ALERT_CODES else "bad_certificate"


def _note_alert(record: _Record, where: int, value: int) -> None:
    level, code = value >> 8, value & 0xFF
    if level != FATAL:
        return
    name = ALERTS.get(code, f"alert {code}")
    if where & SSL.SSL_CB_READ_ALERT == SSL.SSL_CB_READ_ALERT:
        record.received_alert = name
    elif where & SSL.SSL_CB_WRITE_ALERT == SSL.SSL_CB_WRITE_ALERT:
        record.sent_alert = name


def _openssl_reason(error: SSL.Error) -> str:
    """The reason in OpenSSL's error queue, such as "no shared cipher" or "wrong version number"."""
    queue = error.args[0] if error.args else ()
    if isinstance(queue, list) and queue:
        return str(queue[-1][-1])
    return "unexpected end of the connection"


def _send_trusted_ca_keys(context: SSL.Context, roots: Sequence[bytes], record: _Record) -> None:
    """Name `roots` by their SHA-1 hash in the ClientHello (RFC 6066 §6)."""
    authorities = b"".join(bytes((_CERT_SHA1_HASH,)) + _sha1(root) for root in roots)
    body = len(authorities).to_bytes(2, "big") + authorities
    buffer = _ffi.new("unsigned char[]", body)

    def add(_ssl: object, _type: int, out: Any, size: Any, _alert: object, _arg: object) -> int:
        out[0] = buffer
        size[0] = len(body)
        return 1

    callback = _ffi.callback("int (*)(SSL *, unsigned int, const unsigned char **, size_t *, int *, void *)", add)
    record.keep += [buffer, callback]
    null = _ffi.NULL
    if not _lib.SSL_CTX_add_client_custom_ext(context._context, _TRUSTED_CA_KEYS, callback, null, null, null, null):
        raise LocalError("OpenSSL does not take the trusted_ca_keys extension: connect without naming roots")


def _receive_trusted_ca_keys(contexts: Sequence[SSL.Context], identities: Sequence[Identity], record: _Record) -> None:
    """Take note of the vehicle's roots and, with several chains, present one that leads to one of them [V2G2-871]."""
    null = _ffi.NULL

    def parse(_ssl: object, _type: int, body: Any, size: int, alert: Any, _arg: object) -> int:
        hashes = parse_trusted_ca_keys(_ffi.buffer(body, size)[:])
        if hashes is None:
            alert[0] = _ALERT_CODES["decode_error"]
            return 0
        record.trusted_ca_sha1 = hashes
        return 1

    def choose(ssl: object, _arg: object) -> int:
        _lib.SSL_set_SSL_CTX(ssl, contexts[choose_identity(identities, record.trusted_ca_sha1)]._context)
        return 1

    parse_callback = _ffi.callback(
        "int (*)(SSL *, unsigned int, const unsigned char *, size_t, int *, void *)", parse, error=0
    )
    choose_callback = _ffi.callback("int (*)(SSL *, void *)", choose, error=0)
    record.keep += [parse_callback, choose_callback, *contexts]
    default = contexts[0]._context
    if not _lib.SSL_CTX_add_server_custom_ext(default, _TRUSTED_CA_KEYS, null, null, null, parse_callback, null):
        raise LocalError("OpenSSL does not take the trusted_ca_keys extension: serve a single chain without it")
    _lib.SSL_CTX_set_cert_cb(default, choose_callback, null)


def parse_trusted_ca_keys(body: bytes) -> tuple[bytes, ...] | None:
    """The SHA-1 certificate hashes of a trusted_ca_keys extension; None where it is malformed.

    Authorities of the other identifier types end the list: none of our chains can be matched with them.
    """
    if len(body) < 2 or int.from_bytes(body[:2], "big") != len(body) - 2:
        return None
    hashes: list[bytes] = []
    rest = body[2:]
    while rest and rest[0] == _CERT_SHA1_HASH:
        if len(rest) < 1 + _SHA1_SIZE:
            return None
        hashes.append(rest[1 : 1 + _SHA1_SIZE])
        rest = rest[1 + _SHA1_SIZE :]
    return tuple(hashes)


def choose_identity(identities: Sequence[Identity], named: Sequence[bytes]) -> int:
    """Index of the first identity whose root the vehicle named, else the first of all [V2G2-871], [V2G2-923]."""
    matching = (index for index, identity in enumerate(identities) if identity.root_sha1 in named)
    return next(matching, 0)


def _sha1(certificate: bytes) -> bytes:
    return hashlib.sha1(certificate, usedforsecurity=False).digest()  # an identifier (RFC 6066 §6), no protection
