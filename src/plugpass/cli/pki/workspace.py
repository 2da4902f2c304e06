"""A PKI workspace: one folder with the database of several hierarchies, their keys, the trust store, the audit log."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from plugpass.cli.options import run_async
from plugpass.cli.pki.secrets import once, workspace_passphrase
from plugpass.errors import ConfigurationError, LocalError
from plugpass.net.clock import SystemClock
from plugpass.pki.certificate import parse
from plugpass.pki.keys import Curve, generate
from plugpass.pki.profiles import CertificateRole, Generation, RootType, Switches
from plugpass.providers.local_ca import Hierarchy, LocalCertificateAuthority, Operator, RealmKeyStore
from plugpass.store.audit import SqlAuditLog
from plugpass.store.authority import SqlCertificateLedger
from plugpass.store.database import Database
from plugpass.store.keys import SqlKeyStore
from plugpass.store.layouts import write_file
from plugpass.store.trust import SqlTrustStore

ResultT = TypeVar("ResultT")

ROOT_TYPE: Final[Mapping[Hierarchy, RootType]] = MappingProxyType(
    {
        Hierarchy.V2G: RootType.V2G,
        Hierarchy.OEM: RootType.OEM,
        Hierarchy.MO: RootType.MO,
        Hierarchy.PE: RootType.PE,
    }
)
_PLAN_FILE: Final = "pki.json"
_DATABASE: Final = "pki.db"


class AuthorityPlan(msgspec.Struct, kw_only=True, frozen=True):
    """What must be known to open a hierarchy again."""

    name: str
    hierarchy: Hierarchy
    generation: Generation
    curve: Curve
    organization: str
    country: str
    market: str = ""
    label: str = ""
    tiers: int = 2
    ocsp_url: str
    crl_url: str | None = None


class Plan(msgspec.Struct, kw_only=True, frozen=True):
    """The hierarchies of a workspace."""

    authorities: tuple[AuthorityPlan, ...] = ()


class Workspace:
    """An open workspace. Get one from `opened`."""

    def __init__(self, folder: Path, plan: Plan, database: Database, passphrase: Callable[[], bytes], by: str) -> None:
        self.folder = folder
        self.plan = plan
        self.clock = SystemClock()
        self.database = database
        self.audit = SqlAuditLog(database, clock=self.clock, actor=by)
        self.trust = SqlTrustStore(database, self.audit)
        self.ledger = SqlCertificateLedger(database)
        self.by = by
        self._passphrase = passphrase
        self._keys: SqlKeyStore | None = None
        self._open: dict[str, LocalCertificateAuthority] = {}

    @property
    def keys(self) -> SqlKeyStore:
        """The key store; asks for the passphrase on first use."""
        if self._keys is None:
            self._keys = SqlKeyStore(self.database, self._passphrase())
        return self._keys

    def realm(self, name: str) -> RealmKeyStore:
        """The keys of one hierarchy."""
        return RealmKeyStore(self.keys, name)

    async def authority(
        self, plan: AuthorityPlan, *, lives: Mapping[CertificateRole, timedelta] | None = None
    ) -> LocalCertificateAuthority:
        """The hierarchy of a plan, created where it does not exist yet; `lives` counts where it is opened first."""
        if plan.name not in self._open:
            self._open[plan.name] = await LocalCertificateAuthority.open(
                plan.hierarchy,
                keys=self.realm(plan.name),
                ledger=self.ledger,
                clock=self.clock,
                random=os.urandom,
                ocsp_base_url=plan.ocsp_url,
                crl_base_url=plan.crl_url,
                generation=plan.generation,
                operator=Operator(organization=plan.organization, country=plan.country, label=plan.label),
                switches=Switches(sub_ca_tiers=plan.tiers),
                lives=lives,
                new_key=partial(generate, plan.curve),
                audit=self.audit,
            )
        return self._open[plan.name]

    def named(self, name: str) -> AuthorityPlan:
        """The plan of this name. Raises LocalError."""
        found = [plan for plan in self.plan.authorities if plan.name == name]
        if not found:
            raise LocalError(f"there is no authority {name} in {self.folder}; there are {self._names()}")
        return found[0]

    def choose(
        self, name: str, *, hierarchy: Hierarchy | None = None, generation: Generation | None = None
    ) -> AuthorityPlan:
        """The authority of this name, or the only one that fits. Raises LocalError."""
        if name:
            return self.named(name)
        fitting = [
            plan
            for plan in self.plan.authorities
            if hierarchy in (None, plan.hierarchy) and generation in (None, plan.generation)
        ]
        if len(fitting) != 1:
            found = ", ".join(plan.name for plan in fitting) or f"none of {self._names()}"
            raise LocalError(f"say which authority with --authority: {found} would fit")
        return fitting[0]

    async def owner_of(self, certificate: bytes) -> tuple[AuthorityPlan, LocalCertificateAuthority]:
        """The authority that signed a DER certificate. Raises LocalError where none here did."""
        for plan in self.plan.authorities:
            authority = await self.authority(plan)
            if await authority.record_of(certificate) is not None:
                return plan, authority
        raise LocalError(f"{parse(certificate).subject} was not issued by an authority of {self.folder}")

    def save(self, plan: Plan) -> None:
        """Remember the hierarchies, before they are created: an interrupted `init` is finished by the next."""
        self.plan = plan
        write_file(self.folder / _PLAN_FILE, msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n")

    def _names(self) -> str:
        return ", ".join(plan.name for plan in self.plan.authorities) or "none"


def read_plan(folder: Path, *, create: bool = False) -> Plan:
    """The plan of a workspace. Raises ConfigurationError where there is none, or it cannot be read."""
    file = folder / _PLAN_FILE
    if not file.exists():
        if create:
            return Plan()
        raise ConfigurationError(f"{folder} is no PKI workspace: make one with `plugpass pki init --dir {folder}`")
    try:
        return msgspec.json.decode(file.read_bytes(), type=Plan)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from None


@asynccontextmanager
async def opened(
    folder: Path, *, passphrase_file: Path | None, by: str, create: bool = False
) -> AsyncIterator[Workspace]:
    """The workspace in `folder`. Raises ConfigurationError where there is none (or `create` it), or it is unusable."""
    plan = read_plan(folder, create=create)
    try:
        database = await Database.at(folder / _DATABASE)
    except (OSError, SQLAlchemyError) as error:
        raise ConfigurationError(
            f"{folder} cannot be used: {_cause(error)}; choose another folder with --dir"
        ) from None
    passphrase = once(lambda: workspace_passphrase(folder, passphrase_file, create=create and not plan.authorities))
    try:
        yield Workspace(folder, plan, database, passphrase, by)
    except SQLAlchemyError as error:
        raise ConfigurationError(f"the database of {folder} cannot be used: {_cause(error)}") from None
    finally:
        await database.close()


def _cause(error: Exception) -> str:
    return str(getattr(error, "orig", None) or getattr(error, "strerror", None) or error).splitlines()[0]


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Do asynchronous work from a command."""
    return run_async(work)


def leaf_key_name(role: CertificateRole, common_name: str) -> str:
    """The name of a leaf's credential in the realm of its authority."""
    return f"leaf:{role}:{common_name}"
