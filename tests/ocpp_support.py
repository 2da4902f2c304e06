"""What the OCPP and CSMS tests share: a scripted station, and small real parties behind the CSMS's ports."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Table

from pki_factory import NOW, ROLE, Pki
from plugpass.errors import Unavailable
from plugpass.ids import EMAID, EVSEID
from plugpass.net.clock import ManualClock
from plugpass.net.ocpp_channel import Deferred, Handler
from plugpass.ocpp import enums as e
from plugpass.ocpp import messages as m
from plugpass.pki import ocsp
from plugpass.pki.bundle import pem, pem_block, read_certificates
from plugpass.pki.certificate import parse
from plugpass.pki.csr import create_csr, parse_csr
from plugpass.pki.issue import issue
from plugpass.pki.keys import LocalSigner, generate, public_key_info
from plugpass.pki.names import subject
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.contracts import RootEntry, RootType
from plugpass.ports.issuing import IssuedChain
from plugpass.ports.stations import StationRecord
from plugpass.roles.csms import Csms, Settings
from plugpass.store.csms import SqlStationRegistry
from plugpass.store.database import Database

T = TypeVar("T")

IDENTITY = "CS-001"
EVSE_ID = "DE*PLU*E45B*78C"
EMAID_TEXT = "DEPLUC12345678Q"
STATION = StationRecord(identity=IDENTITY, operator="DEPLU", evse_ids=(EVSE_ID,))


class WatchedRegistry(SqlStationRegistry):
    """A registry that tells when something new was written, so that a test can wait for it."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._written = asyncio.Event()

    async def wait(self, look: Callable[[], Awaitable[T | None]]) -> T:
        """What `look` finds, as soon as it finds something; it looks again after every write."""
        async with asyncio.timeout(10):
            while True:
                written = self._written
                if found := await look():
                    return found
                await written.wait()

    async def _insert(self, table: Table, values: dict[str, Any]) -> None:
        await super()._insert(table, values)
        self._written.set()
        self._written = asyncio.Event()


@dataclass
class Issuer:
    """A CPO Sub-CA 2 that signs what it is asked to sign; `refuse` and `other_key` break it."""

    pki: Pki
    clock: ManualClock
    refuse: Exception | None = None
    other_key: bool = False
    serials: list[int] = field(default_factory=list)

    async def issue(self, csr: bytes, role: CertificateRole) -> IssuedChain:
        await asyncio.sleep(0)
        if self.refuse is not None:
            raise self.refuse
        request, authority = parse_csr(csr), self.pki[ROLE.CPO_SUB2]
        profile = self.pki.profiles[role]
        certificate = issue(
            profile,
            subject(profile, request.common_name, "Plugpass Test", "DE"),
            generate().public_key if self.other_key else request.public_key,
            authority.certificate,
            authority.signer,
            now=self.clock.now(),
            serial=(2 << 100) + len(self.serials),
            ocsp_url="http://ocsp.test/",
            evse_id=EVSEID.parse(request.common_name),
        )
        self.serials.append(certificate.serial_number)
        above = self.pki.above(ROLE.CPO_SUB2)
        return IssuedChain(certificates=tuple(_der(item) for item in (certificate, *above)))

    async def ca_certificates(self, role: CertificateRole) -> tuple[bytes, ...]:
        return tuple(_der(item) for item in self.pki.above(ROLE.CPO_SUB2))


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


@dataclass
class Responder:
    """Answers OCSP for every CA of a hierarchy, really signed; `statuses` and `lost` are by serial number."""

    pki: Pki
    clock: ManualClock
    statuses: dict[int, ocsp.CertStatus] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    slow: set[int] = field(default_factory=set)
    forge: bool = False
    asked: list[int] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    async def ocsp_response(self, request: bytes, url: str) -> bytes:
        (wanted,) = ocsp.parse_request(request).cert_ids
        self.asked.append(wanted.serial)
        self.urls.append(url)
        if wanted.serial in self.lost:
            raise Unavailable("the OCSP responder cannot be reached")
        if wanted.serial in self.slow:
            await asyncio.Event().wait()
        now = self.clock.now()
        authority = next(
            minted
            for minted in self.pki.authorities.values()
            if ocsp.same_certificate(wanted, wanted, minted.certificate)
        )
        status = self.statuses.get(wanted.serial, ocsp.CertStatus.GOOD)
        single = ocsp.SingleStatus(
            cert_id=wanted,
            status=status,
            this_update=now,
            next_update=now + timedelta(days=4),
            revoked_at=now if status is ocsp.CertStatus.REVOKED else None,
        )
        signer = generate() if self.forge else authority.signer
        return ocsp.build_response([single], signer, authority.certificate, produced_at=now)


