"""Certificates of stations: roots pushed (M03, M05), SECC leaves signed (A02, A03) and renewed before they expire."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from plugpass.clock import Clock
from plugpass.errors import LocalError, PeerError, PlugpassError, Unavailable
from plugpass.ids import EVSEID, InvalidIdentifier
from plugpass.net.ocpp_channel import Deferred
from plugpass.ocpp.enums import (
    CertificateSigningUse,
    GenericStatus,
    GetCertificateIdUse,
    HashAlgorithm,
    InstallCertificateStatus,
    MessageTrigger,
    TriggerMessageStatus,
)
from plugpass.ocpp.messages import (
    EVSE,
    MAX_CERTIFICATE_CHAIN,
    CertificateHashData,
    CertificateSignedRequest,
    GetInstalledCertificateIdsRequest,
    InstallCertificateRequest,
    SignCertificateRequest,
    SignCertificateResponse,
    StatusInfo,
    TriggerMessageRequest,
)
from plugpass.ocpp.rules import HashKey, hash_key, installed_keys
from plugpass.pki import ocsp
from plugpass.pki.bundle import pem
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.csr import Csr, CsrRefused, evse_id_for, parse_csr
from plugpass.pki.keys import public_key_info
from plugpass.pki.profiles import CertificateRole, SanPolicy
from plugpass.ports.charging import ExpiringItem
from plugpass.ports.contracts import RootEntry
from plugpass.ports.issuing import CertificateIssuer, IssuedChain
from plugpass.ports.stations import (
    AttemptStatus,
    CertificateAttempt,
    StationCertificate,
    StationRecord,
    StationRegistry,
)
from plugpass.roles.csms.links import Jobs, Links, StationLink
from plugpass.roles.csms.roots import ROOT_USES, Roots

log = structlog.get_logger(__name__)

_LISTED = (GetCertificateIdUse.V2G_ROOT, GetCertificateIdUse.MO_ROOT, GetCertificateIdUse.V2G_CHAIN)
_V2G = CertificateSigningUse.V2G


class RenewalFailed(PeerError):
    """A station did not get or did not take its new SECC leaf."""


def past_two_thirds(item: ExpiringItem, now: datetime) -> bool:
    """Whether `now` is in the last third of the item's life."""
    return now - item.not_before >= (item.not_after - item.not_before) * 2 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalRules:
    """When a leaf is due, and how long one renewal may take."""

    #: Leaves that are due are renewed when their station boots. Whoever renews them between boots uses the same rule.
    is_due: Callable[[ExpiringItem, datetime], bool] = past_two_thirds
    patience: float = 30.0  #: seconds from the trigger until the station has accepted the new leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningAllowance:
    """How many SignCertificate requests of one station are looked at: its enrolments are paid for by the operator."""

    requests: int = 3  #: for each EVSE of the station, within the window
    window: timedelta = timedelta(minutes=10)


