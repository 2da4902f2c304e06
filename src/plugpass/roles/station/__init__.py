"""The charging station: SECC towards vehicles, and OCPP 2.0.1 or its own rules for every decision."""

from plugpass.roles.station.backend_local import LocalBackend, LocalRules, RevocationRule
from plugpass.roles.station.backend_ocpp import OcppBackend, OcppSettings
from plugpass.roles.station.boot import Nameplate
from plugpass.roles.station.credentials import CredentialSource, FixedCredential, SeccCredentials
from plugpass.roles.station.meter import Meter, SimulatedMeter
from plugpass.roles.station.roots import StationRoots
from plugpass.roles.station.station import Station, StationSettings

__all__ = [
    "CredentialSource",
    "FixedCredential",
    "LocalBackend",
    "LocalRules",
    "Meter",
    "Nameplate",
    "OcppBackend",
    "OcppSettings",
    "RevocationRule",
    "SeccCredentials",
    "SimulatedMeter",
    "Station",
    "StationRoots",
    "StationSettings",
]
