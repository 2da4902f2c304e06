"""Distinguished names: building the subjects of the profiles, and reading any name without losing its encoding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.x509.oid import NameOID

from plugpass.pki import der, oids
from plugpass.pki.profiles import Cell, Profile

_SHORT: Final = {
    oids.COMMON_NAME: "CN",
    oids.ORGANIZATION: "O",
    oids.ORGANIZATIONAL_UNIT: "OU",
    oids.COUNTRY: "C",
    oids.DOMAIN_COMPONENT: "DC",
}


#: A relative distinguished name: (OID, text) of its attributes, and the same for comparing.
_Rdn: TypeAlias = tuple[tuple[tuple[str, str], ...], frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name as it was encoded; equal names compare equal by `key` (RFC 5280 §7.1)."""

    encoded: bytes  #: DER, what RFC 6960 hashes
    attributes: tuple[tuple[str, str], ...]  #: (OID, text) in the order of the encoding
    key: tuple[frozenset[tuple[str, str]], ...]  #: case folded, white space collapsed: for comparison

    def values(self, oid: str) -> tuple[str, ...]:
        """All values of one attribute type."""
        return tuple(value for kind, value in self.attributes if kind == oid)

    @property
    def common_name(self) -> str:
        """The first CN, "" where there is none."""
        return next(iter(self.values(oids.COMMON_NAME)), "")

    def __str__(self) -> str:
        pairs = (f"{_SHORT.get(kind, kind)}={ascii(value)[1:-1]}" for kind, value in self.attributes)
        return ", ".join(pairs) or "(empty name)"


def string_tags(name: Name) -> tuple[tuple[str, int], ...]:
    """(OID, DER tag of the string type) of every attribute: what `Name` leaves out, since it hardly ever matters."""
    pairs = (pair for rdn in der.read_sequence(name.encoded).rest() for pair in der.split(rdn.content))
    return tuple((der.read_oid(kind), value.tag) for kind, value in (der.split(pair.content) for pair in pairs))


@lru_cache(maxsize=1024)
def parse_name(encoded: bytes) -> Name:
    """The name of a DER `Name`, remembered: a CA's name is the issuer of all it signs. Raises MalformedDer."""
    rdns = tuple(_rdn(rdn) for rdn in der.split(der.parse(encoded, der.SEQUENCE).content))
    return Name(
        encoded,
        tuple([pair for pairs, _ in rdns for pair in pairs]),
        tuple([key for _, key in rdns]),
    )


def _rdn(rdn: der.Element) -> _Rdn:
    return _attributes(der.content_of(rdn, der.SET))


@lru_cache(maxsize=1024)
def _attributes(content: bytes) -> _Rdn:
    """The attributes of a relative distinguished name, as they are and for comparing; remembered since most recur."""
    pairs = tuple([_attribute(pair) for pair in der.split(content)])
    if not pairs:
        raise der.MalformedDer("a relative distinguished name is empty")
    return pairs, frozenset([(kind, " ".join(value.split()).casefold()) for kind, value in pairs])


def _attribute(pair: der.Element) -> tuple[str, str]:
    kind, value = der.fields_of(pair, 2)
    return der.read_oid(kind), der.read_string(value)


def subject(
    profile: Profile, common_name: str, organization: str, country: str | None = None, *, domain: str | None = None
) -> x509.Name:
    """The subject the profile asks for: CN, O, C unless forbidden, and the DC of the role (or `domain`)."""
    return build_name(
        common_name=common_name,
        organization=organization,
        country=None if profile.country is Cell.FORBIDDEN else country,
        domain=domain or profile.domain.issue,
    )


def build_name(*, common_name: str, organization: str, country: str | None, domain: str | None) -> x509.Name:
    """A name with the attributes given, in the order CN, O, C, DC."""
    pairs = (
        (NameOID.COMMON_NAME, common_name),
        (NameOID.ORGANIZATION_NAME, organization),
        (NameOID.COUNTRY_NAME, country),
        (NameOID.DOMAIN_COMPONENT, domain),
    )
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in pairs if value])
