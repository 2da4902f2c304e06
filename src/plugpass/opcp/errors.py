"""The one error shape of the pools: an HTTP status and messages for the client."""

from __future__ import annotations

from collections.abc import Iterable

from plugpass.errors import PeerError


class OpcpError(PeerError):
    """A pool refuses a request; `status` is the HTTP status, `messages` go into the body's `errorMessages`."""

    def __init__(self, status: int, messages: str | Iterable[str]) -> None:
        self.status = status
        # The protocol wants at least one message, and each only once.
        self.messages = (messages,) if isinstance(messages, str) else tuple(dict.fromkeys(messages))
        super().__init__("; ".join(self.messages), wire=str(status))


def bad_request(message: str) -> OpcpError:
    """400: the request itself is wrong."""
    return OpcpError(400, message)


def unauthorized(message: str) -> OpcpError:
    """401: no valid token."""
    return OpcpError(401, message)


def forbidden(message: str) -> OpcpError:
    """403: a valid token of somebody without this right."""
    return OpcpError(403, message)


def not_found(message: str) -> OpcpError:
    """404: the pool has nothing of that name."""
    return OpcpError(404, message)
