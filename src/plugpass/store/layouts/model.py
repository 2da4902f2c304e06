"""What is laid out: the certificates and keys of one ecosystem, and how a table of paths becomes files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import MappingProxyType

from plugpass.errors import LocalError
from plugpass.pki.bundle import pem
from plugpass.pki.keys import LocalSigner
from plugpass.pki.profiles import CertificateRole, RootType
from plugpass.ports.keys import Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Ecosystem:
    """Roots by type, and one credential of each role: leaves with their Sub-CAs, and CAs where a layout has keys."""

    roots: Mapping[RootType, tuple[bytes, ...]]  #: DER
    credentials: Mapping[CertificateRole, Credential] = field(default_factory=lambda: MappingProxyType({}))

    def credential(self, role: CertificateRole) -> Credential | None:
        """The credential of a role, None where there is none."""
        return self.credentials.get(role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Files by their path in the layout, and what a full layout would have besides."""

    files: Mapping[PurePosixPath, bytes]
    missing: tuple[str, ...] = ()


Content = Callable[[Ecosystem, bytes], bytes | None]  #: of one file; None where the ecosystem has nothing for it
Table = Mapping[str, Content]


def lay_out(table: Table, ecosystem: Ecosystem, passphrase: bytes) -> Layout:
    """The files of a table; `passphrase` protects the keys. Raises LocalError where a key cannot leave its store."""
    contents = {path: content(ecosystem, passphrase) for path, content in table.items()}
    return Layout(
        files={PurePosixPath(path): content for path, content in contents.items() if content is not None},
        missing=tuple(path for path, content in contents.items() if content is None),
    )


# --- what files contain --------------------------------------------------------------------------------------------


def roots_pem(root_type: RootType) -> Content:
    """All roots of a type, PEM."""

    def content(ecosystem: Ecosystem, _: bytes) -> bytes | None:
        found = ecosystem.roots.get(root_type, ())
        return pem(found).encode() if found else None

    return content


def root_der(root_type: RootType) -> Content:
    """The first root of a type, DER."""
    return lambda ecosystem, _: next(iter(ecosystem.roots.get(root_type, ())), None)


def certificate_der(role: CertificateRole, place: int = 0) -> Content:
    """One certificate of a credential's chain, DER: 0 is the leaf, 1 the Sub-CA above it."""

    def content(ecosystem: Ecosystem, _: bytes) -> bytes | None:
        credential = ecosystem.credential(role)
        return credential.chain[place] if credential and len(credential.chain) > place else None

    return content


def certificate_pem(role: CertificateRole, place: int = 0) -> Content:
    """One certificate of a credential's chain, PEM."""
    der = certificate_der(role, place)

    def content(ecosystem: Ecosystem, passphrase: bytes) -> bytes | None:
        found = der(ecosystem, passphrase)
        return pem([found]).encode() if found else None

    return content


def chain_pem(role: CertificateRole, first: int = 0) -> Content:
    """A credential's chain from the certificate `first` on, leaf first, no root, PEM."""

    def content(ecosystem: Ecosystem, _: bytes) -> bytes | None:
        credential = ecosystem.credential(role)
        return pem(credential.chain[first:]).encode() if credential and len(credential.chain) > first else None

    return content


def key_pem(role: CertificateRole) -> Content:
    """A credential's private key, encrypted PKCS#8 PEM."""

    def content(ecosystem: Ecosystem, passphrase: bytes) -> bytes | None:
        credential = ecosystem.credential(role)
        if credential is None:
            return None
        if not isinstance(credential.signer, LocalSigner):
            raise LocalError(f"the key of the {role} credential is in a token and cannot be exported")
        return credential.signer.to_pem(passphrase)

    return content


def key_passphrase(role: CertificateRole) -> Content:
    """The passphrase of a key, on one line: these layouts keep it beside the key."""
    return lambda ecosystem, passphrase: passphrase + b"\n" if ecosystem.credential(role) else None
