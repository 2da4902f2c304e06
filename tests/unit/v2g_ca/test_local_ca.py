"""Our own authority: hierarchies are created once, found again, and issue by the profiles."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from ca_support import Hierarchy, authority, station_csr, stores
from pki_factory import ROLE, shared_pki
from plugpass.errors import ConfigurationError, LocalError, PeerError, Unavailable
from plugpass.net.clock import LabClock
from plugpass.pki import oids
from plugpass.pki.certificate import parse
from plugpass.pki.csr import create_csr
from plugpass.pki.keys import generate
from plugpass.pki.path import validate
from plugpass.pki.profiles import KeyUsage, SanPolicy, Switches
from plugpass.pki.trust import TrustAnchors
from plugpass.providers.local_ca import LocalCertificateAuthority


@pytest.mark.parametrize(
    ("hierarchy", "role", "name"),
    [
        (Hierarchy.V2G, ROLE.SECC_LEAF, "DE*PLU*E1"),
        (Hierarchy.V2G, ROLE.CPS_LEAF, "plugpass CPS"),
        (Hierarchy.OEM, ROLE.OEM_PROVISIONING, "WPLUG000000000017"),
        (Hierarchy.MO, ROLE.CONTRACT, "DE8AA001234567"),
    ],
)
async def test_every_hierarchy_issues_by_the_profiles(hierarchy: Hierarchy, role: ROLE, name: str) -> None:
    clock = LabClock()
    async with stores() as memory:
        own = await authority(memory, clock, hierarchy)
        with capture_logs() as logs:
            chain = await own.issue(create_csr(generate(), common_name=name, organization="Test"), role)
        anchors = {hierarchy.value: [own.root]}
        verdict = validate(chain.certificates, role=role, anchors=TrustAnchors.of(**anchors), at=clock.now())
        assert verdict.ok, verdict.summary
        assert [line["event"] for line in logs] == ["ca.issued"]
        assert (name in repr(logs)) == (hierarchy is Hierarchy.V2G), "names of drivers and vehicles are not logged"


async def test_a_hierarchy_is_found_again() -> None:
    clock = LabClock()
    async with stores() as memory:
        first = await authority(memory, clock)
        again = await authority(memory, clock)
        assert (again.root, again.sub_cas) == (first.root, first.sub_cas)
        assert len(await memory.ledger.all()) == 5


async def test_an_interrupted_creation_goes_on() -> None:
    clock = LabClock()

    class Stop(Exception):
        """The process is killed."""

    keys_left = iter(range(3))

    def dying() -> Any:
        if next(keys_left, None) is None:
            raise Stop
        return generate()

    async with stores() as memory:
        with pytest.raises(Stop):
            await authority(memory, clock, new_key=dying)
        assert await memory.keys.names("ca:") == ("ca:cpo-sub1", "ca:cpo-sub2", "ca:v2g-root")
        v2g = await authority(memory, clock)
        chain = await v2g.issue(station_csr(generate()), ROLE.SECC_LEAF)
        assert validate(
            chain.certificates, role=ROLE.SECC_LEAF, anchors=TrustAnchors.of(v2g=[v2g.root]), at=clock.now()
        ).ok


async def test_another_ocsp_address_is_a_mistake_that_is_named() -> None:
    async with stores() as memory:
        await authority(memory, LabClock(), url="http://127.0.0.1:1")
        with pytest.raises(ConfigurationError, match=r"http://127\.0\.0\.1:1/ocsp/v2g-root, not http://127\.0\.0\.1:2"):
            await authority(memory, LabClock(), url="http://127.0.0.1:2")


async def test_admission_may_refuse() -> None:
    def nobody(csr: object, role: object, owner: str) -> None:
        raise Unavailable(f"{owner} is not admitted")

    async with stores() as memory:
        v2g: LocalCertificateAuthority = await authority(memory, LabClock(), admit=nobody)
        with pytest.raises(Unavailable, match="csms is not admitted"):
            await v2g.issue_for(station_csr(generate()), ROLE.SECC_LEAF, owner="csms")


async def test_revoking_needs_a_reason_and_an_own_certificate() -> None:
    async with stores() as memory:
        v2g = await authority(memory, LabClock())
        leaf = (await v2g.issue(station_csr(generate()), ROLE.SECC_LEAF)).leaf
        with pytest.raises(LocalError, match="no revocation reason"):
            await v2g.revoke(leaf, "because")
        assert not await v2g.revoke(shared_pki().leaf(ROLE.SECC_LEAF).der, "superseded")
        assert not await v2g.revoke(b"garbage", "superseded")
        assert await v2g.revoke(leaf, "superseded")
        record = await v2g.record_of(leaf)
        assert record is not None
        assert record.revocation_reason == "superseded"


async def test_the_alternative_name_follows_the_switch() -> None:
    async with stores() as memory:
        dropping = await authority(memory, LabClock(), switches=Switches(san=SanPolicy.DROP))
        leaf = parse((await dropping.issue(station_csr(generate()), ROLE.SECC_LEAF)).leaf)
        assert leaf.extensions.san_uris == ()
        strict = await authority(memory, LabClock(), switches=Switches(san=SanPolicy.STRICT))
        with pytest.raises(PeerError, match="SubjectAltName"):
            await strict.issue(station_csr(generate()), ROLE.SECC_LEAF)


async def test_wishes_of_a_request_do_not_reach_the_certificate() -> None:
    async with stores() as memory:
        v2g = await authority(memory, LabClock())
        usage = (KeyUsage.KEY_CERT_SIGN, KeyUsage.DIGITAL_SIGNATURE)
        csr = create_csr(
            generate(), common_name="DE*PLU*E1", organization="Test", country="FR", domain="MO", key_usage=usage
        )
        leaf = parse((await v2g.issue(csr, ROLE.SECC_LEAF)).leaf)
    assert leaf.extensions.key_usage == {KeyUsage.DIGITAL_SIGNATURE}
    assert leaf.subject.values(oids.DOMAIN_COMPONENT) == ("CPO",)
    assert leaf.subject.values(oids.COUNTRY) == ("FR",)


async def test_other_hierarchies_do_not_issue_stations() -> None:
    async with stores() as memory:
        oem = await authority(memory, LabClock(), Hierarchy.OEM)
        with pytest.raises(PeerError, match="does not issue secc") as refusal:
            await oem.issue(station_csr(generate()), ROLE.SECC_LEAF)
        assert refusal.value.wire == "404"


async def test_wishes_for_key_usage_are_honoured_within_the_profile_where_switched() -> None:
    usage = (KeyUsage.KEY_CERT_SIGN, KeyUsage.KEY_AGREEMENT)
    csr = create_csr(generate(), common_name="DE*PLU*E1", organization="Test", key_usage=usage)
    async with stores() as memory:
        v2g = await authority(memory, LabClock(), switches=Switches(csr_key_usage=True))
        leaf = parse((await v2g.issue(csr, ROLE.SECC_LEAF)).leaf)
    assert leaf.extensions.key_usage == {KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT}
