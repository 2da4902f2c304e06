"""`plugpass pki export`, `show`, `lint`: what others get to read, and what people get to see."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from pki_cli import Pki
from pki_factory import NOW, ROLE, forge, mint_pki, shared_pki, without_extension
from plugpass.pki import oids
from plugpass.pki.bundle import pem, read_certificates
from plugpass.pki.certificate import parse
from plugpass.pki.keys import LocalSigner, public_key_info
from plugpass.pki.profiles import PROFILES_ISO2


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    path = tmp_path / "export-passphrase"
    path.write_text("export\n")
    return path


def key_of(path: Path, passphrase: bytes) -> bytes:
    return public_key_info(LocalSigner.from_pem(path.read_bytes(), passphrase).public_key)


def leaf_key(path: Path) -> bytes:
    return parse(read_certificates(path.read_bytes())[0]).key.encoded


# --- single files --------------------------------------------------------------------------------------------------


def test_chains_and_leaves(pki: Pki, made: Path, tmp_path: Path) -> None:
    chain, leaf = tmp_path / "chain.pem", tmp_path / "leaf.der"
    assert pki("export", "--role", "contract", "--out", chain, "--dir", made).code == 0
    assert pki("export", "--role", "contract", "--format", "der", "--out", leaf, "--dir", made).code == 0
    certificates = read_certificates(chain.read_bytes())
    assert (len(certificates), certificates[0]) == (3, leaf.read_bytes())
    ca = tmp_path / "ca.pem"
    assert pki("export", "--role", "cpo-sub1", "--out", ca, "--dir", made).code == 0
    assert parse(read_certificates(ca.read_bytes())[0]).common_name == "plugpass CPO Sub1 CA"


def test_keys_leave_encrypted_private_and_audited(pki: Pki, workspace: Path, tmp_path: Path, passphrase: Path) -> None:
    p12, key = tmp_path / "contract.p12", tmp_path / "contract.key"
    options = ("--role", "contract", "--export-passphrase-file", passphrase, "--dir", workspace)
    assert pki("export", "--format", "p12", "--out", p12, *options).code == 0
    assert pki("export", "--format", "key", "--out", key, *options).code == 0
    loaded = pkcs12.load_pkcs12(p12.read_bytes(), b"export")
    assert loaded.cert is not None
    assert len(loaded.additional_certs) == 2
    assert key_of(key, b"export") == leaf_key(workspace / "certs/mo/contract.pem")
    assert (p12.stat().st_mode | key.stat().st_mode) & 0o077 == 0
    entries = pki("audit", "list", "--dir", workspace, "--json").json["entries"]
    assert [entry["action"] for entry in entries[-2:]] == ["key.exported"] * 2


def test_keys_need_a_passphrase(pki: Pki, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "contract.p12"
    done = pki("export", "--format", "p12", "--role", "contract", "--out", out, "--dir", made)
    assert (done.code, "PLUGPASS_EXPORT_PASSPHRASE" in done.err, out.exists()) == (2, True, False)


def test_what_is_not_there_or_not_clear(pki: Pki, workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pem"
    assert pki("export", "--role", "vehicle", "--out", out, "--dir", workspace).code == 2
    pki("issue", "secc", "DE*PLU*E2", "--dir", workspace)
    done = pki("export", "--role", "secc", "--out", out, "--dir", workspace)
    assert (done.code, "--name" in done.err) == (2, True)
    assert pki("export", "--role", "secc", "--name", "DE*PLU*E2", "--out", out, "--dir", workspace).code == 0
    again = pki("export", "--role", "secc", "--name", "DE*PLU*E2", "--out", out, "--dir", workspace)
    assert (again.code, "exists" in again.err) == (2, True)


# --- folders -------------------------------------------------------------------------------------------------------


def test_the_layout_of_josev(pki: Pki, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "josev"
    done = pki("export", "--format", "josev", "--out", folder, "--dir", made, "--json")
    assert (done.code, done.json["missing"]) == (0, [])
    certificates, keys = folder / "iso15118_2/certs", folder / "iso15118_2/private_keys"
    for leaf in ("secc", "contract", "oem", "cps"):
        password = (keys / f"{leaf}LeafPassword.txt").read_bytes().strip()
        assert key_of(keys / f"{leaf}Leaf.key", password) == leaf_key(certificates / f"{leaf}LeafCert.der")
        assert load_pem_private_key((keys / f"{leaf}Leaf.key").read_bytes(), password)
        assert (keys / f"{leaf}Leaf.key").stat().st_mode & 0o077 == 0
    assert len(read_certificates((certificates / "cpoCertChain.pem").read_bytes())) == 3
    password = (keys / "moSubCA2LeafPassword.txt").read_bytes().strip()
    assert key_of(keys / "moSubCA2.key", password) == leaf_key(certificates / "moSubCA2Cert.der")


def test_the_layout_of_everest(pki: Pki, made: Path, tmp_path: Path, passphrase: Path) -> None:
    folder = tmp_path / "everest"
    options = ("--export-passphrase-file", passphrase, "--dir", made)
    assert pki("export", "--format", "everest", "--out", folder, *options).code == 0
    assert key_of(folder / "client/cso/SECC_LEAF.key", b"export") == leaf_key(folder / "client/cso/SECC_LEAF.pem")
    assert (folder / "client/cso/SECC_LEAF_PASSWORD.txt").read_text() == "export\n"
    for bundle in ("ca/v2g/V2G_ROOT_CA.pem", "ca/mo/MO_ROOT_CA.pem", "ca/cso/CPO_SUB_CA2.pem"):
        assert len(read_certificates((folder / bundle).read_bytes())) == 1
    chain = folder / "client/cso/CPO_CERT_CHAIN.pem"
    assert pki("verify", "--role", "secc", "--trust", folder / "ca/v2g/V2G_ROOT_CA.pem", chain).code == 0


def test_everest_takes_several_roots_and_josev_does_not(pki: Pki, tmp_path: Path) -> None:
    workspace, folder = tmp_path / "ws", tmp_path / "out"
    pki("init", "--dir", workspace, "--hierarchy", "v2g", "--market", "EU", "--market", "US")
    done = pki("export", "--format", "josev", "--out", folder, "--dir", workspace)
    assert (done.code, "one V2G root" in done.err, folder.exists()) == (2, True, False)
    chosen = pki("export", "--format", "josev", "--authority", "v2g-us", "--out", folder, "--dir", workspace)
    assert chosen.code == 0
    both = tmp_path / "both"
    assert pki("export", "--format", "everest", "--out", both, "--dir", workspace).code == 0
    assert len(read_certificates((both / "ca/v2g/V2G_ROOT_CA.pem").read_bytes())) == 2


def test_josev_verifies_p256_only(pki: Pki, tmp_path: Path) -> None:
    workspace, folder = tmp_path / "ws", tmp_path / "out"
    pki("init", "--dir", workspace, "--generation", "iso20")
    options = ("--generation", "iso20", "--out", folder, "--dir", workspace)
    done = pki("export", "--format", "josev", *options)
    assert (done.code, "P-256" in done.err, folder.exists()) == (2, True, False)
    assert pki("export", "--format", "everest", *options).code == 0
    assert (folder / "client/vehicle/VEHICLE_LEAF.key").exists()


def test_a_folder_that_is_not_empty_stays_as_it_is(pki: Pki, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    done = pki("export", "--format", "josev", "--out", folder, "--dir", made)
    assert (done.code, "not empty" in done.err) == (2, True)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "no scratch is left behind"


# --- show ----------------------------------------------------------------------------------------------------------


def test_a_tree_of_the_workspace(pki: Pki, workspace: Path) -> None:
    tree = pki("show", "--dir", workspace, "--json").json["certificates"]
    v2g = next(item for item in tree if "V2G Root" in item["subject"])
    below = {item["label"].split()[0]: item for item in v2g["below"]}
    assert below.keys() == {"cpo-sub1", "cps-sub1"}
    (sub2,) = below["cpo-sub1"]["below"]
    assert [item["label"].split()[0] for item in sub2["below"]] == ["secc"]
    text = pki("show", "--dir", workspace).out
    assert "plugpass V2G Root CA" in text
    assert "░" in text


def test_the_tree_knows_what_is_due_expired_and_revoked(pki: Pki, workspace: Path) -> None:
    leaf = parse(read_certificates((workspace / "certs/v2g/secc.pem").read_bytes())[0])

    def status(*arguments: str) -> str:
        text = pki("show", "--dir", workspace, "--revoked", *arguments).out
        return next(line for line in text.splitlines() if leaf.common_name in line).split()[-1]

    assert status("--at", (leaf.not_before + timedelta(days=45)).isoformat()) == "due"
    assert status("--at", (leaf.not_after + timedelta(days=1)).isoformat()) == "expired"
    pki("revoke", workspace / "certs/v2g/secc.pem", "--dir", workspace)
    assert status() == "revoked"
    assert leaf.common_name not in pki("show", "--dir", workspace).out


def test_cross_certificates_are_shown_and_not_followed(pki: Pki, workspace: Path) -> None:
    pki("rollover", "prepare", "--dir", workspace)
    pki("rollover", "activate", "--dir", workspace)
    text = pki("show", "--dir", workspace).out
    assert sum(" cross " in line for line in text.splitlines()) == 2
    assert sum(" secc " in line for line in text.splitlines()) == 1


def test_a_tree_of_files(pki: Pki, tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_text(pem(shared_pki().leaf(ROLE.SECC_LEAF).chain))
    (top,) = pki("show", chain, "--at", NOW.isoformat(), "--json").json["certificates"]
    assert (top["label"], top["below"][0]["below"][0]["below"]) == (str(chain), [])
    assert pki("show", tmp_path / "missing").code == 2


# --- lint ----------------------------------------------------------------------------------------------------------


def test_good_certificates_are_recognised_and_have_no_errors(pki: Pki, made: Path) -> None:
    done = pki("lint", *(made / "certs").rglob("*.pem"), "--json")
    assert (done.code, done.json["ok"]) == (0, True)
    roles = {Path(item["file"]).stem: item["role"] for item in reversed(done.json["certificates"])}
    assert all(stem in (role, "secc", "cps", "contract", "oem-provisioning") for stem, role in roles.items()), roles


def test_findings_have_their_clause(pki: Pki, tmp_path: Path) -> None:
    minted = mint_pki()
    encoded, _ = forge(
        PROFILES_ISO2[ROLE.SECC_LEAF], "DE*PLU*E1", minted[ROLE.CPO_SUB2], without_extension(oids.KEY_USAGE)
    )
    path = tmp_path / "leaf.der"
    path.write_bytes(encoded)
    done = pki("lint", path, "--json")
    (judged,) = done.json["certificates"]
    assert (done.code, judged["role"], judged["guessed"]) == (1, "secc", True)
    assert {"severity": "error", "reason": "ku-missing", "clause": "Annex F", "text": "KeyUsage is missing"} in judged[
        "findings"
    ]
    as_cps = pki("lint", path, "--role", "cps", "--json").json["certificates"][0]
    assert (as_cps["role"], as_cps["guessed"]) == ("cps", False)
    assert "dc-wrong" in {finding["reason"] for finding in as_cps["findings"]}
    assert "ku-missing" in pki("lint", path).out


def test_roles_that_a_generation_does_not_have(pki: Pki, made: Path) -> None:
    leaf = made / "certs/v2g/secc.pem"
    assert pki("lint", leaf, "--role", "vehicle").code == 2
    assert pki("lint", leaf, "--role", "vehicle", "--generation", "iso20").code == 1
    assert pki("lint", leaf, "--role", "nonsense").code == 2
