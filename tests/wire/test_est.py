"""EST on the wire: our server and client over HTTPS on loopback, plain HTTP clients, and every refusal."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from fastapi import FastAPI, Request, Response
from structlog.testing import capture_logs

from ca_support import CSMS, EVSE, PASSWORD, ListTrace, RunningCa, authority, running_ca, station_csr
from net_support import LogWatch, hang_up
from pki_factory import ROLE, shared_pki
from plugpass.errors import PeerError, Unavailable
from plugpass.est.bodies import Base64Form, encode_body
from plugpass.est.client import EstAnswerRefused
from plugpass.est.messages import EstRequest, Label
from plugpass.ids import EVSEID
from plugpass.net.clock import LabClock
from plugpass.net.http_client import http_client
from plugpass.net.http_server import HttpServer
from plugpass.pki.bundle import parse_pkcs7, pem_block, pkcs7_certs_only
from plugpass.pki.certificate import parse
from plugpass.pki.csr import create_csr, create_csr_for
from plugpass.pki.keys import generate, public_key_info
from plugpass.pki.path import validate
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.keys import Credential
from plugpass.providers.est import EstIssuer, Patience
from plugpass.roles.v2g_ca import EstSettings, Rate, V2gCa
from plugpass.roles.v2g_ca.service import Client, EstService

ENROLL = "/.well-known/est/cpo/simpleenroll"
REENROLL = "/.well-known/est/cpo/simplereenroll"
PKCS10 = {"content-type": "application/pkcs10"}
AUTH = ("csms", PASSWORD)


@pytest.fixture
async def ca() -> AsyncIterator[RunningCa]:
    async with running_ca() as running:
        yield running


def b64(der: bytes) -> bytes:
    return base64.b64encode(der)


def issued(answer: httpx.Response) -> bytes:
    assert answer.status_code == 200, answer.text
    (certificate,) = parse_pkcs7(answer.content)
    return certificate


async def enrolled(ca: RunningCa, **names: str) -> Credential:
    """A SECC credential, by plain HTTP."""
    key = generate()
    async with ca.http(AUTH) as http:
        answer = await http.post(ENROLL, content=b64(station_csr(key, **names)), headers=PKCS10)
    return Credential(chain=(issued(answer), *ca.v2g.sub_cas[1::-1]), signer=key)


# --- our client at our server ----------------------------------------------------------------------------------------


async def test_a_csms_enrols_a_station(ca: RunningCa) -> None:
    key, trace = generate(), ListTrace()
    async with ca.http(AUTH) as http:
        chain = await ca.issuer(http, trace).issue(station_csr(key), ROLE.SECC_LEAF)
    leaf = parse(chain.leaf)
    assert leaf.common_name == "DE*PLU*E45B*78C"
    assert leaf.extensions.san_uris == ("urn:evseid:DE*PLU*E45B*78C",)
    assert leaf.extensions.ocsp_urls == (f"{ca.ocsp_url}/ocsp/cpo-sub2",)
    assert leaf.key.encoded == public_key_info(key.public_key)
    assert len(chain.certificates) == 3
    anchors = TrustAnchors.of(v2g=[ca.v2g.root])
    assert validate(chain.certificates, role=ROLE.SECC_LEAF, anchors=anchors, at=ca.clock.now()).ok
    assert [(event.message, event.ok) for event in trace.events] == [
        ("POST /cpo/simpleenroll", True),
        ("GET /cpo/cacerts", True),
    ]
    assert [(event.peer, event.message, event.ok) for event in ca.trace.events] == [
        ("csms", "POST /cpo/simpleenroll", True),
        ("anonymous", "GET /cpo/cacerts", True),
    ]
    record = await ca.v2g.record_of(chain.leaf)
    assert record is not None
    assert (record.owner, record.role) == ("csms", ROLE.SECC_LEAF)


async def test_a_cps_enrols_itself(ca: RunningCa) -> None:
    csr = create_csr(generate(), common_name="plugpass CPS", organization="plugpass", country="DE")
    async with ca.http(("cps", PASSWORD)) as http:
        chain = await ca.issuer(http).issue(csr, ROLE.CPS_LEAF)
    anchors = TrustAnchors.of(v2g=[ca.v2g.root])
    assert validate(chain.certificates, role=ROLE.CPS_LEAF, anchors=anchors, at=ca.clock.now()).ok


async def test_ca_certificates_end_with_the_root(ca: RunningCa) -> None:
    async with ca.http() as http:
        found = await ca.issuer(http).ca_certificates(ROLE.SECC_LEAF)
    assert found == await ca.v2g.ca_certificates(ROLE.SECC_LEAF)
    assert found[-1] == ca.v2g.root


async def test_our_client_renews_with_the_old_certificate(ca: RunningCa) -> None:
    old = await enrolled(ca)
    key = generate()
    async with ca.http(credential=old) as http:
        chain = await ca.issuer(http).renew(station_csr(key, organization="Test"), ROLE.SECC_LEAF)
    assert parse(chain.leaf).key.encoded == public_key_info(key.public_key)
    assert parse(chain.leaf).serial != parse(old.chain[0]).serial
    assert parse(chain.leaf).subject.key == parse(old.chain[0]).subject.key


async def test_our_client_says_why_it_was_refused(ca: RunningCa) -> None:
    async with ca.http(("csms", "wrong")) as http:
        with pytest.raises(EstAnswerRefused, match="401: 'account name or password is wrong'") as refusal:
            await ca.issuer(http).issue(station_csr(generate()), ROLE.SECC_LEAF)
    assert refusal.value.wire == "401"


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    clock = LabClock()
    async with http_client("http://127.0.0.1:9") as http:
        issuer = EstIssuer(http, anchors=TrustAnchors(), clock=clock)
        with pytest.raises(Unavailable):
            await issuer.issue(station_csr(generate()), ROLE.SECC_LEAF)


async def test_certificates_of_another_root_are_not_used(ca: RunningCa) -> None:
    async with ca.http(AUTH) as http:
        issuer = EstIssuer(http, anchors=shared_pki().anchors, clock=ca.clock)
        with pytest.raises(EstAnswerRefused, match="root configured here"):
            await issuer.issue(station_csr(generate()), ROLE.SECC_LEAF)


async def test_renewal_follows_the_clock_of_the_lab(ca: RunningCa) -> None:
    """Weeks later the old certificate has expired: re-enrolment is over, a new enrolment is not."""
    old = await enrolled(ca)
    ca.clock.jump(timedelta(days=40))
    async with ca.http(credential=old) as http:
        await ca.issuer(http).renew(station_csr(generate()), ROLE.SECC_LEAF)
    ca.clock.jump(timedelta(days=40))
    async with ca.http(credential=old) as http:
        with pytest.raises(Unavailable):  # TLS refuses the expired certificate
            await ca.issuer(http).renew(station_csr(generate()), ROLE.SECC_LEAF)


# --- paths and bodies of other clients -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/est/simpleenroll",
        "/.well-known/est/cpo/simpleenroll/",
        "/.well-known/est/acme-cpo/simpleenroll/ISO15118-2",
        "/cpo/simpleenroll/ISO15118-2",
        "/.well-known/cpo/simpleenroll",
    ],
)
async def test_every_url_style_enrols(ca: RunningCa, path: str) -> None:
    async with ca.http(AUTH) as http:
        certificate = issued(await http.post(path, content=b64(station_csr(generate())), headers=PKCS10))
    assert parse(certificate).common_name == "DE*PLU*E45B*78C"


async def test_every_body_form_enrols(ca: RunningCa) -> None:
    csr = station_csr(generate())
    forms = [
        csr,
        b64(csr),
        encode_body(csr, Base64Form.WRAPPED),
        encode_body(csr, Base64Form.WRAPPED).replace(b"\n", b"\r\n"),
        pem_block(csr, "CERTIFICATE REQUEST").encode(),
    ]
    async with ca.http(AUTH) as http:
        answers = [await http.post(ENROLL, content=form, headers=PKCS10) for form in forms]
    assert len({issued(answer) for answer in answers}) == 1, "the same request gets the same certificate"


@pytest.mark.parametrize(("user_agent", "lines"), [("strongSwan", 1), ("Cisco EST client 1.0", None)])
async def test_answers_suit_the_client(ca: RunningCa, user_agent: str, lines: int | None) -> None:
    async with ca.http() as http:
        answer = await http.get("/.well-known/est/cacerts", headers={"user-agent": user_agent})
    assert answer.headers["content-type"] == "application/pkcs7-mime"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "transfer-encoding" not in answer.headers
    assert answer.text.endswith("\n")
    assert lines is None or answer.text.count("\n") == lines
    assert parse_pkcs7(answer.content)[-1] == ca.v2g.root


async def test_no_attributes_are_wished_for(ca: RunningCa) -> None:
    async with ca.http() as http:
        assert (await http.get("/.well-known/est/csrattrs")).status_code == 204


# --- the same request again ------------------------------------------------------------------------------------------


async def test_the_same_request_at_once_and_again_gets_the_same_certificate(ca: RunningCa) -> None:
    body = b64(station_csr(generate()))
    async with ca.http(AUTH) as http:
        answers = await asyncio.gather(*(http.post(ENROLL, content=body, headers=PKCS10) for _ in range(4)))
        assert len({issued(answer) for answer in answers}) == 1
        ca.clock.jump(timedelta(minutes=11))
        assert issued(await http.post(ENROLL, content=body, headers=PKCS10)) != issued(answers[0])


async def test_a_revoked_certificate_is_not_given_again(ca: RunningCa) -> None:
    body = b64(station_csr(generate()))
    async with ca.http(AUTH) as http:
        first = issued(await http.post(ENROLL, content=body, headers=PKCS10))
        assert await ca.v2g.revoke(first, "keyCompromise")
        assert issued(await http.post(ENROLL, content=body, headers=PKCS10)) != first


# --- bad input -------------------------------------------------------------------------------------------------------

GOOD = station_csr(generate())
FOREIGN = station_csr(generate(), "FR*XYZ*E1", EVSEID.parse("FR*XYZ*E1"))
FOREIGN_SAN = station_csr(generate(), "DE-PLU-S-00003C4D557878675645330967543476-2", EVSEID.parse("FR*XYZ*E1"))
DISAGREEING = station_csr(generate(), "DE*PLU*E1", EVSEID.parse("DE*PLU*E2"))


@pytest.mark.parametrize(
    ("path", "body", "headers", "auth", "status", "cause"),
    [
        pytest.param(ENROLL, b64(GOOD), PKCS10, None, 401, "authentication needed", id="no credentials"),
        pytest.param(ENROLL, b64(GOOD), PKCS10, ("csms", "x"), 401, "password is wrong", id="wrong password"),
        pytest.param(ENROLL, b64(GOOD), PKCS10, ("nobody", PASSWORD), 401, "password is wrong", id="unknown account"),
        pytest.param(REENROLL, b64(GOOD), PKCS10, AUTH, 401, "certificate to renew", id="renewal by password"),
        pytest.param(
            ENROLL, b64(GOOD[:-4] + bytes(4)), PKCS10, AUTH, 400, "signature does not verify", id="no possession"
        ),
        pytest.param(ENROLL, b64(FOREIGN), PKCS10, AUTH, 403, "no right to names of FRXYZ", id="foreign EVSE"),
        pytest.param(ENROLL, b64(FOREIGN_SAN), PKCS10, AUTH, 403, "does not belong", id="foreign EVSE in the SAN"),
        pytest.param(ENROLL, b64(DISAGREEING), PKCS10, AUTH, 400, "different EVSEs", id="CN and SAN disagree"),
        pytest.param(ENROLL, b64(GOOD), {"content-type": "text/plain"}, AUTH, 415, "text/plain", id="content type"),
        pytest.param(ENROLL, b"A" * 20_000, PKCS10, AUTH, 413, "16384 octets", id="too large"),
        pytest.param(ENROLL, b64(GOOD[:200]), PKCS10, AUTH, 400, "no PKCS#10", id="truncated DER"),
        pytest.param(ENROLL.replace("cpo", "cso"), b64(GOOD), PKCS10, AUTH, 404, "no CA is known", id="unknown label"),
        pytest.param(ENROLL.replace("cpo", "mo"), b64(GOOD), PKCS10, AUTH, 404, "no CA mo here", id="label not served"),
        pytest.param(ENROLL.replace("cpo", "cps"), b64(GOOD), PKCS10, AUTH, 403, "no right to the CA", id="label"),
        pytest.param("/.well-known/est/fullcmc", b64(GOOD), PKCS10, AUTH, 501, "not offered", id="not offered"),
        pytest.param("/.well-known/est/cacerts", b"", PKCS10, AUTH, 405, "is a GET operation", id="wrong method"),
        pytest.param("/nothing", b"", PKCS10, AUTH, 404, "no CA is known", id="no such path"),
    ],
)
async def test_bad_input_is_refused_logged_once_and_survived(
    ca: RunningCa,
    path: str,
    body: bytes,
    headers: dict[str, str],
    auth: tuple[str, str] | None,
    status: int,
    cause: str,
) -> None:
    async with ca.http(auth) as http, ca.http(AUTH) as good:
        with capture_logs() as logs:
            answer = await http.post(path, content=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.text.count("\n") == 1
        assert int(answer.headers["content-length"]) == len(answer.content)
        if status == 401:
            assert answer.headers["www-authenticate"].startswith("Basic ")
        lines = [line for line in logs if line["log_level"] in {"warning", "error"}]
        assert len(lines) == 1
        assert cause in lines[0]["cause"]
        assert PASSWORD not in repr(logs)
        assert not ca.trace.events[-1].ok
        assert issued(await good.post(ENROLL, content=b64(station_csr(generate())), headers=PKCS10))


async def test_a_request_the_profile_cannot_grant_is_the_clients_fault(ca: RunningCa) -> None:
    with pytest.warns(UserWarning, match="length"):  # from the library, about a country of three letters
        country = x509.NameAttribute(NameOID.COUNTRY_NAME, "DE1", _validate=False)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "DE*PLU*E1"), country])
    csr = create_csr_for(name, generate())
    async with ca.http(AUTH) as http:
        answer = await http.post(ENROLL, content=b64(csr), headers=PKCS10)
    assert answer.status_code == 400


async def test_renewal_may_not_change_the_name(ca: RunningCa) -> None:
    old = await enrolled(ca)
    other = station_csr(generate(), "DE*PLU*E2", EVSEID.parse("DE*PLU*E2"))
    async with ca.http(credential=old) as http:
        answer = await http.post(REENROLL, content=b64(other), headers=PKCS10)
    assert (answer.status_code, "subject differs" in answer.text) == (403, True)


async def test_a_revoked_certificate_does_not_renew_itself(ca: RunningCa) -> None:
    old = await enrolled(ca)
    await ca.v2g.revoke(old.chain[0], "keyCompromise")
    async with ca.http(credential=old) as http:
        answer = await http.post(REENROLL, content=b64(station_csr(generate())), headers=PKCS10)
    assert (answer.status_code, "revoked" in answer.text) == (403, True)


async def test_a_certificate_of_the_hierarchy_that_is_no_station_does_not_renew(ca: RunningCa) -> None:
    key = generate()
    csr = create_csr(key, common_name="plugpass CPS", organization="plugpass", country="DE")
    cps = await ca.v2g.issue_for(csr, ROLE.CPS_LEAF, owner="cps")
    async with ca.http(credential=Credential(chain=cps.certificates, signer=key)) as http:
        answer = await http.post(REENROLL, content=b64(station_csr(generate())), headers=PKCS10)
    assert (answer.status_code, "is no secc certificate" in answer.text) == (403, True)


async def test_a_stranger_certificate_fails_the_handshake(ca: RunningCa) -> None:
    stranger = shared_pki().leaf(ROLE.SECC_LEAF, "DE*PLU*E45B*78C")
    async with ca.http(credential=Credential(chain=stranger.chain, signer=stranger.signer)) as http:
        with pytest.raises(httpx.TransportError):
            await http.post(REENROLL, content=b64(GOOD), headers=PKCS10)
    async with ca.http() as http:
        assert (await http.get("/.well-known/est/cacerts")).status_code == 200


async def test_an_owner_without_account_has_no_rights_left(ca: RunningCa) -> None:
    key = generate()
    chain = await ca.v2g.issue_for(station_csr(key), ROLE.SECC_LEAF, owner="gone")
    async with ca.http(credential=Credential(chain=chain.certificates, signer=key)) as http:
        answer = await http.post(REENROLL, content=b64(station_csr(generate())), headers=PKCS10)
    assert (answer.status_code, "no account" in answer.text) == (403, True)


async def test_an_authority_that_cannot_sign_answers_500_and_explains_itself_to_the_log_only(ca: RunningCa) -> None:
    ca.clock.jump(timedelta(days=3 * 365))  # the Sub-CA has expired
    async with ca.http(AUTH) as http:
        with capture_logs() as logs:
            answer = await http.post(ENROLL, content=b64(GOOD), headers=PKCS10)
    assert (answer.status_code, answer.text) == (500, "the authority cannot serve this request\n")
    (line,) = logs
    assert (line["log_level"], "CPO Sub2 CA" in line["cause"]) == ("error", True)


async def test_an_authority_that_is_away_answers_503(ca: RunningCa) -> None:
    def away(csr: object, role: object, owner: str) -> None:
        raise Unavailable("the token is unplugged")

    v2g = await authority(ca.memory, ca.clock, url=ca.ocsp_url, admit=away)
    service = EstService({Label.CPO: v2g}, [CSMS], clock=ca.clock)
    token = base64.b64encode(f"csms:{PASSWORD}".encode()).decode()
    headers = {"content-type": "application/pkcs10", "authorization": f"Basic {token}"}
    request = EstRequest(method="POST", path=ENROLL, headers=headers, body=GOOD)
    answer = await service.handle(request, Client(address="test", secure=True))
    assert (answer.status, answer.headers["retry-after"]) == (503, "30")
    assert b"token" not in answer.body


async def test_an_expired_certificate_does_not_renew_itself_even_behind_a_lenient_proxy(ca: RunningCa) -> None:
    old = await enrolled(ca)
    ca.clock.jump(timedelta(days=61))
    service = EstService({Label.CPO: ca.v2g}, [CSMS], clock=ca.clock)
    request = EstRequest(method="POST", path=REENROLL, headers=PKCS10, body=GOOD)
    answer = await service.handle(request, Client(address="test", secure=True, certificate=old.chain[0]))
    assert (answer.status, b"not valid now" in answer.body) == (403, True)


async def test_too_many_requests_wait() -> None:
    settings = EstSettings(rate=Rate(burst=2, per_minute=1))
    async with (
        running_ca(settings=settings) as ca,
        ca.http(("csms", "guess")) as http,
        ca.http(("cps", PASSWORD)) as other,
    ):
        answers = [await http.post(ENROLL, content=b"", headers=PKCS10) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [401, 401, 429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert (await other.get("/.well-known/est/cacerts")).status_code == 200, "another account has its own share"


async def test_invented_names_share_the_share_of_their_address() -> None:
    settings = EstSettings(rate=Rate(burst=2, per_minute=1), address_rate=Rate(burst=3, per_minute=1))
    statuses = []
    async with running_ca(settings=settings) as ca:
        for number in range(5):
            async with ca.http((f"name-{number}", "guess")) as http:
                statuses.append((await http.post(ENROLL, content=b"", headers=PKCS10)).status_code)
    assert statuses == [401] * 3 + [429] * 2


async def test_a_client_that_hangs_up_before_it_is_known_costs_one_line(ca: RunningCa) -> None:
    with LogWatch.on() as logs:
        await hang_up(httpx.URL(ca.est_url).port or 0, ENROLL, [ca.tls_root])
        line = await logs.wait("http_request_abandoned")
        async with ca.http(AUTH) as http:
            assert (await http.get("/.well-known/est/cacerts")).status_code == 200
    assert (line["log_level"], line["received"]) == ("info", 1)
    assert [each["event"] for each in logs.lines] == ["http_request_abandoned"]


async def test_passwords_are_not_taken_without_tls(ca: RunningCa) -> None:
    role = V2gCa({Label.CPO: ca.v2g}, [CSMS], clock=ca.clock)
    async with HttpServer(role.est_app()) as server, http_client(server.url, auth=AUTH) as http:
        answer = await http.post(ENROLL, content=b64(GOOD), headers=PKCS10)
    assert (answer.status_code, "TLS only" in answer.text) == (403, True)


# --- our client at other servers -------------------------------------------------------------------------------------


class ForeignServer:
    """An EST server with habits of its own: pending answers, everything in one bag, PEM, redirects."""

    def __init__(self, *answers: tuple[int, dict[str, str], bytes]) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        app = FastAPI()

        @app.api_route("/{path:path}", methods=["GET", "POST"])
        async def answer(request: Request) -> Response:
            self.bodies.append(await request.body())
            status, headers, body = self.answers.pop(0)
            return Response(body, status_code=status, headers=headers)

        await app(scope, receive, send)  # type: ignore[arg-type]  # ASGI's types are not those of object


def foreign(csr_key: object, evse: str = "DE*PLU*E45B*78C") -> tuple[bytes, ...]:
    pki = shared_pki()
    leaf = pki.leaf(ROLE.SECC_LEAF, evse, signer=csr_key)  # type: ignore[arg-type]  # a LocalSigner
    return (*leaf.chain, pki[ROLE.V2G_ROOT].der)


async def ask(
    server: ForeignServer, csr: bytes, clock: LabClock, patience: Patience | None = None
) -> tuple[bytes, ...]:
    async with HttpServer(server) as running, http_client(running.url) as http:
        issuer = EstIssuer(http, anchors=shared_pki().anchors, clock=clock, patience=patience or Patience())
        return (await issuer.issue(csr, ROLE.SECC_LEAF)).certificates


@pytest.fixture
def pki_clock() -> LabClock:
    """The lab's clock at the time of the shared PKI."""
    clock = LabClock()
    clock.offset = shared_pki().now - clock.now()
    return clock


