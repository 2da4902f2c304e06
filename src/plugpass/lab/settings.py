"""What can be chosen about a lab; the section `[lab]` of plugpass.toml."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Fault(StrEnum):
    """What can be broken on purpose; the value is the name on the command line."""

    TAMPERED_CONTRACT = "tampered-contract"  #: somebody between pool and CSMS changes the sealed contract key


class LabSettings(BaseModel):
    """The lab's cast. The defaults are a fictitious operator, eMSP and vehicle maker."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dir: Path = Field(default=Path(".plugpass/lab"), description="where the parties keep their state")
    operator: str = Field(default="DEPLU", pattern=r"^[A-Z]{2}[A-Z0-9]{3}$", description="CPO: country and operator id")
    provider: str = Field(
        default="DEPPM", pattern=r"^[A-Z]{2}[A-Z0-9]{3}$", description="eMSP: country and provider id"
    )
    station: str = Field(default="CS-LAB-0001", min_length=1, max_length=20, description="OCPP identity of the station")
    evse_id: str = Field(default="DE*PLU*E1001*1", description="EVSE ID: subject CN of the SECC leaf")
    pcid: str = Field(default="WPPTEST0000000001", pattern=r"^[A-Za-z0-9]{17,18}$", description="the vehicle's PCID")
    evcc_id: str = Field(default="02A0B0C0D0E0", pattern=r"^[0-9A-Fa-f]{12}$", description="the vehicle's MAC address")
    secc_days: int = Field(default=60, ge=10, le=730, description="life of a SECC leaf, in days")
    contract_days: int = Field(default=60, ge=28, le=730, description="life of a contract certificate, in days")
    loops: int = Field(default=6, ge=2, le=1000, description="ChargingStatus messages of one session")

    @property
    def secc_life(self) -> timedelta:
        """Life of a SECC leaf."""
        return timedelta(days=self.secc_days)

    @property
    def contract_life(self) -> timedelta:
        """Life of a contract certificate."""
        return timedelta(days=self.contract_days)
