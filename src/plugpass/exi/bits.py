"""Bits in, bits out. Octet runs are moved as one integer shift, never bit by bit."""

from __future__ import annotations

from plugpass.exi.errors import Fault

WINDOW = 96
"""Octets loaded at a time: enough that most reads need no load, small enough that a shift of the window is cheap."""

FLUSH_AT = 8 * WINDOW

MAX_INTEGER_BITS = 4096
"""Cap on an unbounded integer: far above any certificate serial number, low enough that summing it up stays cheap."""


class BitReader:
    """Reads a bit-packed stream from its first bit. Running off the end is a `Fault`."""

    __slots__ = ("_data", "_left", "_loaded", "_window")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._loaded = 0  # octets of data taken into the window
        self._window = 0  # its lowest _left bits are not read yet
        self._left = 0

    @property
    def position(self) -> int:
        """Bits read so far."""
        return 8 * self._loaded - self._left

    @property
    def remaining(self) -> int:
        """Bits not read yet."""
        return 8 * (len(self._data) - self._loaded) + self._left

    def bits(self, count: int) -> int:
        """The next `count` bits as an unsigned number."""
        left = self._left - count
        if left < 0:
            self._load(count)
            left = self._left - count
        self._left = left
        return (self._window >> left) & ((1 << count) - 1)

    def _load(self, count: int) -> None:
        if count > self.remaining:
            raise Fault("the stream ends here")
        chunk = self._data[self._loaded : self._loaded + max(WINDOW, (count + 7) // 8)]
        unread = self._window & ((1 << self._left) - 1)
        self._window = (unread << (8 * len(chunk))) | int.from_bytes(chunk)
        self._left += 8 * len(chunk)
        self._loaded += len(chunk)

    def octets(self, count: int) -> bytes:
        """The next `count` octets, wherever in an octet they start."""
        if 8 * count > self.remaining:
            raise Fault("the stream ends here")
        return self.bits(8 * count).to_bytes(count)

    def ascii(self, count: int) -> str | None:
        """The next `count` octets as text if they are all below 128; else None, and nothing is read."""
        before = self._left, self._loaded, self._window
        octets = self.octets(count)
        if octets.isascii():
            return octets.decode("ascii")
        self._left, self._loaded, self._window = before
        return None

    def unsigned(self, limit: int | None) -> int:
        """An EXI unsigned integer: groups of 7 bits, least significant first (EXI 7.1.6).

        `limit` is the largest value of the type; it bounds the number of groups, not the value.
        """
        octet = self.bits(8)
        if octet < 0x80:
            return octet
        value = octet & 0x7F
        most = MAX_INTEGER_BITS if limit is None else limit.bit_length()
        shift = 7
        while octet >= 0x80:
            if shift >= most:
                raise Fault("the integer has more digits than its type allows")
            octet = self.bits(8)
            value |= (octet & 0x7F) << shift
            shift += 7
        return value

    def finish(self) -> None:
        """Check that nothing but padding follows: fewer than 8 bits, all zero."""
        rest = self.remaining
        if rest >= 8:
            raise Fault(f"{rest} bits follow the end of the document")
        if self.bits(rest):
            raise Fault("the padding is not zero")


class BitWriter:
    """Writes a bit-packed stream."""

    __slots__ = ("_count", "_done", "_pending")

    def __init__(self) -> None:
        self._done = bytearray()
        self._pending = 0
        self._count = 0  # bits in _pending

    def bits(self, value: int, count: int) -> None:
        """Append `count` bits; `value` must fit."""
        self._pending = (self._pending << count) | value
        self._count += count
        if self._count > FLUSH_AT:
            self._flush()

    def octets(self, data: bytes) -> None:
        """Append octets, wherever in an octet the stream stands."""
        self.bits(int.from_bytes(data), 8 * len(data))

    def unsigned(self, value: int) -> None:
        """Append an EXI unsigned integer."""
        while value >= 0x80:
            self.bits(0x80 | (value & 0x7F), 8)
            value >>= 7
        self.bits(value, 8)

    def _flush(self) -> None:
        keep = self._count & 7
        self._done += (self._pending >> keep).to_bytes(self._count >> 3)
        self._pending &= (1 << keep) - 1
        self._count = keep

    def finish(self) -> bytes:
        """The stream, padded with zero bits to a whole octet."""
        self.bits(0, -self._count & 7)
        self._flush()
        return bytes(self._done)
