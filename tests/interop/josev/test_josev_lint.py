"""Josev's own certificates before our lint: exactly the findings that the documentation lists."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from interop.josev.expected_findings import DEPENDS_ON_OPENSSL, FILES, FINDINGS
from interop.josev.peer import Installation, JosevPki
from plugpass.pki.guess import guess
from plugpass.pki.lint import lint
from plugpass.pki.path import ANNEX_F, validate
from plugpass.pki.profiles import SUB_CA_ROLES, CertificateRole, Generation, profiles
from plugpass.pki.reasons import Reason
from plugpass.pki.trust import TrustAnchors

pytestmark = pytest.mark.interop

OPTION = {Generation.ISO2: "iso-2", Generation.ISO20: "iso-20"}
FOLDER = {Generation.ISO2: "iso15118_2", Generation.ISO20: "iso15118_20"}
FILE_OF = {role: name for name, role in FILES.items()}


@pytest.fixture(scope="module")
def as_shipped(josev: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What its script mints for both generations, with nothing corrected."""
    folder, shipped = tmp_path_factory.mktemp("shipped"), josev.package / "shared" / "pki"
    shutil.copytree(shipped / "configs", folder / "configs")
    shutil.copy(shipped / "create_certs.sh", folder)
    for option in OPTION.values():
        subprocess.run(["bash", "./create_certs.sh", "-v", option], cwd=folder, capture_output=True, check=True)
    return folder


@pytest.mark.parametrize("generation", Generation)
@pytest.mark.parametrize("role", FILES.values())
def test_lint_finds_what_is_documented(as_shipped: Path, role: CertificateRole, generation: Generation) -> None:
    encoded = (as_shipped / FOLDER[generation] / "certs" / f"{FILE_OF[role]}.der").read_bytes()
    found = {finding.reason for finding in lint(encoded, profiles(generation)[role])}
    assert found - DEPENDS_ON_OPENSSL == FINDINGS[generation].get(role, frozenset())


def test_every_file_is_recognised_without_a_word(as_shipped: Path) -> None:
    folder = as_shipped / "iso15118_2" / "certs"
    assert {name: guess((folder / f"{name}.der").read_bytes()).role for name in FILES} == FILES


@pytest.mark.parametrize("role", [ROLE for ROLE in FILES.values() if ROLE in SUB_CA_ROLES])
def test_its_chains_validate_but_for_the_name_of_the_vehicle(josev_pki: JosevPki, role: CertificateRole) -> None:
    """With the contract's EMAID corrected, as the sessions with Josev use it."""

    def read(one: CertificateRole) -> bytes:
        return (josev_pki.certificates / f"{FILE_OF[one]}.der").read_bytes()

    roots = CertificateRole
    anchors = TrustAnchors.of(v2g=[read(roots.V2G_ROOT)], mo=[read(roots.MO_ROOT)], oem=[read(roots.OEM_ROOT)])
    chain = [read(one) for one in (role, *SUB_CA_ROLES[role])]
    verdict = validate(chain, role=role, anchors=anchors, at=datetime.now(UTC), policy=ANNEX_F)
    assert set(verdict.reasons) == ({Reason.CN_SYNTAX} if role is roots.OEM_PROVISIONING else set())
