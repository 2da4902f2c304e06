"""The ISO 15118-2 tables (Annex F)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from plugpass.pki.keys import Curve
from plugpass.pki.profiles.columns import Columns
from plugpass.pki.profiles.model import CertificateRole, Generation, Identifier, Profile, Switches


def profiles_iso2(switches: Switches | None = None) -> Mapping[CertificateRole, Profile]:
    """The ISO 15118-2 profiles with these switches; without any, the defaults of `PROFILES_ISO2`."""
    columns = Columns(
        generation=Generation.ISO2,
        max_size=800,  # [V2G2-010]
        curves=frozenset({Curve.P256}),  # [V2G2-006], [V2G2-007]
        preferred_curve=Curve.P256,
        secc_domain="CPO",  # [V2G2-925]
        server_auth=False,
        emaid=Identifier.EMAID,  # [V2G2-108]
        switches=switches or Switches(),
    )
    return MappingProxyType({profile.role: profile for profile in (*columns.authorities(), *columns.leaves())})
