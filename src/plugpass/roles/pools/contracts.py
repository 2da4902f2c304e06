"""The contract certificate pool (CCP)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from plugpass.clock import Clock
from plugpass.errors import PeerError
from plugpass.exi import ExiDecodeError, from_xml
from plugpass.ids import EMAID, PCID, InvalidIdentifier, pseudonym
from plugpass.iso15118.contract import (
    NotAnInstallation,
    chain_certificates,
    failed_installation_response,
    read_installation_request,
    read_installation_response,
    to_exi,
    with_session_id,
)
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.signature import SignatureInvalid, verify_body, verify_installation
from plugpass.net.online_path import validate_online
from plugpass.opcp.errors import OpcpError, bad_request, not_found
from plugpass.opcp.rights import Account, require_contract, require_vehicle
from plugpass.opcp.rules import lists_root
from plugpass.pki.certificate import parse, public_key
from plugpass.pki.der import MalformedDer
from plugpass.pki.path import Policy, Verdict
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.charging import RevocationSource
from plugpass.ports.contracts import HeldContract, PoolStore
from plugpass.roles.pools.provisioning import ProvisioningCertificatePool
from plugpass.roles.pools.roots import RootCertificatePool

log = structlog.get_logger(__name__)

CONTRACT_NOT_FOUND = "The contract for the given EMAID not found."


class Undeliverable(OpcpError):
    """There is nothing for the vehicle that asks; `exi` tells it so in its own language, for its own session."""

    def __init__(self, status: int, message: str, code: iso2.ResponseCode, session_id: bytes) -> None:
        super().__init__(status, message)
        self.code = code
        self.exi = to_exi(failed_installation_response(code, session_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A CertificateInstallationRes for one vehicle's session."""

    contract: HeldContract
    exi: bytes


