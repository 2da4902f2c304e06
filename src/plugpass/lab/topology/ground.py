"""What the ground provides to every party: time, randomness, a database, a key store, a place to serve HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import httpx
from fastapi import FastAPI

from plugpass.errors import ConfigurationError
from plugpass.lab.directory import LabDirectory
from plugpass.lab.recorder import Recorder
from plugpass.lab.service_pki import ServicePki
from plugpass.lab.settings import LabSettings
from plugpass.net.clock import LabClock
from plugpass.net.http_client import http_client
from plugpass.net.http_server import HttpServer
from plugpass.net.tls_service import server_context
from plugpass.store.database import Database
from plugpass.store.keys import SqlKeyStore

HOST = "127.0.0.1"

Random = Callable[[int], bytes]


class Ground:
    """Use it as an async context manager; everything started on it is stopped in reverse order."""

    def __init__(
        self, settings: LabSettings, directory: LabDirectory, recorder: Recorder, passphrase_file: Path | None = None
    ) -> None:
        self.settings = settings
        self.directory = directory
        self.recorder = recorder
        self.clock = LabClock(timedelta(seconds=directory.state.clock_offset_s))
        self.random: Random = os.urandom
        self.stack = AsyncExitStack()
        self._passphrase = directory.passphrase(passphrase_file)
        self._databases: dict[str, Database] = {}
        self._service_pki: ServicePki | None = None

    async def __aenter__(self) -> Ground:
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.stack.aclose()
        for database in self._databases.values():
            await database.close()

    async def database(self, party: str) -> Database:
        """The party's own database, migrated; opened once."""
        if party not in self._databases:
            self._databases[party] = await Database.at(self.directory.database(party))
        return self._databases[party]

    async def keys(self, party: str) -> SqlKeyStore:
        """The party's key store; private keys are encrypted with the lab's passphrase."""
        return SqlKeyStore(await self.database(party), self._passphrase)

    async def service_pki(self) -> ServicePki:
        """Who certifies the lab's HTTPS and WSS services."""
        if self._service_pki is None:
            keys = await self.keys("lab")
            self._service_pki = ServicePki(keys, now=self.clock.now(), random=self.random)
        return self._service_pki

    def secret(self) -> str:
        """A fresh shared secret between two parties, for this run."""
        return self.random(24).hex()

    def port(self, service: str) -> int:
        """The port of a service; the same in every run on this directory."""
        return self.directory.state.ports[service]

    def url(self, service: str, *, scheme: str = "https") -> str:
        """Where a service is reached."""
        return f"{scheme}://{HOST}:{self.port(service)}"

    async def serve(self, service: str, app: FastAPI, *, tls: bool = True) -> None:
        """Serve `app` until the lab ends. Raises ConfigurationError where the port is taken."""
        context = None
        if tls:
            context = server_context(await (await self.service_pki()).server(service), clock=self.clock)
        server = HttpServer(app, host=HOST, port=self.port(service), tls=context, clock=self.clock)
        try:
            await self.stack.enter_async_context(server)
        except ConfigurationError as error:
            raise ConfigurationError(f"{service}: {error} (the lab keeps its ports; --dir makes a new lab)") from None

    async def client(self, service: str, *, auth: tuple[str, str] | None = None) -> httpx.AsyncClient:
        """An HTTPS client of a service that trusts the lab's service root."""
        root = await (await self.service_pki()).root()
        client = http_client(self.url(service), roots=[root.chain[0]], auth=auth, clock=self.clock)
        return await self.stack.enter_async_context(client)

    async def plain_client(self) -> httpx.AsyncClient:
        """A client for plain HTTP, as OCSP has it."""
        return await self.stack.enter_async_context(http_client(clock=self.clock))

    def jump(self, delta: timedelta) -> None:
        """Move the wall clock forward, for everyone, and keep it there for the next run."""
        self.clock.jump(delta)
        self.directory.save(clock_offset=self.clock.offset)
