"""What the TLS libraries need of a `Credential`: the certificates as objects and the private key itself."""

from __future__ import annotations

from cryptography import x509

from plugpass.errors import LocalError
from plugpass.pki.keys import LocalSigner, PrivateKey
from plugpass.ports.keys import Credential


def certificates(credential: Credential) -> list[x509.Certificate]:
    """The chain, leaf first. Raises LocalError where a certificate of ours is unreadable or there is none."""
    try:
        chain = [x509.load_der_x509_certificate(der) for der in credential.chain]
    except ValueError:
        raise LocalError("a certificate of our own chain is unreadable: issue it again") from None
    if not chain:
        raise LocalError("a credential without certificates cannot be used for TLS: enrol one first")
    return chain


def private_key(credential: Credential) -> PrivateKey:
    """The leaf's key. Raises LocalError where it lives in a token: OpenSSL needs it in this process."""
    if not isinstance(credential.signer, LocalSigner):
        raise LocalError("the key of a TLS credential must be a local one: a token cannot serve OpenSSL handshakes")
    return credential.signer.private_key
