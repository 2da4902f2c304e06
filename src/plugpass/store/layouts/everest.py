"""The folder EVerest reads (`etc/everest/certs`, module EvseSecurity): bundles in `ca/`, leaves and keys in `client/`.

The bundles hold all roots of a kind. A station needs `ca/v2g`, `ca/mo` and `client/cso`; the rest is what its simulated
vehicle and the tests of its ecosystem use.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

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

#: leaf role: folder, name of the leaf, name of its Sub-CAs, file of the chain
_LEAVES: Final = MappingProxyType(
    {
        _Role.SECC_LEAF: ("cso", "SECC_LEAF", "CPO", "client/cso/CPO_CERT_CHAIN.pem"),
        _Role.CONTRACT: ("mo", "MO_LEAF", "MO", "client/mo/MO_CERT_CHAIN.pem"),
        _Role.OEM_PROVISIONING: ("oem", "OEM_LEAF", "OEM", "ca/oem/OEM_CERT_CHAIN.pem"),
        _Role.CPS_LEAF: ("cps", "CPS_LEAF", "CPS", "client/cps/CPS_CERT_CHAIN.pem"),
        _Role.VEHICLE_LEAF: ("vehicle", "VEHICLE_LEAF", "VEHICLE", "client/vehicle/VEHICLE_CERT_CHAIN.pem"),
    }
)


def _table() -> Table:
    table = {}
    for root_type, name in ((RootType.V2G, "v2g"), (RootType.MO, "mo"), (RootType.OEM, "oem")):
        table[f"ca/{name}/{root_type}_ROOT_CA.pem"] = roots_pem(root_type)
        table[f"ca/{name}/{root_type}_ROOT_CA.der"] = root_der(root_type)
    for role, (folder, leaf, sub, chain) in _LEAVES.items():
        table[f"client/{folder}/{leaf}.pem"] = certificate_pem(role)
        table[f"client/{folder}/{leaf}.der"] = certificate_der(role)
        table[f"client/{folder}/{leaf}.key"] = key_pem(role)
        table[f"client/{folder}/{leaf}_PASSWORD.txt"] = key_passphrase(role)
        table[chain] = chain_pem(role)
        table[f"ca/{folder}/{sub}_SUB_CA2.pem"] = certificate_pem(role, 1)
        table[f"ca/{folder}/{sub}_SUB_CA1.pem"] = certificate_pem(role, 2)
        table[f"ca/{folder}/INTERMEDIATE_{sub}_CA_CERTS.pem"] = chain_pem(role, 1)
    return MappingProxyType(table)


_TABLE: Final = _table()


def everest_layout(ecosystem: Ecosystem, passphrase: bytes) -> Layout:
    """The layout. Raises LocalError where a key cannot leave its store."""
    return lay_out(_TABLE, ecosystem, passphrase)
