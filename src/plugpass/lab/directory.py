"""The lab's directory: where its parties keep their databases, and what must survive from one run to the next."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec

from plugpass.errors import ConfigurationError

SERVICES = ("v2g-ocsp", "oem-ocsp", "mo-ocsp", "est", "pools", "cps", "emsp", "csms")


class LabState(msgspec.Struct, kw_only=True):
    """What a lab remembers besides the parties' databases.

    Ports stay the same in every run, since certificates name the OCSP responders' addresses. The clock's offset
    stays, since certificates of the last run were issued in the lab's future.
    """

    ports: dict[str, int]
    cast: dict[str, str] = {}
    clock_offset_s: float = 0.0


class LabDirectory:
    """One directory, used by one lab at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state_file = path / "lab.json"
        self._make()
        self.resumed = self._state_file.exists()  #: an earlier run left its state here
        self.state = self._load()

    def database(self, party: str) -> Path:
        """The SQLite file of a party."""
        return self.path / party / "state.db"

    def keep_cast(self, cast: dict[str, str]) -> None:
        """Remember who plays. Raises ConfigurationError where an earlier run had others: certificates name them."""
        for name, value in self.state.cast.items():
            if cast[name] != value:
                raise ConfigurationError(
                    f"{self.path} was made with {name} = {value!r}, not {cast[name]!r}: "
                    "use that, or choose another directory with --dir"
                )
        self.state.cast = cast
        self._write(self._state_file, msgspec.json.encode(self.state))

    def passphrase(self, file: Path | None = None) -> bytes:
        """The passphrase that encrypts the lab's private keys.

        From `file` where one is given, so that it need not lie beside the keys; else from the directory, made on first
        use and readable by the owner only. Raises ConfigurationError for a file that is empty or cannot be read.
        """
        if file is not None:
            return _first_line(file)
        file = self.path / "passphrase"
        if not file.exists():
            self._write(file, secrets.token_urlsafe(32).encode())
        return file.read_bytes()

    def save(self, *, clock_offset: timedelta) -> None:
        """Keep the clock for the next run."""
        self.state.clock_offset_s = clock_offset.total_seconds()
        self._write(self._state_file, msgspec.json.encode(self.state))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory; raises ConfigurationError where another lab runs on it."""
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigurationError(
                    f"another lab is running on {self.path}: stop it, or choose another directory with --dir"
                ) from None
            yield

    def _make(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigurationError(
                f"cannot use {self.path} ({error.strerror}): choose another directory with --dir"
            ) from None
        if not os.access(self.path, os.W_OK):
            raise ConfigurationError(f"{self.path} is not writable: choose another directory with --dir")

    def _load(self) -> LabState:
        if not self._state_file.exists():
            state = LabState(ports=_free_ports())
            self._write(self._state_file, msgspec.json.encode(state))
            return state
        try:
            return msgspec.json.decode(self._state_file.read_bytes(), type=LabState)
        except msgspec.DecodeError as error:
            raise ConfigurationError(
                f"{self._state_file} is not the state of a lab ({error}): choose another directory with --dir"
            ) from None

    @staticmethod
    def _write(file: Path, content: bytes) -> None:
        """Write `content` to `file` in one step, readable by the owner only."""
        fresh = file.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        fresh.replace(file)


def _first_line(file: Path) -> bytes:
    try:
        line = file.read_bytes().partition(b"\n")[0].strip()
    except OSError as error:
        raise ConfigurationError(f"cannot read the passphrase file {file}: {error.strerror}") from None
    if not line:
        raise ConfigurationError(f"the passphrase file {file} is empty: write a passphrase into its first line")
    return line


def _free_ports() -> dict[str, int]:
    """A free TCP port for each service; held open until all are chosen, so that they differ."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in SERVICES]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in zip(SERVICES, sockets, strict=True)}
    finally:
        for each in sockets:
            each.close()
