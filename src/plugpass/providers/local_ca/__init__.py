"""A certificate authority run by plugpass itself: the V2G, OEM or MO hierarchy, its ledger and its OCSP responder.

For laboratories and tests. Production CA keys belong into a token.
"""

from plugpass.providers.local_ca.authority import Admission, LocalCertificateAuthority
from plugpass.providers.local_ca.hierarchy import Operator
from plugpass.providers.local_ca.plan import Hierarchy

__all__ = ["Admission", "Hierarchy", "LocalCertificateAuthority", "Operator"]
