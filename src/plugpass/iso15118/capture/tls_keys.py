"""TLS secrets of an NSS key log, and the keys that follow from them (RFC 5246 §5 and §6.3, RFC 8446 §7)."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Final

LABELS: Final = frozenset(
    {
        "CLIENT_RANDOM",  # TLS 1.2: the master secret
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
    }
)
MAX_LINE = 512  #: characters; the longest line of a key log has about 200


class KeyLog:
    """Secrets by label and client random. Never shows them."""

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        self._secrets: dict[tuple[str, bytes], bytes] = {}
        self.add(lines)

    def add(self, lines: Iterable[bytes]) -> int:
        """Take up the lines of a key log; how many held a secret we can use. All others are passed over."""
        found = 0
        for line in lines:
            if len(line) > MAX_LINE or len(parts := line.split()) != 3:
                continue
            try:
                label, client_random, secret = parts[0].decode("ascii"), _unhex(parts[1]), _unhex(parts[2])
            except ValueError:
                continue
            if label in LABELS and len(client_random) == 32:
                self._secrets[label, client_random] = secret
                found += 1
        return found

    def secret(self, label: str, client_random: bytes) -> bytes | None:
        """The secret, None if the log has not got it."""
        return self._secrets.get((label, client_random))

    def __len__(self) -> int:
        return len(self._secrets)

    def __repr__(self) -> str:
        return f"KeyLog({len(self)} secrets)"


def _unhex(text: bytes) -> bytes:
    return bytes.fromhex(text.decode("ascii"))


def prf(hash_name: str, secret: bytes, label: bytes, seed: bytes, size: int) -> bytes:
    """The pseudorandom function of TLS 1.2 (RFC 5246 §5)."""
    seed = label + seed
    octets, chained = b"", seed
    while len(octets) < size:
        chained = hmac.digest(secret, chained, hash_name)
        octets += hmac.digest(secret, chained + seed, hash_name)
    return octets[:size]


def expand_label(hash_name: str, secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446 §7.1)."""
    full = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes((len(full),)) + full + b"\0"
    octets, block, counter = b"", b"", 1
    while len(octets) < size:
        block = hmac.digest(secret, block + info + bytes((counter,)), hash_name)
        octets += block
        counter += 1
    return octets[:size]
