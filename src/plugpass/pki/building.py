"""Building certification paths: from a leaf, by names and keys, to the trust anchors (RFC 4158).

Several paths are normal: cross certificates, CAs with a new key and the old name, a Sub-CA certified twice. All are
tried, the likeliest first, within bounds that hold whatever the peer sends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Final

from plugpass.pki.certificate import Certificate, public_key
from plugpass.pki.keys import InvalidPublicKey, verify
from plugpass.pki.profiles import RootType
from plugpass.pki.trust import TrustAnchor, TrustAnchors

MAX_PATHS: Final = 32  #: candidate paths judged
_MAX_CERTIFICATES: Final = 8  #: of one path; no policy allows as many
_MAX_LINKS: Final = 512  #: signatures looked at for one question


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One candidate."""

    certificates: tuple[Certificate, ...]  #: leaf first; the anchor last where there is one
    anchor: TrustAnchor | None

    @property
    def root(self) -> RootType | None:
        """The type of the root the path ends in; one that nobody trusts is read as a V2G root."""
        if self.anchor is not None:
            return self.anchor.root_type
        return RootType.V2G if len(self.certificates) > 1 and self.certificates[-1].self_issued else None

    @property
    def sub_cas(self) -> int:
        """How many CAs stand between leaf and root."""
        return len(self.certificates) - 1 - (self.root is not None)

    @property
    def links(self) -> Iterator[tuple[Certificate, Certificate]]:
        """Each certificate with the one that issued it."""
        return pairwise(self.certificates)


def signed_by(child: Certificate, issuer: Certificate) -> bool:
    """Whether the issuer's key signed the child."""
    return _signature_holds(child, issuer.key.encoded)


@lru_cache(maxsize=2048)
def _signature_holds(child: Certificate, key_info: bytes) -> bool:
    """Remembered: it is a matter of these octets alone, and every leaf brings the same Sub-CAs."""
    try:
        key = public_key(key_info)
    except InvalidPublicKey:
        return False
    return verify(key, child.signature, child.tbs, algorithm=child.signature_algorithm)


@dataclass(slots=True, kw_only=True)
class Builder:
    """Finds paths by names, following links whose signature verifies before links that only look right."""

    intermediates: tuple[Certificate, ...]
    anchors: TrustAnchors
    at: datetime
    links: int = 0  #: looked at so far

    def paths(self, so_far: tuple[Certificate, ...]) -> Iterator[Path]:
        """All paths that begin with `so_far`; an incomplete one where nothing leads on."""
        current = so_far[-1]
        anchors = sorted(self.anchors.issuers_of(current), key=lambda anchor: self._doubt(current, anchor.certificate))
        others = self._issuers_among_intermediates(so_far)
        sound_anchors = [anchor for anchor in anchors if self._signed(current, anchor.certificate)]
        sound_others = [candidate for candidate in others if self._signed(current, candidate)]
        if not (sound_anchors or sound_others):
            sound_anchors, sound_others = anchors[:1], others[:1]
        for anchor in sound_anchors:
            yield Path(certificates=(*so_far, anchor.certificate), anchor=anchor)
        for candidate in sound_others:
            yield from self.paths((*so_far, candidate))
        if not (sound_anchors or sound_others):
            yield Path(certificates=so_far, anchor=None)

    def _issuers_among_intermediates(self, so_far: tuple[Certificate, ...]) -> list[Certificate]:
        """Candidates by name. None twice in a path, also not as the same CA in another certificate: that is a loop."""
        if len(so_far) >= _MAX_CERTIFICATES:
            return []
        current, passed = so_far[-1], {(item.subject.key, item.key.encoded) for item in so_far}
        candidates = (
            candidate
            for candidate in self.intermediates
            if candidate.subject.key == current.issuer.key
            and (candidate.subject.key, candidate.key.encoded) not in passed
        )
        return sorted(candidates, key=lambda candidate: self._doubt(current, candidate))

    def _doubt(self, child: Certificate, issuer: Certificate) -> tuple[bool, bool]:
        """The likeliest issuer first: the key identifiers agree, and it is valid now (RFC 4158 §3.5)."""
        wanted, offered = child.extensions.authority_key_identifier, issuer.extensions.subject_key_identifier
        return wanted != offered, not issuer.not_before <= self.at <= issuer.not_after

    def _signed(self, child: Certificate, issuer: Certificate) -> bool:
        self.links += 1
        return self.links <= _MAX_LINKS and signed_by(child, issuer)
