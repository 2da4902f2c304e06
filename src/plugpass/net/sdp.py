"""The sockets of the SECC Discovery Protocol: multicast on a vehicle's link, unicast on loopback.

The loopback interface does no multicast, so a lab on one machine sends its requests to the station's address there;
everything else is the same. A machine without IPv6 uses 127.0.0.1, which the datagrams carry as an IPv4-mapped address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import structlog

from plugpass.clock import Clock
from plugpass.errors import ConfigurationError, Unavailable
from plugpass.iso15118.sdp import MULTICAST_GROUP, SdpError, SdpRequest, SdpResponse

log = structlog.get_logger(__name__)

ANSWERS_PER_SECOND = 50.0  #: a vehicle asks four times a second; a flood is not answered, nor logged line by line


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The local end of a link: our address on it and, for link-local addresses, the interface's index."""

    host: str
    scope_id: int = 0
    multicast: bool = False

    @property
    def family(self) -> socket.AddressFamily:
        """IPv6, or IPv4 on the loopback of a machine without it."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def address(self) -> ipaddress.IPv6Address:
        """Our address as the datagrams carry it."""
        return ipaddress.IPv6Address(self.host if ":" in self.host else f"::ffff:{self.host}")

    def sockaddr(self, port: int) -> tuple[Any, ...]:
        """Our address and `port`, as the socket functions want it."""
        return socket_address(self.host, port, self.scope_id)


def socket_address(host: str, port: int, scope_id: int) -> tuple[Any, ...]:
    """`host` (numeric) and `port` as the socket functions want them."""
    return (host, port, 0, scope_id) if ":" in host else (host, port)


def find_link(interface: str | None) -> Link:
    """Our end of `interface`, or of loopback where it is None.

    Raises ConfigurationError where there is no such interface or it has no IPv6 link-local address.
    """
    if interface is None or interface in ("lo", "lo0"):
        return _loopback()
    try:
        index = socket.if_nametoindex(interface)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.connect((MULTICAST_GROUP, 9, 0, index))  # sends nothing: the system picks our address on that link
            host = probe.getsockname()[0].partition("%")[0]
    except OSError as error:
        raise ConfigurationError(
            f"the interface {interface!r} cannot be used for ISO 15118: {error}; name one that is up and has IPv6"
        ) from None
    if not ipaddress.IPv6Address(host).is_link_local:
        raise ConfigurationError(
            f"the interface {interface!r} has no IPv6 link-local address; wait for it or enable IPv6"
        )
    return Link(host=host, scope_id=index, multicast=True)


def _loopback() -> Link:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return Link(host="127.0.0.1")
    return Link(host="::1")


class SdpResponder(asyncio.DatagramProtocol):
    """Answers every well-formed request on a link; anything else is dropped with one log line."""

    def __init__(self, answer: Callable[[SdpRequest], SdpResponse], link: Link, clock: Clock) -> None:
        self._answer = answer
        self._link = link
        self._clock = clock
        self._credit = ANSWERS_PER_SECOND
        self._credited_at = clock.monotonic()
        self._flooded = False
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(
        cls, answer: Callable[[SdpRequest], SdpResponse], *, link: Link, port: int, clock: Clock
    ) -> SdpResponder:
        """Bind and start answering; port 0 takes any. Raises ConfigurationError where the port is taken."""
        loop = asyncio.get_running_loop()
        sock = _server_socket(link, port)
        try:
            _, responder = await loop.create_datagram_endpoint(lambda: cls(answer, link, clock), sock=sock)
        except BaseException:
            sock.close()
            raise
        return responder

    @property
    def port(self) -> int:
        """The UDP port."""
        assert self._transport is not None
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    def close(self) -> None:
        """Stop answering."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if self._link.multicast and addr[3] != self._link.scope_id:
            return  # the wildcard socket also hears the other interfaces, which are not ours
        if not self._within_rate():
            return
        try:
            request = SdpRequest.decode(data)
        except SdpError as error:
            log.warning("sdp_datagram_dropped", peer=addr[0], size=len(data), reason=str(error))
            return
        response = self._answer(request)
        assert self._transport is not None
        self._transport.sendto(response.encode(), addr)
        log.debug("sdp_answered", peer=addr[0], port=response.port, security=response.security.name)

    def error_received(self, exc: Exception) -> None:
        log.info("sdp_answer_undeliverable", reason=str(exc))

    def _within_rate(self) -> bool:
        now = self._clock.monotonic()
        self._credit = min(ANSWERS_PER_SECOND, self._credit + (now - self._credited_at) * ANSWERS_PER_SECOND)
        self._credited_at = now
        if self._credit >= 1:
            self._credit -= 1
            self._flooded = False
            return True
        if not self._flooded:
            self._flooded = True
            log.warning("sdp_flood", limit_per_s=ANSWERS_PER_SECOND)
        return False


