"""One direction of a TCP connection put together from its segments: order restored, repeats dropped, losses reported.

A hole is waited for, since a segment may only be late. It counts as lost once the receiver has acknowledged it (then it
is the capture that missed it) and a few packets more have come, once too much has piled up behind it, or at the end.
"""

from __future__ import annotations

from typing import NamedTuple

PATIENCE = 3  #: packets that acknowledge a hole before it counts as lost: captures may swap neighbours
MAX_HELD = 1024 * 1024  #: octets behind a hole
MAX_HELD_SEGMENTS = 256

_SPACE = 1 << 32


class Gap(NamedTuple):
    """Octets of the stream that the capture has not."""

    size: int


Piece = bytes | Gap


class Stream:
    """The octets that one end sent."""

    __slots__ = ("_acknowledgements", "_first", "_held", "_held_octets", "_next")

    def __init__(self) -> None:
        self._first: int | None = None  # sequence number after the SYN, if that was captured
        self._next: int | None = None  # sequence number of the next octet to deliver
        self._held: dict[int, bytes] = {}  # by distance from `_next`
        self._held_octets = 0
        self._acknowledgements = 0

    @property
    def waiting(self) -> bool:
        """Whether there is a hole with octets behind it."""
        return bool(self._held)

    def starts_anew(self, sequence: int) -> bool:
        """Whether a SYN of this number is not a repeat of this stream's own."""
        return self._next is not None and self._first != (sequence + 1) % _SPACE

    def open(self, sequence: int) -> None:
        """The SYN: the stream starts behind it."""
        if self._next is None:
            self._first = self._next = (sequence + 1) % _SPACE

    def segment(self, sequence: int, payload: bytes) -> list[Piece]:
        """What a segment adds. `sequence` is the number of the first octet."""
        if not payload:
            return []
        if self._next is None:
            self._next = sequence  # the capture began within the connection
        distance = self._distance(self._next, sequence)
        if distance < 0:  # sent again, perhaps with more behind it
            payload, distance = payload[-distance:], 0
        if not payload:
            return []
        if distance == 0:
            return self._deliver(payload)
        if len(self._held.get(distance, b"")) < len(payload):
            self._held_octets += len(payload) - len(self._held.get(distance, b""))
            self._held[distance] = payload
        if self._held_octets > MAX_HELD or len(self._held) > MAX_HELD_SEGMENTS:
            return self._give_up()
        return []

    def acknowledged(self, number: int) -> list[Piece]:
        """What becomes certain by the other end having acknowledged everything before `number`."""
        if not self._held or self._next is None or self._distance(self._next, number) <= 0:
            return []
        self._acknowledgements += 1
        return self._give_up() if self._acknowledgements >= PATIENCE else []

    def flush(self) -> list[Piece]:
        """All that is left, at the end of the connection or the capture."""
        pieces: list[Piece] = []
        while self._held:
            pieces += self._give_up()
        return pieces

    @staticmethod
    def _distance(start: int, end: int) -> int:
        """How far `end` is after `start`; negative if before. Sequence numbers wrap."""
        return (end - start + _SPACE // 2) % _SPACE - _SPACE // 2

    def _give_up(self) -> list[Piece]:
        """Count the first hole as lost."""
        size = min(self._held)
        self._advance(size)
        return [Gap(size), *self._deliver(b"")]

    def _deliver(self, octets: bytes) -> list[Piece]:
        """`octets`, and what was waiting for them."""
        parts = [octets]
        self._advance(len(octets))
        while self._held and (first := min(self._held)) <= 0:
            payload = self._held.pop(first)
            self._held_octets -= len(payload)
            fresh = payload[-first:] if first else payload
            parts.append(fresh)
            self._advance(len(fresh))
        whole = b"".join(parts)
        return [whole] if whole else []

    def _advance(self, size: int) -> None:
        assert self._next is not None
        self._next = (self._next + size) % _SPACE
        if size:
            self._acknowledgements = 0
            self._held = {distance - size: payload for distance, payload in self._held.items()}