async def test_everything_in_one_bag_in_any_order_is_sorted(pki_clock: LabClock) -> None:
    key = generate()
    leaf, sub2, sub1, root = foreign(key)
    body = pkcs7_certs_only([root, sub1, leaf, sub2])
    server = ForeignServer((200, {"content-type": "application/pkcs7"}, body))
    assert await ask(server, station_csr(key), pki_clock) == (leaf, sub2, sub1)


async def test_pending_requests_are_repeated_identically(pki_clock: LabClock) -> None:
    key = generate()
    body = b64(pkcs7_certs_only(foreign(key)))
    server = ForeignServer((202, {"retry-after": "0"}, b""), (202, {"retry-after": "0"}, b""), (200, {}, body))
    assert len(await ask(server, station_csr(key), pki_clock)) == 3
    assert len(server.bodies) == 3
    assert len(set(server.bodies)) == 1


async def test_patience_is_bounded_in_number_and_time(pki_clock: LabClock) -> None:
    csr = station_csr(generate())
    often = ForeignServer(*[(202, {"retry-after": "0"}, b"")] * 5)
    with pytest.raises(Unavailable, match="has not decided"):
        await ask(often, csr, pki_clock, Patience(polls=2))
    assert len(often.bodies) == 3
    long = ForeignServer((202, {"retry-after": "86400"}, b""))
    with pytest.raises(Unavailable, match="has not decided"):
        await ask(long, csr, pki_clock)


