"""`plugpass pki init`, `issue`, `csr`, `revoke`, `crl`: what is made, what is refused, and nothing is half-made."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki_cli import Pki
from plugpass.pki.bundle import pem_block, read_certificates
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.crl import parse_crl
from plugpass.pki.csr import create_csr, parse_csr
from plugpass.pki.keys import Curve, LocalSigner, generate


def leaf_of(path: str | Path) -> Certificate:
    return parse(read_certificates(Path(path).read_bytes())[0])


def files_below(folder: Path) -> set[str]:
    """Everything but what SQLite keeps for itself."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.name.startswith("pki.db-")}


# --- init ----------------------------------------------------------------------------------------------------------


def test_init_makes_an_ecosystem_whose_leaves_verify(pki: Pki, made: Path) -> None:
    for name, role in (("v2g/secc", "secc"), ("v2g/cps", "cps"), ("oem/oem-provisioning", "oem-provisioning")):
        assert pki("verify", "--role", role, "--trust", made / "roots", made / "certs" / f"{name}.pem").code == 0
    assert oct((made / "pki.db").stat().st_mode)[-3:] in ("600", "644")
    assert made.stat().st_mode & 0o077 == 0
    assert not (made / "passphrase").exists(), "one was given"


def test_init_again_changes_nothing_and_other_generations_come_beside(pki: Pki, workspace: Path) -> None:
    root = (workspace / "roots/v2g.pem").read_bytes()
    assert pki("init", "--dir", workspace, "--crl-url", "http://127.0.0.1:8888").code == 0
    assert (workspace / "roots/v2g.pem").read_bytes() == root
    done = pki("init", "--dir", workspace, "--generation", "iso20", "--hierarchy", "oem", "--json")
    assert [item["name"] for item in done.json["authorities"]] == ["oem-iso20"]
    chain = workspace / "certs/oem-iso20/vehicle.pem"
    verified = pki("verify", "--role", "vehicle", "--generation", "iso20", "--trust", workspace / "roots", chain)
    assert verified.code == 0, verified.out


@pytest.mark.parametrize("curve", ["p521", "ed448"])
def test_iso20_hierarchies_of_both_curves(pki: Pki, tmp_path: Path, curve: str) -> None:
    done = pki("init", "--dir", tmp_path / "ws", "--generation", "iso20", "--curve", curve, "--json")
    assert done.code == 0, done.err
    assert {item["curve"] for item in done.json["authorities"]} == {{"p521": "secp521r1"}.get(curve, curve)}
    for authority in done.json["authorities"]:
        for role, chain in authority["leaves"].items():
            verified = pki(
                "verify", "--role", role, "--generation", "iso20", "--trust", authority["root"], "--json", chain
            )
            assert verified.code == 0, verified.json["reason"]


def test_a_curve_that_the_generation_does_not_have(pki: Pki, tmp_path: Path) -> None:
    done = pki("init", "--dir", tmp_path / "ws", "--curve", "ed448")
    assert (done.code, "secp256r1" in done.err) == (2, True)
    assert not list((tmp_path / "ws").glob("pki.json"))


