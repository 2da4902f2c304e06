"""TLS of the services (HTTPS and WSS): standard library contexts from DER and `Credential`, TLS 1.2 or newer.

OpenSSL judges validity by the computer's time. Where a `Clock` is given, its own time check is switched off and the
whole verified path is judged at `clock.now()` when the handshake ends, so that services follow the lab's clock.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import structlog
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from plugpass.clock import Clock
from plugpass.errors import LocalError
from plugpass.net.credentials import certificates, private_key
from plugpass.ports.keys import Credential

log = structlog.get_logger(__name__)

_NO_CHECK_TIME = 0x200000  #: X509_V_FLAG_NO_CHECK_TIME, which the standard library does not name

# TLS 1.2 with forward secrecy and AEAD only. Of the OCPP suites (A00.FR.318) that leaves the ECDHE ones: the two others
# need an RSA certificate, which we do not issue. The suites of TLS 1.3 are all fine.
_TLS12_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def server_context(
    credential: Credential,
    *,
    client_roots: Sequence[bytes] | None = None,
    require_client: bool = False,
    clock: Clock | None = None,
) -> ssl.SSLContext:
    """A server's context. With `client_roots` (DER) it asks for a client certificate, `require_client` insists on one.

    A certificate that does not lead to one of the roots fails the handshake. Raises LocalError where our credential
    or the combination is unusable.
    """
    if require_client and not client_roots:
        raise LocalError("client certificates are required but no client root is given: nobody could connect")
    context = _context(ssl.PROTOCOL_TLS_SERVER, clock)
    context.num_tickets = 0  # a resumed session would carry a verdict of an earlier time
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    _load_credential(context, credential)
    if client_roots:
        _load_roots(context, client_roots)
        context.verify_mode = ssl.CERT_REQUIRED if require_client else ssl.CERT_OPTIONAL
    return context


def client_context(
    roots: Sequence[bytes],
    credential: Credential | None = None,
    *,
    check_hostname: bool = True,
    clock: Clock | None = None,
) -> ssl.SSLContext:
    """A client's context: servers must lead to one of `roots` (DER) and, with `check_hostname`, carry the URL's name.

    Raises LocalError where a root or our credential is unusable, or no root is given.
    """
    if not roots:
        raise LocalError("a TLS client needs at least one root certificate: no server could be trusted")
    context = _context(ssl.PROTOCOL_TLS_CLIENT, clock)
    context.check_hostname = check_hostname
    _load_roots(context, roots)
    if credential is not None:
        _load_credential(context, credential)
    return context


def trusting_nobody() -> ssl.SSLContext:
    """A client's context without roots: every TLS server is refused."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, None)


def peer_certificate(transport: asyncio.BaseTransport) -> bytes | None:
    """The verified certificate of the peer, DER; None where it showed none or there is no TLS."""
    ssl_object = transport.get_extra_info("ssl_object")
    if ssl_object is None:
        return None
    return cast("bytes | None", ssl_object.getpeercert(binary_form=True))


def _context(protocol: int, clock: Clock | None) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS12_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION
    context.sslobject_class = _ssl_object_class(clock)
    if clock is not None:
        context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
    return context


def _ssl_object_class(clock: Clock | None) -> type[ssl.SSLObject]:
    """Handshakes that judge the peer's path at the time of `clock`, and that a server does not lose without a word."""

    class SSLObject(ssl.SSLObject):
        reports_refusals = True  # tells servers above that one log line is enough

        def do_handshake(self) -> None:
            try:
                super().do_handshake()
                if clock is not None:
                    _check_validity(_verified_path(self), clock.now())
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                if self.server_side:  # a client's caller gets the exception, a server's nobody
                    log.warning("tls_handshake_refused", reason=getattr(error, "reason", "") or str(error))
                raise

    return SSLObject


def _verified_path(ssl_object: ssl.SSLObject) -> list[x509.Certificate]:
    """The peer's path as OpenSSL built it, leaf first; empty where the peer showed no certificate."""
    if ssl_object.getpeercert(binary_form=True) is None:
        return []
    # Public since Python 3.13; the object beneath has had it since 3.10 and gives OpenSSL's own certificate objects.
    source: Any = ssl_object if hasattr(ssl_object, "get_verified_chain") else cast("Any", ssl_object)._sslobj
    path = [
        x509.load_der_x509_certificate(
            entry if isinstance(entry, bytes) else ssl.PEM_cert_to_DER_cert(entry.public_bytes())
        )
        for entry in source.get_verified_chain() or ()
    ]
    if not path:
        raise ssl.SSLCertVerificationError("there is no verified certificate path to judge")
    return path


def _check_validity(path: list[x509.Certificate], at: datetime) -> None:
    for certificate in path:
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            raise ssl.SSLCertVerificationError(
                f"certificate {certificate.subject.rfc4514_string()} is valid "
                f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}, "
                f"not at {at:%Y-%m-%d %H:%M}"
            )


def _load_roots(context: ssl.SSLContext, roots: Sequence[bytes]) -> None:
    try:
        context.load_verify_locations(cadata=b"".join(roots))
    except ssl.SSLError as error:
        raise LocalError(f"a trusted root certificate is unreadable ({error.reason}): install it again") from None


def _load_credential(context: ssl.SSLContext, credential: Credential) -> None:
    """Load chain and key. The standard library only reads files: the key is in one encrypted, for milliseconds."""
    passphrase = Fernet.generate_key()  # used once, never leaves this function
    key = private_key(credential).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
    chain = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates(credential))
    with tempfile.TemporaryDirectory(prefix="plugpass-") as directory:  # mode 0700
        file = Path(directory) / "credential.pem"
        file.write_bytes(chain + key)
        try:
            context.load_cert_chain(file, password=passphrase)
        except ssl.SSLError as error:
            raise LocalError(f"our own TLS credential is unusable: {error.reason}") from None
