"""The vehicle: finds a station, checks whom it talks to, installs contracts, and charges on them."""

from plugpass.roles.vehicle.result import ChargingResult, ExchangeRecord
from plugpass.roles.vehicle.trust import StapleRule, StationTrust
from plugpass.roles.vehicle.vehicle import Outlet, Vehicle, VehicleSettings

__all__ = ["ChargingResult", "ExchangeRecord", "Outlet", "StapleRule", "StationTrust", "Vehicle", "VehicleSettings"]
