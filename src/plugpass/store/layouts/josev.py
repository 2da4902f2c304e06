"""The folder Josev (EcoG-io/iso15118, PyPI `iso15118`) reads: `$PKI_PATH/iso15118_2/`, for both generations.

It takes one root of each kind and verifies P-256 signatures only.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from plugpass.errors import LocalError
from plugpass.pki.certificate import parse
from plugpass.pki.keys import Curve
from plugpass.pki.profiles import CertificateRole, RootType
from plugpass.store.layouts.model import (
    Ecosystem,
    Layout,
    Table,
    certificate_der,
    certificate_pem,
    chain_pem,
    key_passphrase,
    key_pem,
    lay_out,
    root_der,
    roots_pem,
)

_Role = CertificateRole
_CERTIFICATES: Final = "iso15118_2/certs"
_KEYS: Final = "iso15118_2/private_keys"

_LEAVES: Final = MappingProxyType(
    {  # leaf role: its name, and the name of its Sub-CAs
        _Role.SECC_LEAF: ("secc", "cpo"),
        _Role.CONTRACT: ("contract", "mo"),
        _Role.OEM_PROVISIONING: ("oem", "oem"),
        _Role.CPS_LEAF: ("cps", "cps"),
    }
)


def _table() -> Table:
    table = {
        f"{_CERTIFICATES}/cpoCertChain.pem": chain_pem(_Role.SECC_LEAF),
        f"{_CERTIFICATES}/oemCertChain.pem": chain_pem(_Role.OEM_PROVISIONING),
        f"{_KEYS}/moSubCA2.key": key_pem(_Role.MO_SUB2),  # signs sales tariffs
        f"{_KEYS}/moSubCA2LeafPassword.txt": key_passphrase(_Role.MO_SUB2),
    }
    for root_type, name in ((RootType.V2G, "v2g"), (RootType.OEM, "oem"), (RootType.MO, "mo")):
        table[f"{_CERTIFICATES}/{name}RootCACert.pem"] = roots_pem(root_type)
        table[f"{_CERTIFICATES}/{name}RootCACert.der"] = root_der(root_type)
    for role, (leaf, sub) in _LEAVES.items():
        table[f"{_CERTIFICATES}/{leaf}LeafCert.der"] = certificate_der(role)
        table[f"{_CERTIFICATES}/{leaf}LeafCert.pem"] = certificate_pem(role)
        table[f"{_CERTIFICATES}/{sub}SubCA2Cert.der"] = certificate_der(role, 1)
        table[f"{_CERTIFICATES}/{sub}SubCA1Cert.der"] = certificate_der(role, 2)
        table[f"{_KEYS}/{leaf}Leaf.key"] = key_pem(role)
        table[f"{_KEYS}/{leaf}LeafPassword.txt"] = key_passphrase(role)
    return MappingProxyType(table)


_TABLE: Final = _table()


def josev_layout(ecosystem: Ecosystem, passphrase: bytes) -> Layout:
    """The layout. Raises LocalError where Josev could not use it: several roots of a kind, or other keys than P-256."""
    for root_type, roots in ecosystem.roots.items():
        if len(roots) > 1:
            raise LocalError(f"Josev takes one {root_type} root, there are {len(roots)}: choose one authority")
    for role, credential in ecosystem.credentials.items():
        if any(parse(der).key.curve is not Curve.P256 for der in credential.chain):
            raise LocalError(f"the {role} chain has keys that are not P-256, and Josev verifies no others")
    return lay_out(_TABLE, ecosystem, passphrase)
