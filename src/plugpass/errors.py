"""Error roots. Two questions decide the class: who is wrong, and what does the wire answer?

`LocalError`: we are wrong (misuse, configuration, our own state); nothing is answered to a peer.
`PeerError`: the other side broke a rule; `wire` names the answer its protocol provides for that.

Packages derive their own errors from these two; the edge that owns the connection maps `wire` to bytes, once.
"""

from __future__ import annotations


class PlugpassError(Exception):
    """Root of every error plugpass raises on purpose. The text is one line: what happened, why, what to do."""


class LocalError(PlugpassError):
    """We are wrong: a misuse of an API, a bad configuration, or state of our own that does not fit."""


class ConfigurationError(LocalError):
    """A setting is missing or unusable; the text names the setting and a value that would work."""


class PeerError(PlugpassError):
    """The other side broke a rule of its protocol.

    `wire` is the protocol's own name for the answer: an ISO 15118 response code such as
    `FAILED_SignatureError`, an HTTP status such as `403`, an OCPP error code such as `FormatViolation`.
    It is empty where the protocol answers by closing the connection.
    """

    def __init__(self, message: str, *, wire: str = "") -> None:
        super().__init__(message)
        self.wire = wire


class Unavailable(PlugpassError):
    """A party or responder that we need cannot be reached or did not answer in time. It is never taken for a yes."""
