"""Signing contract data: what is checked, what is signed, where it goes."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from fastapi import FastAPI

from plugpass.clock import Clock
from plugpass.errors import Unavailable
from plugpass.ids import EMAID, pseudonym
from plugpass.iso15118.contract import (
    IV_SIZE,
    POINT_SIZE,
    SCALAR_SIZE,
    SealedKey,
    build_installation_response,
    to_exi,
)
from plugpass.iso15118.messages import iso2
from plugpass.net.online_path import validate_online
from plugpass.net.opcp_http import OpcpGate, opcp_app
from plugpass.opcp.errors import bad_request
from plugpass.opcp.rights import Account
from plugpass.pki.certificate import Certificate
from plugpass.pki.path import FIELD, Policy, Verdict
from plugpass.pki.profiles import CertificateRole, RootType
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.charging import RevocationSource
from plugpass.ports.contracts import AccountStore, ContractData, ContractPool, RootPool, SignedContract
from plugpass.ports.issuing import CertificateIssuer
from plugpass.ports.keys import Credential, KeyStore
from plugpass.roles.cps.credential import CpsCredential, CpsSubject
from plugpass.roles.cps.http import signing_routes

log = structlog.get_logger(__name__)


class Cps:
    """Signs contract data with its CPS leaf and hands them to the contract pool; a `ProvisioningService`.

    `roots` is where trust anchors come from, `issuer` signs the service's own leaf (kept in `keys` as "cps"), `pool`
    takes what is signed. `revocation=None` decides not to look at the revocation of contract certificates.
    """

    def __init__(
        self,
        *,
        subject: CpsSubject,
        keys: KeyStore,
        issuer: CertificateIssuer,
        roots: RootPool,
        pool: ContractPool,
        accounts: AccountStore,
        clock: Clock,
        random: Callable[[int], bytes],
        revocation: RevocationSource | None,
        policy: Policy = FIELD,
    ) -> None:
        self.credential = CpsCredential(keys=keys, issuer=issuer, subject=subject, clock=clock)
        self._gate = OpcpGate(accounts=accounts, clock=clock, random=random)
        self._roots = roots
        self._pool = pool
        self._clock = clock
        self._revocation = revocation
        self._policy = policy

    async def start(self) -> None:
        """Enrol the signing certificate where there is none, or it has expired while the service was down."""
        await self.credential.ensure()

    async def add_account(self, account: Account, secret: str) -> None:
        """Create a client of the service, or give it a new secret."""
        await self._gate.add_account(account, secret)

    def app(self) -> FastAPI:
        """The HTTP face; serve it over TLS only."""
        return opcp_app(
            "plugpass certificate provisioning service",
            self._gate.router(),
            signing_routes(self._gate, self),
            random=self._gate.random,
        )

    async def sign(self, data: ContractData) -> SignedContract:
        """Check, sign and store in the contract pool. Raises OpcpError 400 for what does not fit together."""
        sealed = SealedKey(encrypted_private_key=data.encrypted_private_key, dh_public_key=data.dh_public_key)
        message = await self.sign_message(data.emaid, data.chain, sealed)
        signed = SignedContract(emaid=data.emaid, pcid=data.pcid, exi=to_exi(message), namespace=data.namespace)
        await self.store(signed)
        return signed

    async def sign_message(self, emaid: EMAID, chain: tuple[bytes, ...], sealed: SealedKey) -> iso2.V2GMessage:
        """The signed installation response for a contract chain (DER, leaf first) and its sealed key.

        Raises OpcpError 400 where the chain is not accepted, names another EMAID, or the key has a wrong size.
        """
        await self._check(emaid, chain, sealed)
        credential, _ = await self.signer()
        return build_installation_response(
            emaid=emaid,
            contract_chain=chain,
            sealed=sealed,
            cps_chain=credential.chain,
            cps_signer=credential.signer,
        )

    async def store(self, signed: SignedContract) -> None:
        """Hand signed contract data to the contract pool."""
        await self._pool.store(signed)
        log.info("cps.contract_signed", emaid=pseudonym(signed.emaid), pcid=pseudonym(signed.pcid))

    async def signer(self) -> tuple[Credential, Certificate]:
        """The signing credential, proven good, and the V2G root above it.

        Raises Unavailable where it is not good any more: no vehicle would accept what it signs.
        """
        credential = await self.credential.current()
        verdict = await self._validate(credential.chain, CertificateRole.CPS_LEAF)
        if not verdict.ok:
            raise Unavailable(f"the CPS cannot sign with its certificate: {verdict.summary}")
        return credential, verdict.path[-1]

    async def _check(self, emaid: EMAID, chain: tuple[bytes, ...], sealed: SealedKey) -> None:
        verdict = await self._validate(chain, CertificateRole.CONTRACT, expected_cn=str(emaid))
        if not verdict.ok:
            raise bad_request(f"The contract certificate chain is not accepted: {verdict.summary}")
        if len(sealed.encrypted_private_key) != IV_SIZE + SCALAR_SIZE:
            raise bad_request("contractSignatureEncryptedPrivateKey : must have 48 octets")
        if len(sealed.dh_public_key) != POINT_SIZE:
            raise bad_request("dHpublickey : must have 65 octets")

    async def _validate(
        self, chain: tuple[bytes, ...], role: CertificateRole, *, expected_cn: str | None = None
    ) -> Verdict:
        return await validate_online(
            chain,
            role=role,
            anchors=await self._anchors(),
            at=self._clock.now(),
            policy=self._policy,
            revocation=self._revocation,
            expected_cn=expected_cn,
        )

    async def _anchors(self) -> TrustAnchors:
        anchors = TrustAnchors()
        for entry in await self._roots.roots():
            anchors = anchors.adding(RootType(entry.root_type), entry.certificate)
        return anchors
