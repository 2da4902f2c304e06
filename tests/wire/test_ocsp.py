"""OCSP: the responder of every CA over HTTP, asked by our client, by the openssl tool, and by mistake."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from cryptography.x509.ocsp import OCSPResponseStatus, load_der_ocsp_response
from fastapi import FastAPI, Response
from structlog.testing import capture_logs

from ca_support import Hierarchy, ListTrace, RunningCa, authority, running_ca, station_csr, stores
from pki_factory import ROLE, shared_pki
from plugpass.errors import Unavailable
from plugpass.net.clock import LabClock
from plugpass.net.http_client import http_client
from plugpass.net.http_server import HttpServer
from plugpass.net.ocsp_http import first_responsible
from plugpass.pki.bundle import pem
from plugpass.pki.certificate import parse
from plugpass.pki.keys import generate
from plugpass.pki.ocsp import CertStatus, OcspRejected, RevocationReason, build_request, cert_id, verify_response
from plugpass.pki.path import validate
from plugpass.pki.policy import FIELD
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.issuing import IssuedChain
from plugpass.providers.ocsp import HttpRevocationSource

HEADERS = {"content-type": "application/ocsp-request"}


@pytest.fixture
async def ca() -> AsyncIterator[RunningCa]:
    async with running_ca() as running:
        yield running


async def station(ca: RunningCa) -> IssuedChain:
    return await ca.v2g.issue_for(station_csr(generate()), ROLE.SECC_LEAF, owner="csms")


def source(http: httpx.AsyncClient, trace: ListTrace | None = None, **options: Any) -> HttpRevocationSource:
    return HttpRevocationSource(http, clock=LabClock(), actor="csms", trace=trace, **options)


async def status_of(ca: RunningCa, certificate: bytes, issuer: bytes, nonce: bytes | None = None) -> CertStatus:
    wanted = cert_id(certificate, issuer)
    async with http_client() as http:
        url = parse(certificate).extensions.ocsp_urls[0]
        response = await source(http).ocsp_response(build_request([wanted], nonce=nonce), url)
    return verify_response(response, wanted, issuer, at=ca.clock.now(), nonce=nonce).status


# --- answers ---------------------------------------------------------------------------------------------------------


async def test_a_whole_chain_is_good_at_the_addresses_in_its_certificates(ca: RunningCa) -> None:
    chain = (await station(ca)).certificates
    revocation, trace = {}, ListTrace()
    async with http_client() as http:
        for certificate, issuer in zip(chain, (*chain[1:], ca.v2g.root), strict=True):
            request = build_request([cert_id(certificate, issuer)])
            url = parse(certificate).extensions.ocsp_urls[0]
            revocation[certificate] = await source(http, trace).ocsp_response(request, url)
    anchors = TrustAnchors.of(v2g=[ca.v2g.root])
    verdict = validate(
        chain, role=ROLE.SECC_LEAF, anchors=anchors, at=ca.clock.now(), policy=FIELD, revocation=revocation
    )
    assert verdict.ok, verdict.summary
    assert [(event.protocol, event.ok) for event in (*trace.events, *ca.trace.events)] == [("OCSP", True)] * 6


async def test_revocation_shows_at_once_with_its_reason(ca: RunningCa) -> None:
    leaf, sub2, *_ = (await station(ca)).certificates
    assert await status_of(ca, leaf, sub2) is CertStatus.GOOD
    assert await ca.v2g.revoke(leaf, "keyCompromise")
    wanted = cert_id(leaf, sub2)
    single = verify_response(await ca.v2g.respond_ocsp(build_request([wanted])), wanted, sub2, at=ca.clock.now())
    assert (single.status, single.revocation_reason) == (CertStatus.REVOKED, RevocationReason.keyCompromise)
    assert await status_of(ca, sub2, ca.v2g.sub_cas[0]) is CertStatus.GOOD


async def test_what_was_never_issued_is_unknown(ca: RunningCa) -> None:
    _, sub2, *_ = (await station(ca)).certificates
    forged = shared_pki().leaf(ROLE.SECC_LEAF, "DE*PLU*E1", ocsp_url=f"{ca.ocsp_url}/ocsp/cpo-sub2").der
    assert await status_of(ca, forged, sub2) is CertStatus.UNKNOWN


async def test_the_nonce_comes_back(ca: RunningCa) -> None:
    leaf, sub2, *_ = (await station(ca)).certificates
    assert await status_of(ca, leaf, sub2, nonce=os.urandom(16)) is CertStatus.GOOD


async def test_get_works_like_post(ca: RunningCa) -> None:
    leaf, sub2, *_ = (await station(ca)).certificates
    wanted = cert_id(leaf, sub2, hash_algorithm="SHA1")
    path = quote(base64.b64encode(build_request([wanted])), safe="")
    async with http_client(ca.ocsp_url) as http:
        answer = await http.get(f"/ocsp/cpo-sub2/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/ocsp-response")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert verify_response(answer.content, wanted, sub2, at=ca.clock.now()).status is CertStatus.GOOD


async def test_openssl_agrees(ca: RunningCa, tmp_path: Path) -> None:
    chain = (await station(ca)).certificates
    write(tmp_path, leaf=chain[:1], sub2=chain[1:2], cas=(*chain[1:], ca.v2g.root))
    good = await openssl_ocsp(tmp_path, parse(chain[0]).extensions.ocsp_urls[0])
    assert "leaf.pem: good" in good
    await ca.v2g.revoke(chain[0], "superseded")
    revoked = await openssl_ocsp(tmp_path, parse(chain[0]).extensions.ocsp_urls[0])
    assert "leaf.pem: revoked" in revoked
    assert "Reason: superseded" in revoked


def write(folder: Path, **bundles: tuple[bytes, ...]) -> None:
    for name, certificates in bundles.items():
        (folder / f"{name}.pem").write_text(pem(certificates))


async def openssl_ocsp(folder: Path, url: str) -> str:
    arguments = f"ocsp -issuer sub2.pem -cert leaf.pem -CAfile cas.pem -url {url}"
    process = await asyncio.create_subprocess_exec(
        "openssl",
        *arguments.split(),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert b"Response verify OK" in output
    return output.decode()


# --- the responder's own certificates --------------------------------------------------------------------------------


def responder_of(response: bytes) -> int:
    (certificate,) = load_der_ocsp_response(response).certificates
    return certificate.serial_number


async def test_the_signer_is_kept_and_renews_itself_in_time() -> None:
    clock = LabClock()
    async with stores() as memory:
        v2g = await authority(memory, clock)
        request = build_request([cert_id(v2g.sub_cas[0], v2g.root)])
        first = responder_of(await v2g.respond_ocsp(request))
        assert responder_of(await v2g.respond_ocsp(request)) == first
        resumed = await authority(memory, clock)
        assert responder_of(await resumed.respond_ocsp(request)) == first, "it is in the key store"
        clock.jump(timedelta(days=25))
        second = await resumed.respond_ocsp(request)
        assert responder_of(second) != first
        wanted = cert_id(v2g.sub_cas[0], v2g.root)
        assert verify_response(second, wanted, v2g.root, at=clock.now()).status is CertStatus.GOOD


async def test_each_ca_has_a_signer_of_its_own(ca: RunningCa) -> None:
    leaf, sub2, *_ = (await station(ca)).certificates
    wanted = cert_id(leaf, sub2)
    of_root = await ca.v2g.respond_ocsp(build_request([cert_id(ca.v2g.sub_cas[0], ca.v2g.root)]))
    with pytest.raises(OcspRejected):
        verify_response(of_root, wanted, sub2, at=ca.clock.now())


async def test_a_ca_that_has_expired_says_so_and_is_not_silent() -> None:
    clock = LabClock()
    async with stores() as memory:
        v2g = await authority(memory, clock)
        chain = (await v2g.issue(station_csr(generate()), ROLE.SECC_LEAF)).certificates
        clock.jump(timedelta(days=3 * 365))
        with capture_logs() as logs:
            response = await v2g.respond_ocsp(build_request([cert_id(chain[0], chain[1])]))
    assert load_der_ocsp_response(response).response_status is OCSPResponseStatus.INTERNAL_ERROR
    assert [line["event"] for line in logs] == ["ocsp.cannot_sign"]


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "headers", "status", "cause"),
    [
        pytest.param(b"\x30\x00", {"content-type": "text/plain"}, 415, "text/plain", id="content type"),
        pytest.param(b"\x30" * 5000, HEADERS, 413, "4096 octets", id="too large"),
    ],
)
async def test_bad_http_is_refused(
    ca: RunningCa, body: bytes, headers: dict[str, str], status: int, cause: str
) -> None:
    async with http_client(ca.ocsp_url) as http:
        with capture_logs() as logs:
            answer = await http.post("/ocsp/cpo-sub2", content=body, headers=headers)
    assert answer.status_code == status
    assert [cause in line["cause"] for line in logs] == [True]


@pytest.mark.parametrize(("path", "status"), [("!!!", 400), ("A" * 6000, 413)])
async def test_bad_paths_are_refused(ca: RunningCa, path: str, status: int) -> None:
    async with http_client(ca.ocsp_url) as http:
        assert (await http.get(f"/ocsp/cpo-sub2/{path}")).status_code == status


@pytest.mark.parametrize("body", [b"", b"\x30\x00", b"hello", b"\x30\x84\xff\xff\xff\xff"])
async def test_a_malformed_request_gets_ocsps_own_error(ca: RunningCa, body: bytes) -> None:
    async with http_client(ca.ocsp_url) as http:
        with capture_logs() as logs:
            answer = await http.post("/ocsp/cpo-sub2", content=body, headers=HEADERS)
    assert answer.status_code == 200
    assert load_der_ocsp_response(answer.content).response_status is OCSPResponseStatus.MALFORMED_REQUEST
    assert [line["event"] for line in logs] == ["ocsp.malformed_request"]
    assert not ca.trace.events[-1].ok


@pytest.mark.parametrize("nonce_size", [33, 200])
async def test_a_long_nonce_is_malformed(ca: RunningCa, nonce_size: int) -> None:
    request = build_request([cert_id(ca.v2g.sub_cas[0], ca.v2g.root)], nonce=bytes(nonce_size))
    response = await ca.v2g.respond_ocsp(request)
    assert load_der_ocsp_response(response).response_status is OCSPResponseStatus.MALFORMED_REQUEST


async def test_other_cas_and_mixed_requests_are_not_answered(ca: RunningCa) -> None:
    pki = shared_pki()
    stranger = cert_id(pki[ROLE.CPO_SUB1].der, pki[ROLE.V2G_ROOT].der)
    own = cert_id(ca.v2g.sub_cas[0], ca.v2g.root)
    for asked in ([stranger], [own, stranger]):
        response = await ca.v2g.respond_ocsp(build_request(asked))
        assert load_der_ocsp_response(response).response_status is OCSPResponseStatus.UNAUTHORIZED


async def test_several_authorities_share_a_responder() -> None:
    clock = LabClock()
    async with stores() as memory:
        oem = await authority(memory, clock, Hierarchy.OEM)
        mo = await authority(memory, clock, Hierarchy.MO)
        respond = first_responsible(oem.respond_ocsp, mo.respond_ocsp)
        for each in (oem, mo):
            wanted = cert_id(each.sub_cas[0], each.root)
            response = await respond(build_request([wanted]))
            assert verify_response(response, wanted, each.root, at=clock.now()).status is CertStatus.GOOD
        pki = shared_pki()
        foreign = await respond(build_request([cert_id(pki[ROLE.CPO_SUB1].der, pki[ROLE.V2G_ROOT].der)]))
    assert load_der_ocsp_response(foreign).response_status is OCSPResponseStatus.UNAUTHORIZED


# --- our client at bad responders ------------------------------------------------------------------------------------


def responder(answer: Response) -> FastAPI:
    app = FastAPI()

    @app.post("/ocsp")
    async def ocsp() -> Response:
        return answer

    return app


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        pytest.param(Response(b"x", media_type="text/html"), "200 with text/html", id="content type"),
        pytest.param(Response(status_code=500), "answered 500", id="status"),
        pytest.param(Response(status_code=302, headers={"location": "/other"}), "answered 302", id="redirect"),
        pytest.param(Response(b"x" * 20_000, media_type="application/ocsp-response"), "more than 16384", id="size"),
    ],
)
async def test_unusable_responders_are_unavailable(answer: Response, cause: str) -> None:
    trace = ListTrace()
    async with HttpServer(responder(answer)) as server, http_client() as http:
        with capture_logs() as logs, pytest.raises(Unavailable, match=cause):
            await source(http, trace).ocsp_response(b"\x30\x00", f"{server.url}/ocsp")
    assert [line["event"] for line in logs] == ["ocsp.unavailable"]
    assert [event.ok for event in trace.events] == [False]


async def test_a_silent_responder_costs_no_more_than_the_budget() -> None:
    silence = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silence.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with http_client() as http:
        with pytest.raises(Unavailable, match=r"within 0\.05 s"):
            await source(http, budget=0.05).ocsp_response(b"\x30\x00", f"http://127.0.0.1:{port}/ocsp")
    silence.set()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "url",
    ["", "file:///etc/passwd", "ldap://host/cn=x", "//host/ocsp", "http://", "http://user:pw@host/", "http://[bad/"],
)
async def test_only_http_addresses_are_asked(url: str) -> None:
    async with http_client() as http:
        with pytest.raises(Unavailable, match="is not allowed"):
            await source(http).ocsp_response(b"\x30\x00", url)


async def test_an_operator_may_narrow_the_addresses() -> None:
    async with http_client() as http:
        narrow = source(http, allow=lambda url: url.hostname == "ocsp.example")
        with pytest.raises(Unavailable, match="is not allowed"):
            await narrow.ocsp_response(b"\x30\x00", "http://127.0.0.1/ocsp")
