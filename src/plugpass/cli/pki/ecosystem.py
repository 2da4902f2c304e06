"""Making a workspace: the hierarchies of a test ecosystem, their cross certificates, and one leaf of each kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from plugpass.cli.pki.certificates import issue_leaf, write_chain
from plugpass.cli.pki.workspace import ROOT_TYPE, AuthorityPlan, Plan, Workspace
from plugpass.errors import ConfigurationError
from plugpass.ids import EVCCID
from plugpass.pki.bundle import pem
from plugpass.pki.certificate import parse
from plugpass.pki.keys import Curve
from plugpass.pki.profiles import CertificateRole, Generation, profiles
from plugpass.pki.trust_store import Provenance, Source, Stage, TrustEntry, entries_of
from plugpass.providers.local_ca import Hierarchy, LocalCertificateAuthority
from plugpass.store.layouts import write_file

#: What the leaves of a test ecosystem are called.
SAMPLE_NAMES: Final[Mapping[CertificateRole, str]] = MappingProxyType(
    {
        CertificateRole.SECC_LEAF: "DE*PLU*E1001*1",
        CertificateRole.PE_SECC: "DE*PLU*E2001*1",
        CertificateRole.CPS_LEAF: "plugpass CPS",
        CertificateRole.OEM_PROVISIONING: "WPLUG000000000017",
        CertificateRole.CONTRACT: "DE8AA001234567",
        CertificateRole.VEHICLE_LEAF: str(EVCCID.create("WPL", "PLUGPASS0000001")),
    }
)
ECOSYSTEM: Final = (Hierarchy.V2G, Hierarchy.OEM, Hierarchy.MO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What `init` was asked for."""

    generation: Generation
    curve: Curve | None
    hierarchies: tuple[Hierarchy, ...]
    markets: tuple[str, ...]
    cross_sign: bool
    organization: str
    country: str
    tiers: int
    ocsp_url: str
    crl_url: str | None
    leaves: bool


def plans_for(wish: Wish) -> tuple[AuthorityPlan, ...]:
    """The authorities of a wish: a V2G root for each market. Raises ConfigurationError for a wrong curve."""
    table = profiles(wish.generation)[CertificateRole.V2G_ROOT]
    curve = wish.curve or table.preferred_curve
    if curve not in table.curves:
        fitting = ", ".join(sorted(table.curves))
        raise ConfigurationError(f"{wish.generation} has no keys on {curve}; use {fitting}")
    return tuple(
        _plan(wish, hierarchy, market, curve)
        for hierarchy in wish.hierarchies
        for market in (wish.markets if hierarchy is Hierarchy.V2G and wish.markets else ("",))
    )


def _plan(wish: Wish, hierarchy: Hierarchy, market: str, curve: Curve) -> AuthorityPlan:
    generation = "" if wish.generation is Generation.ISO2 else wish.generation.value
    flavour = (generation, "ed448" if curve is Curve.ED448 else "")
    return AuthorityPlan(
        name="-".join(part for part in (hierarchy.value, market.lower(), *flavour) if part),
        hierarchy=hierarchy,
        generation=wish.generation,
        curve=curve,
        organization=wish.organization,
        country=wish.country,
        market=market.upper(),
        label=" ".join(part.upper() for part in (market, *flavour) if part),
        tiers=wish.tiers,
        ocsp_url=wish.ocsp_url,
        crl_url=wish.crl_url,
    )


async def initialise(workspace: Workspace, wish: Wish) -> dict[str, Any]:
    """Make what is wished for; what exists already is kept, and what was interrupted is finished."""
    wanted = plans_for(wish)
    known = {plan.name: plan for plan in workspace.plan.authorities}
    plans = tuple(known.get(plan.name, plan) for plan in wanted)
    workspace.save(Plan(authorities=tuple({plan.name: plan for plan in (*known.values(), *plans)}.values())))
    made = [await _authority(workspace, plan, leaves=wish.leaves) for plan in plans]
    crossed = await _cross_sign(workspace, plans) if wish.cross_sign else []
    return {"ok": True, "dir": str(workspace.folder), "authorities": made, "cross_certificates": crossed}


async def _authority(workspace: Workspace, plan: AuthorityPlan, *, leaves: bool) -> dict[str, Any]:
    authority = await workspace.authority(plan)
    root = write_authority(workspace, plan, authority)
    await workspace.trust.add(trust_entries(workspace, plan, authority.root))
    written: dict[str, str] = {}
    for role in authority.leaf_roles if leaves else ():
        chain = await issue_leaf(workspace, plan, role, SAMPLE_NAMES[role], reuse=True)
        written[role.value] = str(write_chain(workspace, plan, f"{role}.pem", chain))
    return {
        "name": plan.name,
        "hierarchy": plan.hierarchy.value,
        "generation": plan.generation.value,
        "curve": plan.curve.value,
        "root": str(root),
        "leaves": written,
    }


def write_authority(workspace: Workspace, plan: AuthorityPlan, authority: LocalCertificateAuthority) -> Path:
    """Write the root into `roots/` and all CAs into `certs/`; gives the root's file."""
    for role, certificate in authority.certificates.items():
        write_file(workspace.folder / "certs" / plan.name / f"{role}.pem", pem([certificate]).encode())
    root = workspace.folder / "roots" / f"{plan.name}.pem"
    write_file(root, pem([authority.root]).encode())
    return root


def trust_entries(
    workspace: Workspace, plan: AuthorityPlan, root: bytes, stage: Stage = Stage.ACTIVE
) -> tuple[TrustEntry, ...]:
    """A root of our own for the trust store."""
    provenance = Provenance(
        source=Source.MANUAL,
        added_by=workspace.by,
        added_at=workspace.clock.now(),
        origin=own_origin(plan),
        market=plan.market,
    )
    return entries_of(ROOT_TYPE[plan.hierarchy], [parse(root)], provenance, stage=stage)


def own_origin(plan: AuthorityPlan) -> str:
    """The origin of a root that an authority of the workspace made."""
    return f"authority {plan.name}"


async def _cross_sign(workspace: Workspace, plans: Iterable[AuthorityPlan]) -> list[str]:
    """Every V2G root certifies every other one."""
    v2g = [plan for plan in plans if plan.hierarchy is Hierarchy.V2G]
    if len(v2g) < 2:
        raise ConfigurationError("cross-signing needs several V2G roots: name two or more with --market")
    return [str(await cross_sign(workspace, issuer, subject)) for issuer, subject in permutations(v2g, 2)]


async def cross_sign(workspace: Workspace, issuer: AuthorityPlan, subject: AuthorityPlan) -> Path:
    """The root of `issuer` certifies the root of `subject`; gives the file."""
    other = await workspace.authority(subject)
    certificate = await (await workspace.authority(issuer)).cross_sign(other.root)
    path = workspace.folder / "certs" / issuer.name / f"cross-{subject.name}.pem"
    write_file(path, pem([certificate]).encode())
    return path
