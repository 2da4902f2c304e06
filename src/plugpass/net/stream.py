"""Byte streams under a V2G session: what a session pump needs of a connection, and the plain TCP one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

READ_SIZE = 16 * 1024  #: octets taken from a socket at once
WRITE_TIMEOUT = 10.0  #: seconds a peer may leave our octets unread before the connection counts as dead
CLOSE_TIMEOUT = 2.0  #: seconds for the last octets to leave


class ByteStream(Protocol):
    """A connection with exactly one reader and one writer."""

    async def read(self) -> bytes:
        """The next octets; empty at the end. Raises ConnectionError or TlsRefused where the connection broke."""
        ...

    async def write(self, data: bytes) -> None:
        """Send `data` in one piece. Raises ConnectionError where the peer is gone or does not read."""
        ...

    async def close(self) -> None:
        """End the connection; safe to call twice and on broken connections."""
        ...


class TcpStream:
    """A plain TCP connection, for sessions without TLS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """The next octets; empty at the end."""
        return await self._reader.read(READ_SIZE)

    async def write(self, data: bytes) -> None:
        """Send `data` with one call to the socket."""
        await send(self._writer, data)

    async def close(self) -> None:
        """End the connection."""
        await hang_up(self._writer)


async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write `data` and wait until the peer takes it. Raises ConnectionError where it does not in `WRITE_TIMEOUT`."""
    writer.write(data)
    try:
        async with asyncio.timeout(WRITE_TIMEOUT):
            await writer.drain()
    except TimeoutError:
        writer.transport.abort()
        raise ConnectionAbortedError(f"the peer left our octets unread for {WRITE_TIMEOUT:.0f} s") from None


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close the socket; what a peer does meanwhile, or failed to do before, is no error any more."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
    except asyncio.CancelledError:
        writer.transport.abort()
        raise
