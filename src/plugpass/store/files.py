"""Certificates and keys in files that a person names on a command line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from plugpass.errors import ConfigurationError, PeerError
from plugpass.pki.bundle import read_certificates
from plugpass.pki.keys import LocalSigner
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.keys import Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFiles:
    """A certificate chain and the key of its leaf."""

    chain: tuple[Path, ...]  #: PEM, DER or PKCS#7; taken together: leaf first, then Sub-CAs, no root
    key: Path  #: PEM, encrypted
    passphrase_file: Path


def read_file(path: Path) -> bytes:
    """The content of a file that a setting names. Raises ConfigurationError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}; check the path and its permissions") from None


def read_passphrase(path: Path) -> bytes:
    """The passphrase on the one line of a file. Raises ConfigurationError."""
    return read_file(path).strip()


def read_chain(paths: Iterable[Path]) -> tuple[bytes, ...]:
    """The certificates of the files, DER, in their order. Raises ConfigurationError."""
    return tuple(certificate for path in paths for certificate in _certificates(path))


def read_anchors(*, v2g: Iterable[Path], mo: Iterable[Path]) -> TrustAnchors:
    """Trust anchors. Raises ConfigurationError, or UnusableTrustAnchor for a certificate that is no CA."""
    return TrustAnchors.of(v2g=read_chain(v2g), mo=read_chain(mo))


def read_credential(files: KeyFiles) -> Credential:
    """The chain with its key. Raises ConfigurationError, or UnusableKey where the passphrase does not open the key."""
    signer = LocalSigner.from_pem(read_file(files.key), read_passphrase(files.passphrase_file))
    return Credential(chain=read_chain(files.chain), signer=signer)


def _certificates(path: Path) -> tuple[bytes, ...]:
    try:
        return read_certificates(read_file(path))
    except PeerError as error:
        raise ConfigurationError(f"{path} holds no certificates: {error}") from None
