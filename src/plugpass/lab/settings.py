"""What can be chosen about a lab; the section `[lab]` of plugpass.toml."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from plugpass.ids import EVSEID, PCID, InvalidIdentifier


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
    station: str = Field(
        default="CS-LAB-0001", pattern=r"^[A-Za-z0-9*_=:+|@.-]{1,20}$", description="OCPP identity of the station"
    )
    evse_id: str = Field(default="", description="EVSE ID: subject CN of the SECC leaf; empty: made from the operator")
    pcid: str = Field(default="WPPTEST0000000001", pattern=r"^[A-Za-z0-9]{17,18}$", description="the vehicle's PCID")
    evcc_id: str = Field(default="02A0B0C0D0E0", pattern=r"^[0-9A-Fa-f]{12}$", description="the vehicle's MAC address")
    secc_days: int = Field(default=60, ge=10, le=730, description="life of a SECC leaf, in days")
    contract_days: int = Field(default=60, ge=28, le=730, description="life of a contract certificate, in days")
    loops: int = Field(default=6, ge=2, le=1000, description="ChargingStatus messages of one session")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """Identifiers are what they claim to be, and the EVSE is the operator's."""
        try:
            PCID.parse(self.pcid)
            owner = self.evse.operator_prefix
        except InvalidIdentifier as error:
            raise ValueError(str(error)) from None
        if owner != self.operator:
            raise ValueError(f"evse_id {self.evse_id} belongs to the operator {owner}, not to {self.operator}")
        return self

    @property
    def evse(self) -> EVSEID:
        """The station's EVSE."""
        operator = self.operator
        return EVSEID.parse(self.evse_id or f"{operator[:2]}*{operator[2:]}*E1001*1")

    @property
    def cast(self) -> dict[str, str]:
        """Who plays; certificates name them, so a directory keeps the cast of its first run."""
        return {
            "operator": self.operator,
            "provider": self.provider,
            "station": self.station,
            "evse_id": str(self.evse),
            "pcid": self.pcid,
        }

    @property
    def secc_life(self) -> timedelta:
        """Life of a SECC leaf."""
        return timedelta(days=self.secc_days)

    @property
    def contract_life(self) -> timedelta:
        """Life of a contract certificate."""
        return timedelta(days=self.contract_days)
