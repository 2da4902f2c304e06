"""OCPI 2.2.1 real-time authorization, charge point operator's side: the eMSP's word on a contract."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import httpx
import msgspec

from plugpass.clock import Clock
from plugpass.errors import Unavailable
from plugpass.ids import EMAID
from plugpass.net.http_client import fetch
from plugpass.ports.charging import TokenStatus
from plugpass.ports.trace import NullTrace, Trace, WireEvent

PATH: Final = "/ocpi/emsp/2.2.1/tokens/{uid}/authorize"
SUCCESS: Final = 1000
UNKNOWN_TOKEN: Final = 2004

VERDICTS: Final[Mapping[str, TokenStatus]] = MappingProxyType(
    {
        "ALLOWED": TokenStatus.ACCEPTED,
        "BLOCKED": TokenStatus.BLOCKED,
        "EXPIRED": TokenStatus.EXPIRED,
        "NO_CREDIT": TokenStatus.NO_CREDIT,
        "NOT_ALLOWED": TokenStatus.NOT_AT_THIS_LOCATION,
    }
)


class _Authorization(msgspec.Struct, frozen=True):
    allowed: str = ""


class _Envelope(msgspec.Struct, frozen=True):
    status_code: int
    data: _Authorization = _Authorization()
    status_message: str = ""


class OcpiAuthorizer:
    """`Authorizer` over OCPI. `token` is the credentials token that the eMSP gave us."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        token: str,
        clock: Clock,
        actor: str = "csms",
        peer: str = "emsp",
        trace: Trace | None = None,
    ) -> None:
        self._http = http
        self._authorization = f"Token {base64.b64encode(token.encode()).decode()}"
        self._clock = clock
        self._actor = actor
        self._peer = peer
        self._trace: Trace = trace or NullTrace()

    async def authorize(self, emaid: EMAID) -> TokenStatus:
        """The eMSP's decision. Raises Unavailable where it gives none."""
        started = self._clock.monotonic()
        response = await fetch(
            self._http,
            "POST",
            PATH.format(uid=emaid),
            params={"type": "OTHER"},
            headers={"Authorization": self._authorization, "Content-Type": "application/json"},
            content=b"{}",
        )
        status = _verdict(response)
        self._trace.record(
            WireEvent(
                actor=self._actor,
                peer=self._peer,
                protocol="OCPI",
                message="POST tokens/{uid}/authorize",
                size=2 + len(response.content),
                ms=(self._clock.monotonic() - started) * 1000,
                ok=status is not None,
                detail=f"{emaid} {status or response.status_code}",
            )
        )
        if status is None:
            raise Unavailable(f"{response.request.url} answered {response.status_code} without a decision")
        return status


def _verdict(response: httpx.Response) -> TokenStatus | None:
    try:
        envelope = msgspec.json.decode(response.content, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if envelope.status_code == UNKNOWN_TOKEN:
        return TokenStatus.UNKNOWN
    if not response.is_success or envelope.status_code // SUCCESS != 1:
        return None
    return VERDICTS.get(envelope.data.allowed)
