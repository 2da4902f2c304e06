"""What a certificate was probably issued as: for tools that are handed a file without a word about it.

A guess ranks every profile by how little the certificate departs from it, with a bonus for what is typical of a role.
It is a help for people; no decision rests on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from plugpass.ids import InvalidIdentifier
from plugpass.pki import identity, oids
from plugpass.pki.certificate import Certificate, CertificateLike, as_certificate
from plugpass.pki.keys import Curve
from plugpass.pki.lint import lint
from plugpass.pki.profiles import CertificateRole, Generation, Identifier, Profile, profiles
from plugpass.pki.reasons import Severity

_WEIGHTS: Final = MappingProxyType({Severity.ERROR: -10, Severity.WARNING: -3, Severity.NOTICE: -1})
_CLEAR_LEAD: Final = 3

_R = CertificateRole
#: Words that people put into the names of CAs.
_WORDS: Final[Mapping[str, tuple[CertificateRole, ...]]] = MappingProxyType(
    {
        "CPO": (_R.CPO_SUB1, _R.CPO_SUB2),
        "CSO": (_R.CPO_SUB1, _R.CPO_SUB2),
        "OEM": (_R.OEM_ROOT, _R.OEM_SUB1, _R.OEM_SUB2, _R.OEM_PROVISIONING),
        "MO": (_R.MO_ROOT, _R.MO_SUB1, _R.MO_SUB2),
        "EMSP": (_R.MO_ROOT, _R.MO_SUB1, _R.MO_SUB2),
        "CPS": (_R.CPS_SUB1, _R.CPS_SUB2, _R.CPS_LEAF),
        "PROV": (_R.CPS_SUB1, _R.CPS_SUB2),
        "V2G": (_R.V2G_ROOT,),
        "VEHICLE": (_R.VEHICLE_SUB1, _R.VEHICLE_SUB2),
        "OCSP": (_R.OCSP_SIGNER,),
    }
)
_WORD: Final = re.compile(rf"(?<![A-Z0-9])({'|'.join(_WORDS)})(?=ROOT|SUB|CA|LEAF|[^A-Z]|$)")
_RARE: Final = frozenset({_R.PE_ROOT, _R.PE_SECC, _R.CROSS})
_GENERATIONS: Final = MappingProxyType(
    {
        Curve.P256: (Generation.ISO2,),
        Curve.P521: (Generation.ISO20,),
        Curve.ED448: (Generation.ISO20,),
        None: tuple(Generation),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """One candidate."""

    role: CertificateRole
    generation: Generation
    score: int  #: higher is better; 0 and more: nothing speaks against it
    because: tuple[str, ...]  #: what speaks for it


def guesses(certificate: CertificateLike, generation: Generation | None = None) -> tuple[Guess, ...]:
    """All candidates, the best first, of one generation or of those the key fits. Raises MalformedDer."""
    parsed = as_certificate(certificate)
    chosen = (generation,) if generation else _GENERATIONS[parsed.key.curve]
    found = [_guess(parsed, profile) for one in chosen for profile in profiles(one).values()]
    return tuple(sorted(found, key=lambda item: -item.score))


def guess(certificate: CertificateLike, generation: Generation | None = None) -> Guess:
    """The best candidate. Raises MalformedDer."""
    return guesses(certificate, generation)[0]


def is_clear(candidates: tuple[Guess, ...]) -> bool:
    """Whether the best of `guesses` stands out from the next."""
    return len(candidates) == 1 or candidates[0].score - candidates[1].score >= _CLEAR_LEAD


def _guess(certificate: Certificate, profile: Profile) -> Guess:
    clues = tuple(_clues(certificate, profile))
    against = sum(_WEIGHTS[finding.severity] for finding in lint(certificate, profile))
    rare = -2 if profile.role in _RARE else 0
    return Guess(
        role=profile.role,
        generation=profile.generation,
        score=against + rare + sum(weight for weight, _ in clues),
        because=tuple(text for weight, text in clues if weight > 0),
    )


def _clues(certificate: Certificate, profile: Profile) -> Iterator[tuple[int, str]]:
    """What is typical of the role (positive), and what rules it out (negative)."""
    constraints = certificate.extensions.basic_constraints
    is_ca = constraints is not None and constraints.ca
    if is_ca is not profile.ca or (profile.ca and certificate.self_issued is not profile.self_signed):
        yield -40, "a root, a Sub-CA and a leaf are not taken for each other"
    values = certificate.subject.values(oids.DOMAIN_COMPONENT)
    if profile.domain.issue in values:
        yield 5, f"domain component {profile.domain.issue}"
    if profile.identifier is not Identifier.NAME and _is_identifier(profile.identifier, certificate.common_name):
        yield 6, f"the common name is an {profile.identifier}"
    purposes = frozenset(certificate.extensions.extended_key_usage or ())
    if purposes and purposes == profile.extended_key_usage:
        yield 6, "the extended key usage is that of the role"
    words = set(_WORD.findall(certificate.common_name.upper()))
    if hits := sorted(word for word in words if profile.role in _WORDS[word]):
        yield 4, f"the common name says {', '.join(hits)}"


def _is_identifier(kind: Identifier, text: str) -> bool:
    try:
        identity.require(kind, text)
    except InvalidIdentifier:
        return False
    return True
