"""A real operator's certificates: read from the published examples beside the project, judged under both policies."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import pytest
from cryptography import x509

from plugpass.pki import der
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.lint import lint
from plugpass.pki.path import ANNEX_F, FIELD, Verdict, validate
from plugpass.pki.policy import Policy
from plugpass.pki.profiles import PROFILES_ISO2, CertificateRole, RootType
from plugpass.pki.reasons import Reason
from plugpass.pki.trust import TrustAnchors

SPECS = Path(__file__).parents[4] / "shared" / "specs"
pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason="needs ../shared/specs beside the project")

ROOT = "V2G Root CA QA G1"
PROVISIONING_SUBS = ("Prov Sub2 CA QA G1.1.1", "Prov Sub1 CA QA G1.1")
MO_SUBS = ("MO Sub2 CA QA G1.1.1", "MO Sub1 CA QA G1.1")
WHEN = datetime(2022, 3, 1, tzinfo=UTC)


def embedded(blob: bytes) -> Iterator[Certificate]:
    """Certificates inside a binary, also at odd bit positions: EXI does not align its binary values."""
    number, bits = int.from_bytes(blob), 8 * len(blob)
    for shift in range(8):
        shifted = ((number << shift) & ((1 << bits) - 1)).to_bytes(len(blob))
        for found in re.finditer(rb"(?=\x30\x82(..)\x30\x82)", shifted, re.DOTALL):
            try:
                yield parse(shifted[found.start() : found.start() + 4 + int.from_bytes(found[1])])
            except der.MalformedDer:
                continue


@lru_cache(maxsize=1)
def certificates() -> dict[str, Certificate]:
    """All certificates of the examples by common name."""
    found: dict[str, Certificate] = {}
    for file in sorted(SPECS.rglob("*.json")):
        for text in re.findall(r"[A-Za-z0-9+/]{300,}={0,2}", file.read_text("utf-8")):
            try:
                blob = base64.b64decode(text, validate=True)
            except binascii.Error:
                continue
            found |= {certificate.common_name: certificate for certificate in embedded(blob)}
    return found


def judge(*names: str, role: CertificateRole, policy: Policy, at: datetime = WHEN) -> Verdict:
    known = certificates()
    anchors = TrustAnchors.of(v2g=[known[ROOT]])
    return validate([known[name].encoded for name in names], role=role, anchors=anchors, at=at, policy=policy)


CPS = ("CPS 2021.8 QA", *PROVISIONING_SUBS)
CONTRACT = ("EMP99CQAPAB004", *MO_SUBS)

CHAINS = {
    "cps": (CPS, CertificateRole.CPS_LEAF, {Reason.BC_EXPLICIT_DEFAULT, Reason.KU_MISSING}),
    "contract": (
        CONTRACT,
        CertificateRole.CONTRACT,
        {Reason.BC_MISSING, Reason.KU_MISSING, Reason.DC_MISSING},
    ),
    "vehicle": (
        ("huboemprovcqa0615", "OEM Sub2 CA QA G1.1.1", "OEM Sub1 CA QA G1.1"),
        CertificateRole.OEM_PROVISIONING,
        {Reason.BC_MISSING, Reason.KU_MISSING},
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_field_accepts_with_every_tolerance_named(name: str) -> None:
    chain, role, departures = CHAINS[name]
    verdict = judge(*chain, role=role, policy=FIELD)
    assert verdict.ok, verdict.summary
    assert {finding.reason for finding in verdict.tolerated} == departures
    assert verdict.root_type is RootType.V2G
    assert [certificate.common_name for certificate in verdict.path] == [*chain, ROOT]


@pytest.mark.parametrize("name", CHAINS)
def test_annex_f_refuses_and_names_every_departure(name: str) -> None:
    chain, role, departures = CHAINS[name]
    verdict = judge(*chain, role=role, policy=ANNEX_F)
    assert not verdict.ok
    assert set(verdict.reasons) == departures
    assert {finding.subject for finding in verdict.findings} == {str(certificates()[chain[0]].subject)}


def test_the_library_cannot_read_what_we_judge() -> None:
    leaf = certificates()["CPS 2021.8 QA"]
    with pytest.raises(ValueError, match="EncodedDefault"):
        _ = x509.load_der_x509_certificate(leaf.encoded).extensions
    assert leaf.extensions.basic_constraints is not None
    assert leaf.extensions.basic_constraints.explicit_default
    assert len(leaf.encoded) == 549


def test_field_still_knows_the_time() -> None:
    verdict = judge(*CPS, role=CertificateRole.CPS_LEAF, policy=FIELD, at=datetime(2026, 1, 1, tzinfo=UTC))
    assert verdict.reasons == (Reason.EXPIRED,)
    assert len(verdict.findings) == 3  # leaf and both Sub-CAs


def test_field_does_not_tolerate_a_wrong_check_digit() -> None:
    """One published contract certificate has 15 characters whose last is not the check digit of Annex H."""
    verdict = judge("EMP99CQATEST001", *MO_SUBS, role=CertificateRole.CONTRACT, policy=FIELD)
    assert verdict.reasons == (Reason.CN_SYNTAX,)


def test_newer_vehicle_chains_keep_annex_f() -> None:
    verdict = judge(
        "DEHUBCOPNCPROVCER",
        "OEM Sub2 CA QA G1.2.1",
        "OEM Sub1 CA QA G1.2",
        role=CertificateRole.OEM_PROVISIONING,
        policy=ANNEX_F,
        at=datetime(2025, 1, 1, tzinfo=UTC),
    )
    assert verdict.ok, verdict.summary
    assert {finding.reason for finding in verdict.remarks} == {
        Reason.DC_UNUSUAL,
        Reason.EXTENSION_UNEXPECTED,
        Reason.EXTENSION_FORBIDDEN,
    }


def test_the_production_root_is_usable_as_an_anchor() -> None:
    root = certificates()["V2G Root CA G2"]
    assert len(TrustAnchors.of(v2g=[root])) == 1
    assert {finding.reason for finding in lint(root, PROFILES_ISO2[CertificateRole.V2G_ROOT])} == {
        Reason.EXTENSION_FORBIDDEN
    }
