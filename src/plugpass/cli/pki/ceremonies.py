"""Renewing CAs, crossing and replacing roots in a workspace, with the files and the trust that follow from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from plugpass.cli.pki.ecosystem import cross_sign, own_origin, trust_entries, write_authority
from plugpass.cli.pki.inputs import UnusableFile, read_certificates_of
from plugpass.cli.pki.workspace import ROOT_TYPE, AuthorityPlan, Workspace
from plugpass.errors import LocalError
from plugpass.pki.bundle import pem
from plugpass.pki.certificate import parse
from plugpass.pki.profiles import CertificateRole
from plugpass.pki.trust_store import Stage
from plugpass.providers.local_ca.plan import plans_of
from plugpass.store.layouts import write_file


def authority_with(workspace: Workspace, role: str, name: str) -> AuthorityPlan:
    """The authority that has a CA in this role: the one of this name, or the only one. Raises LocalError."""
    fitting = [
        plan
        for plan in workspace.plan.authorities
        if name in ("", plan.name) and any(ca.role.value == role for ca in _cas(plan))
    ]
    if len(fitting) != 1:
        known = ", ".join(sorted({ca.role.value for plan in workspace.plan.authorities for ca in _cas(plan)}))
        problem = ", ".join(plan.name for plan in fitting) + " have one" if fitting else f"the CAs here are {known}"
        raise LocalError(f"no single authority has a CA {role}: {problem}; say which with --authority")
    return fitting[0]


def _cas(plan: AuthorityPlan) -> tuple[Any, ...]:
    return plans_of(plan.hierarchy, plan.generation, tiers=plan.tiers)


async def renew(workspace: Workspace, plan: AuthorityPlan, role: str, *, new_key: bool) -> dict[str, Any]:
    """Renew one CA and write its certificate."""
    authority = await workspace.authority(plan)
    certificate = parse(await authority.renew_ca(CertificateRole(role), new_key=new_key))
    root = write_authority(workspace, plan, authority)
    if certificate.self_issued:
        await workspace.trust.add(trust_entries(workspace, plan, certificate.encoded))
    return {
        "ok": True,
        "authority": plan.name,
        "subject": str(certificate.subject),
        "serial": f"{certificate.serial:x}",
        "not_after": certificate.not_after.isoformat(),
        "file": str(root if certificate.self_issued else workspace.folder / "certs" / plan.name / f"{role}.pem"),
    }


async def cross_certify(workspace: Workspace, issuer: AuthorityPlan, subject: str) -> dict[str, Any]:
    """A cross certificate for the root of another authority, or for the one root in a file."""
    if subject in {plan.name for plan in workspace.plan.authorities}:
        path = await cross_sign(workspace, issuer, workspace.named(subject))
        return {"ok": True, "file": str(path)}
    source = Path(subject)
    certificates = read_certificates_of(source)
    if len(certificates) != 1:
        raise UnusableFile(f"{source} holds {len(certificates)} certificates, a single root is needed")
    certificate = await (await workspace.authority(issuer)).cross_sign(certificates[0].encoded)
    path = workspace.folder / "certs" / issuer.name / f"cross-{source.stem}.pem"
    write_file(path, pem([certificate]).encode())
    return {"ok": True, "file": str(path)}


# --- roll-over -----------------------------------------------------------------------------------------------------


async def _prepare(workspace: Workspace, plan: AuthorityPlan) -> dict[str, Any]:
    rollover = await (await workspace.authority(plan)).prepare_rollover()
    folder = workspace.folder / "certs" / plan.name
    files = {
        "new_root": (workspace.folder / "roots" / f"{plan.name}-next.pem", rollover.new),
        "new_with_old": (folder / "new-with-old.pem", rollover.new_with_old),
        "old_with_new": (folder / "old-with-new.pem", rollover.old_with_new),
    }
    await workspace.trust.add(trust_entries(workspace, plan, rollover.new, Stage.STAGED))
    for path, certificate in files.values():
        write_file(path, pem([certificate]).encode())
    return {"ok": True, "authority": plan.name} | {name: str(path) for name, (path, _) in files.items()}


async def _activate(workspace: Workspace, plan: AuthorityPlan) -> dict[str, Any]:
    authority = await workspace.authority(plan)
    before = authority.root
    fresh = [parse(certificate) for certificate in await authority.activate_rollover()]
    await _move(workspace, plan, authority.root, Stage.ACTIVE)
    old = parse(before)
    if before != authority.root:
        write_file(workspace.folder / "roots" / f"{plan.name}-{old.fingerprint[:8]}.pem", pem([before]).encode())
    write_authority(workspace, plan, authority)
    (workspace.folder / "roots" / f"{plan.name}-next.pem").unlink(missing_ok=True)
    return {"ok": True, "authority": plan.name, "new_certificates": [str(item.subject) for item in fresh]}


async def _retire(workspace: Workspace, plan: AuthorityPlan) -> dict[str, Any]:
    current = parse((await workspace.authority(plan)).root).fingerprint
    old = [
        entry
        for entry in await workspace.trust.load()
        if entry.provenance.origin == own_origin(plan) and entry.stage is Stage.ACTIVE and entry.fingerprint != current
    ]
    if not old:
        raise LocalError(f"there is no older root of {plan.name} to retire: activate a roll-over first")
    for entry in old:
        await _move(workspace, plan, entry.certificate.encoded, Stage.RETIRING)
    return {"ok": True, "authority": plan.name, "retiring": [str(entry.certificate.subject) for entry in old]}


Stages = Callable[[Workspace, AuthorityPlan], Awaitable[dict[str, Any]]]
ROLLOVER_STAGES: Final[Mapping[str, Stages]] = MappingProxyType(
    {"prepare": _prepare, "activate": _activate, "retire": _retire}
)


async def _move(workspace: Workspace, plan: AuthorityPlan, root: bytes, stage: Stage) -> None:
    fingerprint, root_type = parse(root).fingerprint, ROOT_TYPE[plan.hierarchy]
    entry = (await workspace.trust.load()).find(fingerprint, root_type)
    if entry.stage is not stage:
        await workspace.trust.move(fingerprint, stage, by=workspace.by, at=workspace.clock.now(), root_type=root_type)