class WatchedClock(LabClock):
    """Tells when somebody sleeps."""

    def __init__(self, offset: timedelta) -> None:
        super().__init__(offset)
        self.asleep = asyncio.Event()

    async def sleep_until(self, when: datetime) -> None:
        self.asleep.set()
        await super().sleep_until(when)


async def test_a_wait_ends_when_the_clock_reaches_it(pki_clock: LabClock) -> None:
    key, clock = generate(), WatchedClock(pki_clock.offset)
    server = ForeignServer((202, {"retry-after": "300"}, b""), (200, {}, b64(pkcs7_certs_only(foreign(key)))))
    waiting = asyncio.create_task(ask(server, station_csr(key), clock))
    await clock.asleep.wait()
    clock.jump(timedelta(seconds=300))
    assert len(await waiting) == 3


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        pytest.param((302, {"location": "http://127.0.0.1:1/"}, b""), "answers 302", id="redirect"),
        pytest.param((500, {}, b"oops\r\nforged=line"), "answers 500: 'oops forged=line'", id="server error"),
        pytest.param((200, {}, b"<html>"), "unreadable", id="no PKCS#7"),
        pytest.param((200, {}, b64(pkcs7_certs_only([]))), "unreadable", id="no certificate"),
        pytest.param((200, {}, b64(pkcs7_certs_only([b"\x30\x02\x05\x00"]))), "broken certificate", id="garbage"),
        pytest.param(
            (200, {}, b64(pkcs7_certs_only(foreign(generate())))), "no certificate for the key", id="another key"
        ),
    ],
)
async def test_unusable_answers_are_refused(
    pki_clock: LabClock, answer: tuple[int, dict[str, str], bytes], cause: str
) -> None:
    with pytest.raises(PeerError, match=cause):
        await ask(ForeignServer(answer), station_csr(generate()), pki_clock)


async def test_a_certificate_for_another_name_is_refused(pki_clock: LabClock) -> None:
    key = generate()
    server = ForeignServer((200, {}, b64(pkcs7_certs_only(foreign(key, "DE*PLU*E99")))))
    with pytest.raises(EstAnswerRefused, match="common name"):
        await ask(server, station_csr(key, evse_id=EVSE), pki_clock)


async def test_an_expired_certificate_is_refused(pki_clock: LabClock) -> None:
    key = generate()
    server = ForeignServer((200, {}, b64(pkcs7_certs_only(foreign(key)))))
    pki_clock.jump(timedelta(days=61))
    with pytest.raises(EstAnswerRefused, match="not used"):
        await ask(server, station_csr(key), pki_clock)
