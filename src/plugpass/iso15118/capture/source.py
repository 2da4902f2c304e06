"""Octets that arrive in pieces, taken in the sizes a file format asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Source:
    """Reads from the `chunks` of a file or pipe as they are needed, and never holds more than was asked for at once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._held = bytearray()
        self.position = 0  #: octets taken so far

    def peek(self, size: int) -> bytes:
        """The next `size` octets, fewer at the end, without taking them."""
        while len(self._held) < size and (chunk := next(self._chunks, None)) is not None:
            self._held += chunk
        return bytes(self._held[:size])

    def arrived(self) -> bytes:
        """What has been read and not taken, at least one octet unless this is the end; it is not taken."""
        self.peek(1)
        return bytes(self._held)

    def take(self, size: int) -> bytes:
        """The next `size` octets, fewer at the end."""
        octets = self.peek(size)
        del self._held[:size]
        self.position += len(octets)
        return octets

    def skip(self, size: int) -> int:
        """Drop `size` octets without holding them all; how many there were."""
        dropped = 0
        while dropped < size and self.peek(1):
            dropped += len(self.take(min(size - dropped, len(self._held))))
        return dropped
