"""A captured TLS connection: who is there, what was negotiated, and, with a key log, what was said.

Works on streams that have holes: behind one, the next record is found by trying which one authenticates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from plugpass.iso15118.capture import tls_handshake as handshake
from plugpass.iso15118.capture.tls_alerts import ALERTS, FATAL
from plugpass.iso15118.capture.tls_keys import KeyLog
from plugpass.iso15118.capture.tls_records import (
    SUITES_12,
    SUITES_13,
    BadRecord,
    Protection,
    Protection13,
    Suite,
    protections_12,
)

HEADER_SIZE = 5
MAX_FRAGMENT = (1 << 14) + 2048  #: octets of a record (RFC 5246 §6.2.3)
MAX_TRIES = 256  #: sequence numbers tried behind a hole
_SMALLEST_RECORD = HEADER_SIZE + 17
_MISSED = 4  # records under new keys of which nothing may have told
_WARNING = 1

_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA = 20, 21, 22, 23


@dataclass(frozen=True, slots=True)
class Opened:
    """Application data in the clear."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Hidden:
    """`size` octets of the connection that stay closed, and why; some application data may be among them."""

    size: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiated:
    """The server's choice; `keys` says whether the key log has the secrets."""

    version: str
    suite: str
    keys: bool


@dataclass(frozen=True, slots=True)
class Presented:
    """The certificates that this side sent: DER, leaf first."""

    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerted:
    """An alert, by its name."""

    name: str
    fatal: bool


Seen = Opened | Hidden | Negotiated | Presented | Alerted


def starts_record(octets: bytes | bytearray, at: int = 0) -> bool:
    """Whether a TLS record may start there; at least its header is needed."""
    if len(octets) < at + HEADER_SIZE:
        return False
    size = int.from_bytes(octets[at + 3 : at + 5], "big")
    known = _CHANGE_CIPHER_SPEC <= octets[at] <= _APPLICATION_DATA and octets[at + 1] == 3 and octets[at + 2] <= 4
    return known and 0 < size <= MAX_FRAGMENT


@dataclass(slots=True)
class _Side:
    """What one end sends. Records are under `current`; `pending` is what it changes to."""

    buffer: bytearray = field(default_factory=bytearray)
    messages: bytearray = field(default_factory=bytearray)  # handshake messages; they may cross records
    current: Protection | None = None
    pending: Protection | None = None
    protected: bool = False  # whether all records are, as after a ChangeCipherSpec of TLS 1.2
    sequence: int = 0
    tries: int = 0  # how many records may be missing; 0: none is
    passed: int = 0  # octets passed over while searching

    def change(self) -> None:
        """Go on to the pending keys."""
        self.current, self.pending, self.sequence, self.protected = self.pending, None, 0, True


