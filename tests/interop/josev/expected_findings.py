"""What our lint is expected to say about the certificates that Josev's own script mints, as it ships."""

from __future__ import annotations

from plugpass.pki.profiles import CertificateRole, Generation
from plugpass.pki.reasons import Reason

ROLE = CertificateRole

#: File (without ending) to role.
FILES = {
    "v2gRootCACert": ROLE.V2G_ROOT,
    "cpoSubCA1Cert": ROLE.CPO_SUB1,
    "cpoSubCA2Cert": ROLE.CPO_SUB2,
    "seccLeafCert": ROLE.SECC_LEAF,
    "oemRootCACert": ROLE.OEM_ROOT,
    "oemSubCA1Cert": ROLE.OEM_SUB1,
    "oemSubCA2Cert": ROLE.OEM_SUB2,
    "oemLeafCert": ROLE.OEM_PROVISIONING,
    "moRootCACert": ROLE.MO_ROOT,
    "moSubCA1Cert": ROLE.MO_SUB1,
    "moSubCA2Cert": ROLE.MO_SUB2,
    "contractLeafCert": ROLE.CONTRACT,
    "cpsSubCA1Cert": ROLE.CPS_SUB1,
    "cpsSubCA2Cert": ROLE.CPS_SUB2,
    "cpsLeafCert": ROLE.CPS_LEAF,
}

_P256 = frozenset({Reason.KEY_CURVE, Reason.SIGNATURE_ALGORITHM})

#: `create_certs.sh -v iso-2` against the -2 profiles, and `-v iso-20` against those of -20; no entry: nothing.
FINDINGS: dict[Generation, dict[CertificateRole, frozenset[Reason]]] = {
    Generation.ISO2: {
        ROLE.OEM_PROVISIONING: frozenset({Reason.CN_SYNTAX}),
        ROLE.CONTRACT: frozenset({Reason.CN_SYNTAX}),
    },
    Generation.ISO20: {
        **dict.fromkeys(FILES.values(), _P256),
        ROLE.SECC_LEAF: _P256 | {Reason.DC_WRONG},
        ROLE.OEM_PROVISIONING: _P256 | {Reason.CN_SYNTAX},
        ROLE.CONTRACT: _P256 | {Reason.CN_SYNTAX, Reason.SKI_LENGTH},
    },
}

#: A key identifier of the issuer is there or not depending on the OpenSSL that runs the script: both are expected.
DEPENDS_ON_OPENSSL = frozenset({Reason.AKI_MISSING})

WHY = {
    Reason.CN_SYNTAX: "`OEMProvCert` is no PCID; `UKSWI123456791A` has a wrong EMAID check character (it should be 5)",
    Reason.KEY_CURVE: "`-v iso-20` writes the P-256 certificates of -2 into another folder",
    Reason.SIGNATURE_ALGORITHM: "ecdsa-with-SHA256, for the same reason",
    Reason.DC_WRONG: "DC=CPO, while a -20 station has DC=CSO",
    Reason.SKI_LENGTH: "20 octets: the -20 sealing of a contract key has room for 8",
}
