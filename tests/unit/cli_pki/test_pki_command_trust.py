"""`plugpass pki trust`: roots come in from many sources, are rolled out in stages, and missing ones are found."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7

from pki_cli import Pki
from pki_factory import ROLE, mint_pki
from plugpass.pki.bundle import pem, read_certificates
from plugpass.pki.certificate import parse
from plugpass.pki.signed_list import SignedListRefused, open_signed_list
from plugpass.ports.stations import AttemptStatus, CertificateAttempt, StationRecord
from plugpass.store.csms import SqlStationRegistry
from plugpass.store.database import Database

PKI = mint_pki(now=datetime(2026, 6, 1, tzinfo=UTC), prefix="Foreign")
ROOT = PKI[ROLE.V2G_ROOT].der
FINGERPRINT = parse(ROOT).fingerprint


def b64(der: bytes) -> str:
    return base64.b64encode(der).decode()


OPCP = {"RootCertificateCollection": {"rootCertificates": [{"caCertificate": b64(ROOT), "rootType": "V2G"}]}}
OPNC = {"rootCertificateCollection": [{"caCertificate": b64(ROOT), "rootTypeList": ["v2g", "emsp"]}]}


@pytest.mark.parametrize(
    ("content", "options", "types", "source"),
    [
        (pem([ROOT]).encode(), ("--type", "v2g"), {"v2g"}, "bundle"),
        (ROOT, ("--type", "oem"), {"oem"}, "bundle"),
        (json.dumps(OPCP).encode(), (), {"v2g"}, "opcp"),
        (json.dumps(OPNC).encode(), (), {"v2g", "mo"}, "opnc"),
    ],
    ids=["pem", "der", "opcp", "opnc"],
)
def test_roots_come_from_files_and_pools(
    pki: Pki, workspace: Path, tmp_path: Path, content: bytes, options: tuple[str, ...], types: set[str], source: str
) -> None:
    file = tmp_path / "roots"
    file.write_bytes(content)
    arguments = ("trust", "import", file, *options, "--market", "eu", "--by", "alice", "--dir", workspace, "--json")
    done = pki(*arguments)
    assert (done.code, {item["type"] for item in done.json["added"]}) == (0, types), done.err
    (first, *_) = done.json["added"]
    assert (first["sha256"], first["source"], first["market"], first["added_by"]) == (
        FINGERPRINT,
        source,
        "EU",
        "alice",
    )
    again = pki(*arguments).json
    assert (again["added"], len(again["known"])) == ([], len(types))


def test_what_is_no_root_is_left_out_by_name(pki: Pki, workspace: Path, tmp_path: Path) -> None:
    file = tmp_path / "chain.pem"
    file.write_text(pem([*PKI.leaf(ROLE.SECC_LEAF).chain, ROOT]))
    done = pki("trust", "import", file, "--type", "v2g", "--dir", workspace, "--json")
    assert (done.code, len(done.json["added"]), len(done.json["refused"])) == (0, 1, 3)
    file.write_text(pem([PKI.leaf(ROLE.SECC_LEAF).der]))
    assert pki("trust", "import", file, "--type", "v2g", "--dir", workspace).code == 1


def test_unusable_lists(pki: Pki, workspace: Path, tmp_path: Path) -> None:
    file = tmp_path / "roots"
    for content, options in ((b"{}", ()), (b"{", ()), (b"rubbish", ("--type", "mo")), (pem([ROOT]).encode(), ())):
        file.write_bytes(content)
        done = pki("trust", "import", file, *options, "--dir", workspace)
        assert (done.code, len(done.err.splitlines())) == (2, 1), content


def test_a_root_is_rolled_out_in_stages_and_taken_back(pki: Pki, workspace: Path, tmp_path: Path) -> None:
    file = tmp_path / "root.pem"
    file.write_text(pem([ROOT]))
    pki("trust", "import", file, "--type", "v2g", "--staged", "--dir", workspace)
    moves: list[tuple[tuple[str, ...], str, int]] = [
        (("stage", "--reach", "10"), "staged", 10),
        (("activate",), "active", 100),
        (("retire", "--reach", "50"), "retiring", 50),
        (("remove",), "removed", 100),
    ]
    for (verb, *options), stage, reach in moves:
        done = pki("trust", verb, FINGERPRINT[:12], *options, "--by", "bob", "--dir", workspace, "--json")
        assert done.code == 0, done.err
        assert (done.json["stage"], done.json["reach"], done.json["changed_by"]) == (stage, reach, "bob")
    refused = pki("trust", "activate", FINGERPRINT, "--dir", workspace)
    assert (refused.code, "removed" in refused.err) == (2, True)
    assert pki("trust", "activate", "00", "--dir", workspace).code == 2
    listed = {root["sha256"]: root for root in pki("trust", "list", "--dir", workspace, "--json").json["roots"]}
    assert listed[FINGERPRINT]["stage"] == "removed"
    assert "Foreign" in pki("trust", "list", "--dir", workspace).out


# --- stations ------------------------------------------------------------------------------------------------------


def fill_csms(path: Path, attempts: list[tuple[str, str, AttemptStatus]]) -> None:
    async def work() -> None:
        database = await Database.at(path)
        registry = SqlStationRegistry(database)
        for station in ("cs-1", "cs-2", "cs-3"):
            await registry.save_station(StationRecord(identity=station, operator="DEPLU", evse_ids=("DE*PLU*E1",)))
        for station, subject, status in attempts:
            await registry.record_attempt(
                CertificateAttempt(
                    station=station,
                    use="V2GRootCertificate",
                    subject=subject,
                    status=status,
                    reason="",
                    at=datetime(2026, 6, 1, tzinfo=UTC),
                )
            )
        await database.close()

    asyncio.run(work())


def test_which_stations_lack_a_root(pki: Pki, workspace: Path, tmp_path: Path) -> None:
    own = parse(read_certificates((workspace / "roots/v2g.pem").read_bytes())[0])
    csms = tmp_path / "csms" / "state.db"
    fill_csms(
        csms,
        [
            ("cs-1", own.common_name, AttemptStatus.ACCEPTED),
            ("cs-2", own.common_name, AttemptStatus.ACCEPTED),
            ("cs-2", own.common_name, AttemptStatus.FAILED),
            ("cs-3", "another root", AttemptStatus.ACCEPTED),
        ],
    )
    done = pki("trust", "lacking", own.fingerprint, "--csms", csms, "--dir", workspace, "--json")
    assert (done.code, sorted(done.json["lacking"]), done.json["stations"]) == (1, ["cs-2", "cs-3"], 3)
    everything = pki("trust", "lacking", "--csms", csms, "--dir", workspace)
    assert "3 of 3 stations" in everything.out, "nobody has the MO root either"
    assert pki("trust", "lacking", "--csms", tmp_path / "missing.db", "--dir", workspace).code == 2


def test_a_name_that_two_roots_share_proves_neither(pki: Pki, workspace: Path, tmp_path: Path) -> None:
    pki("renew-ca", "v2g-root", "--dir", workspace)  # same name, same key, another certificate
    own = parse(read_certificates((workspace / "roots/v2g.pem").read_bytes())[0])
    csms = tmp_path / "csms" / "state.db"
    fill_csms(csms, [(station, own.common_name, AttemptStatus.ACCEPTED) for station in ("cs-1", "cs-2", "cs-3")])
    done = pki("trust", "lacking", own.fingerprint, "--csms", csms, "--dir", workspace, "--json")
    assert len(done.json["lacking"]) == 3


# --- signed lists --------------------------------------------------------------------------------------------------

SIGNER = PKI.leaf(ROLE.CPS_LEAF)
AT = datetime(2026, 6, 2, tzinfo=UTC)


def signed(content: bytes, *options: pkcs7.PKCS7Options) -> bytes:
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
    certificate = x509.load_der_x509_certificate(SIGNER.der)
    chosen = options or (pkcs7.PKCS7Options.Binary,)
    return builder.add_signer(certificate, SIGNER.signer.private_key, hashes.SHA256()).sign(  # type: ignore[arg-type]  # EC
        serialization.Encoding.DER, chosen
    )


def test_a_signed_list_is_opened() -> None:
    assert open_signed_list(signed(b"content"), parse(SIGNER.der), at=AT) == b"content"
    text = b"-----BEGIN CMS-----\n" + base64.encodebytes(signed(b"content")) + b"-----END CMS-----\n"
    assert open_signed_list(text, parse(SIGNER.der), at=AT) == b"content"


def test_openssl_makes_signed_lists(tmp_path: Path) -> None:
    key, certificate, content = tmp_path / "key.pem", tmp_path / "signer.pem", tmp_path / "roots.pem"
    key.write_bytes(SIGNER.signer.to_pem(b"pass"))
    certificate.write_text(pem([SIGNER.der]))
    content.write_text(pem([ROOT]))
    done = subprocess.run(
        ["openssl", "cms", "-sign", "-nodetach", "-binary", "-outform", "DER", "-in", content, "-signer", certificate,
         "-inkey", key, "-passin", "pass:pass"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert open_signed_list(done.stdout, parse(SIGNER.der), at=AT) == content.read_bytes()


def flipped(data: bytes, marker: bytes) -> bytes:
    at = data.index(marker)
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


BAD_LISTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "another-content": (lambda: flipped(signed(b"content"), b"content"), "not what was signed"),
    "another-signature": (lambda: signed(b"content")[:-1] + b"\x00", "not by|cannot|no signed list"),
    "detached": (
        lambda: signed(b"content", pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary), "detached"
    ),
    "no-attributes": (
        lambda: signed(b"content", pkcs7.PKCS7Options.NoAttributes, pkcs7.PKCS7Options.Binary), "no signed attributes"
    ),
    "rubbish": (lambda: b"rubbish", "no signed list"),
    "certificate": (lambda: SIGNER.der, "no CMS|no signed list"),
    "huge": (lambda: bytes(9 * 1024 * 1024), "more than"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_LISTS)
def test_bad_signed_lists_are_refused(case: str) -> None:
    make, says = BAD_LISTS[case]
    with pytest.raises(SignedListRefused, match=says):
        open_signed_list(make(), parse(SIGNER.der), at=AT)


def test_the_signer_must_be_the_one_and_valid() -> None:
    with pytest.raises(SignedListRefused, match="another signer"):
        open_signed_list(signed(b"x"), parse(PKI.leaf(ROLE.CPS_LEAF).der), at=AT)
    with pytest.raises(SignedListRefused, match="not valid"):
        open_signed_list(signed(b"x"), parse(SIGNER.der), at=datetime(2030, 1, 1, tzinfo=UTC))
    with pytest.raises(SignedListRefused, match="digitalSignature"):
        open_signed_list(signed(b"x"), parse(PKI[ROLE.CPO_SUB2].der), at=AT)


def test_a_signed_list_is_imported(pki: Pki, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Then:
        def now(self) -> datetime:
            return AT

    monkeypatch.setattr("plugpass.cli.pki.workspace.SystemClock", Then)
    file, signer = tmp_path / "list.p7m", tmp_path / "signer.pem"
    content: dict[str, Any] = OPCP
    file.write_bytes(signed(json.dumps(content).encode()))
    signer.write_text(pem([SIGNER.der]))
    done = pki("trust", "import", file, "--signer", signer, "--dir", workspace, "--json")
    assert (done.code, done.json["added"][0]["source"]) == (0, "trust-list"), done.err
    signer.write_text(pem([PKI.leaf(ROLE.CPS_LEAF).der]))
    refused = pki("trust", "import", file, "--signer", signer, "--dir", workspace)
    assert (refused.code, "another signer" in refused.err) == (2, True)
