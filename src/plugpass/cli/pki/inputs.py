"""Files that people name: read with a bound, in any of the usual forms, refused with one line that says why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from plugpass.cli.pki.secrets import EXPORT_VARIABLE, find_passphrase
from plugpass.errors import ConfigurationError, LocalError, PeerError
from plugpass.pki import oids
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.diagnose import read_chain
from plugpass.pki.profiles import ROOT_ROLE, CertificateRole, Generation, RootType, profiles
from plugpass.pki.trust import TrustAnchors

MAX_INPUT: Final = 4 * 1024 * 1024  #: octets; the largest thing anybody hands in is a revocation list
_CERTIFICATE_SUFFIXES: Final = frozenset({".pem", ".crt", ".cer", ".der", ".p7b", ".p7c"})
_P12_SUFFIXES: Final = frozenset({".p12", ".pfx"})
_TYPES: Final = {root_type.value.lower(): root_type for root_type in RootType}


class UnusableFile(LocalError):
    """A file cannot be read, or does not hold what is needed."""


def read_bounded(path: Path, limit: int = MAX_INPUT) -> bytes:
    """The content of a file of at most `limit` octets. Raises UnusableFile."""
    try:
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise UnusableFile(f"cannot read {path}: {error.strerror}") from None
    if len(content) > limit:
        raise UnusableFile(f"{path} has more than {limit:,} octets, which is more than any such file needs")
    return content


def read_certificates_of(path: Path, *, passphrase_file: Path | None = None) -> tuple[Certificate, ...]:
    """The certificates of a PEM, DER, PKCS#7, base64 or PKCS#12 file, in its order. Raises UnusableFile."""
    content = read_bounded(path)
    if path.suffix.lower() in _P12_SUFFIXES or _is_p12(content):
        return _p12_certificates(path, content, passphrase_file)
    try:
        return read_chain(content)
    except PeerError as error:
        raise UnusableFile(f"{path}: {error}") from None


def _is_p12(content: bytes) -> bool:
    """A PFX begins with version 3, where a certificate has a SEQUENCE (RFC 7292 §4)."""
    return content[:1] == b"\x30" and b"\x02\x01\x03\x30" in content[:9]


def _p12_certificates(path: Path, content: bytes, passphrase_file: Path | None) -> tuple[Certificate, ...]:
    passphrase = find_passphrase(passphrase_file, EXPORT_VARIABLE, purpose=f"for {path}")
    try:
        loaded = pkcs12.load_pkcs12(content, passphrase)
    except ValueError:
        raise UnusableFile(f"{path} cannot be opened: wrong passphrase, or no PKCS#12 file") from None
    found = [item.certificate for item in (loaded.cert, *loaded.additional_certs) if item]
    if not found:
        raise UnusableFile(f"{path} holds no certificate")
    return tuple(parse(certificate.public_bytes(Encoding.DER)) for certificate in found)


# --- trust ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustSource:
    """What `--trust` names: a file or folder, and the type of the roots where it was said (`mo=FILE`)."""

    path: Path
    root_type: RootType | None

    @classmethod
    def parse(cls, text: str) -> TrustSource:
        """From the text of the option. Raises UnusableFile where there is no such file."""
        word, separator, rest = text.partition("=")
        typed = bool(separator) and word.lower() in _TYPES
        path = Path(rest if typed else text)
        if not path.exists():
            raise UnusableFile(f"cannot read {path}: there is no such file or folder")
        return cls(path=path, root_type=_TYPES[word.lower()] if typed else None)

    def files(self) -> tuple[Path, ...]:
        """The file, or every certificate file in the folder and below it. Raises UnusableFile where there is none."""
        if not self.path.is_dir():
            return (self.path,)
        found = sorted(
            file for file in self.path.rglob("*") if file.is_file() and file.suffix.lower() in _CERTIFICATE_SUFFIXES
        )
        if not found:
            raise UnusableFile(f"{self.path} holds no certificate files ({', '.join(sorted(_CERTIFICATE_SUFFIXES))})")
        return tuple(found)


def read_trust(sources: Iterable[str], role: CertificateRole, generation: Generation) -> TrustAnchors:
    """The anchors of all sources.

    The type of a root is the one said (`mo=FILE`), else its domain component (V2G, MO, OEM); a root that says neither
    is what `role` needs first: whoever names it for this question trusts it for that. Of a file that holds roots, the
    roots count; a file without any says that its CAs are to be trusted themselves. Raises UnusableFile.
    """
    anchors = TrustAnchors()
    for source in map(TrustSource.parse, sources):
        for file in source.files():
            certificates = read_certificates_of(file)
            roots = [item for item in certificates if item.self_issued] or list(certificates)
            for root in roots:
                chosen = source.root_type or _type_of(root) or _needed(role, generation)
                try:
                    anchors = anchors.adding(chosen, root)
                except LocalError as error:
                    raise UnusableFile(f"{file}: {error}") from None
    return anchors


def _type_of(root: Certificate) -> RootType | None:
    values = {value.upper() for value in root.subject.values(oids.DOMAIN_COMPONENT)}
    named = [root_type for root_type in ROOT_ROLE if root_type.value in values]
    return named[0] if len(named) == 1 else None


def _needed(role: CertificateRole, generation: Generation) -> RootType:
    allowed = profiles(generation)[role].anchors
    own = {CertificateRole.CONTRACT: RootType.MO}.get(role, RootType.OEM)
    return own if own in allowed else RootType.V2G


# --- requests ------------------------------------------------------------------------------------------------------


def require_new(path: Path | None) -> None:
    """Refuse to write over something. Raises ConfigurationError."""
    if path is not None and path.exists() and not path.is_dir():
        raise ConfigurationError(f"{path} exists: remove it, or write to another file")
