"""V2GTP frames cut from a stream that may have holes and may start anywhere.

Unlike `plugpass.iso15118.v2gtp`, which a running session uses and which refuses a peer that breaks the rules, this
reports what is wrong and finds the next frame.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from plugpass.iso15118.v2gtp import HEADER_SIZE, MAX_PAYLOAD, PROTOCOL_VERSION, PayloadType

VERSION = bytes((PROTOCOL_VERSION, PROTOCOL_VERSION ^ 0xFF))
SHOWN = 32  #: octets kept of what cannot be read

_KNOWN_TYPES = frozenset(PayloadType)
_HEADER = struct.Struct(">2sHI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame; `payload_type` is a number because a capture may hold types we do not know."""

    offset: int  #: of the header, from the start of the stream as captured
    payload_type: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Unframed:
    """A stretch of the stream that is no readable frame: `size` octets, `missing` of them not captured."""

    offset: int
    reason: str
    size: int = 0
    missing: int = 0
    start: bytes = b""  #: the first octets that are there


Cut = Frame | Unframed


def find_header(octets: bytes | bytearray) -> int:
    """Where the first header with a known payload type and a possible length is; -1 if there is none."""
    at = octets.find(VERSION)
    while at >= 0 and len(octets) >= at + HEADER_SIZE:
        _, payload_type, size = _HEADER.unpack_from(octets, at)
        if payload_type in _KNOWN_TYPES and size <= MAX_PAYLOAD:
            return at
        at = octets.find(VERSION, at + 1)
    return -1


class FrameCutter:
    """Cuts one direction of a connection; `searching` says why it does not start at a frame, if it does not.

    `passed` octets came before, and were not kept.
    """

    def __init__(self, *, searching: str = "", passed: int = 0) -> None:
        self._buffer = bytearray()
        self._offset = passed  # of the buffer's first octet
        self._searching = searching
        self._unframed = Unframed(offset=0, reason=searching, size=passed) if passed else None  # since the last frame

    def receive(self, data: bytes) -> list[Cut]:
        """What the next octets of the stream complete."""
        self._buffer += data
        found: list[Cut] = []
        while self._at_header():
            _, payload_type, size = _HEADER.unpack_from(self._buffer)
            if len(self._buffer) < HEADER_SIZE + size:
                break
            found += self._report()
            frame = self._take(HEADER_SIZE + size)
            found.append(
                Frame(offset=self._offset - len(frame), payload_type=payload_type, payload=frame[HEADER_SIZE:])
            )
        return found

    def lose(self, size: int) -> None:
        """The next `size` octets of the stream are missing (0: nobody knows how many), and so the frame they are in."""
        self._searching = f"{size or 'some'} octets were not captured"
        self._pass_over(len(self._buffer), self._searching)
        if size:
            self._note(self._searching, offset=self._offset, missing=size)
        self._offset += size

    def flush(self) -> list[Cut]:
        """The end of the stream: what is left is no whole frame."""
        self._pass_over(len(self._buffer), self._searching or "the stream ends within this frame")
        return self._report()

    def _at_header(self) -> bool:
        """Whether the buffer starts with a whole header; passes over what is none."""
        if not self._searching:
            self._searching = self._fault()
        if self._searching:
            at = find_header(self._buffer)
            # Without a header, the last octets may be the beginning of one.
            self._pass_over(at if at >= 0 else max(len(self._buffer) - HEADER_SIZE + 1, 0), self._searching)
            if at < 0:
                return False
            self._searching = ""
        return len(self._buffer) >= HEADER_SIZE

    def _fault(self) -> str:
        """Why the buffer does not start with a header."""
        if self._buffer[:2] != VERSION[: len(self._buffer)]:
            return f"no V2GTP header: {bytes(self._buffer[:2]).hex()} instead of {VERSION.hex()}"
        if len(self._buffer) >= HEADER_SIZE and (size := _HEADER.unpack_from(self._buffer)[2]) > MAX_PAYLOAD:
            return f"the V2GTP header announces {size} octets, {MAX_PAYLOAD} are allowed"
        return ""

    def _pass_over(self, size: int, reason: str) -> None:
        if size:
            self._note(reason, offset=self._offset, octets=bytes(self._buffer[:size]))
            self._take(size)

    def _take(self, size: int) -> bytes:
        octets = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._offset += size
        return octets

    def _note(self, reason: str, *, offset: int, octets: bytes = b"", missing: int = 0) -> None:
        so_far = self._unframed or Unframed(offset=offset, reason=reason)
        self._unframed = replace(
            so_far,
            size=so_far.size + len(octets) + missing,
            missing=so_far.missing + missing,
            start=so_far.start + octets[: SHOWN - len(so_far.start)],
        )

    def _report(self) -> list[Cut]:
        unframed, self._unframed = self._unframed, None
        return [] if unframed is None else [unframed]
