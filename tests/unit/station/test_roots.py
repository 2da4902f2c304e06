"""Which certificates a station lets in as trust anchors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from pki_factory import NOW, ROLE, Pki, mint_authority, mint_pki
from plugpass.pki.profiles import PROFILES_ISO2, KeyUsage, KeyUsageRule, RootType
from plugpass.roles.station.roots import MAX_ROOTS, RootRefused, StationRoots, judge_root
from plugpass.store.database import Database
from plugpass.store.station import StationMemory

V2G, MO = "V2GRootCertificate", "MORootCertificate"


@pytest.fixture(scope="module")
def pki() -> Pki:
    return mint_pki()


@pytest.fixture
async def roots() -> AsyncIterator[StationRoots]:
    database = await Database.in_memory()
    yield StationRoots(StationMemory(database))
    await database.close()


async def test_roots_are_trusted_for_what_they_were_installed_for(pki: Pki, roots: StationRoots) -> None:
    await roots.install(pki[ROLE.V2G_ROOT].der, V2G, NOW)
    await roots.install(pki[ROLE.MO_ROOT].der, MO, NOW)
    assert roots.anchors().of_type(RootType.V2G) == (pki[ROLE.V2G_ROOT].der,)
    assert roots.anchors().of_type(RootType.MO) == (pki[ROLE.MO_ROOT].der,)


@pytest.mark.parametrize("role", [ROLE.CPO_SUB1, ROLE.CPO_SUB2, ROLE.MO_SUB1])
async def test_sub_ca_is_no_root(pki: Pki, roots: StationRoots, role: object) -> None:
    with pytest.raises(RootRefused, match="not self-signed"):
        await roots.install(pki[role].der, V2G, NOW)  # type: ignore[index]
    assert roots.installed == ()


def test_root_outside_its_validity(pki: Pki) -> None:
    encoded = pki[ROLE.V2G_ROOT].der
    for at in (NOW + timedelta(days=365 * 60), NOW - timedelta(days=400)):
        with pytest.raises(RootRefused, match="is valid from"):
            judge_root(encoded, RootType.V2G, at)


def test_unreadable_and_changed_roots(pki: Pki) -> None:
    encoded = pki[ROLE.V2G_ROOT].der
    with pytest.raises(RootRefused, match="cannot be read"):
        judge_root(b"no certificate", RootType.V2G, NOW)
    with pytest.raises(RootRefused):
        judge_root(encoded[:-1] + bytes([encoded[-1] ^ 1]), RootType.V2G, NOW)


def test_root_that_breaks_its_profile(pki: Pki) -> None:
    profile = PROFILES_ISO2[ROLE.V2G_ROOT]
    no_signing = frozenset({KeyUsage.CRL_SIGN})
    lax = replace(profile, key_usage=KeyUsageRule(issue=no_signing, required=no_signing, accepted=no_signing))
    with pytest.raises(RootRefused, match="ku-required"):
        judge_root(mint_authority(lax, "signs no certificates").der, RootType.V2G, NOW)


async def test_number_of_roots_is_limited(roots: StationRoots) -> None:
    profile = PROFILES_ISO2[ROLE.V2G_ROOT]
    for number in range(MAX_ROOTS):
        await roots.install(mint_authority(profile, f"V2G {number}").der, V2G, NOW)
    with pytest.raises(RootRefused, match="delete one first"):
        await roots.install(mint_authority(profile, "one more").der, V2G, NOW)


async def test_unknown_use_is_refused_by_name(pki: Pki, roots: StationRoots) -> None:
    with pytest.raises(RootRefused, match="CSMSRootCertificate"):
        await roots.install(pki[ROLE.V2G_ROOT].der, "CSMSRootCertificate", NOW)
