"""The CAs this CSMS has seen vouched for: OCSP hash data name an issuer by hashes only and are resolved with them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import new as new_hash
from itertools import pairwise
from typing import Final
from urllib.parse import urlsplit

from plugpass.pki import ocsp
from plugpass.pki.certificate import Certificate
from plugpass.pki.trust import TrustAnchors

_MAX_KNOWN: Final = 1024

IssuerPath = tuple[Certificate, ...]  #: the issuer first, its root last


class KnownIssuers:
    """Trusted roots, the CAs of the chain at hand, and the CAs of chains that were accepted before.

    `allowed_responders` are hosts (`ocsp.example.com`) that may be asked besides those that verified certificates name:
    a URL that only a request brings along is never fetched.
    """

    def __init__(self, *, allowed_responders: Iterable[str] = ()) -> None:
        self._allowed = frozenset(host.lower() for host in allowed_responders)
        self._paths: OrderedDict[bytes, IssuerPath] = OrderedDict()
        self._urls: dict[bytes, set[str]] = {}

    def learn(self, path: Sequence[Certificate]) -> None:
        """Remember the CAs of an accepted path (leaf first, root last) and the responders named under them."""
        for position, (child, issuer) in enumerate(pairwise(path), start=1):
            self._paths[issuer.encoded] = tuple(path[position:])
            self._paths.move_to_end(issuer.encoded)
            if url := ocsp.ocsp_url(child):
                self._urls.setdefault(issuer.encoded, set()).add(url)
        while len(self._paths) > _MAX_KNOWN:
            forgotten, _ = self._paths.popitem(last=False)
            self._urls.pop(forgotten, None)

    def find(
        self, cert_id: ocsp.CertId, path: Sequence[Certificate], anchors: TrustAnchors, at: datetime
    ) -> IssuerPath | None:
        """The issuer `cert_id` names with the path above it, all valid `at` that time and under a root still trusted.

        `path` is the accepted chain of the same request, leaf first and root last, or empty.
        """
        roots = [(anchor.certificate,) for anchor in anchors.anchors]
        here = [tuple(path[position:]) for position in range(1, len(path))]
        for candidate in (*here, *roots, *self._paths.values()):
            if _named_by(cert_id, candidate[0]) and _holds(candidate, anchors, at):
                return candidate
        return None

    def allows(self, url: str, issuer: Certificate, path: Sequence[Certificate]) -> bool:
        """Whether this responder may be asked about certificates of `issuer`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return False
        named = {ocsp.ocsp_url(child) for child, above in pairwise(path) if above == issuer}
        return url in named or url in self._urls.get(issuer.encoded, ()) or parts.hostname.lower() in self._allowed

    def is_ca(self, cert_id: ocsp.CertId, issuer: Certificate, path: Sequence[Certificate]) -> bool:
        """Whether `cert_id` names a CA known here, as far as can be told."""
        known = (*path[1:], *(issuer_path[0] for issuer_path in self._paths.values()))
        return any(ca.serial == cert_id.serial and ca.issuer.key == issuer.subject.key for ca in known)


def _named_by(cert_id: ocsp.CertId, issuer: Certificate) -> bool:
    algorithm = cert_id.hash_algorithm.lower()
    return (
        new_hash(algorithm, issuer.subject.encoded, usedforsecurity=False).digest() == cert_id.issuer_name_hash
        and new_hash(algorithm, issuer.key.bits, usedforsecurity=False).digest() == cert_id.issuer_key_hash
    )


def _holds(path: IssuerPath, anchors: TrustAnchors, at: datetime) -> bool:
    trusted = any(anchor.certificate == path[-1] for anchor in anchors.anchors)
    return trusted and all(ca.not_before <= at <= ca.not_after for ca in path)
