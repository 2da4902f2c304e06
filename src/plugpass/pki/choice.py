"""Which of several chains to present: the one that ends in a root the peer has named.

-2: the vehicle names its roots by SHA-1 hash in `trusted_ca_keys` (RFC 6066 §6). -20: both sides name them by
distinguished name in `certificate_authorities` (RFC 8446 §4.2.4).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha1
from typing import Final

from plugpass.errors import PeerError
from plugpass.pki.certificate import CertificateLike, as_certificate, der_of
from plugpass.pki.der import MalformedDer
from plugpass.pki.names import Name, parse_name

_MAX_NAMES: Final = 64


class MalformedAuthorities(PeerError):
    """A certificate_authorities extension cannot be read."""


@dataclass(frozen=True)  # no slots: the root's hash and name are computed once and kept
class Presentable:
    """A chain of ours and the root above it."""

    chain: tuple[bytes, ...]  #: DER, leaf first, without the root
    root: bytes  #: DER

    @cached_property
    def root_sha1(self) -> bytes:
        """SHA-1 of the root certificate: an identifier (RFC 6066 §6), no protection."""
        return sha1(self.root, usedforsecurity=False).digest()

    @cached_property
    def root_name(self) -> Name:
        """The root's subject."""
        return as_certificate(self.root).subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The chain to present; None where the rules leave none."""

    presentable: Presentable | None
    matched: bool  #: whether the peer named its root
    because: str


def by_trusted_ca_keys(chains: Sequence[Presentable], hashes: Collection[bytes]) -> Choice:
    """The first chain up to a root the vehicle named [V2G2-871]; another only if none matches [V2G2-923].

    A vehicle that cannot validate what it gets ends the handshake itself [V2G2-875].
    """
    return _choose(
        chains,
        [item for item in chains if item.root_sha1 in hashes],
        named=bool(hashes),
        may_differ=True,
    )


def by_certificate_authorities(chains: Sequence[Presentable], names: Collection[bytes]) -> Choice:
    """The first chain up to a root whose DER name the peer sent [V2G20-1007], [V2G20-2379].

    A free choice only where the peer named none at all [V2G20-2378]. Names that cannot be read match nothing.
    """
    keys = [name.key for name in map(_name, names) if name is not None]
    return _choose(
        chains,
        [item for item in chains if item.root_name.key in keys],
        named=bool(names),
        may_differ=False,
    )


def _choose(chains: Sequence[Presentable], matching: Sequence[Presentable], *, named: bool, may_differ: bool) -> Choice:
    if matching:
        return Choice(presentable=matching[0], matched=True, because=f"the peer trusts {matching[0].root_name}")
    if not chains:
        return Choice(presentable=None, matched=False, because="there is no chain to present")
    if not named:
        return Choice(presentable=chains[0], matched=False, because="the peer named no root")
    known = "; ".join(str(item.root_name) for item in chains)
    because = f"the peer trusts none of our roots ({known})"
    return Choice(presentable=chains[0] if may_differ else None, matched=False, because=because)


def _name(encoded: bytes) -> Name | None:
    try:
        return parse_name(encoded)
    except MalformedDer:
        return None


# --- the extension's body ------------------------------------------------------------------------------------------


def encode_certificate_authorities(roots: Iterable[CertificateLike]) -> bytes:
    """The body of a certificate_authorities extension that names these roots."""
    names = b"".join(
        len(name).to_bytes(2) + name for name in (as_certificate(der_of(root)).subject.encoded for root in roots)
    )
    return len(names).to_bytes(2) + names


def parse_certificate_authorities(body: bytes) -> tuple[bytes, ...]:
    """The DER names of a certificate_authorities extension. Raises MalformedAuthorities."""
    if len(body) < 2 or int.from_bytes(body[:2]) != len(body) - 2:
        raise MalformedAuthorities("the certificate_authorities extension does not have the length it announces")
    names: list[bytes] = []
    rest = body[2:]
    while rest:
        size = int.from_bytes(rest[:2])
        if len(rest) < 3 or not 1 <= size <= len(rest) - 2 or len(names) == _MAX_NAMES:
            raise MalformedAuthorities("the certificate_authorities extension has a broken name, or too many")
        names.append(rest[2 : 2 + size])
        rest = rest[2 + size :]
    return tuple(names)
