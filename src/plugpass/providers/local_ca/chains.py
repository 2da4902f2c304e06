"""All the chains a leaf has: after a roll-over or a cross-signing there is more than one way up to a root."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from plugpass.pki.certificate import Certificate, parse

_MAX_CAS = 5  #: between leaf and root; cross certificates add a step, and loops end here


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainToRoot:
    """A chain and the root it ends below."""

    certificates: tuple[bytes, ...]  #: DER, leaf first, no root
    root: bytes  #: DER


def chains_of(leaf: bytes, authorities: Iterable[bytes]) -> tuple[ChainToRoot, ...]:
    """Every chain from the DER `leaf` to a self-signed certificate among `authorities`, shortest first.

    Links go by name and key identifier, as the certificates of one authority are all from one hand.
    """
    cas = tuple(dict.fromkeys(parse(ca) for ca in authorities))
    found = (_chain(path) for path in _paths((parse(leaf),), cas))
    return tuple(sorted(found, key=lambda chain: len(chain.certificates)))


def _chain(path: tuple[Certificate, ...]) -> ChainToRoot:
    *below, root = (certificate.encoded for certificate in path)
    return ChainToRoot(certificates=tuple(below), root=root)


def _paths(so_far: tuple[Certificate, ...], cas: tuple[Certificate, ...]) -> Iterator[tuple[Certificate, ...]]:
    current = so_far[-1]
    if current.self_issued and len(so_far) > 1:
        yield so_far
        return
    if len(so_far) > _MAX_CAS:
        return
    seen = {certificate.key.encoded for certificate in so_far}
    for ca in cas:
        if ca.key.encoded not in seen and is_issuer(ca, current):
            yield from _paths((*so_far, ca), cas)


def is_issuer(issuer: Certificate, child: Certificate) -> bool:
    """Whether names and key identifiers say that `issuer` signed `child`."""
    wanted, offered = child.extensions.authority_key_identifier, issuer.extensions.subject_key_identifier
    return issuer.subject.key == child.issuer.key and (wanted is None or offered is None or wanted == offered)