class StationCertificates:
    """Brings roots and SECC leaves to stations, and remembers each step in the registry."""

    def __init__(
        self,
        registry: StationRegistry,
        issuer: CertificateIssuer,
        roots: Roots,
        links: Links,
        jobs: Jobs,
        *,
        clock: Clock,
        rules: RenewalRules,
        allowance: SigningAllowance,
    ) -> None:
        self._registry = registry
        self._issuer = issuer
        self._roots = roots
        self._links = links
        self._jobs = jobs
        self._clock = clock
        self._rules = rules
        self._allowance = allowance
        self._requests: dict[str, deque[datetime]] = {}
        self._issued: dict[str, dict[str, IssuedChain]] = {}
        self._waiting: dict[tuple[str, str], asyncio.Future[None]] = {}

    # Provisioning after boot ------------------------------------------------------------------------------------

    async def provision(self, link: StationLink) -> None:
        """Bring the station to what it needs: all V2G and MO roots, and a SECC leaf for each EVSE that is not due."""
        record = await self._registry.station(link.identity)
        if record is None:
            raise LocalError(f"station {link.identity} is not in the registry")
        installed = await self._installed(link)
        missing = [entry for entry in await self._roots.entries(fresh=True) if not installed & _keys_of_root(entry)]
        for entry in missing:
            await self._install_root(link, entry)
        if missing:
            installed = await self._installed(link)  # read back: what counts is what the station lists
            await self._report_roots(link, missing, installed)
        for number in await self._evses_in_need(record, installed):
            await self._trigger(link, number, record.evse_ids[number - 1])  # one that refuses does not stop the others

    async def _installed(self, link: StationLink) -> frozenset[HashKey]:
        answer = await link.call(GetInstalledCertificateIdsRequest(certificate_type=_LISTED))
        return installed_keys(answer.certificate_hash_data_chain)

    async def _install_root(self, link: StationLink, entry: RootEntry) -> None:
        use, root = ROOT_USES[entry.root_type], parse(entry.certificate)
        request = InstallCertificateRequest(certificate_type=use, certificate=pem([root]))
        answer = await link.call(request)
        if answer.status is not InstallCertificateStatus.ACCEPTED:
            await self._note(link.identity, use, root.common_name, AttemptStatus.REJECTED, _why(answer.status_info))

    async def _report_roots(
        self, link: StationLink, pushed: Iterable[RootEntry], installed: frozenset[HashKey]
    ) -> None:
        for entry in pushed:
            listed = bool(installed & _keys_of_root(entry))
            status = AttemptStatus.ACCEPTED if listed else AttemptStatus.FAILED
            reason = "" if listed else "the station does not list it after the installation"
            name = parse(entry.certificate).common_name
            await self._note(link.identity, ROOT_USES[entry.root_type], name, status, reason)

    async def _evses_in_need(self, record: StationRecord, installed: frozenset[HashKey]) -> tuple[int, ...]:
        now = self._clock.now()
        held = {
            certificate.evse_id
            for certificate in await self._registry.certificates(record.identity)
            if installed & _keys(*map(parse, certificate.chain[:2])) and not self._rules.is_due(_item(certificate), now)
        }
        return tuple(number for number, evse_id in enumerate(record.evse_ids, start=1) if evse_id not in held)

    async def _trigger(self, link: StationLink, number: int, evse_id: str) -> str:
        """Ask the station for a CSR; returns why it does not send one, "" where it will."""
        trigger = TriggerMessageRequest(requested_message=MessageTrigger.SIGN_V2G_CERTIFICATE, evse=EVSE(id=number))
        answer = await link.call(trigger)
        accepted = answer.status is TriggerMessageStatus.ACCEPTED
        reason = "" if accepted else f"trigger {answer.status}: {_why(answer.status_info)}"
        status = AttemptStatus.TRIGGERED if accepted else AttemptStatus.REJECTED
        await self._note(link.identity, _V2G, evse_id, status, reason)
        return reason

    # Signing ----------------------------------------------------------------------------------------------------

    def _over_allowance(self, record: StationRecord | None, station: str) -> StatusInfo | None:
        """Count a request of the station; why it is refused where it has sent too many."""
        most = self._allowance.requests * max(1, len(record.evse_ids) if record else 0)
        times, now = self._requests.setdefault(station, deque()), self._clock.now()
        while times and abs(now - times[0]) >= self._allowance.window:
            times.popleft()
        if len(times) < most:
            times.append(now)
            return None
        reason = f"more than {most} signing requests within {self._allowance.window}; wait"
        # Not among the attempts: what a station repeats without end must not fill the registry.
        log.warning("csms.signing_refused", station=station, cause=reason)
        return StatusInfo(reason_code="TooManyRequests", additional_info=reason)

    async def _check(self, link: StationLink, request: SignCertificateRequest) -> tuple[Csr, str] | StatusInfo:
        """The CSR with the EVSE it is for, or why it is refused. Only SECC leaves are signed here."""
        use = request.certificate_type or CertificateSigningUse.CHARGING_STATION
        record = await self._registry.station(link.identity)
        if (refusal := self._over_allowance(record, link.identity)) is not None:
            return refusal
        if request.certificate_type is not _V2G:
            reason = "this CSMS signs V2GCertificate only; name that certificateType"
            await self._note(link.identity, use, "", AttemptStatus.REFUSED, reason)
            return StatusInfo(reason_code="UnsupportedType", additional_info=reason)
        try:
            csr = parse_csr(request.csr)
            evse_id = evse_of_csr(csr, record)
        except CsrRefused as error:
            await self._note(link.identity, use, "", AttemptStatus.REFUSED, str(error))
            return StatusInfo(reason_code="InvalidCSR", additional_info=str(error)[:512])
        await self._note(link.identity, use, evse_id, AttemptStatus.RECEIVED, "")
        return csr, evse_id

    async def sign(self, link: StationLink, request: SignCertificateRequest) -> SignCertificateResponse | Deferred:
        """Answer a SignCertificate; an accepted one is enrolled afterwards, in the background (A02.FR.11)."""
        checked = await self._check(link, request)
        if isinstance(checked, StatusInfo):
            return SignCertificateResponse(status=GenericStatus.REJECTED, status_info=checked)
        csr, evse_id = checked

        async def enrol() -> None:
            # A repeated request replaces the one before it: the station has one pending key for each EVSE.
            self._jobs.start(("sign", link.identity, evse_id), self._enrol(link.identity, evse_id, csr))

        return Deferred(response=SignCertificateResponse(status=GenericStatus.ACCEPTED), then=enrol)

    async def _enrol(self, station: str, evse_id: str, csr: Csr) -> None:
        try:
            issued = await self._issuer.issue(csr.encoded, CertificateRole.SECC_LEAF)
            leaf = _leaf_for(issued, csr)
            await self._note(station, _V2G, evse_id, AttemptStatus.ISSUED, f"serial {leaf.serial:x}")
            self._issued.setdefault(station, {})[evse_id] = issued
            await self._hand_over(station, evse_id, issued, leaf)
        except PlugpassError as error:
            await self._note(station, _V2G, evse_id, AttemptStatus.FAILED, str(error))
            self._finish(station, evse_id, error)
        else:
            self._finish(station, evse_id, None)

    async def _hand_over(self, station: str, evse_id: str, issued: IssuedChain, leaf: Certificate) -> None:
        chain = pem(issued.certificates)
        if len(chain) > MAX_CERTIFICATE_CHAIN:
            raise LocalError(f"the chain has {len(chain)} characters, OCPP carries {MAX_CERTIFICATE_CHAIN}")
        request = CertificateSignedRequest(certificate_chain=chain, certificate_type=_V2G)  # A02.FR.14: echo the type
        answer = await self._links.get(station).call(request)
        if answer.status is not GenericStatus.ACCEPTED:
            reason = _why(answer.status_info)
            await self._note(station, _V2G, evse_id, AttemptStatus.REJECTED, reason)
            raise RenewalFailed(f"station {station} refused its new certificate: {reason}")
        await self._registry.save_certificate(
            StationCertificate(
                station=station,
                evse_id=evse_id,
                chain=issued.certificates,
                serial=leaf.serial,
                not_before=leaf.not_before,
                not_after=leaf.not_after,
                installed_at=self._clock.now(),
            )
        )
        await self._note(station, _V2G, evse_id, AttemptStatus.ACCEPTED, f"serial {leaf.serial:x}")

    def _finish(self, station: str, evse_id: str, error: PlugpassError | None) -> None:
        waiting = self._waiting.pop((station, evse_id), None)
        if waiting is None or waiting.done():
            return
        if error is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(error)

    # Inventory and renewal --------------------------------------------------------------------------------------

    async def items(self) -> tuple[ExpiringItem, ...]:
        """The SECC leaf in use at each EVSE."""
        return tuple(_item(certificate) for certificate in await self._registry.certificates())

    async def renew(self, item: ExpiringItem) -> None:
        """Trigger the station and wait until it has accepted its new leaf.

        Raises Unavailable where the station is away or does not finish in time, and a PeerError where it, or the CA,
        refuses.
        """
        station, evse_id = _parse_item(item)
        record = await self._registry.station(station)
        if record is None or evse_id not in record.evse_ids:
            raise LocalError(f"{item.item_id} is no EVSE of a station in the registry")
        link = self._links.get(station)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[station, evse_id] = done
        try:
            async with asyncio.timeout(self._rules.patience):
                reason = await self._trigger(link, 1 + record.evse_ids.index(evse_id), evse_id)
                if reason:
                    raise RenewalFailed(f"station {station} does not start a signing request: {reason}")
                await done
        except TimeoutError:
            raise Unavailable(
                f"station {station} did not finish the renewal for {evse_id} within {self._rules.patience:g} s"
            ) from None
        finally:
            if self._waiting.get((station, evse_id)) is done:
                del self._waiting[station, evse_id]

    async def chains(self, station: str) -> tuple[tuple[bytes, ...], ...]:
        """The SECC chains the station has or is about to get, DER, leaf first."""
        stored = [certificate.chain for certificate in await self._registry.certificates(station)]
        fresh = [issued.certificates for issued in self._issued.get(station, {}).values()]
        return tuple(dict.fromkeys([*fresh, *stored]))

    async def _note(self, station: str, use: str, subject: str, status: AttemptStatus, reason: str) -> None:
        level = log.info if status not in _BAD else log.warning
        level("csms.certificate", station=station, use=use, subject=subject, status=status.value, reason=reason)
        await self._registry.record_attempt(
            CertificateAttempt(
                station=station, use=use, subject=subject, status=status, reason=reason, at=self._clock.now()
            )
        )


