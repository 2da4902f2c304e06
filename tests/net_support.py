"""What the network tests share: a toy machine, an in-memory stream, and TLS certificates for services."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections import deque
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from plugpass.errors import PeerError
from plugpass.iso15118.machine import Event, MessageReceived, SessionEnded
from plugpass.iso15118.v2gtp import EXI_ISO2, FrameDecoder, frame
from plugpass.pki.keys import LocalSigner, generate
from plugpass.ports.keys import Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Event):
    """The toy machine wants an answer from its host."""

    text: str


class EchoMachine:
    """A machine for pumps: echoes frames, asks its host about `ask...`, ends at `bye`, has one idle timer."""

    def __init__(self, *, now: float = 0.0, idle: float | None = None, first: bytes | None = None) -> None:
        self._decoder = FrameDecoder()
        self._output = bytearray()
        self._events: deque[Event] = deque()
        self._idle = idle
        self._deadline = None if idle is None else now + idle
        if first is not None:
            self.send(first)

    def send(self, payload: bytes) -> None:
        self._output += frame(EXI_ISO2, payload)

    def receive(self, data: bytes, now: float) -> None:
        if not data:
            self._end(False, "peer closed")
            return
        if self._idle is not None:
            self._deadline = now + self._idle
        try:
            for _, payload in self._decoder.receive(data):
                self._message(payload)
        except PeerError as error:
            self._end(False, str(error))

    def _message(self, payload: bytes) -> None:
        text = payload.decode("latin1")
        self._events.append(MessageReceived(name=text, size=len(payload)))
        if text.startswith("ask"):
            self._events.append(Asked(text=text))
            return
        self.send(payload)
        if text == "bye":
            self._end(True, "said bye")

    def _end(self, ok: bool, reason: str) -> None:
        self._deadline = None
        self._events.append(SessionEnded(ok=ok, reason=reason))

    def data_to_send(self) -> bytes:
        data = bytes(self._output)
        self._output.clear()
        return data

    def next_event(self) -> Event | None:
        return self._events.popleft() if self._events else None

    def deadline(self) -> float | None:
        return self._deadline

    def handle_timeout(self, now: float) -> None:
        if self._deadline is not None and now >= self._deadline:
            self._end(False, "idle for too long")


class MemoryStream:
    """One end of a connection without a network; `pair()` makes both."""

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[bytes | OSError] = asyncio.Queue()
        self.peer: MemoryStream = self
        self.sent: list[bytes] = []
        self.closed = False

    @classmethod
    def pair(cls) -> tuple[MemoryStream, MemoryStream]:
        left, right = cls(), cls()
        left.peer, right.peer = right, left
        return left, right

    async def read(self) -> bytes:
        item = await self._inbox.get()
        if isinstance(item, OSError):
            raise item
        return item

    async def write(self, data: bytes) -> None:
        if self.peer.closed:
            raise ConnectionResetError("the peer is gone")
        self.sent.append(data)
        self.peer._inbox.put_nowait(data)

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.peer._inbox.put_nowait(b"")

    def break_with(self, error: OSError) -> None:
        self._inbox.put_nowait(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCa:
    """A root for the services' own TLS (HTTPS, WSS), which is not part of any V2G hierarchy."""

    certificate: x509.Certificate
    key: LocalSigner

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @classmethod
    def mint(cls, name: str = "Services", *, now: datetime | None = None) -> ServiceCa:
        key = generate()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, subject, key, now or datetime.now(UTC), timedelta(days=3650))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return cls(certificate=_sign(builder, key), key=key)

    def issue(
        self,
        name: str,
        *,
        names: tuple[str, ...] = ("localhost",),
        now: datetime | None = None,
        validity: timedelta = timedelta(days=30),
    ) -> Credential:
        """A leaf with CN `name`, for the host `names`; for localhost also for the loopback addresses."""
        key = generate()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        loopback = ("127.0.0.1", "::1") if "localhost" in names else ()
        san = x509.SubjectAlternativeName(
            [
                *(x509.DNSName(host) for host in names),
                *(x509.IPAddress(ipaddress.ip_address(address)) for address in loopback),
            ]
        )
        builder = _builder(subject, self.certificate.subject, key, now or datetime.now(UTC), validity)
        builder = builder.add_extension(san, critical=False)
        certificate = _sign(builder, self.key)
        return Credential(chain=(certificate.public_bytes(Encoding.DER),), signer=key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: LocalSigner, now: datetime, validity: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + validity)
    )


def _sign(builder: x509.CertificateBuilder, key: LocalSigner) -> x509.Certificate:
    assert isinstance(key.private_key, ec.EllipticCurvePrivateKey)
    return builder.sign(key.private_key, hashes.SHA256())


class LogWatch:
    """Captured log lines that can be waited for."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    @classmethod
    @contextmanager
    def on(cls) -> Iterator[LogWatch]:
        watch = cls()
        with capture_logs(processors=[watch._take]):
            yield watch

    def _take(self, _logger: object, level: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        self.lines.append({**line, "log_level": level})
        self._news.set()
        return line

    async def wait(self, event: str) -> dict[str, Any]:
        """The first line of this event, as soon as it is there."""
        async with asyncio.timeout(5):
            while not (found := [line for line in self.lines if line["event"] == event]):
                self._news.clear()
                await self._news.wait()
        return found[0]


async def hang_up(port: int, path: str, roots: list[bytes]) -> None:
    """A client that announces 500 octets over TLS, sends one, and is gone."""
    context = ssl.create_default_context(cadata=b"".join(roots))
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
    writer.write(head.encode() + b"x")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
