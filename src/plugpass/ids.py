"""Identifiers of ISO 15118 as value types: EMAID, PCID, EVSEID, SECCID, EVCCID.

Every type parses the spellings seen in the field (separators optional, any case), compares by its normalised form, and
remembers nothing else than what its standard names. Text that is no identifier raises `InvalidIdentifier`, whose
message says what is wrong with it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final, Self

from plugpass.errors import PeerError

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUE: Final = {character: index for index, character in enumerate(_ALPHABET)}


class InvalidIdentifier(PeerError):
    """A text is not an identifier of the kind it claims to be."""

    def __init__(self, kind: str, text: str, problem: str) -> None:
        super().__init__(f"{_printable(text)} is no {kind}: {problem}")
        self.kind = kind
        self.problem = problem


def _printable(text: str) -> str:
    """`text` quoted for a one-line message: escaped and cut, since it came from a peer."""
    return ascii(text if len(text) <= 48 else text[:48] + "...")


def _match(pattern: re.Pattern[str], kind: str, text: str, expected: str) -> re.Match[str]:
    matched = pattern.fullmatch(text)
    if matched is None:
        raise InvalidIdentifier(kind, text, f"expected {expected}")
    return matched


# --- EMAID ---------------------------------------------------------------------------------------------------------

Vector = tuple[int, int]
Matrix = tuple[Vector, Vector]

_P1: Final[Matrix] = ((0, 1), (1, 1))  # modulo 2, order 3
_P2: Final[Matrix] = ((0, 1), (1, 2))  # modulo 3, order 8


def _times(vector: Vector, matrix: Matrix, modulus: int) -> Vector:
    """Row vector times 2x2 matrix."""
    (a, b), ((p, q), (r, s)) = vector, matrix
    return (a * p + b * r) % modulus, (a * q + b * s) % modulus


def emaid_check_digit(compact: str) -> str:
    """The check character of ISO 15118-2 Annex H for the 14 characters `compact` (country, provider, instance).

    Every character is split into a pair modulo 2 and a pair modulo 3; the sums of pair i times P^i over all 15
    positions must vanish. Horner's scheme from the far end gives both sums; position 15 is solved with P1^15 = I and
    P2^15 = P2^-1.

    Raises InvalidIdentifier where `compact` is not 14 upper-case ASCII letters and digits.
    """
    if len(compact) != 14 or any(character not in _VALUE for character in compact):
        raise InvalidIdentifier("EMAID without check digit", compact, "expected 14 upper-case letters and digits")
    q: Vector = (0, 0)
    r: Vector = (0, 0)
    for character in reversed(compact):
        value = _VALUE[character]
        q = _times((q[0] + value // 18, q[1] + value // 9 % 2), _P1, 2)
        r = _times((r[0] + value // 3 % 3, r[1] + value % 3), _P2, 3)
    r = _times(r, _P2, 3)
    return _ALPHABET[18 * q[0] + 9 * q[1] + 3 * (-r[0] % 3) + -r[1] % 3]


_EMAID: Final = re.compile(r"([A-Za-z]{2})-?([A-Za-z0-9]{3})-?([A-Za-z0-9]{9})(?:-?([A-Za-z0-9]))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class EMAID:
    """E-mobility account identifier, the name of a contract (ISO 15118-2 Annex H).

    Two EMAIDs are equal where country, provider and instance are: the check digit adds no information and is optional
    on every wire. One that is present has been verified.
    """

    country: str  #: 2 letters
    provider: str  #: 3 letters or digits
    instance: str  #: 9 letters or digits
    check_digit: str = field(default="", compare=False)  #: "" where the spelling at hand has none

    def __post_init__(self) -> None:
        _match(_EMAID, "EMAID", self.key, "2 letters, 3 and 9 letters or digits")
        if self.key != self.key.upper():
            raise InvalidIdentifier("EMAID", self.key, "parts must be upper case; use EMAID.parse for free spelling")
        if self.check_digit and self.check_digit != (expected := emaid_check_digit(self.key)):
            raise InvalidIdentifier("EMAID", str(self), f"check digit is {self.check_digit}, should be {expected}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The EMAID spelt by `text`: 14 or 15 characters, hyphens optional, any case.

        Raises InvalidIdentifier, also for a wrong check digit.
        """
        matched = _match(_EMAID, "EMAID", text, "country(2) provider(3) instance(9) [check(1)], hyphens optional")
        country, provider, instance, check = (part.upper() for part in matched.groups(default=""))
        return cls(country=country, provider=provider, instance=instance, check_digit=check)

    @classmethod
    def create(cls, country: str, provider: str, instance: str) -> Self:
        """A new EMAID with its check digit. Raises InvalidIdentifier where a part has a wrong length or character."""
        return cls(country=country.upper(), provider=provider.upper(), instance=instance.upper()).with_check_digit()

    @classmethod
    def from_din(cls, text: str, *, prefix: str = "C0") -> Self:
        """The EMAID of a DIN SPEC 91286 contract id such as `NL-TNM-012204-5`; its check digit is required.

        `prefix` fills the longer instance: "C0" is the eMI3 form, "00" the deprecated ISO form.
        """
        country, provider, instance, check = (
            part.upper()
            for part in _match(
                _DIN, "DIN SPEC 91286 contract id", text, "country(2) provider(3) instance(6) check(1)"
            ).groups()
        )
        expected = din_check_digit(country + provider + instance)
        if check != expected:
            raise InvalidIdentifier("DIN SPEC 91286 contract id", text, f"check digit should be {expected}")
        return cls.create(country, provider, prefix + instance + check)

    @property
    def key(self) -> str:
        """The 14 characters that identify the contract, without check digit: for look-ups and comparison."""
        return self.country + self.provider + self.instance

    @property
    def provider_prefix(self) -> str:
        """Country and provider, 5 characters: what a mobility operator's rights are bound to."""
        return self.country + self.provider

    @property
    def display(self) -> str:
        """For people: `DE-8AA-001234567-0`."""
        return "-".join(part for part in (self.country, self.provider, self.instance, self.check_digit) if part)

    def with_check_digit(self) -> Self:
        """The same identifier, 15 characters long."""
        return type(self)(
            country=self.country,
            provider=self.provider,
            instance=self.instance,
            check_digit=emaid_check_digit(self.key),
        )

    def without_check_digit(self) -> Self:
        """The same identifier, 14 characters long."""
        return type(self)(country=self.country, provider=self.provider, instance=self.instance)

    def __str__(self) -> str:
        return self.key + self.check_digit


