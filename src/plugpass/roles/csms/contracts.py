"""Contracts at the CSMS: installation relayed (M01, M02), authorization decided (C07), OCSP proxied (M06)."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

import structlog

from plugpass.clock import Clock
from plugpass.errors import PlugpassError, Unavailable
from plugpass.ids import EMAID, InvalidIdentifier
from plugpass.ocpp.enums import (
    AuthorizationStatus,
    AuthorizeCertificateStatus,
    IdTokenType,
    Iso15118EVCertificateStatus,
)
from plugpass.ocpp.messages import (
    MAX_EXI_RESPONSE,
    MAX_OCSP_RESULT,
    AuthorizeRequest,
    AuthorizeResponse,
    Get15118EVCertificateRequest,
    Get15118EVCertificateResponse,
    GetCertificateStatusRequest,
    GetCertificateStatusResponse,
    IdTokenInfo,
    StatusInfo,
)
from plugpass.ocpp.rules import ChainFinding, contract_verdict
from plugpass.pki import ocsp
from plugpass.pki.certificate import parse
from plugpass.ports.charging import Authorizer, ContractProvider
from plugpass.ports.stations import AuthorizationRecord, StationRegistry
from plugpass.roles.csms.certificates import StationCertificates
from plugpass.roles.csms.links import StationLink
from plugpass.roles.csms.revocation import Query, StatusChecker
from plugpass.roles.csms.roots import Roots
from plugpass.roles.csms.verification import Assessment, ContractVerifier

log = structlog.get_logger(__name__)

_ACCEPTED, _FAILED = Iso15118EVCertificateStatus.ACCEPTED, Iso15118EVCertificateStatus.FAILED
_MAX_REASON: Final = 1000
_MAX_VERDICTS: Final = 10_000
_VERDICT_MAX_AGE: Final = timedelta(minutes=10)  #: a transaction begins soon after its authorization


def _status_info(code: str, text: str) -> StatusInfo:
    return StatusInfo(reason_code=code, additional_info=text[:512])


class ContractInstallation:
    """Get15118EVCertificate: hands the vehicle's request to a contract pool, unread, and its answer back."""

    def __init__(self, provider: ContractProvider, *, budget: float) -> None:
        self._provider = provider
        self._budget = budget

    async def deliver(self, link: StationLink, request: Get15118EVCertificateRequest) -> Get15118EVCertificateResponse:
        """Always answers within the budget: the vehicle waits 4.5 s and no longer."""
        try:
            exi = await self._ask(request)
        except (binascii.Error, ValueError):
            return self._failed(link, "InvalidExiRequest", "exiRequest is not base64")
        except TimeoutError:
            return self._failed(link, "PoolTimeout", f"the contract pool did not answer within {self._budget:g} s")
        except Unavailable as error:
            return self._failed(link, "PoolUnavailable", str(error))
        except PlugpassError as error:
            return self._failed(link, "PoolRefused", str(error))
        answer = base64.b64encode(exi).decode()
        if not answer or len(answer) > MAX_EXI_RESPONSE:
            text = f"the pool's answer has {len(answer)} characters, OCPP carries 1 to {MAX_EXI_RESPONSE}"
            return self._failed(link, "ExiResponseSize", text)
        log.info("csms.contract_delivered", station=link.identity, action=request.action.value, octets=len(exi))
        return Get15118EVCertificateResponse(status=_ACCEPTED, exi_response=answer)

    async def _ask(self, request: Get15118EVCertificateRequest) -> bytes:
        exi = base64.b64decode(request.exi_request, validate=True)
        async with asyncio.timeout(self._budget):
            return await self._provider.deliver(exi, request.iso15118_schema_version)

    def _failed(self, link: StationLink, code: str, text: str) -> Get15118EVCertificateResponse:
        log.warning("csms.contract_not_delivered", station=link.identity, code=code, cause=text)
        return Get15118EVCertificateResponse(status=_FAILED, exi_response="", status_info=_status_info(code, text))