class TlsConnection:
    """Both directions of one connection, numbered 0 and 1 by the caller."""

    def __init__(self, keys: KeyLog) -> None:
        self._keys = keys
        self._sides = (_Side(), _Side())
        self.client: int | None = None  #: which side sent the ClientHello, None before it
        self._client_random = b""
        self._version = 0
        self._closed = "the capture has not got the TLS handshake"  # why there are no keys

    def receive(self, side: int, data: bytes) -> list[Seen]:
        """What the next octets of a side tell."""
        self._sides[side].buffer += data
        return list(self._records(side))

    def lose(self, side: int, size: int) -> list[Seen]:
        """The next `size` octets of a side were not captured."""
        state = self._sides[side]
        lost = size + len(state.buffer)
        state.buffer.clear()
        state.messages.clear()
        state.tries = min(max(state.tries, 1) + lost // _SMALLEST_RECORD + 1, MAX_TRIES)
        return [Hidden(lost, f"{size} octets were not captured")]

    def flush(self, side: int) -> list[Seen]:
        """The end of what a side sent."""
        state = self._sides[side]
        left = state.passed + len(state.buffer)
        state.buffer.clear()
        state.passed = 0
        return [Hidden(left, "the stream ends within this TLS record")] if left else []

    # --- records ----------------------------------------------------------------------------------------------------

    def _records(self, side: int) -> Iterator[Seen]:
        state = self._sides[side]
        buffer = state.buffer
        while len(buffer) >= HEADER_SIZE:
            if state.tries == 0 and not starts_record(buffer):
                state.tries = MAX_TRIES
            if state.tries and not self._search(state):
                return
            if state.passed:
                yield Hidden(state.passed, "no TLS records")
                state.passed = 0
            size = HEADER_SIZE + int.from_bytes(buffer[3:5], "big")
            if len(buffer) < size:
                return
            record = bytes(buffer[:size])
            del buffer[:size]
            yield from self._record(side, record[:HEADER_SIZE], record[HEADER_SIZE:])

    def _search(self, state: _Side) -> bool:
        """Pass over octets up to the next record; whether there is one. Sets the sequence number to it."""
        buffer = state.buffer
        while len(buffer) >= HEADER_SIZE:
            if starts_record(buffer):
                size = HEADER_SIZE + int.from_bytes(buffer[3:5], "big")
                if len(buffer) < size:
                    return False
                if self._find_sequence(state, bytes(buffer[:HEADER_SIZE]), bytes(buffer[HEADER_SIZE:size])):
                    state.tries = 0
                    return True
            del buffer[:1]
            state.passed += 1
        return False

    def _find_sequence(self, state: _Side, header: bytes, fragment: bytes) -> bool:
        """Whether it is the next record but for up to `tries` that are missing."""
        if not state.protected and header[0] != _APPLICATION_DATA:
            return True  # there is nothing to tell by
        if state.current is None and state.pending is None:
            return True
        for protection, start in ((state.current, state.sequence), (state.pending, 0)):
            for sequence in range(start, start + state.tries):
                if _open(protection, header, fragment, sequence) is not None:
                    if protection is not state.current:
                        state.change()
                    state.sequence = sequence
                    return True
        return False

    def _record(self, side: int, header: bytes, fragment: bytes) -> Iterator[Seen]:
        state = self._sides[side]
        kind = header[0]
        if kind == _CHANGE_CIPHER_SPEC:
            if self._version != handshake.TLS_1_3:  # there it only pleases middleboxes (RFC 8446 §D.4)
                state.change()
            return
        if state.protected or kind == _APPLICATION_DATA:
            opened = self._open(state, header, fragment)
            if opened is None:
                if kind == _APPLICATION_DATA or not self._closed:
                    yield Hidden(len(header) + len(fragment), self._closed or "TLS records do not authenticate")
                return
            kind, fragment = opened
        if kind == _HANDSHAKE:
            yield from self._handshake(side, fragment)
        elif kind == _ALERT and len(fragment) == 2 and fragment[0] in (_WARNING, FATAL):
            yield Alerted(name=ALERTS.get(fragment[1], f"alert {fragment[1]}"), fatal=fragment[0] == FATAL)
        elif kind == _APPLICATION_DATA and fragment:
            yield Opened(fragment)

    def _open(self, state: _Side, header: bytes, fragment: bytes) -> tuple[int, bytes] | None:
        """Content type and content. The change to the pending keys may have been missed."""
        opened = _open(state.current, header, fragment, state.sequence)
        for sequence in range(_MISSED) if opened is None else ():
            opened = _open(state.pending, header, fragment, sequence)
            if opened is not None:
                state.change()
                state.sequence = sequence
                break
        state.sequence += 1
        return opened

    # --- handshake --------------------------------------------------------------------------------------------------

    def _handshake(self, side: int, fragment: bytes) -> Iterator[Seen]:
        state = self._sides[side]
        messages = state.messages
        messages += fragment
        while len(messages) >= 4:
            size = 4 + int.from_bytes(messages[1:4], "big")
            if size > handshake.MAX_MESSAGE:
                messages.clear()
                return
            if len(messages) < size:
                return
            kind, body = messages[0], bytes(messages[4:size])
            del messages[:size]
            try:
                yield from self._message(side, kind, body)
            except handshake.MalformedHandshake as error:
                yield Hidden(size, str(error))

    def _message(self, side: int, kind: int, body: bytes) -> Iterator[Seen]:
        state = self._sides[side]
        if kind == handshake.CLIENT_HELLO:
            self.client = side
            self._client_random = handshake.client_random(body)
        elif kind == handshake.SERVER_HELLO:
            hello = handshake.server_hello(body)
            self._version = hello.version
            if not hello.retry:
                self.client = 1 - side
                yield self._derive(hello)
        elif kind == handshake.CERTIFICATE:
            yield Presented(handshake.certificates(body, self._version))
        elif kind == handshake.FINISHED and self._version == handshake.TLS_1_3:
            state.change()
        elif kind == handshake.KEY_UPDATE and state.current is not None:
            state.current, state.sequence = state.current.updated(), 0

    def _derive(self, hello: handshake.ServerHello) -> Negotiated:
        """Take note of the server's choice, and make the keys if their secrets are known."""
        modern = hello.version == handshake.TLS_1_3
        suites, derive = (SUITES_13, self._derive_13) if modern else (SUITES_12, self._derive_12)
        suite = suites.get(hello.suite)
        version = handshake.VERSIONS.get(hello.version, f"TLS version {hello.version:04x}")
        name = f"cipher suite {hello.suite:04x}" if suite is None else suite.name
        if suite is None or hello.version not in (handshake.TLS_1_2, handshake.TLS_1_3):
            self._closed = f"records of {version} with {name} cannot be opened here"
        elif not self._client_random:
            self._closed = "the capture has not got the ClientHello"
        elif not derive(suite, hello):
            self._closed = f"the key log has no secret of this connection (client random {self._client_random.hex()})"
        else:
            self._closed = ""
        return Negotiated(version=version, suite=name, keys=not self._closed)

    def _derive_12(self, suite: Suite, hello: handshake.ServerHello) -> bool:
        master = self._keys.secret("CLIENT_RANDOM", self._client_random)
        if master is None:
            return False
        client, server = self._client_and_server()
        client.pending, server.pending = protections_12(
            suite, master, self._client_random, hello.random, encrypt_then_mac=hello.encrypt_then_mac
        )
        return True

    def _derive_13(self, suite: Suite, _hello: handshake.ServerHello) -> bool:
        for side, name in zip(self._client_and_server(), ("CLIENT", "SERVER"), strict=True):
            secrets = (
                self._keys.secret(f"{name}_HANDSHAKE_TRAFFIC_SECRET", self._client_random),
                self._keys.secret(f"{name}_TRAFFIC_SECRET_0", self._client_random),
            )
            side.current, side.pending = (Protection13(suite, secret) if secret else None for secret in secrets)
            side.sequence = 0
        return all(side.pending is not None for side in self._sides)

    def _client_and_server(self) -> tuple[_Side, _Side]:
        client = self.client or 0
        return self._sides[client], self._sides[1 - client]


def _open(protection: Protection | None, header: bytes, fragment: bytes, sequence: int) -> tuple[int, bytes] | None:
    if protection is None:
        return None
    try:
        return protection.open(header, fragment, sequence)
    except BadRecord:
        return None
