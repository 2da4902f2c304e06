"""OCPI 2.2.1 real-time authorization, eMSP side: may this contract charge now?"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC
from typing import Final

import msgspec
import structlog
from fastapi import FastAPI, Request, Response

from plugpass.clock import Clock
from plugpass.ids import EMAID, InvalidIdentifier, pseudonym
from plugpass.ports.contracts import ContractRecord, ContractRegistry, ContractState

log = structlog.get_logger(__name__)

_SUCCESS: Final = 1000
_CLIENT_ERROR: Final = 2000
_INVALID_PARAMETERS: Final = 2001
_UNKNOWN_TOKEN: Final = 2004


def ocpi_app(
    registry: ContractRegistry, country: str, provider: str, tokens: Mapping[str, str], clock: Clock
) -> FastAPI:
    """The app; `tokens` maps each operator that may ask to its OCPI token."""
    app = FastAPI(title="plugpass eMSP", openapi_url=None, docs_url=None, redoc_url=None)
    digests = {name: _digest(token) for name, token in tokens.items()}

    def answer(http_status: int, status: int, message: str, data: object = None) -> Response:
        envelope = {
            "status_code": status,
            "status_message": message,
            "timestamp": clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if data is not None:
            envelope["data"] = data
        return Response(msgspec.json.encode(envelope), http_status, media_type="application/json")

    @app.post("/ocpi/emsp/2.2.1/tokens/{uid}/authorize")
    async def authorize(request: Request, uid: str, type: str = "RFID") -> Response:
        """Real-time authorization; the uid of a contract is its EMAID and its token type OTHER."""
        party = _party(request.headers.get("authorization", ""), digests)
        if party is None:
            log.warning("ocpi.request_refused", cause="unknown credentials token")
            return answer(401, _CLIENT_ERROR, "the credentials token is not known")
        try:
            emaid = EMAID.parse(uid)
        except InvalidIdentifier as error:
            log.warning("ocpi.request_refused", cause=f"no EMAID: {error.problem}", party=party)
            return answer(404, _INVALID_PARAMETERS, "the token uid is no EMAID")
        record = await registry.find(emaid)
        if record is None or record.state is ContractState.PENDING or type != "OTHER":
            log.warning("ocpi.token_unknown", emaid=pseudonym(emaid), party=party)
            return answer(404, _UNKNOWN_TOKEN, "there is no such contract")
        allowed = _allowed(record, clock)
        log.info("ocpi.authorized", emaid=pseudonym(emaid), party=party, allowed=allowed)
        token = _token(record, country, provider)
        return answer(200, _SUCCESS, "Success", {"allowed": allowed, "token": token})

    return app


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _party(header: str, digests: Mapping[str, bytes]) -> str | None:
    """Who sends `Authorization: Token <base64 of the token>` (OCPI 2.2.1 §4.1.2)."""
    scheme, _, encoded = header.partition(" ")
    try:
        given = hashlib.sha256(base64.b64decode(encoded, validate=True)).digest()
    except (binascii.Error, ValueError):
        return None
    if scheme.lower() != "token":
        return None
    # All are compared, so that the time does not tell which one nearly matched.
    matching = [name for name, digest in digests.items() if hmac.compare_digest(given, digest)]
    return matching[0] if matching else None


def _allowed(record: ContractRecord, clock: Clock) -> str:
    if record.state is not ContractState.ACTIVE:
        return "BLOCKED"
    if record.not_after is None or record.not_after < clock.now():
        return "EXPIRED"
    return "ALLOWED"


def _token(record: ContractRecord, country: str, provider: str) -> dict[str, object]:
    return {
        "country_code": country,
        "party_id": provider,
        "uid": str(record.emaid),
        "type": "OTHER",
        "contract_id": str(record.emaid),
        "issuer": f"{country}{provider}",
        "valid": record.state is ContractState.ACTIVE,
        "whitelist": "NEVER",
        "last_updated": record.updated_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
