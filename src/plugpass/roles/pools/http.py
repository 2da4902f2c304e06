"""The pools' routes: OPCP 1.0 paths, bodies and status codes."""

from __future__ import annotations

import binascii

from fastapi import APIRouter, Request, Response

from plugpass.net.opcp_http import OpcpGate, error_response, json_response, read_json
from plugpass.opcp import bodies
from plugpass.opcp.certificates import (
    certificate_field,
    emaid_field,
    hex_serial,
    key_identifier,
    octets_field,
    organization,
    pcid_field,
    timestamp,
    to_field,
)
from plugpass.opcp.errors import bad_request
from plugpass.opcp.namespaces import require_served
from plugpass.opcp.rights import Right
from plugpass.pki.certificate import Certificate, parse
from plugpass.ports.contracts import HeldContract, ProvisioningEntry, RootEntry
from plugpass.ports.contracts import RootType as RootTypeName
from plugpass.roles.pools.contracts import ContractCertificatePool, Undeliverable
from plugpass.roles.pools.provisioning import ProvisioningCertificatePool
from plugpass.roles.pools.roots import RootCertificatePool

_ROOT_TYPES: dict[str, RootTypeName] = {"v2g": "V2G", "mo": "MO", "oem": "OEM", "pe": "PE"}


# --- root certificate pool ------------------------------------------------------------------------------------------


def root_routes(gate: OpcpGate, pool: RootCertificatePool) -> APIRouter:
    """RCP: list, one, add, delete."""
    router = APIRouter(prefix="/v1/root/rootCerts")

    @router.get("")
    async def list_roots(request: Request, rootType: str | None = None) -> Response:
        await gate.account(request, Right.ROOTS_READ)
        roots = await pool.list(None if rootType is None else _root_type(rootType))
        content = bodies.RootCertificates(root_certificates=tuple(map(_root_body, roots)))
        return json_response(bodies.RootCollection(collection=content))

    @router.get("/{root_id}")
    async def one_root(request: Request, root_id: str) -> Response:
        await gate.account(request, Right.ROOTS_READ)
        return json_response(bodies.RootResponse(root=_root_body(await pool.find(root_id))))

    @router.put("")
    async def add_root(request: Request) -> Response:
        await gate.account(request, Right.ROOTS_WRITE)
        body = await read_json(request, bodies.RootCertificate)
        certificate = certificate_field(body.ca_certificate, "caCertificate")
        entry = await pool.add(certificate, _root_type(body.root_type), gate.now())
        return json_response(bodies.RootResponse(root=_root_body(entry)))

    @router.delete("/{root_id}")
    async def delete_root(request: Request, root_id: str) -> Response:
        await gate.account(request, Right.ROOTS_WRITE)
        await pool.delete(root_id)
        return Response()

    return router


def _root_type(text: str) -> RootTypeName:
    if text.lower() not in _ROOT_TYPES:
        raise bad_request("rootType : must be one of MO, V2G, OEM, PE")
    return _ROOT_TYPES[text.lower()]


def _root_body(entry: RootEntry) -> bodies.RootCertificate:
    certificate = parse(entry.certificate)
    return bodies.RootCertificate(
        ca_certificate=to_field(entry.certificate),
        root_type=entry.root_type,
        root_certificate_id=entry.root_id,
        distinguished_name=str(certificate.subject),
        common_name=certificate.common_name,
        root_authority_key_identifier=key_identifier(certificate),
        root_issuer_serial_number=hex_serial(certificate),
        valid_from=timestamp(certificate.not_before),
        valid_to=timestamp(certificate.not_after),
        organization_name=organization(certificate),
        fingerprint=certificate.fingerprint,
    )


# --- provisioning certificate pool ----------------------------------------------------------------------------------


def provisioning_routes(gate: OpcpGate, pool: ProvisioningCertificatePool) -> APIRouter:
    """PCP: publish, deliver, look up, withdraw."""
    router = APIRouter(prefix="/v1/oem/provCerts")

    @router.put("")
    async def publish(request: Request) -> Response:
        account = await gate.account(request, Right.PROVISIONING_WRITE)
        body = await read_json(request, bodies.ProvisioningCertificate)
        require_served(body.xsd_msg_def_namespace)
        certificate = certificate_field(body.vehicle_certificate, "vehicleCertificate")
        subs = ((body.sub_ca2_certificate, "subCa2Certificate"), (body.sub_ca1_certificate, "subCa1Certificate"))
        sub_cas = tuple(certificate_field(text, field) for text, field in subs if text)
        entry, root = await pool.publish(account, certificate, sub_cas, body.xsd_msg_def_namespace)
        return json_response(_provisioning_body(entry, root))

    @router.get("/lookupVehicle/{pcid}")
    async def lookup(request: Request, pcid: str) -> Response:
        account = await gate.account(request, Right.PROVISIONING_READ)
        await pool.lookup(account, pcid_field(pcid))
        return Response()

    @router.get("/{pcid}")
    async def deliver(request: Request, pcid: str) -> Response:
        account = await gate.account(request, Right.PROVISIONING_READ)
        entry, root = await pool.deliver(account, pcid_field(pcid))
        return json_response(bodies.OemMessage(message=_provisioning_body(entry, root)))

    @router.delete("/{pcid}")
    async def withdraw(request: Request, pcid: str) -> Response:
        account = await gate.account(request, Right.PROVISIONING_WRITE)
        await pool.withdraw(account, pcid_field(pcid))
        return Response()

    return router


