"""The station's trust anchors: which roots it lets in, and what it trusts them for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from plugpass.errors import PeerError
from plugpass.ocpp.enums import InstallCertificateUse
from plugpass.pki.certificate import Certificate, parse, public_key
from plugpass.pki.keys import verify
from plugpass.pki.lint import lint
from plugpass.pki.policy import FIELD, Policy
from plugpass.pki.profiles import PROFILES_ISO2, CertificateRole, RootType
from plugpass.pki.reasons import Severity
from plugpass.pki.trust import TrustAnchors
from plugpass.store.station import InstalledRoot, StationMemory

#: The uses this station has roots for; others are refused by name.
ROOT_TYPE_OF_USE: Final[Mapping[str, RootType]] = MappingProxyType(
    {InstallCertificateUse.V2G_ROOT: RootType.V2G, InstallCertificateUse.MO_ROOT: RootType.MO}
)
_ROLE_OF_TYPE: Final = {RootType.V2G: CertificateRole.V2G_ROOT, RootType.MO: CertificateRole.MO_ROOT}

MAX_ROOTS: Final = 10  #: concurrently valid roots of one type [V2G2-878]


class RootRefused(PeerError):
    """A certificate is no root this station lets in."""


def judge_root(encoded: bytes, root_type: RootType, at: datetime, policy: Policy = FIELD) -> Certificate:
    """The root, where it is one: self-signed, valid at `at`, of the profile. Raises RootRefused (M05.FR.07).

    A Sub-CA or a leaf let in as a root could vouch for what its own root never would.
    """
    try:
        root = parse(encoded)
        signed = root.self_issued and verify(
            public_key(root.key.encoded), root.signature, root.tbs, algorithm=root.signature_algorithm
        )
    except PeerError as error:
        raise RootRefused(f"the certificate cannot be read: {error}") from None
    if not signed:
        raise RootRefused(f"{root.subject} is not self-signed, so it is no root")
    if not root.not_before - policy.clock_skew <= at <= root.not_after:
        raise RootRefused(f"{root.subject} is valid from {root.not_before:%Y-%m-%d} to {root.not_after:%Y-%m-%d} only")
    role = _ROLE_OF_TYPE[root_type]
    for finding in lint(root, PROFILES_ISO2[role]):
        if finding.severity is Severity.ERROR and (finding.reason, role) not in policy.tolerated:
            raise RootRefused(str(finding))
    return root


class StationRoots:
    """The installed roots, in memory for the sessions and in the station's memory for its next start."""

    def __init__(self, memory: StationMemory) -> None:
        self._memory = memory
        self._installed: tuple[InstalledRoot, ...] = ()
        self._anchors = TrustAnchors()

    async def load(self) -> None:
        """Read what earlier runs of the station were given."""
        self._installed = await self._memory.roots()
        anchors = TrustAnchors()
        for root in self._installed:
            if (root_type := ROOT_TYPE_OF_USE.get(root.use)) is not None:
                anchors = anchors.adding(root_type, root.certificate)
        self._anchors = anchors

    async def install(self, encoded: bytes, use: str, at: datetime) -> None:
        """Let a root in; one that is there already is replaced by itself (M05.FR.17). Raises RootRefused."""
        root_type = ROOT_TYPE_OF_USE.get(use)
        if root_type is None:
            raise RootRefused(f"this station keeps no {use}; it takes {', '.join(ROOT_TYPE_OF_USE)}")
        judge_root(encoded, root_type, at)
        root = InstalledRoot(use=use, certificate=encoded)
        others = [one for one in self._installed if one.use == use and one != root]
        if len(others) >= MAX_ROOTS:
            raise RootRefused(f"{len(others)} roots of this kind are installed; delete one first")
        await self._memory.save_root(root, at)
        await self.load()

    async def remove(self, root: InstalledRoot) -> None:
        """Trust it no more."""
        await self._memory.remove_root(root)
        await self.load()

    @property
    def installed(self) -> tuple[InstalledRoot, ...]:
        """All of them, oldest first."""
        return self._installed

    def anchors(self) -> TrustAnchors:
        """What they are trusted for."""
        return self._anchors