@dataclass
class Roots:
    """A root pool with the V2G, MO and OEM roots of a hierarchy."""

    pki: Pki
    away: bool = False
    asked: int = 0
    empty: bool = False

    async def roots(self, root_type: RootType | None = None) -> tuple[RootEntry, ...]:
        self.asked += 1
        if self.away:
            raise Unavailable("the root pool cannot be reached")
        if self.empty:
            return ()
        kinds: tuple[tuple[RootType, CertificateRole], ...] = (
            ("V2G", ROLE.V2G_ROOT),
            ("MO", ROLE.MO_ROOT),
            ("OEM", ROLE.OEM_ROOT),
        )
        return tuple(
            RootEntry(root_id=kind, root_type=kind, certificate=self.pki[role].der)
            for kind, role in kinds
            if root_type in (None, kind)
        )


@dataclass
class Emsp:
    """The eMSP's word; None makes it unreachable."""

    status: e.AuthorizationStatus | None = e.AuthorizationStatus.ACCEPTED
    slow: bool = False
    asked: list[EMAID] = field(default_factory=list)

    async def authorize(self, emaid: EMAID) -> e.AuthorizationStatus:
        self.asked.append(emaid)
        if self.slow:
            await asyncio.Event().wait()
        if self.status is None:
            raise Unavailable("the eMSP cannot be reached")
        return self.status


@dataclass
class Pool:
    """A contract pool that answers every request with `answer`, or not at all."""

    answer: bytes = b"\x80\x98 installation response"
    refuse: Exception | None = None
    slow: bool = False
    asked: list[tuple[bytes, str]] = field(default_factory=list)

    async def deliver(self, installation_request: bytes, namespace: str) -> bytes:
        self.asked.append((installation_request, namespace))
        if self.slow:
            await asyncio.Event().wait()
        if self.refuse is not None:
            raise self.refuse
        return self.answer


