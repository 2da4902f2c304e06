"""The charging station management system: OCPP 2.0.1 for Plug & Charge, with every decision behind a port."""

from plugpass.roles.csms.certificates import RenewalRules, SigningAllowance
from plugpass.roles.csms.service import Csms, Settings

__all__ = ["Csms", "RenewalRules", "Settings", "SigningAllowance"]
