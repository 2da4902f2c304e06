"""Client credentials and bearer tokens: what is stored of them, and how they are compared.

Secrets are stored as salted scrypt hashes. Bearer tokens are 256 random bits, so a plain SHA-256 keeps them as safe at
rest, and lets them be found by their hash.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Final

TOKEN_LIFETIME: Final = timedelta(hours=24)
TOKEN_SIZE: Final = 32

_SALT_SIZE: Final = 16
_COST: Final = 2**14  # 16 MiB and some 30 ms: once per token, which lives 24 hours


def hash_secret(secret: str, *, random: Callable[[int], bytes]) -> str:
    """`salt$hash`, both hex, of a client secret."""
    salt = random(_SALT_SIZE)
    return f"{salt.hex()}${_scrypt(secret, salt).hex()}"


def secret_matches(secret: str, stored: str | None) -> bool:
    """Whether `secret` is the one hashed as `stored`; takes as long where there is no such client (None)."""
    salt, _, digest = (stored or f"{bytes(_SALT_SIZE).hex()}$").partition("$")
    return hmac.compare_digest(_scrypt(secret, bytes.fromhex(salt)).hex(), digest)


def new_token(*, random: Callable[[int], bytes]) -> str:
    """A bearer token (RFC 6750 §2.1 b64token)."""
    return base64.urlsafe_b64encode(random(TOKEN_SIZE)).rstrip(b"=").decode()


def token_digest(token: str) -> str:
    """What is stored of a token, and what it is looked up by."""
    return hashlib.sha256(token.encode()).hexdigest()


def _scrypt(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=_COST, r=8, p=1, dklen=32, maxmem=64 * 1024 * 1024)
