"""What the generations have in common and what not, in path validation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chain_tools import (
    ISO2,
    ISO20,
    NAMES,
    case_of,
    good,
    judge,
    leaf_case,
    subject_of,
)

from pki_factory import (
    ROLE,
    forge,
    mint_pki,
    shared_pki,
    with_extension,
)
from plugpass.errors import LocalError
from plugpass.pki import assemble, der, oids
from plugpass.pki.certificate import parse
from plugpass.pki.keys import Curve, generate
from plugpass.pki.path import FIELD
from plugpass.pki.profiles import (
    Generation,
    Switches,
    profiles_iso20,
)
from plugpass.pki.reasons import (
    Reason,
)


def test_the_vehicle_leaf_of_2022_where_amendment_1_is_off() -> None:
    old = profiles_iso20(Switches(amendment_1=False))
    pki = mint_pki(profiles=old)
    leaf = pki.leaf(ROLE.VEHICLE_LEAF)
    assert "DC=" not in leaf.certificate.subject.rfc4514_string()
    case = replace(ISO20.case(leaf.chain, role=ROLE.VEHICLE_LEAF), anchors=pki.anchors)
    assert judge(replace(case, profiles=old)).ok
    assert set(judge(case).reasons) == {Reason.DC_MISSING, Reason.EKU_NOT_CRITICAL}
    amended = replace(good(ISO20, ROLE.VEHICLE_LEAF), profiles=old)
    assert judge(amended).reasons == (Reason.SUBJECT_ATTRIBUTE,)


def test_crl_sign_on_vehicle_cas_is_remarked_under_amendment_1() -> None:
    issuing = profiles_iso20(Switches(vehicle_ca_crl_sign=True))
    pki = mint_pki(profiles=issuing)
    case = replace(
        ISO20.case(pki.leaf(ROLE.VEHICLE_LEAF).chain, role=ROLE.VEHICLE_LEAF), anchors=pki.anchors, policy=FIELD
    )
    verdict = judge(case)
    assert verdict.ok
    assert [finding.reason for finding in verdict.remarks] == [Reason.KU_UNUSUAL] * 2
    assert judge(replace(case, profiles=issuing)).remarks == ()


def test_p256_in_iso20_only_where_it_is_tolerated() -> None:
    tolerant = profiles_iso20(Switches(tolerate_p256_in_iso20=True))
    pki = mint_pki(profiles=tolerant, curve=Curve.P256)
    leaf = pki.leaf(ROLE.CONTRACT, "DEPLUC" + "7" * 20)
    case = replace(ISO20.case(leaf.chain, role=ROLE.CONTRACT), anchors=pki.anchors)
    assert set(judge(case).reasons) == {Reason.KEY_CURVE, Reason.SIGNATURE_ALGORITHM}
    assert judge(replace(case, profiles=tolerant)).ok


def test_both_algorithms_may_meet_in_one_iso20_path() -> None:
    pki = shared_pki(Generation.ISO20, Curve.P521)
    leaf = pki.leaf(ROLE.SECC_LEAF, signer=generate(Curve.ED448))
    assert judge(ISO20.case(leaf.chain)).ok


def test_contract_key_identifiers_of_iso20_have_8_octets() -> None:
    leaf = good(ISO20, ROLE.CONTRACT).chain[0]
    assert len(parse(leaf).extensions.subject_key_identifier or b"") == 8
    long, _ = forge(
        ISO20.profiles[ROLE.CONTRACT],
        "DEPLUC12345678Q",
        ISO20.pki[ROLE.MO_SUB2],
        with_extension(assemble.subject_key_identifier(bytes(20))),
    )
    verdict = judge(ISO20.case((long, *good(ISO20, ROLE.CONTRACT).chain[1:]), role=ROLE.CONTRACT))
    assert verdict.ok
    assert [finding.reason for finding in verdict.remarks] == [Reason.SKI_LENGTH]


def test_string_types_of_vehicle_subjects_are_remarked() -> None:
    pairs = ((oids.COMMON_NAME, NAMES[ROLE.VEHICLE_LEAF]), (oids.ORGANIZATION, "O"), (oids.DOMAIN_COMPONENT, "EV"))
    verdict = judge(leaf_case(ISO20, subject_of(*pairs, tag=der.PRINTABLE_STRING), ROLE.VEHICLE_LEAF))
    assert verdict.ok
    assert [finding.reason for finding in verdict.remarks] == [Reason.SUBJECT_STRING_TYPE] * 2


def test_the_clauses_are_those_of_the_generation() -> None:
    for world, clause in ((ISO2, "[V2G2-007]"), (ISO20, "[V2G20-2674], [V2G20-2319], [V2G20-2320]")):
        verdict = judge(case_of("p384-key", world))
        assert verdict.findings[0].clause == clause


def test_response_codes_of_iso20() -> None:
    codes = {
        "leaf-expired": "WARNING_CertificateExpired",
        "leaf-not-yet-valid": "WARNING_CertificateNotYetValid",
        "leaf-revoked": "WARNING_CertificateRevoked",
        "leaf-signature": "WARNING_CertificateValidationError",
        "nothing": "WARNING_NoCertificateAvailable",
    }
    assert {name: judge(case_of(name, ISO20)).response_code for name in codes} == codes


def test_the_schemas_have_room_for_four_or_three_sub_certificates() -> None:
    for world, room in ((ISO2, 5), (ISO20, 4)):
        leaf, *subs = good(world).chain
        extra = [world.pki[role].der for role in (ROLE.MO_SUB2, ROLE.MO_SUB1, ROLE.OEM_SUB1)]
        assert judge(world.case((leaf, *subs, *extra[: room - 3]))).ok
        assert judge(world.case((leaf, *subs, *extra[: room - 2]))).reasons == (Reason.TOO_MANY_CERTIFICATES,)


def test_a_vehicle_is_no_role_of_iso2() -> None:
    with pytest.raises(LocalError, match="no leaf role of these profiles"):
        judge(replace(good(ISO2), role=ROLE.VEHICLE_LEAF))
