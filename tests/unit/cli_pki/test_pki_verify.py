"""`plugpass pki verify`: what it accepts, what it refuses with which reason, and what it cannot use."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption, pkcs12

from pki_cli import Pki
from pki_factory import NOW, ROLE, Minted, mint_pki, shared_pki
from plugpass.pki import ocsp
from plugpass.pki.bundle import pem, pkcs7_certs_only
from plugpass.pki.crl import RevokedCertificate, build_crl, crl_pem
from plugpass.pki.profiles import PROFILES_ISO20
from unit.pki import test_pki_operator_chains as operator

AT = NOW.isoformat()
ROOTS = {"v2g": ROLE.V2G_ROOT, "mo": ROLE.MO_ROOT, "oem": ROLE.OEM_ROOT}


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    """A folder with all three roots of the shared hierarchies."""
    folder = tmp_path / "roots"
    folder.mkdir()
    (folder / "README").write_text("not a certificate")
    for name, role in ROOTS.items():
        (folder / f"{name}.pem").write_text(pem([shared_pki()[role].der]))
    return folder


@pytest.fixture
def secc() -> Minted:
    return shared_pki().leaf(ROLE.SECC_LEAF)


def written(folder: Path, *certificates: bytes, name: str = "chain.pem") -> Path:
    path = folder / name
    path.write_text(pem(certificates))
    return path


@pytest.mark.parametrize("role", [ROLE.SECC_LEAF, ROLE.CONTRACT, ROLE.OEM_PROVISIONING, ROLE.CPS_LEAF])
def test_every_role_is_accepted_with_its_path_and_its_checks(pki: Pki, tmp_path: Path, trust: Path, role: ROLE) -> None:
    chain = written(tmp_path, *shared_pki().leaf(role).chain)
    done = pki("verify", "--role", role.value, "--trust", trust, "--at", AT, "--json", chain)
    assert done.code == 0, done.json["reason"]
    answer = done.json
    assert (answer["ok"], answer["reason"], len(answer["path"])) == (True, "", 4)
    statuses = {check["name"]: check["status"] for check in answer["checks"]}
    assert statuses.pop("revocation") == "not-done"
    assert set(statuses.values()) == {"ok"}


@pytest.mark.parametrize("role", [ROLE.SECC_LEAF, ROLE.CONTRACT])
def test_iso20_chains_are_judged_by_their_own_profiles(pki: Pki, tmp_path: Path, role: ROLE) -> None:
    minted = mint_pki(profiles=PROFILES_ISO20)
    chain = written(tmp_path, *minted.leaf(role).chain)
    root = written(tmp_path, *(minted[root].der for root in ROOTS.values()), name="roots.pem")
    arguments = ("--role", role.value, "--trust", root, "--at", AT, chain)
    assert pki("verify", "--generation", "iso20", *arguments).code == 0
    refused = pki("verify", "--generation", "iso2", "--json", *arguments)
    assert refused.code == 1
    assert "key-curve" in refused.json["reasons"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--at", (NOW + timedelta(days=61)).isoformat()), "expired"),
        (("--at", (NOW - timedelta(days=1)).isoformat()), "not-yet-valid"),
        (("--at", AT, "--expect", "DE*ABC*E1"), "identity"),
        (("--at", AT, "--require-status"), "ocsp-missing"),
    ],
)
def test_refusals_name_their_reason(
    pki: Pki, tmp_path: Path, trust: Path, secc: Minted, arguments: tuple[str, ...], reason: str
) -> None:
    done = pki("verify", "--role", "secc", "--trust", trust, *arguments, "--json", written(tmp_path, *secc.chain))
    assert done.code == 1
    assert done.json["reasons"][0] == reason
    assert reason in done.json["reason"]


def test_a_root_vouches_for_its_own_kind_only(pki: Pki, tmp_path: Path, secc: Minted) -> None:
    root = written(tmp_path, shared_pki()[ROLE.V2G_ROOT].der, name="root.pem")
    chain = written(tmp_path, *secc.chain)
    assert pki("verify", "--role", "secc", "--trust", root, "--at", AT, chain).code == 0
    done = pki("verify", "--role", "secc", "--trust", f"mo={root}", "--at", AT, "--json", chain)
    assert (done.code, done.json["reasons"][0]) == (1, "wrong-root-type")


def test_strangers_and_gaps(pki: Pki, tmp_path: Path, trust: Path, secc: Minted) -> None:
    other = mint_pki(prefix="Other").leaf(ROLE.SECC_LEAF)
    unknown = pki("verify", "--role", "secc", "--trust", trust, "--at", AT, "--json", written(tmp_path, *other.chain))
    gap = pki("verify", "--role", "secc", "--trust", trust, "--at", AT, "--json", written(tmp_path, secc.der))
    assert (unknown.code, gap.code) == (1, 1)
    assert unknown.json["reasons"][0] == "incomplete-path"
    assert gap.json["reasons"][0] == "incomplete-path"


def test_the_order_of_sub_cas_and_duplicates_do_not_matter_but_are_said(
    pki: Pki, tmp_path: Path, trust: Path, secc: Minted
) -> None:
    leaf, sub2, sub1 = secc.chain
    root = shared_pki()[ROLE.V2G_ROOT].der
    chain = written(tmp_path, leaf, sub1, sub2, sub2, sub1, leaf, root)
    done = pki("verify", "--role", "secc", "--trust", trust, "--at", AT, "--json", chain)
    assert done.code == 0, done.json["reason"]
    assert any("more than once" in remark for remark in done.json["remarks"])
    assert any("order" in remark for remark in done.json["remarks"])


def test_a_leaf_that_is_not_first_is_refused(pki: Pki, tmp_path: Path, trust: Path, secc: Minted) -> None:
    chain = written(tmp_path, *reversed(secc.chain))
    done = pki("verify", "--role", "secc", "--trust", trust, "--at", AT, "--json", chain)
    assert done.code == 1
    assert "must come first" in done.json["reason"]


@pytest.mark.parametrize("form", ["der", "p7", "base64"])
def test_chains_come_in_many_forms(pki: Pki, tmp_path: Path, trust: Path, secc: Minted, form: str) -> None:
    content = {
        "der": b"".join(secc.chain),
        "p7": pkcs7_certs_only(secc.chain),
        "base64": base64.encodebytes(pkcs7_certs_only(secc.chain)),
    }[form]
    path = tmp_path / f"chain.{form}"
    path.write_bytes(content)
    assert pki("verify", "--role", "secc", "--trust", trust, "--at", AT, path).code == 0


# --- unusable input ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"rubbish", "holds no certificates"),
        (b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n", "base64"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n", "END"),
        (b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n", "private key"),
        (b"0" * (10 * 1024 * 1024), "more than"),
    ],
    ids=["empty", "rubbish", "no-base64", "no-end", "key", "10-MB"],
)
def test_what_is_no_chain_is_unusable_in_one_line(
    pki: Pki, tmp_path: Path, trust: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "chain.pem"
    path.write_bytes(content)
    done = pki("verify", "--role", "secc", "--trust", trust, "--at", AT, path)
    assert done.code == 2
    assert says in done.err
    assert len(done.err.splitlines()) == 1


def test_rubbish_around_pem_blocks_is_ignored(pki: Pki, tmp_path: Path, trust: Path, secc: Minted) -> None:
    path = tmp_path / "chain.pem"
    path.write_text("subject=/CN=x\n" + "rubbish\n".join(pem([item]) for item in secc.chain) + "more rubbish")
    assert pki("verify", "--role", "secc", "--trust", trust, "--at", AT, path).code == 0


@pytest.mark.parametrize("option", ["--trust", "--crl", "--ocsp"])
def test_files_that_are_not_there_or_not_what_they_should_be(
    pki: Pki, tmp_path: Path, trust: Path, secc: Minted, option: str
) -> None:
    chain = written(tmp_path, *secc.chain)
    rubbish = tmp_path / "rubbish.der"
    rubbish.write_bytes(b"rubbish")
    for path in (tmp_path / "missing", rubbish):
        done = pki("verify", "--role", "secc", "--trust", trust, option, path, "--at", AT, "--json", chain)
        assert (done.code, done.json["ok"]) == (2, False)
        assert path.name in done.json["reason"]


def test_a_leaf_is_no_trust_anchor(pki: Pki, tmp_path: Path, secc: Minted) -> None:
    chain = written(tmp_path, *secc.chain)
    leaf = written(tmp_path, secc.der, name="leaf.pem")
    done = pki("verify", "--role", "secc", "--trust", leaf, "--at", AT, chain)
    assert done.code == 2
    assert "no CA certificate" in done.err


def test_a_wrong_time_is_named(pki: Pki, tmp_path: Path, trust: Path, secc: Minted) -> None:
    done = pki("verify", "--role", "secc", "--trust", trust, "--at", "soon", written(tmp_path, *secc.chain))
    assert done.code == 2
    assert "ISO 8601" in done.err


def test_a_p12_needs_its_passphrase(pki: Pki, tmp_path: Path, trust: Path, secc: Minted) -> None:
    path, passphrase = tmp_path / "chain.p12", tmp_path / "passphrase"
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"secc", secc.signer.private_key, secc.certificate, secc.sub_cas, BestAvailableEncryption(b"right")
        )
    )
    arguments = ("verify", "--role", "secc", "--trust", trust, "--at", AT, "--passphrase-file", passphrase, path)
    passphrase.write_text("right\n")
    assert pki(*arguments).code == 0
    passphrase.write_text("wrong\n")
    done = pki(*arguments)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "wrong passphrase" in done.err
    without = pki(*arguments[:-3], path)
    assert without.code == 2
    assert "PLUGPASS_EXPORT_PASSPHRASE" in without.err


def test_a_p12_without_certificates_is_unusable(pki: Pki, tmp_path: Path, trust: Path, secc: Minted) -> None:
    path, passphrase = tmp_path / "key.p12", tmp_path / "passphrase"
    passphrase.write_text("x")
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(None, secc.signer.private_key, None, None, BestAvailableEncryption(b"x"))
    )
    done = pki("verify", "--role", "secc", "--trust", trust, "--passphrase-file", passphrase, path)
    assert (done.code, "no certificate" in done.err) == (2, True)
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(None, secc.signer.private_key, None, None, NoEncryption())[:40]
    )
    assert pki("verify", "--role", "secc", "--trust", trust, "--passphrase-file", passphrase, path).code == 2


# --- revocation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (ocsp.CertStatus.GOOD, 0, None),
        (ocsp.CertStatus.REVOKED, 1, "revoked"),
        (ocsp.CertStatus.UNKNOWN, 1, "ocsp-unknown"),
    ],
)
def test_ocsp_responses_count(
    pki: Pki, tmp_path: Path, trust: Path, secc: Minted, status: ocsp.CertStatus, code: int, reason: str | None
) -> None:
    response = tmp_path / "leaf.ocsp"
    response.write_bytes(shared_pki().ocsp_response(secc.der, ROLE.CPO_SUB2, status))
    chain = written(tmp_path, *secc.chain)
    done = pki("verify", "--role", "secc", "--trust", trust, "--at", AT, "--ocsp", response, "--json", chain)
    assert done.code == code, done.json["reason"]
    assert reason is None or done.json["reasons"][0] == reason
    if reason is None:  # the Sub-CAs had no response: said, not hidden
        assert len(done.json["tolerated"]) == 2
        assert pki(
            "verify", "--role", "secc", "--trust", trust, "--at", AT, "--ocsp", response, "--require-status", chain
        )


def test_a_response_about_something_else_proves_nothing(pki: Pki, tmp_path: Path, trust: Path, secc: Minted) -> None:
    response = tmp_path / "other.ocsp"
    other = shared_pki().leaf(ROLE.SECC_LEAF)
    response.write_bytes(shared_pki().ocsp_response(other.der, ROLE.CPO_SUB2))
    chain = written(tmp_path, *secc.chain)
    done = pki("verify", "--role", "secc", "--trust", trust, "--at", AT, "--ocsp", response, "--json", chain)
    assert (done.code, done.json["reasons"][0], done.json["status"]) == (1, "ocsp-missing", "indeterminate")


def test_a_responders_refusal_is_unusable(pki: Pki, tmp_path: Path, trust: Path, secc: Minted) -> None:
    response = tmp_path / "refusal.ocsp"
    response.write_bytes(ocsp.error_response(ocsp.ResponseError.UNAUTHORIZED))
    done = pki("verify", "--role", "secc", "--trust", trust, "--ocsp", response, written(tmp_path, *secc.chain))
    assert (done.code, "unauthorized" in done.err) == (2, True)


@pytest.mark.parametrize("revoked", [True, False])
def test_revocation_lists_count(pki: Pki, tmp_path: Path, trust: Path, secc: Minted, revoked: bool) -> None:
    issuer = shared_pki()[ROLE.CPO_SUB2]
    serial = secc.certificate.serial_number if revoked else 1
    encoded = build_crl(
        [RevokedCertificate(serial=serial, revoked_at=NOW)],
        issuer.certificate,
        issuer.signer,
        number=1,
        this_update=NOW,
        next_update=NOW + timedelta(days=7),
    )
    path = tmp_path / "list.crl"
    path.write_text(crl_pem(encoded))
    chain = written(tmp_path, *secc.chain)
    done = pki("verify", "--role", "secc", "--trust", trust, "--at", AT, "--crl", path, "--json", chain)
    assert done.code == int(revoked), done.json["reason"]


# --- text ----------------------------------------------------------------------------------------------------------


def test_people_see_the_path_the_checks_and_the_reason(pki: Pki, tmp_path: Path, trust: Path, secc: Minted) -> None:
    chain = written(tmp_path, *secc.chain)
    good = pki("verify", "--role", "secc", "--trust", trust, "--at", AT, chain)
    bad = pki("verify", "--role", "cps", "--trust", trust, "--at", AT, chain)
    assert "accepted as secc" in good.out
    assert "signatures" in good.out
    assert "CN=Test V2G-ROOT" in good.out
    assert "refused as cps" in bad.out
    assert "dc-wrong" in bad.out


# --- a real operator -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not operator.SPECS.is_dir(), reason="needs ../shared/specs beside the project")
@pytest.mark.parametrize("name", operator.CHAINS)
def test_a_real_operators_chain_passes_field_and_fails_annex_f(pki: Pki, tmp_path: Path, name: str) -> None:
    names, role, departures = operator.CHAINS[name]
    known = operator.certificates()
    chain = written(tmp_path, *(known[one].encoded for one in names))
    root = written(tmp_path, known[operator.ROOT].encoded, name="root.pem")
    arguments = ("--role", role.value, "--trust", root, "--at", operator.WHEN.isoformat(), "--json", chain)
    field, strict = pki("verify", "--policy", "field", *arguments), pki("verify", *arguments)
    assert field.code == 0, field.json["reason"]
    assert len(field.json["tolerated"]) == len(departures)
    assert (strict.code, set(strict.json["reasons"])) == (1, set(departures))
    assert pki("lint", chain, "--role", role.value).code == 1
