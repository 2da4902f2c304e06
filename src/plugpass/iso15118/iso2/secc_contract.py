"""SECC: contract certificates and authorization."""

from __future__ import annotations

import hmac
from dataclasses import replace
from functools import partial

from plugpass.errors import LocalError, PeerError
from plugpass.exi import decode
from plugpass.iso15118.contract import chain_certificates
from plugpass.iso15118.iso2.chains import Contract, judge_contract
from plugpass.iso15118.iso2.events import (
    AuthorizationRequested,
    ContractInstallationRequested,
    ExternalAuthorizationRequested,
)
from plugpass.iso15118.iso2.flow import RESPONSE_OF, Phase
from plugpass.iso15118.iso2.secc_session import Context, Hold, Outcome, Question, Refused, Reply, Session
from plugpass.iso15118.iso2.verdicts import in_authorization
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.messages.iso2 import EVSEProcessing, PaymentOption, ResponseCode
from plugpass.iso15118.sap import ISO2
from plugpass.iso15118.signature import verify_body

CHALLENGE_SIZE = 16
"""Octets of GenChallenge `[V2G2-697]`."""

AUTHORIZATION_HOLD = 0.5
"""Share of the performance time an AuthorizationRes waits for a verdict before it says Ongoing.

Waiting saves the vehicle the polling; the other half is for the network and for slow vehicles.
"""

CertificateReq = iso2.CertificateInstallationReq | iso2.CertificateUpdateReq
CertificateRes = iso2.CertificateInstallationRes | iso2.CertificateUpdateRes

# --- contract certificates ------------------------------------------------------------------------------------------


def certificate_installation(session: Session, request: iso2.CertificateInstallationReq, context: Context) -> Hold:
    """Relay the request to the backend, unread, and wait for the answer."""
    return _relay(session, request, context)


def certificate_update(session: Session, request: iso2.CertificateUpdateReq, context: Context) -> Hold:
    """Relay the request to the backend, unread, and wait for the answer."""
    return _relay(session, request, context)


def _relay(session: Session, request: CertificateReq, context: Context) -> Hold:
    until = context.now + context.config.timing.of(type(request).__name__).performance
    event = ContractInstallationRequested(
        request_id=context.next_id,
        exi=context.exi,
        namespace=ISO2.namespace,
        action="Install" if isinstance(request, iso2.CertificateInstallationReq) else "Update",
        deadline=until,
    )
    return Hold(
        session=replace(session, installation=Question(request_id=context.next_id)),
        resume=partial(_relayed, request),
        until=until,
        events=(event,),
    )


def _relayed(request: CertificateReq, session: Session, context: Context) -> Reply:
    """The backend's response in the vehicle's session: the header changes, the signed body does not."""
    question = session.installation
    if question is None or not question.answered:
        raise Refused(ResponseCode.FAILED, "the backend did not answer in time")
    if not question.answer:
        raise Refused(ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE, "the backend has no contract certificate")
    message = _decoded(question.answer)
    body = message.body.element
    if not isinstance(body, CertificateRes) or type(body) is not RESPONSE_OF[type(request)]:
        raise Refused(ResponseCode.FAILED, f"the backend answered with a {type(body).__name__}")
    positive = not body.response_code.startswith("FAILED")
    return Reply(
        response=body,
        session=replace(session, installation=None, phase=Phase.PAYMENT_DETAILS if positive else session.phase),
        header=message.header,
    )


def _decoded(exi: bytes) -> iso2.V2GMessage:
    try:
        message = decode("iso2", exi)
    except PeerError as error:
        raise Refused(ResponseCode.FAILED, f"the backend's response is unreadable: {error}") from None
    if not isinstance(message, iso2.V2GMessage):
        raise Refused(ResponseCode.FAILED, "the backend's response is no V2G_Message")
    return message


# --- payment details ------------------------------------------------------------------------------------------------


def payment_details(session: Session, request: iso2.PaymentDetailsReq, context: Context) -> Hold:
    """Judge the contract here, then ask the backend about it.

    The backend is asked now and not with AuthorizationReq: the codes that tell a revoked from an expired or cancelled
    contract belong to this response, and it has 4.5 s where AuthorizationRes has 1.5 s.
    """
    chain = chain_certificates(request.contract_signature_cert_chain)
    contract = judge_contract(request.emaid, chain, context.config)
    until = context.now + context.config.timing.of("PaymentDetailsReq").performance
    event = AuthorizationRequested(
        request_id=context.next_id,
        emaid=contract.emaid,
        chain=contract.chain,
        validated=contract.validated,
        deadline=until,
    )
    return Hold(
        session=replace(session, contract=contract, authorization=Question(request_id=context.next_id)),
        resume=partial(_payment_decided, contract),
        until=until,
        events=(event,),
    )


