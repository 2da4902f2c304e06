"""A certificate authority run by plugpass itself: a V2G, OEM, MO or private hierarchy, its ledger, its OCSP responder.

For laboratories and tests. Production CA keys belong into a token.
"""

from plugpass.providers.local_ca.authority import Admission, LocalCertificateAuthority
from plugpass.providers.local_ca.chains import ChainToRoot
from plugpass.providers.local_ca.hierarchy import Operator
from plugpass.providers.local_ca.plan import Hierarchy
from plugpass.providers.local_ca.realm import RealmKeyStore
from plugpass.providers.local_ca.renewal import Rollover

__all__ = [
    "Admission",
    "ChainToRoot",
    "Hierarchy",
    "LocalCertificateAuthority",
    "Operator",
    "RealmKeyStore",
    "Rollover",
]