class _Answers(asyncio.DatagramProtocol):
    """Collects the well-formed answers to our requests."""

    def __init__(self) -> None:
        self.responses: asyncio.Queue[SdpResponse] = asyncio.Queue(maxsize=16)
        self.problem = ""

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        try:
            self.responses.put_nowait(SdpResponse.decode(data))
        except SdpError as error:
            self.problem = str(error)
            log.warning("sdp_datagram_dropped", peer=addr[0], size=len(data), reason=str(error))
        except asyncio.QueueFull:
            self.problem = "too many answers"

    def error_received(self, exc: Exception) -> None:
        self.problem = str(exc)


async def ask(
    link: Link,
    request: SdpRequest,
    *,
    port: int,
    tries: int,
    interval: float,
    acceptable: Callable[[SdpResponse], bool],
) -> SdpResponse:
    """The first acceptable answer on `link`; asks `tries` times, every `interval` seconds.

    Raises Unavailable where none came.
    """
    loop = asyncio.get_running_loop()
    sock = _client_socket(link)
    try:
        transport, answers = await loop.create_datagram_endpoint(_Answers, sock=sock)
    except BaseException:
        sock.close()
        raise
    target = socket_address(MULTICAST_GROUP if link.multicast else link.host, port, link.scope_id)
    try:
        for _ in range(tries):
            transport.sendto(request.encode(), target)
            response = await _first(answers, interval, acceptable)
            if response is not None:
                return response
    finally:
        transport.close()
    detail = f" ({answers.problem})" if answers.problem else ""
    raise Unavailable(
        f"no station answered {tries} SDP requests on {link.host} port {port}{detail}: "
        "check that one is running on this link and offers the wanted security"
    )


async def _first(answers: _Answers, interval: float, acceptable: Callable[[SdpResponse], bool]) -> SdpResponse | None:
    """The next acceptable answer within `interval` seconds [V2G2-159]."""
    try:
        async with asyncio.timeout(interval):
            while not acceptable(response := await answers.responses.get()):
                answers.problem = f"the station offered {response.security.name} security"
                log.warning("sdp_answer_ignored", address=str(response.address), security=response.security.name)
            return response
    except TimeoutError:
        return None


def _server_socket(link: Link, port: int) -> socket.socket:
    sock = socket.socket(link.family, socket.SOCK_DGRAM)
    try:
        if link.multicast:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one station an interface, all on one port
            group = socket.inet_pton(socket.AF_INET6, MULTICAST_GROUP)
            membership = group + struct.pack("@I", link.scope_id)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
            sock.bind(("::", port))
        else:
            sock.bind(link.sockaddr(port))
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise ConfigurationError(
            f"UDP port {port} on {link.host} cannot be used for SDP: {error}; choose another sdp_port"
        ) from None
    return sock


def _client_socket(link: Link) -> socket.socket:
    sock = socket.socket(link.family, socket.SOCK_DGRAM)
    try:
        if link.multicast:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link.scope_id)
        sock.bind(link.sockaddr(0))
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise Unavailable(f"no UDP socket on {link.host} for SDP: {error}") from None
    return sock