class ContractCertificatePool:
    """Signed contract data by EMAID and PCID."""

    def __init__(
        self,
        *,
        store: PoolStore,
        roots: RootCertificatePool,
        provisioning: ProvisioningCertificatePool,
        clock: Clock,
        policy: Policy,
        revocation: RevocationSource | None,
    ) -> None:
        self._store = store
        self._roots = roots
        self._provisioning = provisioning
        self._clock = clock
        self._policy = policy
        self._revocation = revocation

    # --- adding ---

    async def add(self, emaid: EMAID, pcid: PCID, xml: bytes) -> HeldContract:
        """Check and store signed contract data, the message as XML. Raises OpcpError 400, or 404 for the vehicle."""
        if await self._store.provisioning(pcid) is None:
            raise not_found("The OEM provisioning certificate with given PCID is not found.")
        message, response = _read_xml(xml)
        cps = await self._accept_signature(message, response)
        contract = await self._accept_contract(response, emaid)
        leaf = contract.path[0]
        held = await self._store.save_contract(
            HeldContract(
                emaid=emaid,
                pcid=pcid,
                exi=to_exi(message),
                certificate=leaf.encoded,
                cps_root=cps.path[-1].fingerprint,
                not_before=leaf.not_before,
                not_after=leaf.not_after,
                default=False,  # the store decides
                stored_at=self._clock.now(),
            )
        )
        log.info("pools.contract_stored", emaid=pseudonym(emaid), pcid=pseudonym(pcid), default=held.default)
        return held

    async def _accept_signature(self, message: iso2.V2GMessage, response: iso2.CertificateInstallationRes) -> Verdict:
        cps = await self._validate(
            chain_certificates(response.sa_provisioning_certificate_chain),
            CertificateRole.CPS_LEAF,
            at=self._clock.now(),
        )
        if not cps.ok:
            raise bad_request(f"The certificate chain of the signer is not accepted: {cps.summary}")
        try:
            verify_installation(response, message.header.signature, public_key(cps.path[0].key.encoded))
        except SignatureInvalid as error:
            raise bad_request(f"The signed contract data are not signed by their signer: {error}") from None
        return cps

    async def _accept_contract(self, response: iso2.CertificateInstallationRes, emaid: EMAID) -> Verdict:
        if response.response_code is not iso2.ResponseCode.OK:
            raise bad_request(f"The signed contract data have the response code {response.response_code}.")
        chain = chain_certificates(response.contract_signature_cert_chain)
        now = self._clock.now()
        contract = await self._validate(chain, CertificateRole.CONTRACT, at=now, expected_cn=str(emaid))
        if contract.path and contract.path[0].not_after < now:
            raise bad_request("The validUntil date of contract certificate is in the past.")
        if not contract.ok:
            raise bad_request(f"The contract certificate chain is not accepted: {contract.summary}")
        if _emaid(response.emaid.value) != emaid:
            raise bad_request("emaid : does not match the eMAID of the signed contract data")
        return contract

    async def _validate(
        self, chain: tuple[bytes, ...], role: CertificateRole, *, at: datetime, expected_cn: str | None = None
    ) -> Verdict:
        return await validate_online(
            chain,
            role=role,
            anchors=await self._roots.anchors(),
            at=at,
            policy=self._policy,
            revocation=self._revocation,
            expected_cn=expected_cn,
        )

    # --- delivering ---

    async def deliver(self, account: Account, exi: bytes) -> Delivery:
        """The default contract of the vehicle whose CertificateInstallationReq this is, for the session it is in.

        Raises OpcpError 400 for octets that are no such request, and Undeliverable with the vehicle's own answer:
        unknown vehicle, wrong signature, no contract, or none signed under a root that the vehicle has.
        """
        try:
            message, request = read_installation_request(exi)
        except (ExiDecodeError, NotAnInstallation) as error:
            log.warning("pools.request_unreadable", cause=str(error), octets=len(exi))
            raise bad_request("EXI format is invalid!") from None
        session_id = message.header.session_id
        pcid = await self._authenticate(message, request)
        require_vehicle(account, pcid)
        contract = self._choose(await self._store.contracts_of(pcid), request, await self._roots_by_fingerprint())
        if isinstance(contract, str):
            raise Undeliverable(404, contract, iso2.ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE, session_id)
        log.info("pools.contract_delivered", emaid=pseudonym(contract.emaid), pcid=pseudonym(pcid))
        return Delivery(contract=contract, exi=for_session(contract, session_id))

    async def _authenticate(self, message: iso2.V2GMessage, request: iso2.CertificateInstallationReq) -> PCID:
        """The vehicle, proven by its signature with the key of the provisioning certificate in the pool."""
        session_id = message.header.session_id
        codes = iso2.ResponseCode
        try:
            pcid = PCID.parse(parse(request.oem_provisioning_cert).common_name)
        except (MalformedDer, InvalidIdentifier) as error:
            problem = f"The provisioning certificate of the request is unusable: {error}"
            raise Undeliverable(400, problem, codes.FAILED_CERT_CHAIN_ERROR, session_id) from None
        entry = await self._store.provisioning(pcid)
        if entry is None:
            problem = "The OEM provisioning certificate with given PCID is not found."
            raise Undeliverable(404, problem, codes.FAILED_NO_CERTIFICATE_AVAILABLE, session_id)
        try:
            # Not the key of the certificate that came with the request: anybody can put a PCID into one.
            verify_body(request, message.header.signature, public_key(parse(entry.certificate).key.encoded))
        except SignatureInvalid as error:
            raise Undeliverable(400, str(error), codes.FAILED_SIGNATURE_ERROR, session_id) from None
        verdict = await self._provisioning.judge(entry)
        if not verdict.ok:
            raise Undeliverable(400, verdict.summary, codes(verdict.iso2_code), session_id)
        return pcid

    async def _roots_by_fingerprint(self) -> dict[str, bytes]:
        return {parse(entry.certificate).fingerprint: entry.certificate for entry in await self._roots.list("V2G")}

    def _choose(
        self,
        held: tuple[HeldContract, ...],
        request: iso2.CertificateInstallationReq,
        roots: dict[str, bytes],
    ) -> HeldContract | str:
        """The default contract's data whose signer the vehicle can verify, or why there is none."""
        defaults = [contract for contract in held if contract.default]
        if not defaults:
            return "There is no contract for this vehicle." if not held else "The vehicle has no default contract."
        now = self._clock.now()
        if not (valid := [contract for contract in defaults if contract.not_after >= now]):
            return "The contract certificate has expired."
        if not (valid := [contract for contract in valid if _signer_expires(contract) >= now]):
            return "The signer's certificate has expired: the mobility operator has to have the contract signed again."
        listed = [
            (entry.x509_issuer_name, entry.x509_serial_number)
            for entry in request.list_of_root_certificate_ids.root_certificate_id
        ]
        for contract in reversed(valid):
            root = roots.get(contract.cps_root)
            if root is not None and lists_root(listed, parse(root)):
                return contract
        return "No signed contract data are available under a V2G root that the vehicle lists."

    async def provide(self, account: Account, emaid: EMAID, pcid: PCID, session_id: bytes | None) -> Delivery:
        """Signed data for the maker's own channel to the vehicle. Raises OpcpError: 403, 404."""
        require_vehicle(account, pcid)
        for contract in await self._store.contract(emaid):
            if contract.pcid == pcid:
                exi = contract.exi if session_id is None else for_session(contract, session_id)
                return Delivery(contract=contract, exi=exi)
        raise not_found(CONTRACT_NOT_FOUND)

    # --- looking and deleting ---

    async def lookup(self, account: Account, emaid: EMAID) -> tuple[HeldContract, ...]:
        """What is held of the EMAID; nothing is no error."""
        require_contract(account, emaid)
        return await self._store.contract(emaid)

    async def of_vehicle(self, account: Account, pcid: PCID) -> tuple[HeldContract, ...]:
        """All contracts of the vehicle; none is no error."""
        require_vehicle(account, pcid)
        return await self._store.contracts_of(pcid)

    async def set_default(self, account: Account, pcid: PCID, emaid: EMAID) -> None:
        """Make it the vehicle's default. Raises OpcpError: 403, 404."""
        require_vehicle(account, pcid)
        if not await self._store.set_default(pcid, emaid):
            raise not_found(CONTRACT_NOT_FOUND)
        log.info("pools.default_chosen", emaid=pseudonym(emaid), pcid=pseudonym(pcid))

    async def delete(self, account: Account, emaid: EMAID) -> None:
        """Delete the contract's data; revoking is left to the operator, whose CA it is. Raises OpcpError 403, 404."""
        require_contract(account, emaid)
        if not await self._store.delete_contract(emaid):
            raise not_found(CONTRACT_NOT_FOUND)
        log.info("pools.contract_deleted", emaid=pseudonym(emaid))


def for_session(contract: HeldContract, session_id: bytes) -> bytes:
    """The message with another SessionID; the signature does not cover it."""
    message, _ = read_installation_response(contract.exi)
    return to_exi(with_session_id(message, session_id))


def _signer_expires(contract: HeldContract) -> datetime:
    """Until when a vehicle can accept the signature: the shell model asks for the whole chain of the CPS."""
    _, response = read_installation_response(contract.exi)
    return min(parse(one).not_after for one in chain_certificates(response.sa_provisioning_certificate_chain))


def _read_xml(xml: bytes) -> tuple[iso2.V2GMessage, iso2.CertificateInstallationRes]:
    try:
        message = from_xml("iso2", xml)
    except ExiDecodeError as error:
        raise bad_request(f"signedContractDataXML is no message of ISO 15118-2: {error}") from None
    if isinstance(message, iso2.V2GMessage) and isinstance(message.body.element, iso2.CertificateInstallationRes):
        return message, message.body.element
    raise bad_request("signedContractDataXML is no CertificateInstallationRes in a V2G_Message")


def _emaid(text: str) -> EMAID:
    try:
        return EMAID.parse(text)
    except PeerError as error:
        raise bad_request(f"emaid : {error}") from None
