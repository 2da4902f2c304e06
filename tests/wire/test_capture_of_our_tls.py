"""Our own vehicle and station talk over loopback TLS; the octets on the wire and the key log give it all away."""

from __future__ import annotations

import asyncio
from typing import cast

from capture_support import NAMES, Recorded, dissect, failures, names, session, tls_packets
from pki_factory import ROLE, shared_pki
from plugpass.net.tls import Identity, TlsStream, accept_tls, connect_tls
from plugpass.ports.keys import Credential


async def record_our_tls() -> Recorded:
    """The session between `connect_tls` and `accept_tls`, as a wire tap sees it."""
    wire: list[tuple[bool, bytes]] = []
    keylog: list[bytes] = []
    accepted: asyncio.Queue[TlsStream] = asyncio.Queue()
    minted = shared_pki().leaf(ROLE.SECC_LEAF)
    identity = Identity(credential=Credential(chain=minted.chain, signer=minted.signer))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.put_nowait(await accept_tls(_tapped(reader, wire, True), writer, identities=[identity]))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        tapped = _tapped(reader, wire, False)
        car = await connect_tls(tapped, writer, verify=lambda *_: None, keylog=keylog.append)
        station = await accepted.get()
        for said in session():
            sender, receiver = (car, station) if said.from_client else (station, car)
            await sender.write(said.octets)
            received = b""
            while len(received) < len(said.octets):
                received += await receiver.read()
            assert received == said.octets
        await car.close()
        assert await station.read() == b""
        await station.close()
    return Recorded(tuple(wire), b"\n".join(keylog))


def _tapped(reader: asyncio.StreamReader, wire: list[tuple[bool, bytes]], from_client: bool) -> asyncio.StreamReader:
    """The reader, with all that it gives noted."""

    class Tap:
        async def read(self, size: int) -> bytes:
            octets = await reader.read(size)
            if octets:
                wire.append((from_client, octets))
            return octets

    return cast(asyncio.StreamReader, Tap())


async def test_our_own_tls_is_opened_with_our_own_key_log() -> None:
    recorded = await record_our_tls()
    assert recorded.keylog.startswith(b"CLIENT_RANDOM ")
    records = dissect(tls_packets(recorded), keys=recorded.keys)
    assert not failures(records)
    assert names(records) == NAMES


async def test_no_key_log_is_written_unless_asked_for() -> None:
    from plugpass.net import tls

    minted = shared_pki().leaf(ROLE.SECC_LEAF)
    identity = Identity(credential=Credential(chain=minted.chain, signer=minted.signer))
    context = tls._server_context(tls.ISO2, tls._Record(), identity, None)
    assert context._keylog_callback is None  # type: ignore[attr-defined]  # pyOpenSSL has no getter
