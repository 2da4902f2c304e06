"""Clients of an OPCP 1.0 ecosystem: root, provisioning and contract pools, and the signing service.

Each class is the adapter of one port over an `OpcpSession`, which holds the token. The same code speaks to plugpass's
own pools and to a real operator's.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final, TypeVar

import httpx

from plugpass.clock import Clock
from plugpass.errors import Unavailable
from plugpass.exi import from_xml, to_xml
from plugpass.ids import EMAID, PCID
from plugpass.iso15118.contract import NotAnInstallation, read_installation_response, to_exi
from plugpass.iso15118.messages import iso2
from plugpass.net.http_client import fetch
from plugpass.opcp import bodies
from plugpass.opcp.certificates import certificate_field, octets_field, to_field
from plugpass.opcp.errors import OpcpError
from plugpass.ports.contracts import (
    ContractData,
    ProvisioningEntry,
    RootEntry,
    RootType,
    SignedContract,
)
from plugpass.ports.trace import NullTrace, Trace, WireEvent

TOKEN_MARGIN: Final = timedelta(seconds=60)  #: a token is renewed this long before it expires
_ROOT_TYPES: Final[dict[str, RootType]] = {"V2G": "V2G", "MO": "MO", "EMSP": "MO", "OEM": "OEM", "PE": "PE"}

B = TypeVar("B", bound=bodies.Body)


class OpcpSession:
    """Requests with a bearer token, fetched when needed and once more where it is refused.

    `http` has the base URL and the trust anchors of the server; `audience` is what the token is for, where the operator
    asks for one. `actor` and `peer` are the names in the trace. Raises OpcpError for a refusal, and Unavailable where
    the server is away, fails, or answers what is no OPCP.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        client_id: str,
        client_secret: str,
        clock: Clock,
        actor: str,
        peer: str = "pools",
        audience: str = "",
        trace: Trace | None = None,
    ) -> None:
        self._http = http
        self._client_id = client_id
        self._client_secret = client_secret
        self._clock = clock
        self._actor = actor
        self._peer = peer
        self._audience = audience
        self._trace: Trace = trace or NullTrace()
        self._token: tuple[str, datetime] | None = None
        self._fetching = asyncio.Lock()

    def __repr__(self) -> str:
        return f"OpcpSession({self._http.base_url}, {self._client_id})"

    async def call(
        self,
        method: str,
        path: str,
        body: bodies.Body | None = None,
        *,
        name: str = "",
        detail: str = "",
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """The answer, whatever its status. `name` is the message's name in the trace where the path has parameters."""
        token = await self._bearer()
        response = await self._send(method, path, body, token, headers or {}, name, detail)
        if response.status_code in (401, 403):
            # A token may have been revoked early; a right that is missing stays missing after one more try.
            response = await self._send(method, path, body, await self._renewed(token), headers or {}, name, detail)
        return response

    async def _bearer(self) -> str:
        async with self._fetching:
            if self._token is None or self._clock.now() >= self._token[1] - TOKEN_MARGIN:
                self._token = await self._fetch_token()
            return self._token[0]

    async def _renewed(self, refused: str) -> str:
        async with self._fetching:
            if self._token is None or self._token[0] == refused:  # nobody else has fetched one meanwhile
                self._token = await self._fetch_token()
            return self._token[0]

    async def _fetch_token(self) -> tuple[str, datetime]:
        wanted = bodies.TokenRequest(
            client_id=self._client_id,
            client_secret=self._client_secret,
            grant_type="client_credentials",
            audience=self._audience,
        )
        response = await self._send("POST", "/oauth/token", wanted, "", {}, "", self._client_id)
        token = read(checked(response), bodies.TokenResponse)
        return token.access_token, self._clock.now() + timedelta(seconds=token.expires_in)

    async def _send(
        self,
        method: str,
        path: str,
        body: bodies.Body | None,
        token: str,
        headers: dict[str, str],
        name: str,
        detail: str,
    ) -> httpx.Response:
        content = b"" if body is None else bodies.dump(body)
        sent = dict(headers)
        if body is not None:
            sent["Content-Type"] = "application/json"
        if token:
            sent["Authorization"] = f"Bearer {token}"
        started = self._clock.monotonic()
        response = await fetch(self._http, method, path, content=content, headers=sent)
        self._trace.record(
            WireEvent(
                actor=self._actor,
                peer=self._peer,
                protocol="OPCP",
                message=f"{method} {name or path}",
                size=len(content) + len(response.content),
                ms=(self._clock.monotonic() - started) * 1000,
                # What is to be deleted and is not there has been deleted before: the goal is reached.
                ok=response.is_success or (method, response.status_code) == ("DELETE", 404),
                detail=f"{response.status_code} {detail}".strip(),
            )
        )
        return response


def checked(response: httpx.Response) -> httpx.Response:
    """The response of a success. Raises OpcpError with the pool's own messages, or Unavailable where it failed."""
    if response.is_success:
        return response
    if response.status_code >= 500:
        raise Unavailable(f"{response.request.url} answered {response.status_code}: the service is in trouble")
    try:
        messages = bodies.parse(bodies.ErrorBody, response.content).error_messages
    except OpcpError:
        messages = ()
    raise OpcpError(response.status_code, messages or (f"{response.request.url} answered {response.status_code}",))


def read(response: httpx.Response, cls: type[B]) -> B:
    """The body of a response. Raises Unavailable where it is not what the protocol says."""
    try:
        return bodies.parse(cls, response.content)
    except OpcpError as error:
        raise Unavailable(f"{response.request.url} answered something else than OPCP: {error}") from None


class OpcpRootPool:
    """`RootPool` over OPCP."""

    def __init__(self, session: OpcpSession) -> None:
        self._session = session

    async def roots(self, root_type: RootType | None = None) -> tuple[RootEntry, ...]:
        """All roots, or those of one type; a type that OPCP cannot filter for is filtered here."""
        query = f"?rootType={root_type.lower()}" if root_type in ("V2G", "MO", "OEM") else ""
        path = "/v1/root/rootCerts"
        response = checked(await self._session.call("GET", path + query, name=path, detail=root_type or ""))
        collection = read(response, bodies.RootCollection).collection
        entries = tuple(_root_entry(root) for root in collection.root_certificates)
        return tuple(entry for entry in entries if root_type in (None, entry.root_type))

    async def publish_root(self, certificate: bytes, root_type: RootType) -> RootEntry:
        """Add a root; the account must be an administrator's."""
        body = bodies.RootCertificate(ca_certificate=to_field(certificate), root_type=root_type)
        response = checked(await self._session.call("PUT", "/v1/root/rootCerts", body, detail=root_type))
        return _root_entry(read(response, bodies.RootResponse).root)


def _root_entry(root: bodies.RootCertificate) -> RootEntry:
    root_type = _ROOT_TYPES.get(root.root_type.upper())
    if root_type is None:
        raise Unavailable(f"the root pool lists a root of the unknown type {root.root_type[:16]!r}")
    certificate = certificate_field(root.ca_certificate, "caCertificate")
    return RootEntry(root_id=root.root_certificate_id, root_type=root_type, certificate=certificate.encoded)


class OpcpProvisioningPool:
    """`ProvisioningPool` over OPCP."""

    def __init__(self, session: OpcpSession) -> None:
        self._session = session

    async def publish(self, entry: ProvisioningEntry) -> None:
        """Add or overwrite the entry."""
        *second, first = entry.sub_cas
        body = bodies.ProvisioningCertificate(
            vehicle_certificate=to_field(entry.certificate),
            sub_ca1_certificate=to_field(first),
            sub_ca2_certificate=to_field(second[0]) if second else "",
            xsd_msg_def_namespace=entry.namespace,
        )
        checked(await self._session.call("PUT", "/v1/oem/provCerts", body, detail=str(entry.pcid)))

    async def find(self, pcid: PCID) -> ProvisioningEntry | None:
        """The entry, or None where the PCID is unknown."""
        response = await self._session.call(
            "GET", f"/v1/oem/provCerts/{pcid}", name="/v1/oem/provCerts/{pcid}", detail=str(pcid)
        )
        if response.status_code == 404:
            return None
        data = read(checked(response), bodies.OemMessage).message
        subs = ((data.sub_ca2_certificate, "subCA2Certificate"), (data.sub_ca1_certificate, "subCA1Certificate"))
        return ProvisioningEntry(
            pcid=pcid,
            certificate=certificate_field(data.vehicle_certificate, "vehicleCertificate").encoded,
            sub_cas=tuple(certificate_field(text, field).encoded for text, field in subs if text),
            namespace=data.xsd_msg_def_namespace,
        )

    async def withdraw(self, pcid: PCID) -> None:
        """Delete the entry and all contracts of the PCID."""
        path = "/v1/oem/provCerts/{pcid}"
        checked(await self._session.call("DELETE", path.format(pcid=pcid), name=path, detail=str(pcid)))


class OpcpProvisioningService:
    """`ProvisioningService` over OPCP."""

    def __init__(self, session: OpcpSession) -> None:
        self._session = session

    async def sign(self, data: ContractData) -> SignedContract:
        """Have contract data signed; the service stores the result in the contract pool, since the PCID is given."""
        leaf, *subs = data.chain
        body = bodies.SignRequest(
            contract_data=bodies.ContractDataBody(
                contract_certificate=to_field(leaf),
                contract_sub_ca1_certificate=to_field(subs[-1]),
                contract_sub_ca2_certificate=to_field(subs[0]) if len(subs) > 1 else "",
                contract_signature_encrypted_private_key=to_field(data.encrypted_private_key),
                dh_public_key=to_field(data.dh_public_key),
            ),
            xsd_msg_def_namespace=data.namespace,
            pcid=data.pcid.value,
        )
        path = "/v1/cps/contractData/signed"
        response = checked(await self._session.call("PUT", path, body, detail=str(data.emaid)))
        signed = read(response, bodies.SignResponse)
        if EMAID.parse(signed.emaid) != data.emaid:
            raise Unavailable(f"the signing service answered for {signed.emaid[:32]!r} instead of {data.emaid}")
        message = from_xml("iso2", octets_field(signed.signed_data, "signedData"))
        if not isinstance(message, iso2.V2GMessage):
            raise NotAnInstallation("the signing service answered another element than a V2G_Message")
        return SignedContract(emaid=data.emaid, pcid=data.pcid, exi=to_exi(message), namespace=data.namespace)


class OpcpContractPool:
    """`ContractPool`, and with it `ContractProvider`, over OPCP."""

    def __init__(self, session: OpcpSession) -> None:
        self._session = session

    async def store(self, contract: SignedContract) -> None:
        """Add signed contract data, or overwrite those of the same EMAID."""
        message, _ = read_installation_response(contract.exi)
        body = bodies.SignedContractData(
            xsd_msg_def_namespace=contract.namespace,
            emaid=str(contract.emaid),
            pcid=contract.pcid.value,
            signed_contract_data_xml=to_field(to_xml("iso2", message).encode()),
        )
        checked(await self._session.call("PUT", "/v1/ccp/signedContractData", body, detail=str(contract.emaid)))

    async def deliver(self, installation_request: bytes, namespace: str) -> bytes:
        """The CertificateInstallationRes (EXI), which may carry a FAILED code. Raises OpcpError where there is none."""
        body = bodies.InstallationRequest(
            certificate_installation_req=to_field(installation_request), xsd_msg_def_namespace=namespace
        )
        response = await self._session.call(
            "POST", "/v1/ccp/signedContractData", body, headers={"alwaysReturnEXI": "true"}
        )
        exi = _exi(response)
        if exi is None:
            checked(response)
            raise Unavailable(f"{response.request.url} answered without a CertificateInstallationRes")
        return exi

    async def delete(self, emaid: EMAID) -> None:
        """Remove the contract's signed data."""
        path = "/v1/ccp/signedContractData/{emaid}"
        checked(await self._session.call("DELETE", path.format(emaid=emaid), name=path, detail=str(emaid)))


def _exi(response: httpx.Response) -> bytes | None:
    """The first EXI message of an answer, success or not; None where there is none."""
    try:
        content = bodies.parse(bodies.CcpResponse, response.content).response.emaid_content
    except OpcpError:
        return None
    encoded = (one.message_def.certificate_installation_res for one in content)
    first = next((text for text in encoded if text), None)
    return None if first is None else octets_field(first, "certificateInstallationRes")