_BAD = frozenset({AttemptStatus.REFUSED, AttemptStatus.REJECTED, AttemptStatus.FAILED})


def evse_of_csr(csr: Csr, record: StationRecord | None) -> str:
    """The EVSE id (as the registry spells it) that a station's CSR names in its CN.

    A SubjectAltName `urn:evseid:` must name the same EVSE. Raises CsrRefused where it is none of the station's.
    """
    if record is None:
        raise CsrRefused("the station is not known")
    try:
        named = EVSEID.parse(csr.common_name)
    except InvalidIdentifier as error:
        raise CsrRefused(f"the common name of the request is no EVSE id: {error}") from None
    evse_id_for(csr, SanPolicy.COPY, operator_prefix=record.operator)
    own = {EVSEID.parse(evse_id): evse_id for evse_id in record.evse_ids}
    if named not in own:
        raise CsrRefused(f"EVSE {named} does not belong to station {record.identity}", wire="403")
    return own[named]


def _leaf_for(issued: IssuedChain, csr: Csr) -> Certificate:
    leaf = parse(issued.leaf)
    if leaf.key.encoded != public_key_info(csr.public_key):
        raise PeerError("the CA answered with a certificate for another key")
    return leaf


def _item(certificate: StationCertificate) -> ExpiringItem:
    return ExpiringItem(
        item_id=f"secc:{certificate.station}:{certificate.evse_id}",
        kind="secc",
        subject=certificate.evse_id,
        serial=certificate.serial,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        labels={"station": certificate.station, "evse_id": certificate.evse_id},
    )


