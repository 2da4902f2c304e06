"""Contract provisioning over its real wires: OPCP pools, CPS, eMSP, OCPI, all on loopback HTTPS."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from pki_factory import ROLE, mint_pki
from plugpass.errors import LocalError, PeerError, Unavailable
from plugpass.exi import to_xml
from plugpass.ids import EMAID, PCID
from plugpass.iso15118 import contract
from plugpass.iso15118.inspection import inspect_installation
from plugpass.iso15118.messages.iso2 import ResponseCode
from plugpass.opcp import bodies
from plugpass.opcp.certificates import to_field
from plugpass.opcp.errors import OpcpError
from plugpass.pki.certificate import parse, public_key
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.charging import TokenStatus
from plugpass.ports.contracts import ContractData, ContractState, ProvisioningEntry
from plugpass.ports.keys import Credential
from plugpass.providers.opcp import (
    OpcpContractPool,
    OpcpProvisioningPool,
    OpcpProvisioningService,
    OpcpRootPool,
)
from plugpass.roles.emsp import ContractRenewal
from plugpass.roles.emsp.service import NoVehicle, UnknownContract
from provisioning_support import (
    ACCOUNTS,
    ISO2_NAMESPACE,
    PCID_1,
    SESSION_ID,
    Ecosystem,
    ecosystem,
    installation_request,
)

CCP = "/v1/ccp/signedContractData"
PCP = "/v1/oem/provCerts"
CPS = "/v1/cps/contractData/signed"


@pytest.fixture
async def eco() -> AsyncIterator[Ecosystem]:
    async with ecosystem() as running:
        yield running


def code(exi: bytes) -> ResponseCode:
    return contract.read_installation_response(exi)[1].response_code


def error(response: httpx.Response) -> str:
    """The messages of an error answer, whose shape is checked on the way."""
    body = response.json()
    assert set(body) == {"errorMessages", "traceId"}
    assert len(body["traceId"]) == 36
    return "; ".join(body["errorMessages"])


def entry_of(credential: Credential, pcid: PCID = PCID_1) -> ProvisioningEntry:
    return ProvisioningEntry(pcid=pcid, certificate=credential.chain[0], sub_cas=credential.chain[1:])


# --- the whole way --------------------------------------------------------------------------------------------------


async def test_a_contract_travels_from_the_maker_to_the_vehicle(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    signed = await eco.emsp.conclude(PCID_1)
    exi = await OpcpContractPool(eco.session("csms")).deliver(eco.request(vehicle), ISO2_NAMESPACE)

    anchors = TrustAnchors.of(v2g=[eco.v2g.root], mo=[eco.mo.root])
    report = inspect_installation(exi, anchors=anchors, at=eco.clock.now())
    assert report.ok, report.findings
    assert report.session_id == SESSION_ID
    assert EMAID.parse(report.emaid) == signed.emaid
    assert signed.emaid.check_digit
    _, response = contract.read_installation_response(exi)
    leaf_key = public_key(report.contract.certificates[0].key.encoded)
    contract.open_iso2(contract.sealed_key(response), vehicle.signer, leaf_key)

    assert await eco.authorizer().authorize(signed.emaid) is TokenStatus.ACCEPTED
    told = {(event.actor, event.peer, event.message) for event in eco.trace.events if event.ok}
    assert told >= {
        ("oem", "pools", "PUT /v1/oem/provCerts"),
        ("emsp", "pools", "GET /v1/oem/provCerts/{pcid}"),
        ("emsp", "cps", "PUT /v1/cps/contractData/signed"),
        ("cps", "pools", "PUT /v1/ccp/signedContractData"),
        ("csms", "pools", "POST /v1/ccp/signedContractData"),
        ("csms", "emsp", "POST tokens/{uid}/authorize"),
    }


async def test_renewal_keeps_the_emaid_and_replaces_the_signed_data(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    first = await eco.emsp.conclude(PCID_1)
    renewal = ContractRenewal(eco.emsp)
    (item,) = await renewal.items()
    assert (item.kind, item.item_id) == ("contract", f"contract:{first.emaid}")
    await renewal.renew(item)
    (renewed,) = await renewal.items()
    assert renewed.item_id == item.item_id
    assert renewed.serial != item.serial
    csms = OpcpContractPool(eco.session("csms"))
    exi = await csms.deliver(eco.request(vehicle), ISO2_NAMESPACE)
    assert inspect_installation(exi).contract.certificates[0].serial == renewed.serial


async def test_a_revoked_contract_is_gone_everywhere_and_with_every_certificate(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    signed = await eco.emsp.conclude(PCID_1)
    await eco.emsp.renew(signed.emaid)
    await eco.emsp.revoke(signed.emaid, "customer moved")
    await eco.emsp.revoke(signed.emaid, "twice changes nothing")
    for certificate in await eco.registry.certificates(signed.emaid):
        record = await eco.mo.record_of(certificate)
        assert record is not None
        assert record.revocation_reason == "cessationOfOperation"
    exi = await OpcpContractPool(eco.session("csms")).deliver(eco.request(vehicle), ISO2_NAMESPACE)
    assert code(exi) is ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE
    assert await eco.authorizer().authorize(signed.emaid) is TokenStatus.BLOCKED
    (record_,) = await eco.emsp.contracts()
    assert (record_.state, record_.reason) == (ContractState.ENDED, "customer moved")
    assert await ContractRenewal(eco.emsp).items() == ()
    with pytest.raises(UnknownContract):
        await eco.emsp.renew(signed.emaid)
    with pytest.raises(UnknownContract):
        await eco.emsp.revoke(EMAID.create("DE", "PLU", "C99999999"), "never was")


async def test_what_was_interrupted_is_finished(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    eco.revocation.down = True
    with pytest.raises(OpcpError, match="revocation"):
        await eco.emsp.conclude(PCID_1)
    eco.revocation.down = False
    signed = await eco.emsp.conclude(PCID_1)
    (record,) = await eco.emsp.contracts()

    # As if killed between signing and remembering it, and between deciding to end and ending.
    await eco.registry.save(dataclasses.replace(record, state=ContractState.PENDING))
    assert (await eco.emsp.conclude(PCID_1)).emaid == signed.emaid
    await eco.registry.save(dataclasses.replace(record, state=ContractState.PENDING))
    assert await eco.authorizer().authorize(signed.emaid) is TokenStatus.UNKNOWN
    await eco.emsp.resume()
    assert [one.state for one in await eco.emsp.contracts()] == [ContractState.ACTIVE]
    (active,) = await eco.emsp.contracts()
    await eco.registry.save(dataclasses.replace(active, state=ContractState.ENDING))
    await OpcpContractPool(eco.session("emsp")).delete(signed.emaid)
    await eco.emsp.resume()
    assert [one.state for one in await eco.emsp.contracts()] == [ContractState.ENDED]
    exi = await OpcpContractPool(eco.session("csms")).deliver(eco.request(vehicle), ISO2_NAMESPACE)
    assert code(exi) is ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE


async def test_cps_enrols_once_is_listed_and_renews(eco: Ecosystem) -> None:
    (item,) = await eco.cps.credential.items()
    await eco.cps.start()
    assert await eco.cps.credential.items() == (item,)
    await eco.cps.credential.renew(item)
    (renewed,) = await eco.cps.credential.items()
    assert renewed.serial != item.serial
    session = eco.session("csms", eco.cps_url)
    for path in ("/cps/signer", "/v1/cps/signer"):
        response = await session.call("GET", path)
        (signer,) = bodies.parse(bodies.CpsSigners, response.content).cps_certificates
        assert parse(base64.b64decode(signer.cps_certificate)).serial == renewed.serial
        assert signer.fingerprint == parse(eco.v2g.root).fingerprint
    eco.clock.advance(timedelta(days=400))
    with pytest.raises(Unavailable, match="503"):
        await OpcpProvisioningService(eco.session("emsp", eco.cps_url)).sign(await contract_data(eco))


async def contract_data(eco: Ecosystem, *, name: str = "DEPLUC12345678Q") -> ContractData:
    """Contract data from a foreign hierarchy: well formed, and trusted by nobody here."""
    leaf = mint_pki(eco.clock.now()).leaf(ROLE.CONTRACT, name)
    return ContractData(
        emaid=EMAID.parse(name),
        pcid=PCID_1,
        chain=leaf.chain,
        encrypted_private_key=bytes(48),
        dh_public_key=bytes(65),
    )


# --- root pool ------------------------------------------------------------------------------------------------------


async def test_roots_are_listed_by_type_found_and_deleted(eco: Ecosystem) -> None:
    admin = eco.session("admin")
    pool = OpcpRootPool(admin)
    assert [entry.root_type for entry in await pool.roots()] == ["V2G", "OEM", "MO"]
    assert await pool.roots("PE") == ()
    (oem_root,) = await pool.roots("OEM")
    assert await pool.publish_root(oem_root.certificate, "OEM") == oem_root
    one = await admin.call("GET", f"/v1/root/rootCerts/{oem_root.root_id}")
    assert bodies.parse(bodies.RootResponse, one.content).root.common_name == parse(oem_root.certificate).common_name
    assert (await admin.call("DELETE", f"/v1/root/rootCerts/{oem_root.root_id}")).status_code == 200
    assert (await admin.call("DELETE", f"/v1/root/rootCerts/{oem_root.root_id}")).status_code == 404
    assert (await admin.call("GET", f"/v1/root/rootCerts/{oem_root.root_id}")).status_code == 404
    assert "rootType" in error(await admin.call("GET", "/v1/root/rootCerts?rootType=xyz"))
    with pytest.raises(OpcpError, match="does not reach a root"):
        await eco.oem.build_vehicle(PCID_1)


async def test_only_valid_self_signed_cas_become_roots(eco: Ecosystem) -> None:
    pool = OpcpRootPool(eco.session("admin"))
    pki = mint_pki(eco.clock.now())
    for certificate in (pki[ROLE.MO_SUB1].der, pki.leaf(ROLE.CONTRACT).der):
        with pytest.raises(OpcpError, match="cannot be a root"):
            await pool.publish_root(certificate, "MO")
    eco.clock.advance(timedelta(days=60 * 365))
    with pytest.raises(OpcpError):
        await pool.publish_root(pki[ROLE.MO_ROOT].der, "MO")


# --- provisioning pool ----------------------------------------------------------------------------------------------


async def test_a_foreign_wmi_or_an_untrusted_chain_is_not_published(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    foreign = OpcpProvisioningPool(eco.session("other-oem"))
    with pytest.raises(OpcpError, match="WMI WPL") as refusal:
        await foreign.publish(entry_of(vehicle))
    assert refusal.value.status == 403
    own = OpcpProvisioningPool(eco.session("oem"))
    stranger = mint_pki(eco.clock.now()).leaf(ROLE.OEM_PROVISIONING, PCID_1.value)
    entry = ProvisioningEntry(pcid=PCID_1, certificate=stranger.der, sub_cas=stranger.chain[1:])
    with pytest.raises(OpcpError, match="does not reach a root"):
        await own.publish(entry)
    with pytest.raises(LocalError, match="XYZ"):
        await eco.oem.build_vehicle(PCID.parse("XYZUG000000000017A"))


async def test_expired_revoked_and_unverifiable_certificates_are_refused_and_not_delivered(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    pool = OpcpProvisioningPool(eco.session("emsp"))
    assert await pool.find(PCID_1) == entry_of(vehicle)
    eco.revocation.down = True
    with pytest.raises(OpcpError, match="revocation status"):
        await pool.find(PCID_1)
    eco.revocation.down = False
    assert await eco.oem_ca.revoke(vehicle.chain[0], "keyCompromise")
    with pytest.raises(OpcpError, match="revoked"):
        await pool.find(PCID_1)
    eco.clock.advance(timedelta(days=5 * 365))
    with pytest.raises(OpcpError, match="not valid now"):
        await pool.find(PCID_1)
    with pytest.raises(OpcpError, match="not valid now"):
        await OpcpProvisioningPool(eco.session("oem")).publish(entry_of(vehicle))


async def test_unknown_and_withdrawn_vehicles_are_not_found(eco: Ecosystem) -> None:
    emsp = eco.session("emsp")
    pool = OpcpProvisioningPool(emsp)
    assert await pool.find(PCID_1) is None
    with pytest.raises(NoVehicle, match="does not know"):
        await eco.emsp.conclude(PCID_1)
    assert (await emsp.call("GET", f"{PCP}/lookupVehicle/{PCID_1}")).status_code == 404
    vehicle = await eco.oem.build_vehicle(PCID_1)
    assert (await emsp.call("GET", f"{PCP}/lookupVehicle/{PCID_1}")).status_code == 200
    signed = await eco.emsp.conclude(PCID_1)
    await eco.oem.withdraw(PCID_1)
    assert [record.published for record in await eco.oem.vehicles()] == [False]
    exi = await OpcpContractPool(eco.session("csms")).deliver(eco.request(vehicle), ISO2_NAMESPACE)
    assert code(exi) is ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE
    assert (await emsp.call("GET", f"/v1/ccp/lookupContract/{signed.emaid}")).json() == {"XMLContracts": []}
    assert await eco.oem.publish_missing() == (PCID_1,)
    assert (await eco.oem.items())[0].subject == PCID_1.value
    with pytest.raises(OpcpError):
        await OpcpProvisioningPool(eco.session("oem")).withdraw(PCID.parse("WPLUG000000000099A"))


async def test_a_new_key_voids_the_vehicle_s_contracts_and_the_same_key_does_not(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    await eco.emsp.conclude(PCID_1)
    oem, pool = eco.session("oem"), OpcpProvisioningPool(eco.session("oem"))
    await pool.publish(entry_of(vehicle))
    assert len((await oem.call("GET", f"{CCP}/{PCID_1}")).json()["XMLContracts"]) == 1
    await eco.oem.build_vehicle(PCID_1)
    assert (await oem.call("GET", f"{CCP}/{PCID_1}")).json() == {"XMLContracts": []}


# --- contract pool --------------------------------------------------------------------------------------------------


async def test_the_default_contract_is_delivered_and_can_be_chosen(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    first, second = await eco.emsp.conclude(PCID_1), await eco.emsp.conclude(PCID_1)
    assert first.emaid != second.emaid
    oem, csms = eco.session("oem"), OpcpContractPool(eco.session("csms"))

    async def delivered() -> str:
        return inspect_installation(await csms.deliver(eco.request(vehicle), ISO2_NAMESPACE)).emaid

    assert await delivered() == str(first.emaid)
    assert (await oem.call("POST", f"{CCP}/{PCID_1}/{second.emaid}/default")).status_code == 200
    assert await delivered() == str(second.emaid)
    listed = (await oem.call("GET", f"{CCP}/{PCID_1}")).json()["XMLContracts"]
    assert [item["defaultContract"] for item in listed] == [False, True]
    assert listed[0]["cpsV2GRootCertificateFingerprint"] == parse(eco.v2g.root).fingerprint
    await eco.emsp.revoke(second.emaid, "ended")
    exi = await csms.deliver(eco.request(vehicle), ISO2_NAMESPACE)
    assert code(exi) is ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE, "no automatic successor"
    provided = await oem.call("GET", f"/v1/ccp/provideSignedContractData/{first.emaid}/{PCID_1}?sessionID=0A0B")
    exi = base64.b64decode(provided.json()["certificateInstallationRes"])
    assert inspect_installation(exi).session_id == b"\x0a\x0b"
    for path in (
        f"/v1/ccp/provideSignedContractData/{second.emaid}/{PCID_1}",
        f"/v1/ccp/provideSignedContractData/{first.emaid}/WPLUG000000000099A",
    ):
        assert (await oem.call("GET", path)).status_code == 404
    assert (await oem.call("POST", f"{CCP}/{PCID_1}/{second.emaid}/default")).status_code == 404
    wrong = await oem.call("GET", f"/v1/ccp/provideSignedContractData/{first.emaid}/{PCID_1}?sessionID=xyz")
    assert "SessionID" in error(wrong)


async def test_data_are_chosen_by_the_roots_that_the_vehicle_lists(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    await eco.emsp.conclude(PCID_1)
    csms = OpcpContractPool(eco.session("csms"))
    stranger = mint_pki(eco.clock.now())[ROLE.V2G_ROOT].der
    assert code(await csms.deliver(eco.request(vehicle, roots=(stranger, eco.v2g.root)), ISO2_NAMESPACE)) == "OK"
    exi = await csms.deliver(eco.request(vehicle, roots=(stranger,)), ISO2_NAMESPACE)
    assert code(exi) is ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE


async def test_a_request_that_the_vehicle_did_not_sign_is_refused(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    await eco.emsp.conclude(PCID_1)
    csms = OpcpContractPool(eco.session("csms"))
    thief = mint_pki(eco.clock.now()).leaf(ROLE.OEM_PROVISIONING, PCID_1.value)
    stolen = (
        Credential(chain=thief.chain, signer=thief.signer),  # another certificate for the same PCID
        Credential(chain=vehicle.chain, signer=thief.signer),  # the right certificate without its key
    )
    for credential in stolen:
        exi = await csms.deliver(installation_request(credential, (eco.v2g.root,)), ISO2_NAMESPACE)
        assert code(exi) is ResponseCode.FAILED_SIGNATURE_ERROR
    other = mint_pki(eco.clock.now()).leaf(ROLE.OEM_PROVISIONING, "WPLUG000000000099A")
    request = installation_request(Credential(chain=other.chain, signer=other.signer), (eco.v2g.root,))
    assert code(await csms.deliver(request, ISO2_NAMESPACE)) is ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE
    broken = Credential(chain=(b"\x30\x00",), signer=thief.signer)
    exi = await csms.deliver(installation_request(broken, (eco.v2g.root,)), ISO2_NAMESPACE)
    assert code(exi) is ResponseCode.FAILED_CERT_CHAIN_ERROR


async def test_a_vehicle_whose_certificate_expired_or_was_revoked_gets_that_code(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    await eco.emsp.conclude(PCID_1)
    csms = OpcpContractPool(eco.session("csms"))
    assert await eco.oem_ca.revoke(vehicle.chain[0], "keyCompromise")
    exi = await csms.deliver(eco.request(vehicle), ISO2_NAMESPACE)
    assert code(exi) is ResponseCode.FAILED_CERTIFICATE_REVOKED
    eco.clock.advance(timedelta(days=4 * 365 + 10))
    exi = await csms.deliver(eco.request(vehicle), ISO2_NAMESPACE)
    assert code(exi) is ResponseCode.FAILED_CERTIFICATE_EXPIRED


async def test_an_expired_contract_is_not_delivered(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    signed = await eco.emsp.conclude(PCID_1)
    eco.clock.advance(timedelta(days=2 * 365 + 10))
    exi = await OpcpContractPool(eco.session("csms")).deliver(eco.request(vehicle), ISO2_NAMESPACE)
    assert code(exi) is ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE
    assert await eco.authorizer().authorize(signed.emaid) is TokenStatus.EXPIRED
    with pytest.raises(OpcpError, match="signer is not accepted"):
        await OpcpContractPool(eco.session("cps")).store(signed)


async def test_data_signed_with_an_expired_signer_wait_for_a_new_signature(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    signed = await eco.emsp.conclude(PCID_1)
    eco.clock.advance(timedelta(days=100))
    csms = OpcpContractPool(eco.session("csms"))
    exi = await csms.deliver(eco.request(vehicle), ISO2_NAMESPACE)
    assert code(exi) is ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE
    with pytest.raises(Unavailable, match="503"):
        await eco.emsp.renew(signed.emaid)
    await eco.cps.start()
    await eco.emsp.renew(signed.emaid)
    assert code(await csms.deliver(eco.request(vehicle), ISO2_NAMESPACE)) is ResponseCode.OK


async def test_always_return_exi_decides_the_form_of_a_refusal(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    csms = eco.session("csms")
    body = bodies.InstallationRequest(
        certificate_installation_req=to_field(eco.request(vehicle)), xsd_msg_def_namespace=ISO2_NAMESPACE
    )
    with_exi = await csms.call("POST", CCP, body)
    assert with_exi.status_code == 404
    exi = bodies.parse(bodies.CcpResponse, with_exi.content).response.emaid_content[0].message_def
    message, response = contract.read_installation_response(base64.b64decode(exi.certificate_installation_res))
    assert message.header.session_id == SESSION_ID
    assert response.response_code is ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE
    without = await csms.call("POST", CCP, body, headers={"alwaysReturnEXI": "false"})
    assert without.status_code == 404
    assert error(without) == "There is no contract for this vehicle."


@pytest.mark.parametrize("octets", [b"", b"\x80", b"\x80\x98" + bytes(40), bytes(range(256))])
async def test_broken_exi_is_a_bad_request(eco: Ecosystem, octets: bytes) -> None:
    with pytest.raises(OpcpError, match="EXI format is invalid!") as refusal:
        await OpcpContractPool(eco.session("csms")).deliver(octets, ISO2_NAMESPACE)
    assert refusal.value.status == 400


async def test_other_namespaces_and_messages_are_refused(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    csms = OpcpContractPool(eco.session("csms"))
    with pytest.raises(OpcpError, match="is not served"):
        await csms.deliver(eco.request(vehicle), "urn:iso:std:iso:15118:-20:CommonMessages")
    signed = await eco.emsp.conclude(PCID_1)
    with pytest.raises(OpcpError, match="EXI format is invalid!"):
        await csms.deliver(signed.exi, ISO2_NAMESPACE)


async def test_signed_data_that_do_not_fit_are_not_stored(eco: Ecosystem) -> None:
    await eco.oem.build_vehicle(PCID_1)
    signed = await eco.emsp.conclude(PCID_1)
    cps = eco.session("cps")
    pool = OpcpContractPool(cps)
    other = EMAID.create("DE", "PLU", "C00000009")
    with pytest.raises(OpcpError, match="contract certificate chain is not accepted"):
        await pool.store(dataclasses.replace(signed, emaid=other))
    with pytest.raises(OpcpError, match="not found") as refusal:
        await pool.store(dataclasses.replace(signed, pcid=PCID.parse("WPLUG000000000099A")))
    assert refusal.value.status == 404
    message, response = contract.read_installation_response(signed.exi)
    tampered = dataclasses.replace(response, dh_public_key=dataclasses.replace(response.dh_public_key, value=bytes(65)))
    forged = contract.to_exi(dataclasses.replace(message, body=type(message.body)(tampered)))
    with pytest.raises(OpcpError, match="not signed by their signer"):
        await pool.store(dataclasses.replace(signed, exi=forged))
    refused = contract.to_exi(contract.failed_installation_response(ResponseCode.FAILED))
    with pytest.raises(OpcpError, match="signer is not accepted"):
        await pool.store(dataclasses.replace(signed, exi=refused))
    for xml in (b"", b"<a/>", b"<!DOCTYPE a><a/>", to_xml("iso2", response).encode()):
        body = bodies.SignedContractData(
            xsd_msg_def_namespace=ISO2_NAMESPACE,
            emaid=str(signed.emaid),
            pcid=PCID_1.value,
            signed_contract_data_xml=to_field(xml),
        )
        assert "signedContractDataXML" in error(await cps.call("PUT", CCP, body))


async def test_an_emaid_cannot_move_to_another_vehicle(eco: Ecosystem) -> None:
    await eco.oem.build_vehicle(PCID_1)
    signed = await eco.emsp.conclude(PCID_1)
    second = PCID.parse("WPLUG000000000025B")
    await eco.oem.build_vehicle(second)
    with pytest.raises(OpcpError, match="Invalid Tupple"):
        await OpcpContractPool(eco.session("cps")).store(dataclasses.replace(signed, pcid=second))


async def test_foreign_contracts_are_neither_read_nor_deleted(eco: Ecosystem) -> None:
    await eco.oem.build_vehicle(PCID_1)
    signed = await eco.emsp.conclude(PCID_1)
    foreign = eco.session("other-emsp")
    assert (await foreign.call("DELETE", f"{CCP}/{signed.emaid}")).status_code == 403
    assert (await foreign.call("GET", f"/v1/ccp/lookupContract/{signed.emaid}")).status_code == 403
    assert (await eco.session("other-oem").call("GET", f"{CCP}/{PCID_1}")).status_code == 403
    own = eco.session("emsp")
    assert (await own.call("GET", f"/v1/ccp/lookupContract/{signed.emaid}")).json()["XMLContracts"]
    assert (await own.call("DELETE", f"{CCP}/DEPLUC9999999")).status_code == 400
    assert (await own.call("DELETE", f"{CCP}/DEPLUC99999999")).status_code == 404


# --- signing service ------------------------------------------------------------------------------------------------


async def test_the_signing_service_refuses_what_does_not_fit(eco: Ecosystem) -> None:
    service = OpcpProvisioningService(eco.session("emsp", eco.cps_url))
    data = await contract_data(eco)
    with pytest.raises(OpcpError, match="chain is not accepted"):
        await service.sign(data)
    foreign = await contract_data(eco, name="NLTNMC12345678")
    with pytest.raises(OpcpError, match="NLTNM") as refusal:
        await service.sign(foreign)
    assert refusal.value.status == 403
    await eco.oem.build_vehicle(PCID_1)
    signed = await eco.emsp.conclude(PCID_1)
    _, response = contract.read_installation_response(signed.exi)
    good = ContractData(
        emaid=signed.emaid,
        pcid=PCID_1,
        chain=contract.chain_certificates(response.contract_signature_cert_chain),
        encrypted_private_key=response.contract_signature_encrypted_private_key.value,
        dh_public_key=response.dh_public_key.value,
    )
    assert (await service.sign(good)).emaid == signed.emaid
    for changes, words in (
        ({"encrypted_private_key": bytes(64)}, "48 octets"),
        ({"dh_public_key": bytes(33)}, "65 octets"),
    ):
        with pytest.raises(OpcpError, match=words):
            await service.sign(dataclasses.replace(good, **changes))
    with pytest.raises(OpcpError, match="not accepted"):
        await eco.cps.sign(dataclasses.replace(good, emaid=EMAID.create("DE", "PLU", "C00000009")))


async def test_without_a_pcid_nothing_is_stored_and_a_foreign_root_is_refused(eco: Ecosystem) -> None:
    await eco.oem.build_vehicle(PCID_1)
    signed = await eco.emsp.conclude(PCID_1)
    _, response = contract.read_installation_response(signed.exi)
    leaf, second, first = contract.chain_certificates(response.contract_signature_cert_chain)
    data = bodies.ContractDataBody(
        contract_certificate=to_field(leaf),
        contract_sub_ca1_certificate=to_field(first),
        contract_sub_ca2_certificate=to_field(second),
        contract_signature_encrypted_private_key=to_field(bytes(48)),
        dh_public_key=to_field(bytes(65)),
    )
    session = eco.session("emsp", eco.cps_url)
    unstored = await session.call(
        "PUT", CPS, bodies.SignRequest(contract_data=data, xsd_msg_def_namespace=ISO2_NAMESPACE)
    )
    assert unstored.status_code == 201
    assert bodies.parse(bodies.SignResponse, unstored.content).pcid == ""
    for fingerprint, status in ((parse(eco.v2g.root).fingerprint, 201), ("0" * 64, 400), ("a-pool-s-own-id", 201)):
        body = bodies.SignRequest(contract_data=data, xsd_msg_def_namespace=ISO2_NAMESPACE, fingerprint=fingerprint)
        assert (await session.call("PUT", CPS, body)).status_code == status


# --- tokens, sizes, shapes ------------------------------------------------------------------------------------------


async def test_tokens_are_required_expire_and_are_fetched_again(eco: Ecosystem) -> None:
    http = eco.http(eco.pools_url)
    for headers in (
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic eDp5"},
        {"Authorization": "Bearer"},
    ):
        response = await http.get("/v1/root/rootCerts", headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert "token" in error(response)
    pool = OpcpRootPool(eco.session("emsp"))
    await pool.roots()
    eco.trace.events.clear()
    await pool.roots()
    assert [event.message for event in eco.trace.events] == ["GET /v1/root/rootCerts"]
    eco.clock.advance(timedelta(hours=24))
    await pool.roots()
    assert "POST /oauth/token" in [event.message for event in eco.trace.events]


async def test_a_token_that_was_voided_is_replaced_once(eco: Ecosystem) -> None:
    session = eco.session("emsp")
    await OpcpRootPool(session).roots()
    account = next(one for one in ACCOUNTS if one.client_id == "emsp")
    await eco.pools.add_account(account, "emsp-secret")
    await OpcpRootPool(session).roots()
    await eco.pools.add_account(account, "another secret")
    with pytest.raises(OpcpError, match="client_secret is wrong"):
        await OpcpRootPool(session).roots()


async def test_token_requests_as_form_wrong_and_too_many(eco: Ecosystem) -> None:
    http = eco.http(eco.pools_url)
    form = {"grant_type": "client_credentials", "client_id": "csms", "client_secret": "csms-secret", "audience": "a"}
    granted = (await http.post("/oauth/token", data=form)).json()
    assert granted["token_type"] == "Bearer"
    assert granted["expires_in"] == 86400
    listed = await http.get("/v1/root/rootCerts", headers={"Authorization": f"Bearer {granted['access_token']}"})
    assert listed.status_code == 200
    assert "grant_type" in error(await http.post("/oauth/token", json=form | {"grant_type": "password"}))
    assert "TokenRequest" in error(await http.post("/oauth/token", json={"client_id": "csms"}))
    wrong = form | {"client_secret": "guess"}
    statuses = [(await http.post("/oauth/token", json=wrong)).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    eco.clock.advance(timedelta(minutes=2))
    assert (await http.post("/oauth/token", json=form)).status_code == 200
    assert (await http.post("/oauth/token", json=form | {"client_id": "nobody"})).status_code == 401


async def test_a_missing_right_is_forbidden_and_oversize_is_not_read(eco: Ecosystem) -> None:
    csms = eco.session("csms")
    assert (await csms.call("DELETE", f"{PCP}/{PCID_1}")).status_code == 403
    assert (await csms.call("PUT", CCP, bodies.ErrorBody(error_messages=(), trace_id=""))).status_code == 403
    big = bodies.InstallationRequest(certificate_installation_req="A" * 70_000, xsd_msg_def_namespace=ISO2_NAMESPACE)
    response = await csms.call("POST", CCP, big)
    assert response.status_code == 413
    assert "65536" in error(response)
    odd = bodies.InstallationRequest(certificate_installation_req="A", xsd_msg_def_namespace=ISO2_NAMESPACE)
    assert "certificateInstallationReq" in error(await csms.call("POST", CCP, odd))
    assert error(await csms.call("GET", "/v1/nothing")) == "GET /v1/nothing is not served."
    assert (await csms.call("PATCH", PCP)).status_code == 405


async def test_a_server_that_is_no_opcp_is_unavailable(eco: Ecosystem) -> None:
    with pytest.raises((Unavailable, PeerError)):
        await OpcpRootPool(eco.session("emsp", eco.emsp_url)).roots()
    closed = eco.session("emsp", "https://127.0.0.1:9")
    with pytest.raises(Unavailable):
        await OpcpRootPool(closed).roots()
    assert "secret" not in repr(closed)


# --- authorization --------------------------------------------------------------------------------------------------


async def test_ocpi_knows_its_partners_and_its_contracts(eco: Ecosystem) -> None:
    known = EMAID.create("DE", "PLU", "C00000001")
    assert await eco.authorizer().authorize(known) is TokenStatus.UNKNOWN
    with pytest.raises(Unavailable, match="401"):
        await eco.authorizer("wrong").authorize(known)
    http = eco.http(eco.emsp_url)
    path = "/ocpi/emsp/2.2.1/tokens/{}/authorize"
    credentials = {"Authorization": f"Token {base64.b64encode(b'ocpi-token').decode()}"}
    for headers in ({}, {"Authorization": "Token !"}, {"Authorization": credentials["Authorization"][6:]}):
        assert (await http.post(path.format(known), headers=headers)).status_code == 401
    await eco.oem.build_vehicle(PCID_1)
    signed = await eco.emsp.conclude(PCID_1)
    allowed = await http.post(path.format(signed.emaid), params={"type": "OTHER"}, headers=credentials)
    body = allowed.json()
    assert (allowed.status_code, body["status_code"], body["data"]["allowed"]) == (200, 1000, "ALLOWED")
    assert body["data"]["token"]["contract_id"] == str(signed.emaid)
    assert body["timestamp"].endswith("Z")
    for uid, kind, status in ((signed.emaid, "RFID", 2004), ("no-emaid", "OTHER", 2001)):
        refused = await http.post(path.format(uid), params={"type": kind}, headers=credentials)
        assert (refused.status_code, refused.json()["status_code"]) == (404, status)
