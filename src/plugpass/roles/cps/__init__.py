"""The certificate provisioning service (CPS): signs contract data so that a vehicle can trust them."""

from plugpass.roles.cps.credential import CpsCredential, CpsSubject
from plugpass.roles.cps.service import Cps

__all__ = ["Cps", "CpsCredential", "CpsSubject"]
