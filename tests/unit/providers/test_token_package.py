"""The token package where its requirement is not installed."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
sys.modules["pkcs11"] = None  # as if it were not installed
from plugpass.errors import ConfigurationError
try:
    import plugpass.providers.pkcs11
except ConfigurationError as error:
    print(error)
"""


def test_a_missing_requirement_is_named() -> None:
    output = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True).stdout
    assert output.startswith("keys in tokens need the package python-pkcs11")
    assert "extra 'hsm'" in output
