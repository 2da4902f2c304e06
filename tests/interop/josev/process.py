"""A peer as a process: its output read line by line, waited on without sleeping, and ended with all its children."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


class Peer:
    """A running process and everything it has said so far."""

    def __init__(self, name: str, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.lines: list[str] = []
        self._grown = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # a process group of its own: the Java child is ended with it
        )
        self._reader = threading.Thread(target=self._read, name=f"{name} output", daemon=True)
        self._reader.start()

    @property
    def log(self) -> str:
        """Everything said so far."""
        with self._grown:
            return "".join(self.lines)

    def wait_for(self, pattern: str, timeout: float) -> str:
        """The first line that matches `pattern`; fails with the whole log where none comes in time."""
        expression = re.compile(pattern)
        give_up = time.monotonic() + timeout
        seen = 0
        with self._grown:
            while True:
                for line in self.lines[seen:]:
                    if expression.search(line):
                        return line
                seen = len(self.lines)
                left = give_up - time.monotonic()
                if self._ended or left <= 0:
                    why = "ended" if self._ended else f"was silent about it for {timeout:.0f} s"
                    raise AssertionError(f"{self.name} {why}; waited for /{pattern}/\n{''.join(self.lines[-200:])}")
                self._grown.wait(left)

    def wait_for_end(self, timeout: float) -> int:
        """The exit status of a process that ends by itself."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {timeout:.0f} s\n{self.log}") from None
        self._reader.join(5)
        return status

    def stop(self) -> None:
        """End the process and its children, first asking, then by force."""
        for wish, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, wish)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        self._reader.join(5)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):  # the pipe is closed while a stray grandchild still holds its other end
            for line in self._process.stdout:
                with self._grown:
                    self.lines.append(line)
                    self._grown.notify_all()
        with self._grown:
            self._ended = True
            self._grown.notify_all()


@contextlib.contextmanager
def running(name: str, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Iterator[Peer]:
    """A peer for the length of a `with` block."""
    peer = Peer(name, argv, cwd=cwd, env=env)
    try:
        yield peer
    finally:
        peer.stop()