_DIN: Final = re.compile(r"([A-Za-z]{2})-?([A-Za-z0-9]{3})-?([A-Za-z0-9]{6})-?([0-9Xx])", re.ASCII)


def din_check_digit(compact: str) -> str:
    """The check character of DIN SPEC 91286 for 11 characters (country, provider, 6-character instance).

    Every character's index is written in decimal; the digits, weighted 1, 2, 4, ..., are summed modulo 11; 10 is X.
    """
    if len(compact) != 11 or any(character not in _VALUE for character in compact):
        raise InvalidIdentifier("DIN SPEC 91286 contract id", compact, "expected 11 upper-case letters and digits")
    return _modulo_11(compact)


def _modulo_11(compact: str) -> str:
    digits = "".join(str(_VALUE[character]) for character in compact)
    rest = sum(int(digit) << position for position, digit in enumerate(digits)) % 11
    return "X" if rest == 10 else str(rest)


# --- vehicle identifiers -------------------------------------------------------------------------------------------

_PCID: Final = re.compile(r"[A-Za-z0-9]{17,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PCID:
    """Provisioning certificate identifier: the vehicle as its maker names it, WMI first, 17 or 18 characters.

    The check character of the 18-character form is kept and not verified: its algorithm is not public.
    """

    value: str  #: upper case

    def __post_init__(self) -> None:
        _match(_PCID, "PCID", self.value, "17 or 18 letters and digits")
        object.__setattr__(self, "value", self.value.upper())

    @classmethod
    def parse(cls, text: str) -> Self:
        """The PCID spelt by `text`, any case. Raises InvalidIdentifier."""
        return cls(value=text)

    @property
    def wmi(self) -> str:
        """World manufacturer identifier, 3 characters: what a vehicle maker's rights are bound to."""
        return self.value[:3]

    def __str__(self) -> str:
        return self.value


_EVCCID: Final = re.compile(r"[A-HJ-NPR-Z0-9]{3}V[A-HJ-NPR-Z0-9]{16,60}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class EVCCID:
    """Vehicle identifier of ISO 15118-20: WMI, "V", an individual part and a check character; 20 to 64 characters.

    The letters I, O and Q do not occur. (The EVCCID of ISO 15118-2 is a MAC address and no identifier of this kind.)
    """

    value: str  #: upper case, no separators

    def __post_init__(self) -> None:
        _match(_EVCCID, "EVCCID", self.value, "WMI(3) V, 16 to 60 characters, no I, O, Q")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The EVCCID spelt by `text`, any case. Raises InvalidIdentifier."""
        return cls(value=text.upper())

    @classmethod
    def create(cls, wmi: str, individual: str) -> Self:
        """A new EVCCID with its check character (modulo 11 as in DIN SPEC 91286)."""
        body = f"{wmi}V{individual}".upper()
        if any(character not in _VALUE for character in body):
            raise InvalidIdentifier("EVCCID", body, "expected letters and digits")
        return cls(value=body + _modulo_11(body))

    @property
    def wmi(self) -> str:
        """World manufacturer identifier, 3 characters."""
        return self.value[:3]

    @property
    def check_digit_matches(self) -> bool:
        """Whether the last character is the modulo-11 check of the others; advisory, peers differ."""
        return self.value[-1] == _modulo_11(self.value[:-1])

    def __str__(self) -> str:
        return self.value


# --- in logs ---------------------------------------------------------------------------------------------------------

_PSEUDONYM_DIGITS: Final = 10


def pseudonym(identifier: EMAID | PCID | EVCCID) -> str:
    """What logs call a customer's contract or vehicle: `DEPLU~5f0c21d9a3`.

    The provider (or the vehicle maker's WMI) and the beginning of a SHA-256, the same for every spelling of the
    identifier, so that the lines of several parties can be correlated and a known identifier be searched for. It is a
    pseudonym and not anonymous: who can list the identifiers of a provider can find the one that is meant.
    """
    prefix, text = (
        (identifier.provider_prefix, identifier.key)
        if isinstance(identifier, EMAID)
        else (identifier.wmi, identifier.value)
    )
    return f"{prefix}~{hashlib.sha256(text.encode('ascii')).hexdigest()[:_PSEUDONYM_DIGITS]}"


def without_identity(text: str, identifier: EMAID | PCID | None) -> str:
    """`text` with every spelling of `identifier` in it replaced by its pseudonym: for reasons that go to a log."""
    if identifier is None:
        return text
    if isinstance(identifier, EMAID):
        # The spellings with the check digit come first: they begin with those that have none.
        forms = (identifier.with_check_digit(), identifier.without_check_digit())
        names = [name for form in forms for name in (form.display, str(form))]
    else:
        names = [identifier.value]
    pattern = "|".join(map(re.escape, names))
    return re.sub(pattern, pseudonym(identifier), text, flags=re.IGNORECASE)


# --- charging equipment --------------------------------------------------------------------------------------------

_EVSEID: Final = re.compile(r"([A-Za-z]{2})\*?([A-Za-z0-9]{3})\*?([Ee][A-Za-z0-9*]{1,30})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class EVSEID:
    """Identifier of an EVSE such as `DE*ICE*E45B*78C`; equal where the characters without separators are."""

    normalised: str  #: upper case, no separators: "DEICEE45B78C"
    display: str = field(default="", compare=False)  #: the spelling it was read from

    def __post_init__(self) -> None:
        _match(_EVSEID, "EVSEID", self.display or self.normalised, "country(2) operator(3) E and 1 to 30 characters")
        if self.normalised != (self.display or self.normalised).replace("*", "").upper() or len(self.normalised) < 7:
            raise InvalidIdentifier("EVSEID", self.display or self.normalised, "expected at least 1 character after E")
        if not self.display:
            object.__setattr__(self, "display", self.normalised)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The EVSEID spelt by `text`: asterisks optional, any case. Raises InvalidIdentifier."""
        return cls(normalised=text.replace("*", "").upper(), display=text)

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The EVSEID of a `urn:evseid:` URI, as a certificate carries it. Raises InvalidIdentifier."""
        if not uri.lower().startswith(_EVSEID_URN):
            raise InvalidIdentifier("EVSEID URI", uri, f"expected {_EVSEID_URN}<EVSEID>")
        return cls.parse(uri[len(_EVSEID_URN) :])

    @property
    def uri(self) -> str:
        """`urn:evseid:<EVSEID>`, in the spelling at hand."""
        return _EVSEID_URN + self.display

    @property
    def operator_prefix(self) -> str:
        """Country and operator, 5 characters without separators: what an operator's rights are bound to."""
        return self.normalised[:5]

    def __str__(self) -> str:
        return self.display


_EVSEID_URN: Final = "urn:evseid:"

_SECCID: Final = re.compile(r"([A-Za-z]{2})-?([A-Za-z0-9]{3})-?[Ss]-?([A-Za-z0-9]{32,54})(?:-([A-Za-z0-9]))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SECCID:
    """Identifier of a charging station's communication controller, such as `DE-ICE-S-0000...0000-2`."""

    normalised: str  #: upper case, no separators
    display: str = field(default="", compare=False)  #: the spelling it was read from

    def __post_init__(self) -> None:
        text = self.display or self.normalised
        _match(_SECCID, "SECCID", text, "country(2) operator(3) S controller(32) [check(1)], hyphens optional")
        if self.normalised != text.replace("-", "").upper() or not 39 <= len(text) <= 64:
            raise InvalidIdentifier("SECCID", text, "expected 39 to 64 characters")
        if not self.display:
            object.__setattr__(self, "display", self.normalised)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The SECCID spelt by `text`: hyphens optional, any case. Raises InvalidIdentifier."""
        return cls(normalised=text.replace("-", "").upper(), display=text)

    @property
    def operator_prefix(self) -> str:
        """Country and operator, 5 characters without separators."""
        return self.normalised[:5]

    def __str__(self) -> str:
        return self.display
