"""The signing service's routes: OPCP 1.0 paths, bodies and status codes."""

from __future__ import annotations

from typing import Protocol

from fastapi import APIRouter, Request, Response

from plugpass.exi import to_xml
from plugpass.ids import EMAID
from plugpass.iso15118.contract import SealedKey, to_exi
from plugpass.iso15118.messages import iso2
from plugpass.net.opcp_http import OpcpGate, json_response, read_json
from plugpass.opcp import bodies
from plugpass.opcp.certificates import (
    certificate_field,
    emaid_field,
    octets_field,
    organization,
    pcid_field,
    timestamp,
    to_field,
)
from plugpass.opcp.errors import bad_request
from plugpass.opcp.namespaces import ISO2_NAMESPACE, require_served
from plugpass.opcp.rights import Right, require_contract
from plugpass.pki.certificate import Certificate, parse
from plugpass.ports.contracts import SignedContract
from plugpass.ports.keys import Credential


class SigningService(Protocol):
    """What the routes need of the service."""

    async def sign_message(self, emaid: EMAID, chain: tuple[bytes, ...], sealed: SealedKey) -> iso2.V2GMessage: ...

    async def store(self, signed: SignedContract) -> None: ...

    async def signer(self) -> tuple[Credential, Certificate]: ...


def signing_routes(gate: OpcpGate, service: SigningService) -> APIRouter:
    """Sign (and store where a PCID is given), list the signers."""
    router = APIRouter()

    @router.put("/v1/cps/contractData/signed")
    async def sign(request: Request) -> Response:
        account = await gate.account(request, Right.SIGN)
        body = await read_json(request, bodies.SignRequest)
        require_served(body.xsd_msg_def_namespace)
        emaid, chain, sealed = _contract_data(body.contract_data)
        require_contract(account, emaid)
        pcid = pcid_field(body.pcid) if body.pcid else None
        _, root = await service.signer()
        _require_root(body.fingerprint, root)
        message = await service.sign_message(emaid, chain, sealed)
        if pcid is not None:
            await service.store(SignedContract(emaid=emaid, pcid=pcid, exi=to_exi(message)))
        return json_response(_signed_body(message, emaid, body.pcid, root), 201)

    @router.get("/cps/signer")
    @router.get("/v1/cps/signer")
    async def signers(request: Request) -> Response:
        await gate.account(request, Right.SIGNERS_READ)
        credential, root = await service.signer()
        return json_response(bodies.CpsSigners(cps_certificates=(_signer_body(credential, root),)))

    return router


def _contract_data(data: bodies.ContractDataBody) -> tuple[EMAID, tuple[bytes, ...], SealedKey]:
    leaf = certificate_field(data.contract_certificate, "contractCertificate")
    subs = (
        (data.contract_sub_ca2_certificate, "contractSubCa2Certificate"),
        (data.contract_sub_ca1_certificate, "contractSubCa1Certificate"),
    )
    chain = (leaf.encoded, *(certificate_field(text, field).encoded for text, field in subs if text))
    key = octets_field(data.contract_signature_encrypted_private_key, "contractSignatureEncryptedPrivateKey")
    sealed = SealedKey(encrypted_private_key=key, dh_public_key=octets_field(data.dh_public_key, "dHpublickey"))
    # This body has no EMAID of its own: the contract certificate names it.
    return emaid_field(leaf.common_name), chain, sealed


def _require_root(fingerprint: str, root: Certificate) -> None:
    """Refuse a wish for another root; what has not the form of a SHA-256 is a pool's own id and says nothing here."""
    if len(fingerprint) == len(root.fingerprint) and fingerprint.lower() != root.fingerprint:
        raise bad_request("cpsV2GRootCertificateFingerprint : there is no signer under this V2G root")


def _signed_body(message: iso2.V2GMessage, emaid: EMAID, pcid: str, root: Certificate) -> bodies.SignResponse:
    return bodies.SignResponse(
        emaid=str(emaid),
        xsd_msg_def_namespace=ISO2_NAMESPACE,
        signed_data=to_field(to_xml("iso2", message).encode()),
        pcid=pcid,
        fingerprint=root.fingerprint,
        cps_root_distinguished_name=str(root.subject),
    )


def _signer_body(credential: Credential, root: Certificate) -> bodies.CpsSigner:
    leaf, *subs = (parse(certificate) for certificate in credential.chain)
    return bodies.CpsSigner(
        cps_distinguished_name=str(leaf.subject),
        cps_certificate=to_field(leaf.encoded),
        valid_from=timestamp(leaf.not_before),
        valid_to=timestamp(leaf.not_after),
        organization_name=organization(leaf),
        cps_sub_ca1_certificate=to_field(subs[-1].encoded),
        cps_sub_ca2_certificate=to_field(subs[0].encoded) if len(subs) > 1 else "",
        fingerprint=root.fingerprint,
        cps_root_distinguished_name=str(root.subject),
        xsd_msg_def_namespace=ISO2_NAMESPACE,
    )
