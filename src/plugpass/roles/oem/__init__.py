"""The vehicle maker (OEM): gives vehicles their provisioning certificates and publishes them."""

from plugpass.roles.oem.service import Oem

__all__ = ["Oem"]
