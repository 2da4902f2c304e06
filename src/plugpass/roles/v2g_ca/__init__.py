"""The V2G certificate authority as a service: EST enrolment over HTTPS and OCSP."""

from plugpass.roles.v2g_ca.accounts import Account
from plugpass.roles.v2g_ca.app import V2gCa
from plugpass.roles.v2g_ca.rate import Rate
from plugpass.roles.v2g_ca.service import EstSettings

__all__ = ["Account", "EstSettings", "Rate", "V2gCa"]