def _parse_item(item: ExpiringItem) -> tuple[str, str]:
    kind, _, rest = item.item_id.partition(":")
    station, _, evse_id = rest.rpartition(":")  # a station's identity may contain colons, an EVSE id does not
    if kind != "secc" or not station:
        raise LocalError(f"{item.item_id!r} is no SECC leaf of this CSMS; expected secc:<station>:<EVSE id>")
    return station, evse_id


def _keys(certificate: Certificate, issuer: Certificate) -> frozenset[HashKey]:
    """The certificate's hash data under every algorithm a station may use."""
    return frozenset(
        hash_key(
            CertificateHashData(
                hash_algorithm=algorithm,
                issuer_name_hash=cert_id.issuer_name_hash_hex,
                issuer_key_hash=cert_id.issuer_key_hash_hex,
                serial_number=cert_id.serial_hex,
            )
        )
        for algorithm in HashAlgorithm
        for cert_id in (ocsp.cert_id(certificate, issuer, hash_algorithm=algorithm.value),)
    )


def _keys_of_root(entry: RootEntry) -> frozenset[HashKey]:
    root = parse(entry.certificate)
    return _keys(root, root)


def _why(info: StatusInfo | None) -> str:
    if info is None:
        return "no reason given"
    return f"{info.reason_code}: {info.additional_info}" if info.additional_info else info.reason_code
