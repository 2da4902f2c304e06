"""Decisions of the EST server: operations, credentials, request bodies, re-enrolment, answers."""

from __future__ import annotations

import base64
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki_factory import NOW, ROLE, shared_pki
from plugpass.est import server as est
from plugpass.est.messages import EstRefusal, EstRequest, Label, Operation, refusal_response
from plugpass.ids import EVSEID
from plugpass.pki.bundle import parse_pkcs7, pem_block
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.csr import Csr, create_csr, parse_csr
from plugpass.pki.keys import generate

KEY = generate()
EVSE = EVSEID.parse("DE*PLU*E45B*78C")
CSR = create_csr(KEY, common_name="DE*PLU*E45B*78C", organization="Test", country="DE", evse_id=EVSE)
BASE64 = base64.b64encode(CSR)
PEM = pem_block(CSR, "CERTIFICATE REQUEST").encode()


def post(body: bytes = BASE64, content_type: str = "application/pkcs10", **headers: str) -> EstRequest:
    return EstRequest(
        method="POST",
        path="/.well-known/est/simpleenroll",
        headers={"content-type": content_type, **headers},
        body=body,
    )


def get(path: str, method: str = "GET") -> EstRequest:
    return EstRequest(method=method, path=path)


def test_the_default_label_decides_where_the_path_does_not() -> None:
    task = est.addressed(post(), [Label.CPO, Label.CPS], default=Label.CPS)
    assert task == est.Task(operation=Operation.SIMPLE_ENROLL, label=Label.CPS, role=ROLE.CPS_LEAF)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/.well-known/est/mo/cacerts"), 404),
        (get("/.well-known/est/veh/cacerts"), 404),
        (get("/.well-known/est/fullcmc", "POST"), 501),
        (get("/.well-known/est/cpo/serverkeygen", "POST"), 501),
        (get("/.well-known/est/cpo/simpleenroll"), 405),
    ],
)
def test_what_is_not_offered_has_its_status(request_: EstRequest, status: int) -> None:
    with pytest.raises(EstRefusal) as refusal:
        est.addressed(request_, [Label.CPO, Label.CPS, Label.VEH])
    assert refusal.value.status == status


def test_reads_basic_credentials() -> None:
    token = base64.b64encode("csms:pass:wörd".encode()).decode()
    credentials = est.presented(post(authorization=f"basic {token}"))
    assert credentials == est.BasicCredentials(name="csms", password="pass:wörd")
    assert "wörd" not in repr(credentials)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer abc"}, {"authorization": ""}])
def test_other_schemes_are_no_credentials(headers: dict[str, str]) -> None:
    assert est.presented(post(**headers)) is None


@pytest.mark.parametrize("token", ["!!", "bm9jb2xvbg==", "/////w=="])
def test_unreadable_credentials_are_challenged(token: str) -> None:
    with pytest.raises(EstRefusal) as refusal:
        est.presented(post(authorization=f"Basic {token}"))
    answer = refusal_response(refusal.value)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(BASE64, id="one line"),
        pytest.param(BASE64 + b"\n", id="one line, LF"),
        pytest.param(base64.encodebytes(CSR), id="wrapped at 76"),
        pytest.param(base64.encodebytes(CSR).replace(b"\n", b"\r\n"), id="wrapped at 76, CRLF"),
        pytest.param(CSR, id="DER"),
        pytest.param(PEM, id="PEM"),
        pytest.param(PEM.replace(b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST"), id="PEM, old label"),
    ],
)
def test_reads_a_request_in_every_form(body: bytes) -> None:
    request = post(body, "Application/PKCS10; charset=x", **{"content-transfer-encoding": "binary"})
    assert est.read_csr(request).encoded == CSR


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        pytest.param(BASE64, "text/plain", 415, id="wrong content type"),
        pytest.param(BASE64, "", 415, id="no content type"),
        pytest.param(b"A" * (16 * 1024 + 1), "application/pkcs10", 413, id="too large"),
        pytest.param(b"", "application/pkcs10", 400, id="empty"),
        pytest.param(base64.b64encode(CSR[:-20]), "application/pkcs10", 400, id="truncated DER"),
        pytest.param(base64.b64encode(CSR + b"\0"), "application/pkcs10", 400, id="trailing octet"),
        pytest.param(base64.b64encode(CSR[:-4] + bytes(4)), "application/pkcs10", 400, id="signature broken"),
        pytest.param(b"hello, world", "application/pkcs10", 400, id="no base64"),
        pytest.param(base64.b64encode(b"\x30\x80\0\0"), "application/pkcs10", 400, id="indefinite length"),
    ],
)
def test_refuses_a_request_with_its_status(body: bytes, content_type: str, status: int) -> None:
    with pytest.raises(EstRefusal) as refusal:
        est.read_csr(post(body, content_type))
    answer = refusal_response(refusal.value)
    assert answer.status == status
    assert answer.body.count(b"\n") == 1
    assert answer.headers["content-type"].startswith("text/plain")


