"""The certificate authorities with their OCSP responders, and the EST server of the V2G CA."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from fastapi import FastAPI

from plugpass.est.authorization import Identity
from plugpass.est.messages import Label
from plugpass.lab.topology.ground import Ground
from plugpass.net.ocsp_http import ocsp_router
from plugpass.pki.profiles import SUB_CA_ROLES, CertificateRole
from plugpass.pki.trust import TrustAnchors
from plugpass.providers.est import EstIssuer
from plugpass.providers.local_ca import Hierarchy, LocalCertificateAuthority, Operator
from plugpass.roles.v2g_ca import Account, V2gCa
from plugpass.store.authority import SqlCertificateLedger

CPS_NAME = "plugpass CPS"

LIVES = {
    **{sub_ca: timedelta(days=3650) for sub_cas in SUB_CA_ROLES.values() for sub_ca in sub_cas},
    CertificateRole.CPS_LEAF: timedelta(days=180),
}
"""Longer than in the field: the lab's clock jumps by weeks at once, and nothing but what it shows may expire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorities:
    """The three hierarchies, and the passwords of the V2G CA's EST clients."""

    v2g: LocalCertificateAuthority
    oem: LocalCertificateAuthority
    mo: LocalCertificateAuthority
    est_passwords: dict[str, str]

    @property
    def all(self) -> tuple[LocalCertificateAuthority, ...]:
        """V2G, OEM, MO."""
        return (self.v2g, self.oem, self.mo)


async def start_authorities(ground: Ground) -> Authorities:
    """Create or resume the hierarchies, serve their OCSP responders and the V2G CA's EST server."""
    v2g = await _authority(ground, Hierarchy.V2G, party="v2g-ca", service="v2g-ocsp", organization="plugpass V2G")
    oem = await _authority(ground, Hierarchy.OEM, party="oem", service="oem-ocsp", organization="plugpass OEM")
    mo = await _authority(ground, Hierarchy.MO, party="emsp", service="mo-ocsp", organization="plugpass eMSP")
    passwords = {"csms": ground.secret(), "cps": ground.secret()}
    operator = Identity(name="csms", labels=frozenset({Label.CPO}), prefixes=frozenset({ground.settings.operator}))
    signer = Identity(name="cps", labels=frozenset({Label.CPS}), names=frozenset({CPS_NAME}))
    ca = V2gCa(
        {Label.CPO: v2g, Label.CPS: v2g},
        [Account.create(who, passwords[who.name], random=ground.random) for who in (operator, signer)],
        clock=ground.clock,
    )
    await ground.serve("est", ca.est_app())
    await ground.serve("v2g-ocsp", ca.ocsp_app(), tls=False)
    for service, authority, actor in (("oem-ocsp", oem, "oem"), ("mo-ocsp", mo, "emsp")):
        app = FastAPI(title=f"{actor} OCSP responder", docs_url=None, redoc_url=None, openapi_url=None)
        app.include_router(ocsp_router(authority.respond_ocsp, clock=ground.clock, actor=actor))
        await ground.serve(service, app, tls=False)
    return Authorities(v2g=v2g, oem=oem, mo=mo, est_passwords=passwords)


async def est_issuer(ground: Ground, authorities: Authorities, actor: str) -> EstIssuer:
    """The EST client of `actor`, which trusts the V2G root."""
    return EstIssuer(
        await ground.client("est", auth=(actor, authorities.est_passwords[actor])),
        anchors=TrustAnchors.of(v2g=[authorities.v2g.root]),
        clock=ground.clock,
        actor=actor,
        trace=ground.recorder,
    )


async def _authority(
    ground: Ground, hierarchy: Hierarchy, *, party: str, service: str, organization: str
) -> LocalCertificateAuthority:
    settings = ground.settings
    return await LocalCertificateAuthority.open(
        hierarchy,
        keys=await ground.keys(party),
        ledger=SqlCertificateLedger(await ground.database(party)),
        clock=ground.clock,
        random=ground.random,
        ocsp_base_url=ground.url(service, scheme="http"),
        operator=Operator(organization=organization, country="DE"),
        lives=LIVES | {CertificateRole.SECC_LEAF: settings.secc_life, CertificateRole.CONTRACT: settings.contract_life},
    )
