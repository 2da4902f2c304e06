"""Two network namespaces joined by a veth pair: a charging cable between two hosts on one machine.

SDP needs IPv6 multicast on a link, which the loopback device does not have; a veth pair does.
"""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

ADDRESS_TIMEOUT = 10.0  #: seconds for the kernel to give both ends a usable link-local address


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One end of the cable."""

    namespace: str
    interface: str

    def command(self, *argv: str) -> list[str]:
        """The command line that runs `argv` on this host; it keeps the process id of what it starts."""
        return ["ip", "netns", "exec", self.namespace, *argv]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable:
    """Both ends."""

    station: Host
    vehicle: Host


@contextmanager
def cable() -> Iterator[Cable]:
    """Make the two hosts under names of their own, and remove them again whatever happens."""
    tag = secrets.token_hex(3)
    ends = Cable(
        station=Host(namespace=f"ppse-{tag}", interface=f"ppse{tag}"),
        vehicle=Host(namespace=f"ppev-{tag}", interface=f"ppev{tag}"),
    )
    hosts = (ends.station, ends.vehicle)
    try:
        for host in hosts:
            _ip("netns", "add", host.namespace)
        _ip(
            *("link", "add", ends.station.interface, "netns", ends.station.namespace, "type", "veth"),
            *("peer", "name", ends.vehicle.interface, "netns", ends.vehicle.namespace),
        )
        for host in hosts:
            _ip("-n", host.namespace, "link", "set", "lo", "up")
            _skip_duplicate_address_detection(host)
            _ip("-n", host.namespace, "link", "set", host.interface, "up")
        for host in hosts:
            _wait_for_link_local(host)
        yield ends
    finally:
        for host in hosts:  # removing a namespace removes its end of the veth pair, and so the pair
            subprocess.run(["ip", "netns", "del", host.namespace], capture_output=True, check=False)


def _ip(*argv: str) -> str:
    done = subprocess.run(["ip", *argv], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"`ip {' '.join(argv)}` failed: {done.stderr.strip()}")
    return done.stdout


def _skip_duplicate_address_detection(host: Host) -> None:
    """There are only the two of us on the link, so its two seconds of waiting prove nothing."""
    switch = f"/proc/sys/net/ipv6/conf/{host.interface}/accept_dad"
    subprocess.run(host.command("sh", "-c", f"echo 0 > {switch}"), capture_output=True, check=False)


def _wait_for_link_local(host: Host) -> None:
    """Return once the interface has a link-local address that is not tentative any more."""
    give_up = time.monotonic() + ADDRESS_TIMEOUT
    while time.monotonic() < give_up:
        listing = _ip("-n", host.namespace, "-6", "-o", "addr", "show", "dev", host.interface, "scope", "link")
        if "fe80" in listing and "tentative" not in listing:
            return
        time.sleep(0.02)  # the kernel announces nothing that a shell tool could wait for
    raise RuntimeError(f"{host.interface} got no link-local IPv6 address within {ADDRESS_TIMEOUT:.0f} s")
