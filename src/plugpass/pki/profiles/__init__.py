"""Certificate profiles as data: what each certificate type of ISO 15118-2 (Annex F) and -20 (Annex B) must, may and
must not contain.

A profile is read by two sides: `issue` makes certificates from it, `lint` and `path` judge certificates by it. Points
on which public key infrastructures in the field disagree are named `Switches`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from plugpass.pki.profiles.iso2 import profiles_iso2
from plugpass.pki.profiles.iso20 import profiles_iso20
from plugpass.pki.profiles.model import (
    KEY_USAGE_BITS,
    ROOT_ROLE,
    SUB_CA_ROLES,
    Cell,
    CertificateRole,
    DomainRule,
    Generation,
    Identifier,
    KeyUsage,
    KeyUsageRule,
    Profile,
    RootType,
    SanPolicy,
    Switches,
)

__all__ = [
    "KEY_USAGE_BITS",
    "PROFILES_ISO2",
    "PROFILES_ISO20",
    "ROOT_ROLE",
    "SUB_CA_ROLES",
    "Cell",
    "CertificateRole",
    "DomainRule",
    "Generation",
    "Identifier",
    "KeyUsage",
    "KeyUsageRule",
    "Profile",
    "RootType",
    "SanPolicy",
    "Switches",
    "profiles",
    "profiles_iso2",
    "profiles_iso20",
]

PROFILES_ISO2: Final = profiles_iso2()
PROFILES_ISO20: Final = profiles_iso20()

_MAKERS: Final = MappingProxyType({Generation.ISO2: profiles_iso2, Generation.ISO20: profiles_iso20})
_DEFAULTS: Final = MappingProxyType({Generation.ISO2: PROFILES_ISO2, Generation.ISO20: PROFILES_ISO20})


def profiles(generation: Generation, switches: Switches | None = None) -> Mapping[CertificateRole, Profile]:
    """The profiles of a generation with these switches; without any, its defaults."""
    return _DEFAULTS[generation] if switches is None else _MAKERS[generation](switches)
