"""CA keys in a PKCS#11 token (an HSM, or SoftHSM for tests): they are made there, sign there, and never leave it.

Needs the extra `hsm` (python-pkcs11): importing this package without it raises ConfigurationError.
"""

import plugpass.providers.pkcs11.library  # noqa: F401  # first: it says what to install where python-pkcs11 is missing
from plugpass.providers.pkcs11.keystore import TokenKeyStore
from plugpass.providers.pkcs11.signer import TokenSigner
from plugpass.providers.pkcs11.token import Token, TokenRefused, TokenSettings

__all__ = ["Token", "TokenKeyStore", "TokenRefused", "TokenSettings", "TokenSigner"]