def _provisioning_body(entry: ProvisioningEntry, root: Certificate) -> bodies.ProvisioningCertificateData:
    return bodies.ProvisioningCertificateData(
        vehicle_certificate=to_field(entry.certificate),
        sub_ca1_certificate=to_field(entry.sub_cas[-1]),
        sub_ca2_certificate=to_field(entry.sub_cas[0]) if len(entry.sub_cas) > 1 else "",
        xsd_msg_def_namespace=entry.namespace,
        root_issuer_distinguished_name=str(root.subject),
        root_issuer_serial_number=hex_serial(root),
        root_authority_key_identifier=key_identifier(root),
        fingerprint=parse(entry.certificate).fingerprint,
    )


# --- contract certificate pool --------------------------------------------------------------------------------------


def contract_routes(gate: OpcpGate, pool: ContractCertificatePool, roots: RootCertificatePool) -> APIRouter:
    """CCP: by the vehicle's request, add, delete, for the maker, default, look-ups."""
    router = APIRouter(prefix="/v1/ccp")

    @router.post("/signedContractData")
    async def by_request(request: Request) -> Response:
        account = await gate.account(request, Right.CONTRACT_BY_REQUEST)
        body = await read_json(request, bodies.InstallationRequest)
        require_served(body.xsd_msg_def_namespace)
        exi = octets_field(body.certificate_installation_req, "certificateInstallationReq")
        try:
            delivery = await pool.deliver(account, exi)
        except Undeliverable as refusal:
            refused = error_response(request, refusal.status, refusal.messages)
            if request.headers.get("alwaysReturnEXI", "true").lower() == "false":
                return refused
            return json_response(_ccp_body(refusal.exi), refusal.status)
        # 200, not 201: existing CSMS take nothing else for a success.
        return json_response(_ccp_body(delivery.exi, delivery.contract))

    @router.put("/signedContractData")
    async def add(request: Request) -> Response:
        await gate.account(request, Right.CONTRACT_WRITE)
        body = await read_json(request, bodies.SignedContractData)
        require_served(body.xsd_msg_def_namespace)
        xml = octets_field(body.signed_contract_data_xml, "signedContractDataXML")
        await pool.add(emaid_field(body.emaid), pcid_field(body.pcid), xml)
        return Response(status_code=201)

    @router.delete("/signedContractData/{emaid}")
    async def delete(request: Request, emaid: str) -> Response:
        account = await gate.account(request, Right.CONTRACT_DELETE)
        await pool.delete(account, emaid_field(emaid))
        return Response()

    @router.get("/lookupContract/{emaid}")
    async def lookup(request: Request, emaid: str) -> Response:
        account = await gate.account(request, Right.CONTRACT_LOOKUP)
        return await _list_response(await pool.lookup(account, emaid_field(emaid)), roots)

    @router.get("/signedContractData/{pcid}")
    async def of_vehicle(request: Request, pcid: str) -> Response:
        account = await gate.account(request, Right.CONTRACT_BY_PCID)
        return await _list_response(await pool.of_vehicle(account, pcid_field(pcid)), roots)

    @router.post("/signedContractData/{pcid}/{emaid}/default")
    async def set_default(request: Request, pcid: str, emaid: str) -> Response:
        account = await gate.account(request, Right.CONTRACT_BY_PCID)
        await pool.set_default(account, pcid_field(pcid), emaid_field(emaid))
        return Response()

    @router.get("/provideSignedContractData/{emaid}/{pcid}")
    async def provide(request: Request, emaid: str, pcid: str, sessionID: str = "") -> Response:
        account = await gate.account(request, Right.CONTRACT_BY_PCID)
        session_id = _session_id(sessionID) if sessionID else None
        delivery = await pool.provide(account, emaid_field(emaid), pcid_field(pcid), session_id)
        return json_response(
            bodies.ProvideResponse(
                certificate_installation_res=to_field(delivery.exi),
                xsd_msg_def_namespace=delivery.contract.namespace,
                fingerprint=delivery.contract.cps_root,
            )
        )

    return router


def _session_id(text: str) -> bytes:
    try:
        octets = binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        octets = b""
    if not 1 <= len(octets) <= 8:
        raise bad_request("Invalid SessionID format: 1 to 8 octets in hexadecimal.")
    return octets


def _ccp_body(exi: bytes, contract: HeldContract | None = None) -> bodies.CcpResponse:
    message = bodies.MessageDef(
        certificate_installation_res=to_field(exi),
        emaid="" if contract is None else str(contract.emaid),
        fingerprint="" if contract is None else contract.cps_root,
    )
    return bodies.CcpResponse(response=bodies.CcpContent(emaid_content=(bodies.EmaidContent(message_def=message),)))


async def _list_response(contracts: tuple[HeldContract, ...], roots: RootCertificatePool) -> Response:
    items = [_item(contract, await roots.by_fingerprint(contract.cps_root)) for contract in contracts]
    return json_response(bodies.ContractList(contracts=tuple(items)))


def _item(contract: HeldContract, root: Certificate | None) -> bodies.ContractItem:
    return bodies.ContractItem(
        pcid=contract.pcid.value,
        emaid=str(contract.emaid),
        xsd_msg_def_namespace=contract.namespace,
        contract_certificate=to_field(contract.certificate),
        default_contract=contract.default,
        cert_valid_from=timestamp(contract.not_before),
        cert_valid_to=timestamp(contract.not_after),
        root_dn="" if root is None else str(root.subject),
        fingerprint=contract.cps_root,
    )
