"""EST response bodies: base64 in the one form each client can read. Request bodies are read by `plugpass.pki.csr`."""

from __future__ import annotations

import base64
from enum import StrEnum


class Base64Form(StrEnum):
    """How a body is laid out. No single form satisfies every client (est.md §4)."""

    ONE_LINE = "one-line"  #: one line and a line feed: strongSwan fails on wrapped bodies
    WRAPPED = "wrapped"  #: 64 columns: libest fails on lines of more than 1024 characters


def form_for(user_agent: str) -> Base64Form:
    """The form that the client of this User-Agent can read; libest calls itself "EST client"."""
    return Base64Form.WRAPPED if "est client" in user_agent.lower() else Base64Form.ONE_LINE


def encode_body(der: bytes, form: Base64Form) -> bytes:
    """`der` as base64 in `form` (RFC 8951 §3: base64 whatever Content-Transfer-Encoding says)."""
    text = base64.b64encode(der)
    width = 64 if form is Base64Form.WRAPPED else max(len(text), 1)
    return b"".join(text[start : start + width] + b"\n" for start in range(0, len(text), width))
