"""The mobility operator (eMSP): concludes, renews and ends contracts, and answers whether one may charge."""

from plugpass.roles.emsp.renewal import ContractRenewal
from plugpass.roles.emsp.service import Emsp, Provider

__all__ = ["ContractRenewal", "Emsp", "Provider"]