def test_several_v2g_roots_certify_each_other(pki: Pki, tmp_path: Path) -> None:
    folder = tmp_path / "ws"
    done = pki(
        "init", "--dir", folder, "--hierarchy", "v2g", "--market", "EU", "--market", "US", "--cross-sign",
        "--tiers", "1", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert [item["name"] for item in done.json["authorities"]] == ["v2g-eu", "v2g-us"]
    both = tmp_path / "chain.pem"
    both.write_bytes(
        (folder / "certs/v2g-us/secc.pem").read_bytes() + (folder / "certs/v2g-eu/cross-v2g-us.pem").read_bytes()
    )
    alone = pki("verify", "--role", "secc", "--trust", folder / "roots/v2g-eu.pem", folder / "certs/v2g-us/secc.pem")
    crossed = pki("verify", "--role", "secc", "--trust", folder / "roots/v2g-eu.pem", "--json", both)
    assert (alone.code, crossed.code) == (1, 0), crossed.out
    assert len(crossed.json["path"]) == 4


def test_cross_signing_needs_several_roots(pki: Pki, tmp_path: Path) -> None:
    done = pki("init", "--dir", tmp_path / "ws", "--hierarchy", "v2g", "--cross-sign")
    assert (done.code, "--market" in done.err) == (2, True)


def test_a_private_environment_signs_its_stations_itself(pki: Pki, tmp_path: Path) -> None:
    done = pki("init", "--dir", tmp_path / "ws", "--hierarchy", "pe", "--json")
    assert done.code == 0, done.err
    (authority,) = done.json["authorities"]
    chain = authority["leaves"]["pe-secc"]
    assert leaf_of(chain).extensions.ocsp_urls == ()
    verified = pki("verify", "--role", "secc", "--trust", f"pe={authority['root']}", "--json", chain)
    assert verified.code == 0, verified.json["reason"]


def test_without_a_passphrase_a_workspace_keeps_one_of_its_own(
    pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLUGPASS_PKI_PASSPHRASE")
    folder = tmp_path / "ws"
    done = pki("init", "--dir", folder, "--hierarchy", "mo", "--no-leaves")
    assert (done.code, "random" in done.err) == (0, True)
    assert (folder / "passphrase").stat().st_mode & 0o077 == 0
    assert pki("issue", "contract", "DE8AA001234567", "--dir", folder).code == 0


def test_a_wrong_passphrase_is_one_line(pki: Pki, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGPASS_PKI_PASSPHRASE", "wrong")
    done = pki("issue", "secc", "DE*PLU*E2", "--dir", workspace)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "passphrase" in done.err


def test_what_is_no_workspace(pki: Pki, tmp_path: Path) -> None:
    done = pki("issue", "secc", "DE*PLU*E2", "--dir", tmp_path / "nothing", "--json")
    assert (done.code, done.json["ok"]) == (2, False)
    assert "pki init" in done.json["reason"]
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "pki.json").write_text("{}[")
    assert "cannot be read" in pki("show", "--dir", tmp_path).err


# --- issue and csr -------------------------------------------------------------------------------------------------


def test_a_key_and_a_request_for_any_ca(
    pki: Pki, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUGPASS_EXPORT_PASSPHRASE", "export")
    key, request, chain = tmp_path / "key.pem", tmp_path / "request.pem", tmp_path / "chain.pem"
    assert pki("csr", "secc", "DE*PLU*E5", "--key", key, "--out", request).code == 0
    assert key.stat().st_mode & 0o077 == 0
    assert LocalSigner.from_pem(key.read_bytes(), b"export").public_key == parse_csr(request.read_bytes()).public_key
    done = pki("issue", "secc", "--csr", request, "--operator", "DE*PLU", "--out", chain, "--dir", workspace, "--json")
    assert done.code == 0, done.err
    leaf = leaf_of(chain)
    assert (leaf.common_name, leaf.extensions.san_uris) == ("DE*PLU*E5", ("urn:evseid:DE*PLU*E5",))
    assert pki("verify", "--role", "secc", "--trust", workspace / "roots", chain).code == 0
    again = pki("csr", "secc", "DE*PLU*E5", "--key", key, "--out", request)
    assert (again.code, "exists" in again.err) == (2, True)


def test_validity_in_days(pki: Pki, workspace: Path) -> None:
    done = pki("issue", "cps", "CPS 2", "--days", "3", "--dir", workspace, "--json")
    leaf = leaf_of(done.json["file"])
    assert (leaf.not_after - leaf.not_before).days == 3


def foreign_csr(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, name: str = "DE*PLU*E1") -> bytes:
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "x")]
    )
    built = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return built.public_bytes(Encoding.DER)


def broken(request: bytes) -> bytes:
    return request[:-4] + bytes((request[-4] ^ 1,)) + request[-3:]