@given(st.binary(max_size=400))
def test_garbage_is_refused_and_nothing_else_happens(body: bytes) -> None:
    with pytest.raises(EstRefusal) as refusal:
        est.read_csr(post(body))
    assert refusal.value.status == 400


@given(st.integers(0, len(CSR) - 1), st.integers(1, 255))
def test_a_changed_octet_is_noticed(position: int, change: int) -> None:
    body = bytearray(CSR)
    body[position] ^= change
    with pytest.raises(EstRefusal) as refusal:
        est.read_csr(post(base64.b64encode(bytes(body))))
    assert refusal.value.status == 400


def leaf(evse_id: EVSEID | None = EVSE) -> Certificate:
    return parse(shared_pki().leaf(ROLE.SECC_LEAF, "DE*PLU*E45B*78C", evse_id=evse_id).der)


def renewal(
    common_name: str = "DE*PLU*E45B*78C", organization: str = "Plugpass Test", domain: str | None = "CPO"
) -> Csr:
    return parse_csr(
        create_csr(generate(), common_name=common_name, organization=organization, country="DE", domain=domain)
    )


def test_a_renewal_keeps_subject_and_alternative_name_and_may_change_the_key() -> None:
    est.check_reenrolment(renewal(), EVSE, leaf(), now=NOW)
    est.check_reenrolment(renewal(), None, leaf(None), now=NOW)


def test_the_order_of_the_subject_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "secc.key").write_bytes(generate().to_pem(b"x"))
    command = "openssl req -new -key secc.key -passin pass:x -outform DER -out csr.der -subj"
    subject = "/DC=CPO/C=DE/O=Plugpass Test/CN=DE*PLU*E45B*78C"
    subprocess.run([*command.split(), subject], cwd=tmp_path, check=True, capture_output=True)
    est.check_reenrolment(parse_csr((tmp_path / "csr.der").read_bytes()), EVSE, leaf(), now=NOW)


@pytest.mark.parametrize(
    ("csr", "evse_id", "later", "cause"),
    [
        (renewal("DE*PLU*E2"), EVSE, timedelta(0), "subject differs"),
        (renewal(organization="Other"), EVSE, timedelta(0), "subject differs"),
        (renewal(domain=None), EVSE, timedelta(0), "subject differs"),
        (renewal(), None, timedelta(0), "SubjectAltName differs"),
        (renewal(), EVSEID.parse("DE*PLU*E2"), timedelta(0), "SubjectAltName differs"),
        (renewal(), EVSE, timedelta(days=100), "not valid now"),
        (renewal(), EVSE, timedelta(days=-100), "not valid now"),
    ],
)
def test_any_other_renewal_is_forbidden(csr: Csr, evse_id: EVSEID | None, later: timedelta, cause: str) -> None:
    with pytest.raises(EstRefusal, match=cause) as refusal:
        est.check_reenrolment(csr, evse_id, leaf(), now=NOW + later)
    assert refusal.value.status == 403


def test_ca_certificates_keep_their_order_root_last() -> None:
    pki = shared_pki()
    chain = [pki[role].der for role in (ROLE.CPO_SUB2, ROLE.CPO_SUB1, ROLE.V2G_ROOT)]
    answer = est.ca_certificates_response(get("/cacerts"), chain)
    assert answer.headers == {"content-type": "application/pkcs7-mime"}
    assert answer.body.count(b"\n") == 1
    assert list(parse_pkcs7(base64.b64decode(answer.body))) == chain


def test_libest_gets_wrapped_lines() -> None:
    request = EstRequest(method="GET", path="/", headers={"user-agent": "Cisco EST client 1.0"})
    answer = est.enrolled_response(request, shared_pki()[ROLE.V2G_ROOT].der)
    assert answer.headers == {"content-type": "application/pkcs7-mime; smime-type=certs-only"}
    assert max(map(len, answer.body.splitlines())) == 64


def test_no_attributes() -> None:
    answer = est.no_attributes_response()
    assert (answer.status, answer.body) == (204, b"")
