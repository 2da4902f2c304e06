"""The eight groups of a lab run, in order. Wire events become steps by themselves; what is written here is the plot:
who does what next, what has to be waited for, and what must be true afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from plugpass.errors import Unavailable
from plugpass.ids import EMAID, PCID
from plugpass.lab.recorder import Recorder
from plugpass.lab.report import Report
from plugpass.lab.topology import RENEWAL, Lab
from plugpass.pki import ocsp
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.charging import CertificateStatus, ExpiringItem, Inventory, TokenStatus, TransactionPhase
from plugpass.ports.contracts import ContractState
from plugpass.providers.ocsp import HttpRevocationSource
from plugpass.roles.vehicle.result import ChargingResult

PATIENCE = 30.0
"""Seconds the plot waits for something that a party does by itself."""

CA_TITLES = {
    CertificateRole.V2G_ROOT: "V2G Root",
    CertificateRole.CPO_SUB1: "CPO Sub-CA 1",
    CertificateRole.CPO_SUB2: "CPO Sub-CA 2",
    CertificateRole.CPS_SUB1: "CPS Sub-CA 1",
    CertificateRole.CPS_SUB2: "CPS Sub-CA 2",
    CertificateRole.OEM_ROOT: "OEM Root",
    CertificateRole.OEM_SUB1: "OEM Sub-CA 1",
    CertificateRole.OEM_SUB2: "OEM Sub-CA 2",
    CertificateRole.MO_ROOT: "MO Root",
    CertificateRole.MO_SUB1: "MO Sub-CA 1",
    CertificateRole.MO_SUB2: "MO Sub-CA 2",
}


class StepFailed(Exception):
    """A step went wrong; it is in the report, and what depends on it is not tried."""


class Scenario:
    """Plays the groups on a lab."""

    def __init__(self, lab: Lab, report: Report, recorder: Recorder) -> None:
        self._lab = lab
        self._report = report
        self._recorder = recorder
        self._clock = lab.ground.clock
        self._policy = RENEWAL
        self._pcid = PCID.parse(lab.ground.settings.pcid)
        self.groups: tuple[Callable[[], Awaitable[None]], ...] = (
            self.public_key_infrastructure,
            self.vehicle_is_published,
            self.contract_is_concluded,
            self.station_boots,
            self.first_plug_in,
            self.second_plug_in,
            self.renewal,
            self.refusals,
        )

    # --- 1 to 3: the back offices -----------------------------------------------------------------------------------

    async def public_key_infrastructure(self) -> None:
        """Three hierarchies with an OCSP responder for each issuing CA, the roots in the pool, the CPS certified."""
        lab = self._lab
        await lab.start_authorities()
        for authority, actor in zip(lab.authorities.all, ("v2g-ca", "oem", "emsp"), strict=True):
            for role, certificate in authority.certificates.items():
                self._certificate_step(actor, CA_TITLES[role], certificate)
        await lab.start_back_office()
        cps = await lab.office.cps.credential.current()
        self._certificate_step("cps", "CPS leaf", cps.chain[0])
        await self._check_responders(cps.chain)

    async def vehicle_is_published(self) -> None:
        """The OEM builds the vehicle and publishes its provisioning certificate."""
        await self._lab.park_vehicle()
        entry = await self._lab.office.vehicles.find(self._pcid)
        self._check("oem", "The pool knows the vehicle", entry is not None, f"PCID {self._pcid}")

    async def contract_is_concluded(self) -> None:
        """The eMSP concludes a contract, unless the vehicle has one from an earlier run."""
        emsp = self._lab.office.emsp
        await emsp.resume()
        active = await self._active_contract()
        if active is None:
            active = (await emsp.conclude(self._pcid)).emaid
        self._check("emsp", "The contract is in force", await self._active_contract() == active, f"EMAID {active}")

    # --- 4: the station ---------------------------------------------------------------------------------------------

    async def station_boots(self) -> None:
        """The station boots at the CSMS and gets roots and a SECC leaf, if it has none that is good."""
        lab = self._lab
        with self._recorder.scene():
            await lab.start_roadside()
            await self._recorder.seen("station", "BootNotification", within=PATIENCE)
            await self._recorder.seen("csms", "GetInstalledCertificateIds", within=PATIENCE)
            if lab.site.credentials.newest is None or await self._is_due(lab.backend.csms):
                await self._recorder.seen("csms", "CertificateSigned", within=PATIENCE)
            await self._stapled()
        leaf = lab.site.credentials.newest
        certificate = parse(leaf.chain[0]) if leaf else None
        self._check(
            "station",
            "A SECC leaf is in use",
            certificate is not None and certificate.common_name == str(lab.ground.settings.evse),
            _describe(certificate) if certificate else "the station has no SECC leaf",
        )
        await lab.watch_expiry()

    # --- 5 and 6: charging ------------------------------------------------------------------------------------------

    async def first_plug_in(self) -> None:
        """The vehicle installs its contract certificate, unless it has it from an earlier run, and charges on it."""
        (contract,) = await self._lab.office.renewal.items()
        stored = await self._stored_serial()
        outdated = stored is not None and stored != contract.serial
        with self._recorder.scene():
            result = await self._lab.vehicle.plug_in(self._lab.site.outlet, request_installation=outdated)
            await self._check_charged(result)
        paid = await self._stored_serial() == contract.serial and str(result.emaid) == contract.subject
        self._check("vehicle", "The contract is installed and paid with", paid, f"EMAID {contract.subject}")
        self._check("vehicle", "Meter receipts are signed", result.receipts > 0, f"{result.receipts} receipts")
        await self._check_transaction()

    async def second_plug_in(self) -> None:
        """The same vehicle charges on the stored contract."""
        with self._recorder.scene() as events:
            result = await self._lab.vehicle.plug_in(self._lab.site.outlet)
            await self._check_charged(result)
        installed = any("CertificateInstallation" in event.message for event in events)
        self._check("vehicle", "No installation was needed", not installed, f"EMAID {result.emaid}")

    # --- 7: renewal -------------------------------------------------------------------------------------------------

    async def renewal(self) -> None:
        """SECC leaf and contract become due, in the order of their dates; their owners notice by themselves."""
        csms, contracts = self._lab.backend.csms, self._lab.office.renewal
        (secc,), (contract,) = await csms.items(), await contracts.items()
        plot = [
            (self._policy.due_at(secc), self._secc_leaf_is_renewed),
            (self._policy.due_at(contract), self._contract_is_renewed),
        ]
        for _, act in sorted(plot, key=lambda pair: pair[0]):
            await act()

    async def _secc_leaf_is_renewed(self) -> None:
        (before,) = await self._lab.backend.csms.items()
        with self._recorder.scene():
            self._jump_to_due(before)
            await self._renewed()
        with self._recorder.scene():
            result = await self._lab.vehicle.plug_in(self._lab.site.outlet)
            await self._check_charged(result)
        served = result.server_serial
        self._check(
            "vehicle",
            "The station presents a new SECC leaf",
            served is not None and served != before.serial,
            f"serial {served:x}, before {before.serial:x}" if served else "no leaf was presented",
        )

    async def _contract_is_renewed(self) -> None:
        (before,) = await self._lab.office.renewal.items()
        with self._recorder.scene():
            self._jump_to_due(before)
            await self._renewed()
        (after,) = await self._lab.office.renewal.items()
        self._check(
            "emsp",
            "A new contract certificate for the same EMAID",
            after.item_id == before.item_id and after.serial != before.serial,
            f"serial {after.serial:x}, before {before.serial:x}",
        )
        with self._recorder.scene():
            result = await self._lab.vehicle.plug_in(self._lab.site.outlet, request_installation=True)
            await self._check_charged(result)
        serial = await self._stored_serial()
        self._check(
            "vehicle",
            "The renewed contract is installed",
            result.installed is not None and serial == after.serial,
            f"EMAID {result.installed}",
        )

    # --- 8: refusals ------------------------------------------------------------------------------------------------

    async def refusals(self) -> None:
        """A revoked contract does not charge; an expired SECC leaf gets no session."""
        await self._revoked_contract()
        await self._expired_leaf()

    async def _revoked_contract(self) -> None:
        lab = self._lab
        emaid = await self._active_contract()
        if emaid is None:
            self._check("emsp", "There is a contract to revoke", False, "none is in force")
            return
        with self._recorder.scene():
            await lab.office.emsp.revoke(emaid, "the customer ended the contract")
        with self._recorder.scene(refusals_expected=True):
            result = await lab.vehicle.plug_in(lab.site.outlet)
            await self._settle()
        verdict = (await lab.backend.registry.authorizations(lab.ground.settings.station))[-1]
        refused = result.refused == "FAILED_CertificateRevoked" and not result.ok
        self._check("vehicle", "The station refuses the revoked contract", refused, result.refused or result.reason)
        self._check(
            "csms",
            "The CSMS says why",
            verdict.certificate_status is CertificateStatus.CERTIFICATE_REVOKED
            and verdict.token_status is TokenStatus.INVALID,
            f"certificateStatus {verdict.certificate_status}, idTokenInfo {verdict.token_status}",
        )

    async def _expired_leaf(self) -> None:
        site = self._lab.site
        site.credentials.present_previous_leaf = True
        try:
            previous = site.credentials.credential()
            if previous is None:
                self._check("station", "There is an older leaf to present", False, "the station has no older leaf")
                return
            self._clock_at_least(parse(previous.chain[0]))
            with self._recorder.scene(refusals_expected=True):
                result = await self._lab.vehicle.plug_in(site.outlet)
                await site.station.wait_idle()
        finally:
            site.credentials.present_previous_leaf = False
        expired = result.tls_alert == "certificate_expired" and not result.exchanges
        self._check("vehicle", "The vehicle refuses TLS with an expired SECC leaf", expired, result.reason)

    # --- helpers ----------------------------------------------------------------------------------------------------

    def _check(self, actor: str, title: str, ok: bool, detail: str) -> None:
        """A step that looks at the outcome. Raises StepFailed where it is not what it must be."""
        self._report.add(group=self._recorder.group, actor=actor, title=title, ok=ok, ms=0.0, detail=detail)
        if not ok:
            raise StepFailed(title)

    def _certificate_step(self, actor: str, title: str, der: bytes) -> None:
        certificate = parse(der)
        self._report.add(
            group=self._recorder.group,
            actor=actor,
            title=title,
            ok=certificate.not_before <= self._clock.now() < certificate.not_after,
            ms=0.0,
            size=len(der),
            detail=_describe(certificate),
        )

    async def _check_responders(self, cps_chain: tuple[bytes, ...]) -> None:
        """Ask the responder of every CA that has issued a certificate by now for the status of it."""
        http = await self._lab.ground.plain_client()
        source = HttpRevocationSource(http, clock=self._clock, actor="lab", peer="responder", trace=self._recorder)
        pairs = [
            (der, authority.issuer_of(der)) for authority in self._lab.authorities.all for der in authority.sub_cas
        ]
        pairs += [(cps_chain[0], cps_chain[1])]
        for der, issuer in pairs:
            url = ocsp.ocsp_url(der)
            cert_id = ocsp.cert_id(der, issuer)
            response = await source.ocsp_response(ocsp.build_request([cert_id]), url or "")
            status = ocsp.verify_response(response, cert_id, issuer, at=self._clock.now()).status
            self._check("lab", f"OCSP status of {parse(der).common_name}", status == ocsp.CertStatus.GOOD, str(status))

    async def _settle(self) -> None:
        """Let the station finish its session, and the CSMS take every report of it."""
        await self._lab.site.station.wait_idle()
        await self._lab.site.backend.wait_delivered()

    async def _check_charged(self, result: ChargingResult) -> None:
        await self._settle()
        detail = f"{result.energy_wh} Wh in {result.ms:.0f} ms" if result.ok else result.reason
        self._check("vehicle", "Charged and stopped in good order", result.ok, detail)

    async def _check_transaction(self) -> None:
        lab = self._lab
        reports = [report for _, report in await lab.backend.registry.transactions(lab.ground.settings.station)]
        last = [report for report in reports if report.transaction_id == reports[-1].transaction_id] if reports else []
        phases = {report.phase for report in last}
        energy = [report.energy_wh for report in last if report.energy_wh is not None]
        self._check(
            "csms",
            "The transaction is complete",
            phases == set(TransactionPhase) and len(energy) >= 2,
            f"{len(last)} events, {max(energy, default=0) - min(energy, default=0)} Wh",
        )

    async def _active_contract(self) -> EMAID | None:
        records = await self._lab.office.emsp.contracts(self._pcid)
        return next((record.emaid for record in records if record.state is ContractState.ACTIVE), None)

    async def _is_due(self, inventory: Inventory) -> bool:
        return any(self._policy.is_due(item, self._clock.now()) for item in await inventory.items())

    async def _renewed(self) -> None:
        """Let the parties notice by themselves what is due, and finish with it."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._lab.monitor.settled()
        except TimeoutError:
            raise Unavailable("what is due was not renewed") from None
        await self._stapled()

    def _jump_to_due(self, item: ExpiringItem) -> None:
        self._jump(self._policy.due_at(item) + timedelta(minutes=1) - self._clock.now(), f"{item.kind} is due")

    def _clock_at_least(self, certificate: Certificate) -> None:
        """Move the clock past the certificate's end, where it is not there yet."""
        self._jump(certificate.not_after + timedelta(hours=1) - self._clock.now(), "the older SECC leaf has expired")

    def _jump(self, delta: timedelta, why: str) -> None:
        if delta <= timedelta(0):
            return
        self._lab.ground.jump(delta)
        days = delta / timedelta(days=1)
        self._report.add(
            group=self._recorder.group,
            actor="lab",
            title=f"The clock jumps {days:.1f} days",
            ok=True,
            ms=0.0,
            detail=f"{self._clock.now():%Y-%m-%d %H:%M} UTC: {why}",
        )

    async def _stored_serial(self) -> int | None:
        """The serial number of the contract certificate in the vehicle."""
        current = await (await self._lab.ground.keys("vehicle")).current()
        return parse(current[1].chain[0]).serial if current else None

    async def _stapled(self) -> None:
        """Let the station notice that its OCSP staple is too old, and get a new one."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._lab.site.backend.wait_stapled()
        except TimeoutError:
            raise Unavailable("the station did not renew its OCSP staple") from None


def _describe(certificate: Certificate) -> str:
    return f"{certificate.common_name}, serial {certificate.serial:x}, until {certificate.not_after:%Y-%m-%d}"
