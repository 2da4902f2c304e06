"""The pools put together: one store, one gate, one app."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI

from plugpass.clock import Clock
from plugpass.net.opcp_http import OpcpGate, opcp_app
from plugpass.opcp.rights import Account
from plugpass.pki.path import FIELD, Policy
from plugpass.ports.charging import RevocationSource
from plugpass.ports.contracts import AccountStore, PoolStore
from plugpass.roles.pools.contracts import ContractCertificatePool
from plugpass.roles.pools.http import contract_routes, provisioning_routes, root_routes
from plugpass.roles.pools.provisioning import ProvisioningCertificatePool
from plugpass.roles.pools.roots import RootCertificatePool


class Pools:
    """RCP, PCP and CCP behind OPCP 1.0.

    `revocation` asks OCSP responders about the certificates of vehicles, signers and contracts; None decides not to
    look at revocation. `policy` is what certificate chains are judged by.
    """

    def __init__(
        self,
        *,
        store: PoolStore,
        accounts: AccountStore,
        clock: Clock,
        random: Callable[[int], bytes],
        revocation: RevocationSource | None,
        policy: Policy = FIELD,
    ) -> None:
        self._gate = OpcpGate(accounts=accounts, clock=clock, random=random)
        self.roots = RootCertificatePool(store=store, random=random)
        self.provisioning = ProvisioningCertificatePool(
            store=store, roots=self.roots, clock=clock, policy=policy, revocation=revocation
        )
        self.contracts = ContractCertificatePool(
            store=store,
            roots=self.roots,
            provisioning=self.provisioning,
            clock=clock,
            policy=policy,
            revocation=revocation,
        )

    async def add_account(self, account: Account, secret: str) -> None:
        """Create a client of the pools, or give it a new secret."""
        await self._gate.add_account(account, secret)

    def app(self) -> FastAPI:
        """The HTTP face; serve it over TLS only."""
        return opcp_app(
            "plugpass certificate pools",
            self._gate.router(),
            root_routes(self._gate, self.roots),
            provisioning_routes(self._gate, self.provisioning),
            contract_routes(self._gate, self.contracts, self.roots),
            random=self._gate.random,
        )