def _payment_decided(contract: Contract, session: Session, context: Context) -> Reply:
    """Refuse with the backend's verdict; where there is none yet, go on and let AuthorizationRes wait for it."""
    code = _verdict(session)
    if code is not None and code is not ResponseCode.OK:
        raise Refused(code, "the backend refuses the contract")
    challenge = context.random(CHALLENGE_SIZE)
    if len(challenge) != CHALLENGE_SIZE:
        raise LocalError("the random source gave a short GenChallenge; pass a cryptographically secure one")
    return Reply(
        response=iso2.PaymentDetailsRes(
            response_code=(ResponseCode.OK_CERTIFICATE_EXPIRES_SOON if contract.expires_soon else ResponseCode.OK),
            gen_challenge=challenge,
            evse_time_stamp=int(context.config.wall_clock().timestamp()),
        ),
        session=replace(session, phase=Phase.AUTHORIZATION, challenge=challenge),
    )


# --- authorization --------------------------------------------------------------------------------------------------


def authorization(session: Session, request: iso2.AuthorizationReq, context: Context) -> Outcome:
    """Let the vehicle prove that it holds the contract's key, then wait for the verdict."""
    if session.payment_option is PaymentOption.EXTERNAL_PAYMENT:
        return _external_authorization(session, context)
    if not session.proven:
        _check_proof(session, request, context)
        # [V2G2-684]: the vehicle need not sign again while the answer is Ongoing.
        timing = context.config.timing
        session = replace(session, proven=True, ongoing_until=context.now + timing.ongoing_timeout)
    if _verdict(session) is not None:
        return _authorization_decided(session, context)
    until = context.now + context.config.timing.of("AuthorizationReq").performance * AUTHORIZATION_HOLD
    if session.ongoing_until is not None:
        until = min(until, session.ongoing_until)
    return Hold(session=session, resume=_authorization_decided, until=until)


def _check_proof(session: Session, request: iso2.AuthorizationReq, context: Context) -> None:
    contract, challenge = session.contract, session.challenge
    if contract is None or challenge is None:
        raise Refused(ResponseCode.FAILED_CHALLENGE_INVALID, "no challenge has been given")
    if request.gen_challenge is None or not hmac.compare_digest(request.gen_challenge, challenge):  # [V2G2-475]
        raise Refused(ResponseCode.FAILED_CHALLENGE_INVALID, "GenChallenge is not the one of PaymentDetailsRes")
    verify_body(request, context.header.signature, contract.public_key)


def _authorization_decided(session: Session, context: Context) -> Reply:
    code = _verdict(session)
    if code is None:
        if session.ongoing_until is not None and context.now >= session.ongoing_until:
            raise Refused(ResponseCode.FAILED, "the backend gave no verdict within the ongoing timeout")
        return _authorization_res(session, EVSEProcessing.ONGOING)
    if code is not ResponseCode.OK:
        raise Refused(in_authorization(code), f"the backend refuses the contract: {code}")
    return _authorization_res(replace(session, phase=Phase.CHARGE_PARAMETERS), EVSEProcessing.FINISHED)


def _external_authorization(session: Session, context: Context) -> Reply:
    if session.authorization is None:
        return _authorization_res(
            replace(session, authorization=Question(request_id=context.next_id)),
            EVSEProcessing.ONGOING_WAITING_FOR_CUSTOMER_INTERACTION,
            ExternalAuthorizationRequested(request_id=context.next_id),
        )
    if _verdict(session) is ResponseCode.OK:  # [V2G2-856]
        return _authorization_res(replace(session, phase=Phase.CHARGE_PARAMETERS), EVSEProcessing.FINISHED)
    # A refused customer may try another card: -2 keeps waiting [V2G2-854].
    return _authorization_res(session, EVSEProcessing.ONGOING_WAITING_FOR_CUSTOMER_INTERACTION)


def _authorization_res(session: Session, processing: EVSEProcessing, *events: ExternalAuthorizationRequested) -> Reply:
    response = iso2.AuthorizationRes(response_code=ResponseCode.OK, evse_processing=processing)
    return Reply(response=response, session=session, events=events)


def _verdict(session: Session) -> ResponseCode | None:
    question = session.authorization
    if question is None or not question.answered:
        return None
    return ResponseCode(question.answer)
