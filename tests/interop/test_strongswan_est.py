"""Foreign EST clients at our server: strongSwan's `pki`, and curl with openssl (est.md §6)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ca_support import PASSWORD, RunningCa, running_ca
from pki_factory import ROLE
from plugpass.pki.bundle import pem, read_certificates
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.path import validate
from plugpass.pki.trust import TrustAnchors

pytestmark = pytest.mark.interop

PACKAGES = "strongswan-pki libstrongswan-standard-plugins libstrongswan-extra-plugins curl openssl"
SUBJECT = "/DC=CPO/C=DE/O=Test/CN=DEPLUE45B78C"
SAN = "subjectAltName=URI:urn:evseid:DE*PLU*E45B78C"
USER = f"csms:{PASSWORD}"


@pytest.fixture
async def ca() -> AsyncIterator[RunningCa]:
    async with running_ca() as running:
        yield running


@pytest.fixture
async def folder(ca: RunningCa, tmp_path: Path) -> Path:
    """A client's folder: roots, a key, and its request with the EVSE id as CN and as SAN."""
    missing = [tool for tool in ("pki", "curl", "openssl") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"missing {', '.join(missing)}: apt-get install {PACKAGES}")
    write(tmp_path, tls=ca.tls_root, root=ca.v2g.root, sub1=ca.v2g.sub_cas[0], sub2=ca.v2g.sub_cas[1])
    await run(tmp_path, "openssl", *["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "secc.key"])
    await request(tmp_path, "secc")
    return tmp_path


def write(folder: Path, **certificates: bytes) -> None:
    for name, certificate in certificates.items():
        (folder / f"{name}.pem").write_text(pem([certificate]))


def certificates_in(folder: Path, pattern: str) -> list[bytes]:
    return [found for path in sorted(folder.glob(pattern)) for found in read_certificates(path.read_bytes())]


async def run(folder: Path, *command: str, status: int = 0) -> bytes:
    """The command's standard output; fails with its error output where the exit status is another."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode == status, f"{' '.join(command)}\n{errors.decode()}"
    return output


async def request(folder: Path, name: str) -> None:
    command = f"req -new -key {name}.key -outform DER -out {name}.csr".split()
    await run(folder, "openssl", *command, "-subj", SUBJECT, "-addext", SAN)
    await run(folder, "openssl", *f"base64 -A -in {name}.csr -out {name}.b64".split())


def roots(*names: str) -> list[str]:
    return [argument for name in names for argument in ("--cacert", f"{name}.pem")]


async def enrol(ca: RunningCa, folder: Path, name: str, *authentication: str) -> bytes:
    chain = roots("tls", "root", "sub1", "sub2")
    command = ["pki", "--est", "--url", ca.est_url, "--in", f"{name}.csr", *chain, *authentication]
    return await run(folder, *command, "--outform", "pem")


def accepted(ca: RunningCa, certificate: bytes) -> Certificate:
    (leaf,) = read_certificates(certificate)
    chain = (leaf, *ca.v2g.sub_cas)
    anchors = TrustAnchors.of(v2g=[ca.v2g.root])
    verdict = validate(chain[:3], role=ROLE.SECC_LEAF, anchors=anchors, at=ca.clock.now(), expected_cn="DEPLUE45B78C")
    assert verdict.ok, verdict.summary
    return parse(leaf)


async def test_strongswan_reads_the_ca_certificates(ca: RunningCa, folder: Path) -> None:
    command = ["pki", "--estca", "--url", ca.est_url, *roots("tls", "root"), "--caout", "ca.pem", "--outform", "pem"]
    await run(folder, *command, "--force")
    found = certificates_in(folder, "ca*.pem")
    assert ca.v2g.root in found
    assert set(found) == set(await ca.v2g.ca_certificates(ROLE.SECC_LEAF))


async def test_strongswan_enrols_and_renews(ca: RunningCa, folder: Path) -> None:
    enrolled = await enrol(ca, folder, "secc", "--userpass", USER)
    first = accepted(ca, enrolled)
    assert first.extensions.san_uris == ("urn:evseid:DE*PLU*E45B78C",)
    (folder / "cert.pem").write_bytes(enrolled)

    await run(folder, "openssl", *["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "next.key"])
    await request(folder, "next")
    renewed = accepted(ca, await enrol(ca, folder, "next", "--cert", "cert.pem", "--key", "secc.key"))
    assert renewed.serial != first.serial
    assert renewed.key != first.key
    assert renewed.subject == first.subject
    messages = [event.message for event in ca.trace.events if event.ok]
    assert "POST /cpo/simpleenroll" in messages
    assert "POST /cpo/simplereenroll" in messages


async def test_strongswan_is_refused_with_a_wrong_password(ca: RunningCa, folder: Path) -> None:
    with pytest.raises(AssertionError, match="401"):
        await enrol(ca, folder, "secc", "--userpass", "csms:wrong")
    await enrol(ca, folder, "secc", "--userpass", USER)


async def test_curl_and_openssl_read_the_ca_certificates(ca: RunningCa, folder: Path) -> None:
    body = await run(folder, "curl", "-sS", "--fail", "--cacert", "tls.pem", f"{ca.est_url}/.well-known/est/cacerts")
    (folder / "body").write_bytes(body)
    await run(folder, "openssl", *["base64", "-d", "-A", "-in", "body", "-out", "body.der"])
    printed = await run(folder, "openssl", *["pkcs7", "-inform", "DER", "-in", "body.der", "-print_certs"])
    assert read_certificates(printed) == await ca.v2g.ca_certificates(ROLE.SECC_LEAF)


async def test_curl_enrols_and_renews(ca: RunningCa, folder: Path) -> None:
    first = accepted(ca, await curl(ca, folder, "simpleenroll", "secc.b64", "-u", USER))
    write(folder, cert=first.encoded)
    await run(folder, "openssl", *["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "next.key"])
    await request(folder, "next")
    certificate = ("--cert", "cert.pem", "--key", "secc.key")
    assert accepted(ca, await curl(ca, folder, "simplereenroll", "next.b64", *certificate)).serial != first.serial


async def curl(ca: RunningCa, folder: Path, operation: str, file: str, *options: str) -> bytes:
    url = f"{ca.est_url}/.well-known/est/cpo/{operation}"
    command = ["curl", "-sS", "--fail-with-body", "--cacert", "tls.pem", "-H", "Content-Type: application/pkcs10"]
    return await run(folder, *command, "--data-binary", f"@{file}", *options, url)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(["-H", "Content-Type: application/pkcs10"], "HTTP/1.1 401", id="no credentials"),
        pytest.param(["-H", "Content-Type: text/plain", "-u", USER], "HTTP/1.1 415", id="content type"),
    ],
)
async def test_curl_sees_refusals(ca: RunningCa, folder: Path, options: list[str], expected: str) -> None:
    url = f"{ca.est_url}/.well-known/est/simpleenroll"
    answer = await run(folder, "curl", "-sS", "-i", "--cacert", "tls.pem", *options, "--data-binary", "@secc.b64", url)
    head = answer.decode().lower()
    assert head.startswith(expected.lower())
    assert "content-length:" in head
    assert ("www-authenticate: basic" in head) == ("401" in expected)
