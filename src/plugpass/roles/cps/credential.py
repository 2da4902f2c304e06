"""The service's own signing credential: enrolled where missing, renewed when due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog

from plugpass.clock import Clock
from plugpass.errors import LocalError
from plugpass.pki.certificate import parse
from plugpass.pki.csr import create_csr
from plugpass.pki.keys import generate
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.charging import ExpiringItem
from plugpass.ports.issuing import CertificateIssuer
from plugpass.ports.keys import Credential, KeyStore

log = structlog.get_logger(__name__)

KEY_NAME: Final = "cps"
ITEM_ID: Final = "cps"


@dataclass(frozen=True, slots=True, kw_only=True)
class CpsSubject:
    """What the service's certificate calls it."""

    common_name: str
    organization: str
    country: str | None = None


class CpsCredential:
    """`Inventory` and `Renewer` of one CPS leaf."""

    def __init__(self, *, keys: KeyStore, issuer: CertificateIssuer, subject: CpsSubject, clock: Clock) -> None:
        self._keys = keys
        self._issuer = issuer
        self._subject = subject
        self._clock = clock

    async def current(self) -> Credential:
        """The credential in use. Raises LocalError where none was enrolled."""
        credential = await self._keys.get(KEY_NAME)
        if credential is None:
            raise LocalError("the CPS has no certificate yet: let it enrol first")
        return credential

    async def ensure(self) -> Credential:
        """The credential in use, enrolled now where there is none or it has expired."""
        credential = await self._keys.get(KEY_NAME)
        if credential is None or parse(credential.chain[0]).not_after < self._clock.now():
            return await self._enrol()
        return credential

    async def items(self) -> tuple[ExpiringItem, ...]:
        """The leaf, where there is one."""
        credential = await self._keys.get(KEY_NAME)
        if credential is None:
            return ()
        leaf = parse(credential.chain[0])
        item = ExpiringItem(
            item_id=ITEM_ID,
            kind="cps",
            subject=leaf.common_name,
            serial=leaf.serial,
            not_before=leaf.not_before,
            not_after=leaf.not_after,
        )
        return (item,)

    async def renew(self, item: ExpiringItem) -> None:
        """A new key and certificate; what was signed with the old one stays valid as long as the old one is."""
        await self._enrol()

    async def _enrol(self) -> Credential:
        signer = generate()
        csr = create_csr(
            signer,
            common_name=self._subject.common_name,
            organization=self._subject.organization,
            country=self._subject.country,
            domain="CPS",
        )
        chain = await self._issuer.issue(csr, CertificateRole.CPS_LEAF)
        credential = Credential(chain=chain.certificates, signer=signer)
        await self._keys.put(KEY_NAME, credential)
        log.info("cps.enrolled", serial=f"{parse(chain.leaf).serial:x}")
        return credential
