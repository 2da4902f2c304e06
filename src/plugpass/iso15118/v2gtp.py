"""V2GTP framing: eight octets of header, then the payload (ISO 15118-2 §7.8.3, ISO 15118-20 §7.8.3). Sans-IO.

The header is version, inverse version, payload type and payload length, big endian. The payload type selects the EXI
schema of the payload, the namespace itself is nowhere in the octets.
"""

from __future__ import annotations

import struct
from enum import IntEnum

from plugpass.errors import LocalError, PeerError

PROTOCOL_VERSION = 0x01
HEADER_SIZE = 8  #: octets
MAX_PAYLOAD = 64 * 1024  #: octets; the largest real message, a -20 installation response, is far below it

_HEADER = struct.Struct(">BBHI")
_INVERSE_VERSION = PROTOCOL_VERSION ^ 0xFF


class PayloadType(IntEnum):
    """What a frame carries."""

    SAP = 0x8001  #: SupportedAppProtocol, and every EXI message of -2 and DIN SPEC 70121
    MAINSTREAM_20 = 0x8002
    AC_20 = 0x8003
    DC_20 = 0x8004
    ACDP_20 = 0x8005
    WPT_20 = 0x8006
    SDP_REQUEST = 0x9000
    SDP_RESPONSE = 0x9001


EXI_ISO2 = PayloadType.SAP  #: -2 and DIN share one payload type with SupportedAppProtocol


class V2gtpError(PeerError):
    """A header is wrong or announces too much; there is no answer for it, the connection is closed."""


def frame(payload_type: PayloadType, payload: bytes) -> bytes:
    """One whole V2GTP frame. Raises LocalError where `payload` is larger than `MAX_PAYLOAD`."""
    if len(payload) > MAX_PAYLOAD:
        raise LocalError(
            f"a V2GTP payload of {len(payload)} octets cannot be sent: the limit is {MAX_PAYLOAD}; shorten the message"
        )
    return _HEADER.pack(PROTOCOL_VERSION, _INVERSE_VERSION, payload_type, len(payload)) + payload


class FrameDecoder:
    """Cuts a byte stream into frames, whatever the split of TCP segments and TLS records.

    `max_payload` is in octets. After a V2gtpError the stream has lost its frame borders: the decoder refuses all
    further octets with the same error.
    """

    __slots__ = ("_buffer", "_error", "_max_payload")

    def __init__(self, *, max_payload: int = MAX_PAYLOAD) -> None:
        self._buffer = bytearray()
        self._max_payload = max_payload
        self._error: V2gtpError | None = None

    def receive(self, data: bytes) -> list[tuple[PayloadType, bytes]]:
        """The frames that `data` completes, in order.

        Raises V2gtpError on a wrong version, an unknown payload type or a length above the limit, judged from the
        header alone; frames completed before the error are lost with the connection.
        """
        if self._error is not None:
            raise self._error
        self._buffer += data
        frames: list[tuple[PayloadType, bytes]] = []
        try:
            while (head := _read_header(self._buffer, self._max_payload)) is not None:
                payload_type, end = head
                if len(self._buffer) < end:
                    break
                frames.append((payload_type, bytes(self._buffer[HEADER_SIZE:end])))
                del self._buffer[:end]
        except V2gtpError as error:
            self._error = error
            self._buffer.clear()
            raise
        return frames

    @property
    def pending(self) -> int:
        """Octets of an unfinished frame; a peer that closes now has cut a message in two."""
        return len(self._buffer)


def _read_header(buffer: bytearray, max_payload: int) -> tuple[PayloadType, int] | None:
    """Payload type and end of the frame at the start of `buffer`; None until the header is complete."""
    # The version is judged as soon as it is there: a peer that speaks something else entirely may never send eight.
    expected = bytes((PROTOCOL_VERSION, _INVERSE_VERSION))
    if buffer[:2] != expected[: len(buffer)]:
        raise V2gtpError(
            f"V2GTP header starts with {bytes(buffer[:2]).hex()} instead of {expected.hex()}: "
            "the peer does not speak V2GTP version 1"
        )
    if len(buffer) < HEADER_SIZE:
        return None
    _, _, type_code, length = _HEADER.unpack_from(buffer)
    if length > max_payload:
        raise V2gtpError(f"V2GTP header announces {length} octets, the limit is {max_payload}: frame refused unread")
    try:
        return PayloadType(type_code), HEADER_SIZE + length
    except ValueError:
        raise V2gtpError(f"V2GTP payload type 0x{type_code:04x} is unknown: frame refused") from None
