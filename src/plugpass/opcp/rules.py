"""Rules of the pools as pure functions: what is accepted, what replaces what, which contract is the default."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from cryptography import x509

from plugpass.ids import EMAID, PCID
from plugpass.opcp.errors import bad_request
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.names import Name, parse_name
from plugpass.pki.path import CHECKS, Verdict

EMAID_TAKEN: Final = "Invalid Tupple - EMAID is already used by other PCID"  # the specification's own spelling

_ATTRIBUTE: Final = re.compile(r"(?:(?<!\\)\s)*(?P<before>^|(?<!\\)[,+])\s*(?P<type>[A-Za-z0-9.]+)\s*=\s*")

RootId = tuple[str, int]
"""A root as a vehicle lists it: issuer name as text, and serial number."""


def default_when_stored(emaid: EMAID, held: Mapping[EMAID, bool]) -> bool:
    """Whether a contract is its vehicle's default once stored; `held` has the vehicle's contracts and who is default.

    The first contract is the default and stays it when overwritten; where a default was deleted nothing succeeds it.
    """
    return held.get(emaid, not held)


def require_same_vehicle(pcid: PCID, holder: PCID | None) -> None:
    """Raise 400 where the EMAID that is to be stored for `pcid` is held by another vehicle."""
    if holder is not None and holder != pcid:
        raise bad_request(EMAID_TAKEN)


def key_changed(old: bytes, new: bytes) -> bool:
    """Whether two certificates (DER) carry different keys: contracts sealed for the old one are useless then."""
    return parse(old).key.encoded != parse(new).key.encoded


def lists_root(listed: Iterable[RootId], root: Certificate) -> bool:
    """Whether a vehicle's list of installed roots names `root`.

    The serial numbers are equal, and so are the issuer names, whose text forms differ in the order of attributes, case
    and white space from one implementation to the next.
    """
    wanted = _attributes(root.issuer)
    return any(
        serial == root.serial and (name := _name(text)) is not None and _attributes(name) == wanted
        for text, serial in listed
    )


def acceptance_problem(verdict: Verdict) -> str:
    """Why a provisioning pool refuses a chain, "" where it does not.

    The order is the specification's, and the first failure is the answer: validity of every certificate, revocation
    status, chain to a root of the pool. What the validator finds beyond that comes with the chain.
    """
    for group, words in _ACCEPTANCE_ORDER:
        for finding in verdict.findings:
            if finding.reason in CHECKS[group]:
                return f"{words}: {finding}"
    return "" if verdict.ok else f"The certificate chain is not accepted: {verdict.summary}"


_ACCEPTANCE_ORDER: Final = (
    ("validity", "A certificate of the chain is not valid now"),
    ("revocation", "The revocation status of the chain is not good"),
    ("trust-anchor", "The chain does not reach a root certificate of the pool"),
)


def _name(text: str) -> Name | None:
    """The name in RFC 4514 text, with blanks between its parts and attribute types in any case."""
    compact = _ATTRIBUTE.sub(lambda found: f"{found['before']}{found['type'].upper()}=", text.strip())
    try:
        return parse_name(x509.Name.from_rfc4514_string(compact).public_bytes())
    except ValueError:
        return None


def _attributes(name: Name) -> list[tuple[str, str]]:
    return sorted((kind, " ".join(_plain(value).split()).casefold()) for kind, value in name.attributes)


def _plain(value: str) -> str:
    """A value without the DER header it has where its text form was `#` and hex (RFC 4514 §2.4)."""
    encoded = len(value) > 2 and value[0] in _STRING_TAGS and ord(value[1]) == len(value) - 2
    return value[2:] if encoded else value


_STRING_TAGS: Final = "\x0c\x13\x16"  # UTF8String, PrintableString, IA5String
