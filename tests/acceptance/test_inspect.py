"""`plugpass inspect`: a signed contract in every form it is met in, judged; what is unreadable gets one line."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pki_factory import ROLE, Pki, shared_pki
from plugpass.exi import encode
from plugpass.ids import EMAID
from plugpass.iso15118.contract import build_installation_response, read_installation_response, seal_iso2
from plugpass.iso15118.messages import iso2
from plugpass.pki.bundle import pem
from plugpass.pki.keys import generate

CONTRACT = EMAID.create("DE", "PPM", "C12345678")
OPERATOR_EXAMPLE = Path(__file__).parents[3] / "shared" / "specs" / "opcp" / "ccp.v1.json"


@pytest.fixture(scope="module")
def pki() -> Pki:
    return shared_pki()


@pytest.fixture(scope="module")
def exi(pki: Pki) -> bytes:
    contract, cps = pki.leaf(ROLE.CONTRACT, str(CONTRACT)), pki.leaf(ROLE.CPS_LEAF, "Test CPS")
    vehicle = generate()
    message = build_installation_response(
        emaid=CONTRACT,
        contract_chain=contract.chain,
        sealed=seal_iso2(contract.signer, vehicle.public_key, random=os.urandom),
        cps_chain=cps.chain,
        cps_signer=cps.signer,
    )
    return encode("iso2", message)


def inspect(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "plugpass", "inspect", *arguments],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "form",
    [
        lambda exi: exi,
        base64.b64encode,
        base64.encodebytes,
        lambda exi: exi.hex().encode(),
        lambda exi: json.dumps({"status": "Accepted", "exiResponse": base64.b64encode(exi).decode()}).encode(),
        lambda exi: json.dumps(
            {
                "CCPResponse": {
                    "emaidContent": [{"messageDef": {"certificateInstallationRes": base64.b64encode(exi).decode()}}]
                }
            }
        ).encode(),
    ],
    ids=["raw", "base64", "base64 in lines", "hex", "OCPP", "OPCP"],
)
def test_every_form_is_read(form: object, exi: bytes) -> None:
    assert callable(form)
    done = inspect("-", "--json", stdin=form(exi))
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["ok"]
    assert report["emaid"] == str(CONTRACT)
    assert report["signature"]["ok"]
    assert [reference["ok"] for reference in report["signature"]["references"]] == [True] * 4
    assert len(report["contract_chain"]["certificates"]) == 3


def test_trust_is_judged_where_roots_are_given(pki: Pki, exi: bytes, tmp_path: Path) -> None:
    roots = {name: tmp_path / f"{name}.pem" for name in ("v2g", "mo")}
    roots["v2g"].write_text(pem([pki[ROLE.V2G_ROOT].der]))
    roots["mo"].write_text(pem([pki[ROLE.MO_ROOT].der]))
    trusted = inspect("-", "--json", "--v2g-root", str(roots["v2g"]), "--mo-root", str(roots["mo"]), stdin=exi)
    assert json.loads(trusted.stdout)["cps_chain"]["trusted"] is True
    assert trusted.returncode == 0
    swapped = inspect("-", "--json", "--v2g-root", str(roots["mo"]), "--mo-root", str(roots["v2g"]), stdin=exi)
    assert swapped.returncode == 1
    assert json.loads(swapped.stdout)["cps_chain"]["trusted"] is False
    late = inspect("-", "--v2g-root", str(roots["v2g"]), "--at", "2099-01-01", stdin=exi)
    assert late.returncode == 1
    assert b"expired" in late.stdout


def test_a_changed_key_is_found(exi: bytes) -> None:
    message, response = read_installation_response(exi)
    sealed = response.contract_signature_encrypted_private_key
    changed = dataclasses.replace(
        response,
        contract_signature_encrypted_private_key=dataclasses.replace(sealed, value=bytes(48)),
    )
    done = inspect("-", stdin=encode("iso2", dataclasses.replace(message, body=iso2.Body(changed))))
    assert done.returncode == 1
    assert "does not match its digest" in done.stdout.decode()


@pytest.mark.parametrize(
    "content", [b"", b"rubbish!", b"\x80\x98", b"{}", b'{"exiResponse": 3', b"00ff" * 9, b"\xff\xfe" * 50]
)
def test_what_cannot_be_read_gets_one_line(content: bytes) -> None:
    done = inspect("-", stdin=content)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert done.stderr.startswith(b"plugpass: ")


def test_a_missing_file_and_a_wrong_time_get_one_line(exi: bytes, tmp_path: Path) -> None:
    assert b"No such file" in inspect(str(tmp_path / "nothing")).stderr
    (tmp_path / "message.exi").write_bytes(exi)
    done = inspect(str(tmp_path / "message.exi"), "--at", "tomorrow")
    assert done.returncode == 2
    assert b"ISO 8601" in done.stderr


@pytest.mark.skipif(
    not OPERATOR_EXAMPLE.exists(), reason="the OPCP specification with the operator's example is not beside this clone"
)
def test_a_real_operators_contract_is_shown() -> None:
    done = inspect(str(OPERATOR_EXAMPLE))
    assert done.returncode == 0, done.stderr.decode()
    shown = done.stdout.decode()
    for text in ("4,416 octets", "EMP99CQAPAB004", "2022-08-30", "✓ by the CPS leaf", "CPS 2021.8", "MO"):
        assert text in shown
