"""A short charging session and captures of it, for the tests of the decoder."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki_factory import ROLE, shared_pki
from plugpass.exi import encode
from plugpass.iso15118.capture import pcap
from plugpass.iso15118.capture.dissector import Dissector
from plugpass.iso15118.capture.packets import Endpoint
from plugpass.iso15118.capture.pcap import Packet, Secrets
from plugpass.iso15118.capture.records import Message, Record
from plugpass.iso15118.capture.source import Source
from plugpass.iso15118.capture.synthesis import TcpScript, datagram_packet
from plugpass.iso15118.capture.tls_keys import KeyLog
from plugpass.iso15118.messages import iso2, sap
from plugpass.iso15118.sdp import SDP_PORT, SdpRequest, SdpResponse, Security
from plugpass.iso15118.v2gtp import PayloadType, frame

START = 1_780_000_000_000_000_000  #: nanoseconds; in May 2026
STEP = 10_000_000

EVCC = Endpoint(ipaddress.IPv6Address("fe80::1").packed, 49_152)
SECC = Endpoint(ipaddress.IPv6Address("fe80::2").packed, 61_341)
ALL_NODES = ipaddress.IPv6Address("ff02::1").packed


@dataclass(frozen=True, slots=True)
class Said:
    """One frame of a session, and who sends it."""

    from_client: bool
    octets: bytes
    name: str


def v2g(element: Any) -> bytes:
    """A -2 message around a body element."""
    header = iso2.MessageHeader(session_id=bytes(range(8)))
    return encode("iso2", iso2.V2GMessage(header=header, body=iso2.Body(element=element)))


def offer(namespace: str = "urn:iso:15118:2:2013:MsgDef", schema_id: int = 7) -> bytes:
    """A SupportedAppProtocolReq for one protocol."""
    protocol = sap.AppProtocol(
        protocol_namespace=namespace, version_number_major=2, version_number_minor=0, schema_id=schema_id, priority=1
    )
    return encode("sap", sap.SupportedAppProtocolReq(app_protocol=(protocol,)))


def choice(schema_id: int | None = 7) -> bytes:
    """The positive SupportedAppProtocolRes."""
    code = sap.ResponseCode.OK_SUCCESSFUL_NEGOTIATION
    return encode("sap", sap.SupportedAppProtocolRes(response_code=code, schema_id=schema_id))


@cache
def session() -> tuple[Said, ...]:
    """Negotiation and the first messages of a Plug & Charge session, certificates minted now."""
    contract = shared_pki().leaf(ROLE.CONTRACT)
    leaf, *sub_cas = contract.chain
    chain = iso2.CertificateChain(certificate=leaf, sub_certificates=iso2.SubCertificates(certificate=tuple(sub_cas)))
    ok = iso2.ResponseCode.OK
    said = [
        (True, offer(), "supportedAppProtocolReq"),
        (False, choice(), "supportedAppProtocolRes"),
        (True, v2g(iso2.SessionSetupReq(evcc_id=bytes.fromhex("02a0b0c0d0e0"))), "SessionSetupReq"),
        (
            False,
            v2g(
                iso2.SessionSetupRes(
                    response_code=iso2.ResponseCode.OK_NEW_SESSION_ESTABLISHED, evse_id="DE*PLU*E45B*78C"
                )
            ),
            "SessionSetupRes",
        ),
        (
            True,
            v2g(iso2.PaymentDetailsReq(emaid="DEPLUC12345678Q", contract_signature_cert_chain=chain)),
            "PaymentDetailsReq",
        ),
        (
            False,
            v2g(iso2.PaymentDetailsRes(response_code=ok, gen_challenge=bytes(16), evse_time_stamp=1_780_000_000)),
            "PaymentDetailsRes",
        ),
        (True, v2g(iso2.ChargingStatusReq()), "ChargingStatusReq"),
        (True, v2g(iso2.SessionStopReq(charging_session=iso2.ChargingSession.TERMINATE)), "SessionStopReq"),
        (False, v2g(iso2.SessionStopRes(response_code=iso2.ResponseCode.FAILED)), "SessionStopRes"),
    ]
    return tuple(Said(mine, frame(PayloadType.SAP, exi), name) for mine, exi, name in said)


NAMES = [said.name for said in session()]


def discovery(security: Security = Security.NONE) -> list[Packet]:
    """SDP before the session."""
    answer = SdpResponse(address=ipaddress.IPv6Address(SECC.address), port=SECC.port, security=security)
    client, station = Endpoint(EVCC.address, 50_000), Endpoint(SECC.address, SDP_PORT)
    request = SdpRequest(security=security).encode()
    return [
        datagram_packet(START - 2 * STEP, client, Endpoint(ALL_NODES, SDP_PORT), request),
        datagram_packet(START - STEP, station, client, answer.encode()),
    ]


def conversation(
    said: Iterable[tuple[bool, bytes]], *, client: Endpoint = EVCC, server: Endpoint = SECC
) -> list[Packet]:
    """One TCP connection in which these octets are sent."""
    script = TcpScript(client, server, sequences=(4_294_967_000, 77))  # the client's numbers wrap
    packets = script.open(START)
    now = START
    for mine, octets in said:
        now += STEP
        packets += script.send(now, octets, from_client=mine)
    return packets + script.close(now + STEP)


def plain_session() -> list[Packet]:
    """The session without TLS, SDP before it."""
    return discovery() + conversation((said.from_client, said.octets) for said in session())


def pcap_file(packets: Sequence[Packet]) -> bytes:
    """The packets as a file."""
    return pcap.file_header(packets[0].link) + b"".join(map(pcap.record, packets))


def dissect(packets: Iterable[Packet | Secrets], **options: Any) -> list[Record]:
    """The records of some packets."""
    return list(Dissector(**options).run(packets))


def chunks(octets: bytes, size: int = 1000) -> Source:
    """The octets as a file read in pieces."""
    return Source(octets[at : at + size] for at in range(0, len(octets), size))


def names(records: Iterable[Record]) -> list[str]:
    """The messages among the records; "?" for one that could not be decoded."""
    return [record.name or "?" for record in records if isinstance(record, Message)]


def failures(records: Iterable[Record]) -> list[Record]:
    """What could not be read."""
    return [record for record in records if not record.ok]


# --- TLS ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recorded:
    """What went over a wire, in order, and the key log of it."""

    wire: tuple[tuple[bool, bytes], ...]
    keylog: bytes

    @property
    def keys(self) -> KeyLog:
        return KeyLog(self.keylog.splitlines())


@cache
def tls_session(
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    ciphers: str = "ECDHE-ECDSA-AES128-SHA256",
    options: int = 0,
    groups: tuple[str, str] = ("prime256v1", "prime256v1"),
) -> Recorded:
    """The session inside TLS of the standard library, in memory; `groups` of client and server, "" for any."""
    with TemporaryDirectory() as folder:
        log = Path(folder) / "keys.log"
        client_context, server_context = (
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        )
        _credential(server_context, Path(folder))
        client_context.check_hostname, client_context.verify_mode = False, ssl.CERT_NONE
        client_context.keylog_filename = str(log)
        for context, group in zip((client_context, server_context), groups, strict=True):
            context.minimum_version = context.maximum_version = version
            context.options |= options
            if version is ssl.TLSVersion.TLSv1_2:
                context.set_ciphers(ciphers)
            if group:
                context.set_ecdh_curve(group)
        wire = tuple(_converse(client_context, server_context))
        return Recorded(wire, log.read_bytes())


def _credential(context: ssl.SSLContext, folder: Path) -> None:
    minted = shared_pki().leaf(ROLE.SECC_LEAF)
    key = minted.signer.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in minted.chain)
    file = folder / "secc.pem"
    file.write_bytes(key + chain)
    context.load_cert_chain(file)


def _converse(client_context: ssl.SSLContext, server_context: ssl.SSLContext) -> Iterable[tuple[bool, bytes]]:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_side=False)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    wire: list[tuple[bool, bytes]] = []
    done = [False, False]
    while not all(done):
        for side, end, incoming, outgoing in ((0, client, to_client, to_server), (1, server, to_server, to_client)):
            waiting = incoming.read()
            incoming.write(waiting)
            before = outgoing.pending
            try:
                end.do_handshake()
                done[side] = True
            except ssl.SSLWantReadError:
                pass
            _note(wire, side == 0, outgoing, before)
    for said in session():
        sender, receiver, outgoing = (client, server, to_server) if said.from_client else (server, client, to_client)
        before = outgoing.pending
        sender.write(said.octets)
        _note(wire, said.from_client, outgoing, before)
        received = b""
        while len(received) < len(said.octets):
            received += receiver.read()
    return wire


def _note(wire: list[tuple[bool, bytes]], from_client: bool, outgoing: ssl.MemoryBIO, before: int) -> None:
    """What was added to a pipe; it is left there."""
    held = outgoing.read()
    outgoing.write(held)
    if held[before:]:
        wire.append((from_client, held[before:]))


def tls_packets(recorded: Recorded) -> list[Packet]:
    """A capture of it, SDP before it."""
    return discovery(Security.TLS) + conversation(recorded.wire)
