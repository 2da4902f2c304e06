"""What a host gives the -2 machines: settings, credentials, trust anchors and callables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from plugpass.errors import ConfigurationError
from plugpass.ids import EMAID
from plugpass.iso15118.messages.iso2 import EnergyTransferMode, PaymentOption
from plugpass.iso15118.timing import ISO2_TIMING, SessionTiming
from plugpass.pki.keys import Signer
from plugpass.pki.profiles import RootType
from plugpass.pki.trust import TrustAnchors

RandomSource = Callable[[int], bytes]
"""Gives as many octets as asked for, from a cryptographically secure generator (`[V2G2-835]`)."""

AC_MODES = (EnergyTransferMode.AC_SINGLE_PHASE_CORE, EnergyTransferMode.AC_THREE_PHASE_CORE)
"""The energy transfer modes the machines can run."""


class KeyedChain(Protocol):
    """A certificate chain with the key of its leaf; `plugpass.ports.keys.Credential` is one."""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER, leaf first, Sub-CAs after it, no root."""
        ...

    @property
    def signer(self) -> Signer:
        """The leaf's private key."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractCredential:
    """A contract: who pays, the certificate chain (DER, leaf first, no root), and the key of its leaf."""

    emaid: EMAID
    chain: tuple[bytes, ...] = field(repr=False)
    signer: Signer = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """What a meter shows: its register in watt-hours."""

    meter_id: str  #: at most 32 characters
    energy_wh: int
    signature: bytes | None = None  #: the meter's own signature, at most 64 octets
    status: int | None = None
    at: int | None = None  #: seconds since 1970-01-01 UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class AcSupply:
    """What an AC charge point can deliver."""

    nominal_voltage_v: int = 230  #: between phase and neutral
    max_current_a: int = 32  #: per phase

    def max_power_w(self, mode: EnergyTransferMode) -> int:
        """The power of all phases that `mode` uses."""
        phases = 3 if mode is EnergyTransferMode.AC_THREE_PHASE_CORE else 1
        return self.nominal_voltage_v * self.max_current_a * phases


@dataclass(frozen=True, slots=True, kw_only=True)
class SeccConfig:
    """One charge point's side of a session.

    `anchors` are the MO and V2G roots contract chains are validated against. With `central_validation` a chain that
    only lacks a root here is left to the backend (OCPP C07.FR.06); without it, such a contract is refused.
    """

    evse_id: str
    wall_clock: Callable[[], datetime]  #: timezone-aware; judges certificates
    meter: Callable[[], MeterReading]
    tls: bool  #: whether the connection is TLS; contracts and certificates are dealt with over TLS only
    anchors: TrustAnchors | None = None
    central_validation: bool = False
    payment_options: tuple[PaymentOption, ...] = (PaymentOption.CONTRACT,)
    energy_modes: tuple[EnergyTransferMode, ...] = (
        EnergyTransferMode.AC_THREE_PHASE_CORE,
        EnergyTransferMode.AC_SINGLE_PHASE_CORE,
    )
    supply: AcSupply = AcSupply()
    certificate_service: bool = True  #: offer installation and update of contract certificates
    free_charging: bool = False
    receipt_every: int | None = None  #: ask for a signed receipt with every n-th ChargingStatusRes, n >= 2
    ignore_emaid_check_digit: bool = False  #: compatibility: contracts of peers that compute it otherwise
    timing: SessionTiming = ISO2_TIMING

    def __post_init__(self) -> None:
        if not 7 <= len(self.evse_id) <= 37:
            raise ConfigurationError(f"evse_id {self.evse_id!r} has {len(self.evse_id)} characters; use 7 to 37")
        if unknown := set(self.energy_modes) - set(AC_MODES):
            raise ConfigurationError(f"energy_modes has {sorted(unknown)}, which are not served; use {list(AC_MODES)}")
        if not self.energy_modes:
            raise ConfigurationError(f"energy_modes is empty; name at least one of {list(AC_MODES)}")
        if self.receipt_every is not None and self.receipt_every < 2:
            # A receipt asked with every response keeps some EVCCs busy with receipts forever.
            raise ConfigurationError(f"receipt_every is {self.receipt_every}; use 2 or more, or None for no receipts")
        if not self.offered_payment_options:
            raise ConfigurationError(
                "payment_options leaves nothing to offer: Contract needs TLS; serve TLS or add ExternalPayment"
            )

    @property
    def offered_payment_options(self) -> tuple[PaymentOption, ...]:
        """Contract is offered over TLS only."""
        return tuple(option for option in self.payment_options if self.tls or option is not PaymentOption.CONTRACT)

    @property
    def offers_certificates(self) -> bool:
        """The certificate service is offered where contracts are."""
        return self.certificate_service and PaymentOption.CONTRACT in self.offered_payment_options


class Installation(StrEnum):
    """When the vehicle asks for a contract certificate."""

    NEVER = "never"
    IF_MISSING = "if missing"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyRequest:
    """What the vehicle wants and what it can take."""

    mode: EnergyTransferMode = EnergyTransferMode.AC_THREE_PHASE_CORE
    amount_wh: int = 20_000
    max_voltage_v: int = 400
    max_current_a: int = 32
    min_current_a: int = 6
    departure_s: int | None = None  #: seconds from now


@dataclass(frozen=True, slots=True, kw_only=True)
class EvccConfig:
    """One vehicle's side of a session.

    `anchors` has the V2G roots, which the vehicle names when it asks for a certificate and which end the provisioning
    service's chain, and the MO roots; a contract chain may end in either.
    """

    evcc_id: bytes  #: MAC address, 6 octets
    wall_clock: Callable[[], datetime]
    anchors: TrustAnchors
    tls: bool
    oem: KeyedChain | None = None  #: the provisioning certificate
    contract: ContractCredential | None = None
    installation: Installation = Installation.IF_MISSING
    external_payment: bool = False  #: take ExternalPayment where no contract can be used
    energy: EnergyRequest = EnergyRequest()
    max_loops: int | None = 10  #: stop after so many ChargingStatusRes; None: by energy only
    loop_interval: float = 0.0  #: seconds from a ChargingStatusRes to the next request
    ongoing_interval: float = 0.25  #: seconds from an "Ongoing" to the next request
    ignore_emaid_check_digit: bool = False  #: compatibility: contracts of peers that compute it otherwise
    timing: SessionTiming = ISO2_TIMING

    def __post_init__(self) -> None:
        if len(self.evcc_id) != 6:
            raise ConfigurationError(f"evcc_id has {len(self.evcc_id)} octets; give the MAC address, 6 octets")
        if self.energy.mode not in AC_MODES:
            raise ConfigurationError(f"energy.mode {self.energy.mode} is not served; use one of {list(AC_MODES)}")
        if self.installation is Installation.ALWAYS and not self.can_install:
            raise ConfigurationError(
                "installation is 'always', but there is no provisioning certificate (oem) or no V2G root (anchors)"
            )
        slowest = max(self.loop_interval, self.ongoing_interval)
        if slowest > self.timing.sequence_performance:
            raise ConfigurationError(
                f"an interval of {slowest} s breaks the sequence performance time of "
                f"{self.timing.sequence_performance} s; use a shorter one"
            )

    @property
    def can_install(self) -> bool:
        """A contract certificate is asked for with a provisioning certificate, and checked against a V2G root."""
        return self.oem is not None and bool(self.anchors.of_type(RootType.V2G))
