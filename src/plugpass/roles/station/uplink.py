"""The station's way to its CSMS, as the parts of the OCPP backend see it."""

from __future__ import annotations

from typing import Protocol, TypeVar

from plugpass.ocpp.messages import Request, Response

ResponseT = TypeVar("ResponseT", bound=Response)


class Uplink(Protocol):
    """Where calls to the CSMS go."""

    @property
    def online(self) -> bool:
        """Whether the connection is open now."""
        ...

    async def call(
        self,
        request: Request[ResponseT],
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # counts from the sending, which a caller's own cannot know
    ) -> ResponseT:
        """The CSMS's answer. Raises Unavailable, or a PeerError where the CSMS refuses or breaks the schema."""
        ...