class ScriptedStation:
    """A station that does what the standard says; flags make it misbehave."""

    def __init__(self, evse_ids: tuple[str, ...] = (EVSE_ID,)) -> None:
        self.evse_ids = evse_ids
        self.roots: dict[e.GetCertificateIdUse, list[bytes]] = {}
        self.chains: dict[str, tuple[bytes, ...]] = {}
        self.keys: dict[str, LocalSigner] = {}
        self.refuse_roots = False
        self.refuse_trigger = False
        self.refuse_certificate = False
        self.silent_after_trigger = False
        self.calls: list[str] = []
        self.send: Callable[[m.Request[Any]], Any] | None = None
        self.changed = asyncio.Event()

    def handlers(self) -> Mapping[str, Handler]:
        table: dict[str, Handler] = {
            "InstallCertificate": self._install,
            "GetInstalledCertificateIds": self._list,
            "TriggerMessage": self._trigger,
            "CertificateSigned": self._signed,
        }
        return {action: self._noted(action, handler) for action, handler in table.items()}

    def _noted(self, action: str, handler: Handler) -> Handler:
        async def noted(request: Any) -> m.Response | Deferred:
            self.calls.append(action)
            return await handler(request)

        return noted

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return as soon as the condition holds; it is looked at whenever something at the station changes."""
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def _install(self, request: m.InstallCertificateRequest) -> m.InstallCertificateResponse:
        if self.refuse_roots:
            info = m.StatusInfo(reason_code="Refused", additional_info="the disk is full")
            return m.InstallCertificateResponse(status=e.InstallCertificateStatus.FAILED, status_info=info)
        (root,) = read_certificates(request.certificate)
        self.roots.setdefault(e.GetCertificateIdUse(request.certificate_type.value), []).append(root)
        self.changed.set()
        return m.InstallCertificateResponse(status=e.InstallCertificateStatus.ACCEPTED)

    async def _list(self, request: m.GetInstalledCertificateIdsRequest) -> m.GetInstalledCertificateIdsResponse:
        wanted = request.certificate_type or tuple(e.GetCertificateIdUse)
        found = [
            m.CertificateHashDataChain(certificate_type=use, certificate_hash_data=hash_data(root, root))
            for use, roots in self.roots.items()
            for root in roots
            if use in wanted
        ]
        found += [
            m.CertificateHashDataChain(
                certificate_type=e.GetCertificateIdUse.V2G_CHAIN,
                certificate_hash_data=hash_data(chain[0], chain[1]),
                child_certificate_hash_data=(hash_data(chain[1], chain[2]),),
            )
            for chain in self.chains.values()
            if e.GetCertificateIdUse.V2G_CHAIN in wanted
        ]
        self.changed.set()
        if not found:
            return m.GetInstalledCertificateIdsResponse(status=e.GetInstalledCertificateStatus.NOT_FOUND)
        return m.GetInstalledCertificateIdsResponse(
            status=e.GetInstalledCertificateStatus.ACCEPTED, certificate_hash_data_chain=tuple(found)
        )

    async def _trigger(self, request: m.TriggerMessageRequest) -> m.TriggerMessageResponse | Deferred:
        self.changed.set()
        if self.refuse_trigger or request.evse is None:
            return m.TriggerMessageResponse(status=e.TriggerMessageStatus.REJECTED)
        evse_id = self.evse_ids[request.evse.id - 1]

        async def follow() -> None:
            if not self.silent_after_trigger:
                await self.ask(self.csr(evse_id))

        return Deferred(response=m.TriggerMessageResponse(status=e.TriggerMessageStatus.ACCEPTED), then=follow)

    def csr(self, evse_id: str, *, san: str | None = None) -> m.SignCertificateRequest:
        """A fresh key and a request for it."""
        key = generate()
        self.keys[evse_id] = key
        request = create_csr(
            key,
            common_name=evse_id,
            organization="Plugpass Test",
            country="DE",
            domain="CPO",
            evse_id=EVSEID.parse(san or evse_id),
        )
        return m.SignCertificateRequest(
            csr=pem_block(request, "CERTIFICATE REQUEST"), certificate_type=e.CertificateSigningUse.V2G
        )

    async def ask(self, request: m.Request[Any]) -> Any:
        assert self.send is not None
        return await self.send(request)

    async def _signed(self, request: m.CertificateSignedRequest) -> m.CertificateSignedResponse:
        chain = read_certificates(request.certificate_chain)
        leaf = parse(chain[0])
        self.changed.set()
        key = self.keys[leaf.common_name]
        if self.refuse_certificate or leaf.key.encoded != public_key_info(key.public_key):
            info = m.StatusInfo(reason_code="InvalidCertificate")
            return m.CertificateSignedResponse(status=e.GenericStatus.REJECTED, status_info=info)
        self.chains[leaf.common_name] = chain
        return m.CertificateSignedResponse(status=e.GenericStatus.ACCEPTED)


class MemoryLink:
    """A station's connection without a network: calls go to its handlers, its requests to those of the CSMS."""

    def __init__(self, csms: Csms, station: ScriptedStation, identity: str = IDENTITY) -> None:
        self._identity = identity
        self._station = station.handlers()
        self._csms = csms.handlers(self)
        self._tasks: set[asyncio.Task[None]] = set()
        self.log: list[str] = []
        station.send = self.send

    @property
    def identity(self) -> str:
        return self._identity

    async def call(self, request: m.Request[Any]) -> Any:
        """CSMS to station."""
        self.log.append(f"> {m.action_of(request)}")
        return self._take(m.action_of(request), await self._station[m.action_of(request)](request))

    async def send(self, request: m.Request[Any]) -> Any:
        """Station to CSMS."""
        return self._take(m.action_of(request), await self._csms[m.action_of(request)](request))

    def _take(self, action: str, answer: m.Response | Deferred) -> m.Response:
        if isinstance(answer, Deferred):
            task = asyncio.ensure_future(answer.then())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            answer = answer.response
        if action != "TriggerMessage":
            self.log.append(f"< {action}")
        return answer


