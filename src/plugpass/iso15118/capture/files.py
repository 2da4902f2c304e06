"""Capture files of any kind we read."""

from __future__ import annotations

from collections.abc import Iterator

from plugpass.errors import PeerError
from plugpass.iso15118.capture import pcap, pcapng
from plugpass.iso15118.capture.pcap import Packet, Secrets
from plugpass.iso15118.capture.source import Source


class NotACapture(PeerError):
    """The octets are no capture file of a kind we read."""


def is_capture(start: bytes) -> bool:
    """Whether a file that starts with these (at least four) octets is a capture."""
    return start[:4] == pcapng.MAGIC or start[:4] in pcap.MAGICS


def read_capture(source: Source) -> Iterator[Packet | Secrets]:
    """The packets of a capture file, one after the other, and the TLS secrets in it.

    Raises NotACapture at once where it is none; the iterator raises DamagedCapture where the file breaks off.
    """
    start = source.peek(4)
    if start == pcapng.MAGIC:
        return pcapng.read(source)
    if start in pcap.MAGICS:
        return pcap.read(source)
    raise NotACapture(f"neither pcap nor pcapng: it starts with {start.hex() or 'nothing'}")
