"""EVCC: contract certificate, payment details, authorization."""

from __future__ import annotations

from dataclasses import replace

from plugpass.errors import LocalError, PeerError
from plugpass.iso15118.contract import certificate_chain
from plugpass.iso15118.iso2.chains import judge_installation, root_ids
from plugpass.iso15118.iso2.config import EvccConfig
from plugpass.iso15118.iso2.evcc_charging import charge_parameter_request
from plugpass.iso15118.iso2.evcc_session import Context, Giveup, Session, Step
from plugpass.iso15118.iso2.events import (
    Authorized,
    ContractExpiresSoon,
    ContractInstalled,
    ContractRefused,
    InstallationFailed,
)
from plugpass.iso15118.iso2.flow import Phase
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.messages.iso2 import EVSEProcessing, ResponseCode
from plugpass.pki.profiles import RootType

SIGNED_ID = "id1"
"""Id of the one signed element of a request."""

# --- contract certificate -------------------------------------------------------------------------------------------


def installation_request(session: Session, config: EvccConfig) -> Step:
    """Ask for a contract certificate, signed with the provisioning key."""
    if config.oem is None:
        raise LocalError("a contract certificate cannot be installed without a provisioning certificate")
    return Step(
        session=session,
        request=iso2.CertificateInstallationReq(
            id=SIGNED_ID,
            oem_provisioning_cert=config.oem.chain[0],
            list_of_root_certificate_ids=root_ids(config.anchors.of_type(RootType.V2G)),
        ),
        signer=config.oem.signer,
    )


def certificate_installation(session: Session, response: iso2.CertificateInstallationRes, context: Context) -> Step:
    """Check the delivered contract completely, then go on with it."""
    config = context.config
    if config.oem is None:
        raise LocalError("a contract certificate cannot be installed without a provisioning certificate")
    try:
        contract = judge_installation(
            response,
            context.header.signature,
            oem=config.oem,
            anchors=config.anchors,
            at=config.wall_clock(),
            ignore_emaid_check_digit=config.ignore_emaid_check_digit,
        )
    except PeerError as error:
        return without_installation(session, error.wire or ResponseCode.FAILED, str(error))
    session = replace(session, phase=Phase.PAYMENT_DETAILS, contract=contract, installing=False)
    return replace(payment_details_request(session), events=(ContractInstalled(contract=contract),))


def without_installation(session: Session, code: str, reason: str) -> Step:
    """Go on with the contract the vehicle already has, where it has one."""
    event = InstallationFailed(response_code=code, reason=reason)
    if session.contract is None:
        raise Giveup(f"no contract certificate could be installed ({code}: {reason})", event)
    return replace(payment_details_request(replace(session, installing=False)), events=(event,))


# --- payment details and authorization ------------------------------------------------------------------------------


def payment_details_request(session: Session) -> Step:
    """Show the contract."""
    if session.contract is None:
        raise LocalError("payment details need a contract")
    return Step(
        session=session,
        request=iso2.PaymentDetailsReq(
            emaid=str(session.contract.emaid),
            contract_signature_cert_chain=certificate_chain(session.contract.chain),
        ),
    )


def payment_details(session: Session, response: iso2.PaymentDetailsRes, context: Context) -> Step:
    """Sign the challenge with the contract's key."""
    expires_soon = response.response_code is ResponseCode.OK_CERTIFICATE_EXPIRES_SOON
    session = replace(session, phase=Phase.AUTHORIZATION, challenge=response.gen_challenge)
    return replace(_authorization_request(session), events=(ContractExpiresSoon(),) if expires_soon else ())


def authorization(session: Session, response: iso2.AuthorizationRes, context: Context) -> Step:
    """Go on once the station has decided; until then ask again, at the configured pace."""
    if response.evse_processing is not EVSEProcessing.FINISHED:
        return replace(_authorization_request(session), delay=context.config.ongoing_interval, ongoing=True)
    session = replace(session, phase=Phase.CHARGE_PARAMETERS)
    return replace(charge_parameter_request(session, context.config), events=(Authorized(),))


def contract_refused(session: Session, request: str, code: ResponseCode) -> Giveup:
    """What follows from a refusal of the contract."""
    return Giveup(
        f"the contract is refused with {code} to {request}", ContractRefused(request=request, response_code=code)
    )


def _authorization_request(session: Session) -> Step:
    if session.contract is None or session.challenge is None:
        return Step(session=session, request=iso2.AuthorizationReq())
    return Step(
        session=session,
        request=iso2.AuthorizationReq(id=SIGNED_ID, gen_challenge=session.challenge),
        signer=session.contract.signer,
    )
