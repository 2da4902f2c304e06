"""A vehicle's way to its station: discovery, then a connection. `plugpass.net.session` does the rest."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from plugpass.errors import LocalError, Unavailable
from plugpass.iso15118.sdp import MAX_REQUESTS, REQUEST_INTERVAL, SDP_PORT, SdpRequest, Security
from plugpass.net.sdp import ask, find_link, socket_address
from plugpass.net.stream import ByteStream, TcpStream
from plugpass.net.tls import HANDSHAKE_TIMEOUT, ISO2, TlsProfile, Verify, connect_tls

CONNECT_TIMEOUT = 5.0  #: seconds for the TCP connection


@dataclass(frozen=True, slots=True, kw_only=True)
class SeccAddress:
    """Where a station listens."""

    host: str  #: numeric
    port: int
    scope_id: int = 0  #: index of the interface, for link-local addresses
    tls: bool = True


async def discover(
    *,
    interface: str | None = None,
    sdp_port: int = SDP_PORT,
    tls: bool = True,
    tries: int = MAX_REQUESTS,
    interval: float = REQUEST_INTERVAL,
) -> SeccAddress:
    """The station on `interface` (None: loopback).

    Asks up to `tries` times, every `interval` seconds [V2G2-159], [V2G2-161]. With `tls` an answer that offers none is
    no answer; without it a station may still insist on TLS. Raises Unavailable where nobody answers, and
    ConfigurationError for an unusable interface.
    """
    link = find_link(interface)
    wish = Security.TLS if tls else Security.NONE
    response = await ask(
        link,
        SdpRequest(security=wish),
        port=sdp_port,
        tries=tries,
        interval=interval,
        acceptable=lambda answer: answer.security is Security.TLS or not tls,
    )
    mapped = response.address.ipv4_mapped
    return SeccAddress(
        host=str(mapped or response.address),
        port=response.port,
        scope_id=link.scope_id if response.address.is_link_local else 0,
        tls=response.security is Security.TLS,
    )


async def connect(
    address: SeccAddress,
    *,
    verify: Verify | None,
    roots: Sequence[bytes] = (),
    profile: TlsProfile = ISO2,
    handshake_timeout: float = HANDSHAKE_TIMEOUT,
) -> ByteStream:
    """A connection to the station: a `TlsStream`, or a `TcpStream` where its address says so.

    `verify` judges the station's certificates; `roots` (DER) are named to it. Raises TlsRefused where either side
    refuses the handshake, Unavailable where there is no connection.
    """
    if address.tls and verify is None:
        raise LocalError("a TLS connection needs `verify`: an unjudged station certificate is never accepted")
    reader, writer = await _open(address)
    if not address.tls or verify is None:
        return TcpStream(reader, writer)
    return await connect_tls(
        reader, writer, verify=verify, roots=roots, profile=profile, handshake_timeout=handshake_timeout
    )


async def _open(address: SeccAddress) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    target = socket_address(address.host, address.port, address.scope_id)
    sock = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await asyncio.get_running_loop().sock_connect(sock, target)
            return await asyncio.open_connection(sock=sock)
    except (OSError, TimeoutError) as error:
        sock.close()
        reason = str(error) or f"no answer within {CONNECT_TIMEOUT:g} s"
        raise Unavailable(f"no connection to the station at {address.host} port {address.port}: {reason}") from None
    except BaseException:
        sock.close()
        raise