BAD_REQUESTS = {
    "weak-key": (lambda: foreign_csr(rsa.generate_private_key(65537, 1024)), 1, "key is of type"),
    "wrong-curve": (lambda: foreign_csr(ec.generate_private_key(ec.SECP384R1())), 1, "key is of type"),
    "other-generation": (
        lambda: create_csr(generate(Curve.P521), common_name="DE*PLU*E1", organization="x"), 1, "key is of type"
    ),
    "someone-elses-name": (
        lambda: create_csr(generate(), common_name="DE*ABC*E1", organization="x"), 1, "belongs to DEABC, not to DEPLU"
    ),
    "no-evse-id": (lambda: create_csr(generate(), common_name="station", organization="x"), 1, "EVSEID"),
    "broken-signature": (
        lambda: broken(create_csr(generate(), common_name="DE*PLU*E1", organization="x")), 1, "does not verify"
    ),
    "rubbish": (lambda: b"rubbish", 2, "no certificate request"),
    "a-key": (lambda: pem_block(b"0000", "PRIVATE KEY").encode(), 2, "no certificate request"),
    "too-large": (lambda: bytes(10 * 1024 * 1024), 2, "more than"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_bad_requests_are_refused_in_one_line_and_leave_nothing(
    pki: Pki, workspace: Path, tmp_path: Path, case: str
) -> None:
    make, code, says = BAD_REQUESTS[case]
    request = tmp_path / "request.der"
    request.write_bytes(make())
    before = files_below(workspace)
    done = pki("issue", "secc", "--csr", request, "--operator", "DEPLU", "--out", tmp_path / "out.pem", "-d", workspace)
    assert (done.code, len(done.err.splitlines())) == (code, 1), done.err
    assert says in done.err
    assert not (tmp_path / "out.pem").exists()
    assert files_below(workspace) == before


def test_one_key_is_one_party(pki: Pki, workspace: Path, tmp_path: Path) -> None:
    key = generate()
    codes = []
    for name in ("DE*PLU*E1", "DE*PLU*E1", "DE*PLU*E2"):
        request = tmp_path / "request.der"
        request.write_bytes(create_csr(key, common_name=name, organization="x"))
        done = pki("issue", "secc", "--csr", request, "--dir", workspace)
        codes.append(done.code)
    assert codes == [0, 0, 1]
    assert "another name" in done.err


def test_a_name_that_does_not_fit_the_role(pki: Pki, workspace: Path) -> None:
    done = pki("issue", "contract", "not an emaid", "--dir", workspace, "--json")
    assert (done.code, done.json["ok"]) == (1, False)
    assert "EMAID" in done.json["reason"]


def test_a_holder_or_a_request_but_not_both(pki: Pki, workspace: Path, tmp_path: Path) -> None:
    assert pki("issue", "secc", "--dir", workspace).code == 2
    assert pki("issue", "secc", "DE*PLU*E1", "--csr", tmp_path / "x", "--dir", workspace).code == 2


# --- revoke and crl ------------------------------------------------------------------------------------------------


def test_a_revoked_leaf_is_in_the_list_at_its_distribution_point(pki: Pki, workspace: Path) -> None:
    chain = workspace / "certs/v2g/secc.pem"
    leaf = leaf_of(chain)
    done = pki("revoke", chain, "--reason", "keyCompromise", "--dir", workspace, "--json")
    assert (done.code, done.json["serial"]) == (0, f"{leaf.serial:x}")
    (url,) = leaf.extensions.crl_urls
    listed = workspace / "crl" / url.rpartition("/")[2]
    assert parse_crl(listed.read_bytes()).revoked.keys() == {leaf.serial}
    arguments = ("verify", "--role", "secc", "--trust", workspace / "roots", "--crl", listed, "--json", chain)
    assert (pki(*arguments).code, pki(*arguments).json["reasons"][0]) == (1, "revoked")
    first = done.json["revoked_at"]
    assert pki("revoke", f"{leaf.serial:x}", "--dir", workspace, "--json").json["revoked_at"] == first


def test_only_what_was_issued_here_is_revoked(pki: Pki, workspace: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    pki("init", "--dir", other, "--hierarchy", "v2g")
    done = pki("revoke", other / "certs/v2g/secc.pem", "--dir", workspace, "--json")
    assert (done.code, done.json["ok"]) == (1, False)
    assert pki("revoke", "abcdef", "--dir", workspace).code == 2
    assert pki("revoke", workspace / "certs/v2g/secc.pem", "--reason", "because", "--dir", workspace).code == 2


def test_lists_of_all_cas_and_of_one(pki: Pki, workspace: Path, tmp_path: Path) -> None:
    done = pki("crl", "--dir", workspace, "--json")
    assert {item["ca"] for item in done.json["lists"]} >= {"v2g-root", "cpo-sub2", "mo-sub1"}
    out = tmp_path / "one.crl"
    assert pki("crl", "mo-sub2", "--pem", "--out", out, "--dir", workspace).code == 0
    assert out.read_text().startswith("-----BEGIN X509 CRL-----")
    assert pki("crl", "--out", out, "--dir", workspace).code == 2
    assert pki("crl", "no-such-ca", "--dir", workspace).code == 2


def test_lists_are_written_as_openssl_expects(workspace: Path, pki: Pki) -> None:
    pki("crl", "--dir", workspace)
    for path in (workspace / "crl").iterdir():
        x509.load_der_x509_crl(path.read_bytes())