class ContractAuthorization:
    """Authorize: the contract chain is verified, then the eMSP is asked; the pair of verdicts is recorded."""

    def __init__(
        self,
        registry: StationRegistry,
        verifier: ContractVerifier,
        authorizer: Authorizer,
        roots: Roots,
        *,
        clock: Clock,
        budget: float,
    ) -> None:
        self._registry = registry
        self._verifier = verifier
        self._authorizer = authorizer
        self._roots = roots
        self._clock = clock
        self._budget = budget
        self._verdicts: OrderedDict[tuple[str, EMAID], tuple[AuthorizationStatus, datetime]] = OrderedDict()

    async def authorize(self, link: StationLink, request: AuthorizeRequest) -> AuthorizeResponse:
        """The verdict of C07 on an eMAID; other kinds of token are unknown here."""
        if request.id_token.type is not IdTokenType.EMAID:
            return AuthorizeResponse(id_token_info=IdTokenInfo(status=AuthorizationStatus.UNKNOWN))
        try:
            emaid = EMAID.parse(request.id_token.id_token)
        except InvalidIdentifier as error:
            assessment = Assessment(finding=ChainFinding.NOT_VERIFIABLE, causes=("emaid-malformed",), text=str(error))
            return await self._answer(link, "", assessment, AuthorizationStatus.INVALID)
        assessment = await self._verifier.assess(
            emaid,
            certificate=request.certificate,
            hash_data=request.iso15118_certificate_hash_data or (),
            anchors=await self._roots.anchors(),
            at=self._clock.now(),
        )
        token = AuthorizationStatus.INVALID
        if assessment.finding is ChainFinding.VALID:
            token, text = await self.token_status(emaid)
            assessment = Assessment(finding=assessment.finding, causes=(f"emsp-{token}",), text=text)
            self._remember(link.identity, emaid, token)
        return await self._answer(link, str(emaid), assessment, token)

    async def known_status(self, station: str, emaid: EMAID) -> tuple[AuthorizationStatus, str]:
        """The verdict of the station's latest Authorize for the contract, or where there is none lately, the eMSP's."""
        status, at = self._verdicts.get((station, emaid), (AuthorizationStatus.UNKNOWN, None))
        if at is not None and at <= self._clock.now() < at + _VERDICT_MAX_AGE:
            return status, "as authorized before"
        return await self.token_status(emaid)

    def _remember(self, station: str, emaid: EMAID, status: AuthorizationStatus) -> None:
        self._verdicts[station, emaid] = status, self._clock.now()
        self._verdicts.move_to_end((station, emaid))
        while len(self._verdicts) > _MAX_VERDICTS:
            self._verdicts.popitem(last=False)

    async def token_status(self, emaid: EMAID) -> tuple[AuthorizationStatus, str]:
        """The eMSP's word on the contract, with a text for people.

        An eMSP that cannot be asked is no yes; it is no cancelled contract either, which a vehicle would throw away:
        so NotAtThisTime.
        """
        try:
            async with asyncio.timeout(self._budget):
                status = await self._authorizer.authorize(emaid)
        except TimeoutError:
            return AuthorizationStatus.NOT_AT_THIS_TIME, f"the eMSP did not answer within {self._budget:g} s"
        except PlugpassError as error:
            return AuthorizationStatus.NOT_AT_THIS_TIME, f"the eMSP cannot be asked: {error}"
        return status, f"the eMSP answers {status}"

    async def _answer(
        self, link: StationLink, emaid: str, assessment: Assessment, token: AuthorizationStatus
    ) -> AuthorizeResponse:
        certificate_status, token_status = contract_verdict(assessment.finding, token)
        # The eMAID names a person, so it is in the record and not in the log.
        accepted = certificate_status is AuthorizeCertificateStatus.ACCEPTED and token_status is _TOKEN_OK
        (log.info if accepted else log.warning)(
            "csms.authorize",
            station=link.identity,
            certificate_status=certificate_status.value,
            token_status=token_status.value,
            causes=[str(cause) for cause in assessment.causes],
        )
        await self._registry.record_authorization(
            AuthorizationRecord(
                station=link.identity,
                emaid=emaid,
                certificate_status=certificate_status,
                token_status=token_status,
                reason=assessment.text[:_MAX_REASON],
                at=self._clock.now(),
            )
        )
        return AuthorizeResponse(id_token_info=IdTokenInfo(status=token_status), certificate_status=certificate_status)


_TOKEN_OK = AuthorizationStatus.ACCEPTED


class OcspProxy:
    """GetCertificateStatus: fetches OCSP responses for a station's own chains, which it staples (M06)."""

    def __init__(self, certificates: StationCertificates, statuses: StatusChecker, roots: Roots) -> None:
        self._certificates = certificates
        self._statuses = statuses
        self._roots = roots

    async def status(self, link: StationLink, request: GetCertificateStatusRequest) -> GetCertificateStatusResponse:
        """The verified response, whatever status it states; Failed where there is none (M06.FR.08).

        Only certificates in the station's own chains are asked for, at the responder they name themselves: the URL in
        the request is no address to fetch from on somebody's word.
        """
        data = request.ocsp_request_data
        try:
            cert_id = ocsp.CertId.from_hex(
                issuer_name_hash=data.issuer_name_hash,
                issuer_key_hash=data.issuer_key_hash,
                serial_number=data.serial_number,
                hash_algorithm=data.hash_algorithm.value,
            )
        except ocsp.MalformedOcsp as error:
            return self._failed(link, "InvalidHashData", str(error))
        query = await self._query(link.identity, cert_id)
        if query is None:
            return self._failed(link, "UnknownCertificate", "no certificate of this station has these hash data")
        answer = (await self._statuses.ask([query]))[query]
        if answer.response is None:
            return self._failed(link, "NoOcspResponse", answer.text)
        result = base64.b64encode(answer.response).decode()
        if len(result) > MAX_OCSP_RESULT:
            text = f"the response has {len(result)} characters, OCPP carries {MAX_OCSP_RESULT}"
            return self._failed(link, "OcspResultSize", text)
        return GetCertificateStatusResponse(status=_ACCEPTED, ocsp_result=result)

    async def _query(self, station: str, cert_id: ocsp.CertId) -> Query | None:
        roots = [anchor.certificate for anchor in (await self._roots.anchors()).anchors]
        for chain in await self._certificates.chains(station):
            certificates = [parse(encoded) for encoded in chain]
            for child in certificates:
                issuers = [ca for ca in (*certificates, *roots) if ca.subject.key == child.issuer.key]
                for issuer in issuers:
                    url = ocsp.ocsp_url(child)
                    if url and ocsp.same_certificate(ocsp.cert_id(child, issuer), cert_id, issuer):
                        return Query(cert_id=cert_id, issuer=issuer, url=url, cacheable=False)
        return None

    def _failed(self, link: StationLink, code: str, text: str) -> GetCertificateStatusResponse:
        log.warning("csms.ocsp_not_relayed", station=link.identity, code=code, cause=text)
        return GetCertificateStatusResponse(status=_FAILED, status_info=_status_info(code, text))