@dataclass
class Bench:
    """A CSMS with everything around it, and one station."""

    csms: Csms
    registry: WatchedRegistry
    clock: ManualClock
    pki: Pki
    issuer: Issuer
    responder: Responder
    roots: Roots
    emsp: Emsp
    pool: Pool
    station: ScriptedStation
    link: MemoryLink

    async def boot(self) -> m.BootNotificationResponse:
        await self.csms.connected(self.link)
        answer = await self.link.send(BOOT)
        assert isinstance(answer, m.BootNotificationResponse)
        return answer


BOOT = m.BootNotificationRequest(
    charging_station=m.ChargingStation(model="One", vendor_name="Plugpass", serial_number="0001"),
    reason=e.BootReason.POWER_UP,
)


def make_csms(
    registry: WatchedRegistry,
    pki: Pki,
    *,
    clock: ManualClock | None = None,
    settings: Settings | None = None,
    station: ScriptedStation | None = None,
) -> Bench:
    """A CSMS on `registry` with parties that work; tests break the one they are about."""
    time = clock or ManualClock(NOW)
    issuer, responder = Issuer(pki, time), Responder(pki, time)
    roots, emsp, pool = Roots(pki), Emsp(), Pool()
    csms = Csms(
        registry=registry,
        issuer=issuer,
        contracts=pool,
        authorizer=emsp,
        revocation=responder,
        roots=roots,
        clock=time,
        settings=settings,
    )
    scripted = station or ScriptedStation()
    return Bench(
        csms=csms,
        registry=registry,
        clock=time,
        pki=pki,
        issuer=issuer,
        responder=responder,
        roots=roots,
        emsp=emsp,
        pool=pool,
        station=scripted,
        link=MemoryLink(csms, scripted),
    )


def hash_data(certificate: bytes, issuer: bytes) -> m.CertificateHashData:
    """A certificate as a station reports it: upper case here, to see that nobody minds."""
    cert_id = ocsp.cert_id(certificate, issuer)
    return m.CertificateHashData(
        hash_algorithm=e.HashAlgorithm.SHA256,
        issuer_name_hash=cert_id.issuer_name_hash_hex.upper(),
        issuer_key_hash=cert_id.issuer_key_hash_hex.upper(),
        serial_number=cert_id.serial_hex.upper(),
    )


def ocsp_data(certificate: bytes, issuer: bytes, url: str = "http://ocsp.test/") -> m.OCSPRequestData:
    """OCSPRequestData of a certificate."""
    cert_id = ocsp.cert_id(certificate, issuer)
    return m.OCSPRequestData(
        hash_algorithm=e.HashAlgorithm.SHA256,
        issuer_name_hash=cert_id.issuer_name_hash_hex,
        issuer_key_hash=cert_id.issuer_key_hash_hex,
        serial_number=cert_id.serial_hex,
        responder_url=url,
    )


def contract_hash_data(pki: Pki, chain: tuple[bytes, ...]) -> tuple[m.OCSPRequestData, ...]:
    """The hash data of leaf, Sub-CA 2 and Sub-CA 1 of a contract chain."""
    issuers = (*chain[1:], pki[ROLE.MO_ROOT].der)
    return tuple(ocsp_data(child, issuer) for child, issuer in zip(chain, issuers, strict=True))


def authorize(
    chain: tuple[bytes, ...] | None,
    data: tuple[m.OCSPRequestData, ...] | None = None,
    emaid: str = EMAID_TEXT,
) -> m.AuthorizeRequest:
    """An Authorize for Plug & Charge."""
    return m.AuthorizeRequest(
        id_token=m.IdToken(id_token=emaid, type=e.IdTokenType.EMAID),
        certificate=pem(chain) if chain else None,
        iso15118_certificate_hash_data=data,
    )
