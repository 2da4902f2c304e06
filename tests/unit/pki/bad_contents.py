"""The matrix of bad chains, second part: keys, encodings, identities, revocation and bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chain_tools import (
    DAY,
    NAMES,
    Case,
    R,
    algorithm,
    authority,
    bad,
    common_names,
    good,
    key_of,
    leaf_case,
    subject_of,
)
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from pki_factory import (
    NOW,
    ROLE,
    Tweak,
    forge,
    shared_pki,
    tbs_of,
    with_extension,
)
from plugpass.pki import assemble, der, ocsp, oids
from plugpass.pki.keys import Curve, LocalSigner, generate, public_key_info
from plugpass.pki.profiles import PROFILES_ISO2, SUB_CA_ROLES

# --- keys and algorithms -------------------------------------------------------------------------------------------


@bad("p384-key", 42, "P-384 key", R.KEY_CURVE, oracle="accepts")
def _() -> Case:
    return leaf_case(key_of(ec.generate_private_key(ec.SECP384R1()).public_key()))


@bad("p521-key", 42, "P-521 key in -2", R.KEY_CURVE, oracle="accepts")
def _() -> Case:
    return leaf_case(key_of(generate(Curve.P521).public_key))


@bad("rsa-key", 44, "RSA key", R.KEY_TYPE, oracle="accepts")
def _() -> Case:
    return leaf_case(key_of(rsa.generate_private_key(65537, 2048).public_key()))


@bad("ed25519-key", 47, "Ed25519 key", R.KEY_TYPE, oracle="accepts")
def _() -> Case:
    return leaf_case(key_of(ed25519.Ed25519PrivateKey.generate().public_key()))


@dataclass(frozen=True, slots=True)
class OtherHash:
    """A P-256 signer that hashes with something else."""

    inner: LocalSigner
    digest: hashes.HashAlgorithm

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        key = self.inner.public_key
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return key

    def sign(self, data: bytes) -> bytes:
        key = self.inner.private_key
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key.sign(data, ec.ECDSA(self.digest))


def hashed_with(oid: str, digest: hashes.HashAlgorithm) -> Case:
    pki = shared_pki()
    issuer, key = pki[ROLE.CPO_SUB2], generate()
    tbs = replace(
        tbs_of(PROFILES_ISO2[ROLE.SECC_LEAF], NAMES[ROLE.SECC_LEAF], key, issuer), algorithm=algorithm(oid)
    ).encode()
    encoded = assemble.signed(tbs, algorithm(oid), OtherHash(issuer.signer, digest).sign(tbs))
    return Case(chain=(encoded, pki[ROLE.CPO_SUB2].der, pki[ROLE.CPO_SUB1].der))


@bad("sha384-on-p256", 45, "ecdsa-with-SHA384 on P-256", R.SIGNATURE_ALGORITHM, R.SIGNATURE, oracle="accepts")
def _() -> Case:
    return hashed_with(oids.ECDSA_WITH_SHA384, hashes.SHA384())


@bad("sha1-on-p256", 45, "ecdsa-with-SHA1 on P-256", R.SIGNATURE_ALGORITHM, R.SIGNATURE, oracle="accepts")
def _() -> Case:
    return hashed_with(oids.ECDSA_WITH_SHA1, hashes.SHA1())


@bad("sha512-on-p256", 45, "ecdsa-with-SHA512 on P-256", R.SIGNATURE_ALGORITHM, oracle="accepts")
def _() -> Case:
    return hashed_with(oids.ECDSA_WITH_SHA512, hashes.SHA512())


def info_with(parameters: bytes, point: bytes) -> Tweak:
    info = der.sequence(der.sequence(der.oid(oids.EC_PUBLIC_KEY), parameters), der.bit_string(point))
    return lambda tbs: replace(tbs, key=info)


@bad("explicit-parameters", 49, "explicit EC parameters", R.KEY_EXPLICIT_PARAMETERS, oracle=None)  # not constructible
def _() -> Case:
    return leaf_case(info_with(der.sequence(der.integer(1)), b"\x04" + bytes(64)))


@bad("point-off-curve", 50, "EC point not on the curve", R.KEY_INVALID, oracle=None)  # the library refuses to load it
def _() -> Case:
    return leaf_case(info_with(der.oid(oids.SECP256R1), b"\x04" + b"\x01" * 64))


@bad("leaf-has-ca-key", 0, "leaf with the key of its own Sub-CA", R.KEY_REUSED, oracle="accepts")
def _() -> Case:
    key = public_key_info(shared_pki()[ROLE.CPO_SUB2].signer.public_key)
    return leaf_case(lambda tbs: replace(tbs, key=key))


# --- encoding ------------------------------------------------------------------------------------------------------


@bad("801-octets", 51, "certificate above 800 octets", R.SIZE, oracle="accepts")
def _() -> Case:
    url = "http://ocsp.test/" + "x" * 300
    return leaf_case(with_extension(assemble.authority_information_access(ocsp=url)))


@bad("trailing-octets", 53, "trailing octets after the DER", R.ENCODING, oracle=None)  # the library refuses to load it
def _() -> Case:
    leaf, *subs = shared_pki().leaf(ROLE.SECC_LEAF).chain
    return Case(chain=(leaf + b"\x00", *subs))


@bad("ber", 53, "BER length encoding", R.ENCODING, oracle=None)  # the library refuses to load it
def _() -> Case:
    leaf, *subs = shared_pki().leaf(ROLE.SECC_LEAF).chain
    return Case(chain=(b"\x30\x83\x00" + leaf[2:], *subs))


@bad("sub2-rubbish", 53, "a Sub-CA is no certificate", R.ENCODING, oracle=None)  # the library refuses to load it
def _() -> Case:
    leaf, _sub2, sub1 = shared_pki().leaf(ROLE.SECC_LEAF).chain
    return Case(chain=(leaf, b"\x30\x00", sub1))


@bad("inner-outer-algorithm", 54, "inner and outer algorithm differ", R.SIGNATURE_ALGORITHM_MISMATCH, oracle="rejects")
def _() -> Case:
    return leaf_case(lambda tbs: replace(tbs, algorithm=algorithm(oids.ECDSA_WITH_SHA384)))


@bad("serial-zero", 73, "serial number zero", R.SERIAL, oracle=None)  # the library warns or refuses, by version
def _() -> Case:
    return leaf_case(lambda tbs: replace(tbs, serial=0))


@bad("serial-negative", 73, "serial number negative", R.SERIAL, oracle=None)  # the library warns or refuses, by version
def _() -> Case:
    return leaf_case(lambda tbs: replace(tbs, serial=-5))


@bad("serial-too-long", 73, "serial number of 21 octets", R.SERIAL, oracle="accepts")
def _() -> Case:
    return leaf_case(lambda tbs: replace(tbs, serial=1 << 160))


@bad("version-1", 74, "version 1 certificate", R.VERSION, R.BC_MISSING, R.KU_MISSING, oracle="accepts")
def _() -> Case:
    return leaf_case(lambda tbs: replace(tbs, version=1, extensions=()))


@bad("validity-reversed", 0, "notAfter before notBefore", R.VALIDITY_ORDER, R.EXPIRED, oracle="rejects")
def _() -> Case:
    return leaf_case(lambda tbs: replace(tbs, not_before=NOW - DAY, not_after=NOW - 2 * DAY))


# --- identity ------------------------------------------------------------------------------------------------------


@bad("emaid-check-digit", 55, "contract CN with a wrong check character", R.CN_SYNTAX, oracle="accepts")
def _() -> Case:
    return leaf_case(common_names("DEPLUC123456780", domain="MO"), ROLE.CONTRACT)


@bad("emaid-16-characters", 56, "contract CN of 16 characters", R.CN_SYNTAX, oracle="accepts")
def _() -> Case:
    return leaf_case(common_names("DEPLUC12345678QX", domain="MO"), ROLE.CONTRACT)


@bad("emaid-of-another", 57, "contract CN is not the EMAID of the message", R.IDENTITY, oracle="accepts")
def _() -> Case:
    return good(ROLE.CONTRACT, expected_cn="DE-PLU-C99999999")


@bad("no-pcid", 58, "provisioning CN not a PCID", R.CN_SYNTAX, oracle="accepts")
def _() -> Case:
    return leaf_case(common_names("VEHICLE-1", domain="OEM"), ROLE.OEM_PROVISIONING)


@bad("no-evseid", 59, "SECC CN neither EVSEID nor SECCID", R.CN_SYNTAX, oracle="accepts")
def _() -> Case:
    return leaf_case(common_names("charger.example.org"))


@bad("two-cns", 60, "two CN attributes", R.CN_AMBIGUOUS, oracle="accepts")
def _() -> Case:
    return leaf_case(common_names("DE*PLU*E1", "DE*PLU*E2"))


@bad("no-cn", 60, "no CN attribute", R.CN_MISSING, oracle="accepts")
def _() -> Case:
    return leaf_case(common_names())


@bad("empty-subject", 61, "empty subject", R.SUBJECT_EMPTY, R.DC_MISSING, oracle="accepts")
def _() -> Case:
    return leaf_case(subject_of())


@bad("nul-in-cn", 62, "NUL in the CN", R.CN_CHARACTERS, oracle="accepts")
def _() -> Case:
    return leaf_case(common_names("DE*PLU*E1\x00.evil"))


@bad("long-cn", 62, "CN of 65 characters", R.CN_CHARACTERS, oracle="accepts")
def _() -> Case:
    return leaf_case(common_names("C" * 65, domain="CPS"), ROLE.CPS_LEAF)


@bad("aki-of-another-key", 64, "AKI points to another key", R.AKI_MISMATCH, oracle="rejects")
def _() -> Case:
    return leaf_case(with_extension(assemble.authority_key_identifier(b"\x01" * 20)))


# --- revocation (the oracle is not asked: it has no OCSP) ------------------------------------------------------------


def answered(
    *statuses: ocsp.CertStatus | None, at: datetime = NOW, now: datetime = NOW, lifetime: timedelta = 7 * DAY
) -> Case:
    """A good SECC chain with one OCSP response per certificate, leaf first; None for no response."""
    pki = shared_pki()
    chain = pki.leaf(ROLE.SECC_LEAF).chain
    issuers = (*SUB_CA_ROLES[ROLE.SECC_LEAF], ROLE.V2G_ROOT)
    responses = {
        encoded: pki.ocsp_response(encoded, issuer, status, at=at, lifetime=lifetime)
        for encoded, issuer, status in zip(chain, issuers, statuses, strict=True)
        if status
    }
    return Case(chain=chain, at=now, revocation=responses)


GOOD, REVOKED, UNKNOWN_STATUS = ocsp.CertStatus


@bad("leaf-revoked", 65, "revoked leaf", R.REVOKED, oracle=None)
def _() -> Case:
    return answered(REVOKED, GOOD, GOOD)


@bad("sub2-revoked", 66, "revoked Sub-CA 2", R.REVOKED, oracle=None)
def _() -> Case:
    return answered(GOOD, REVOKED, GOOD)


@bad("sub1-revoked", 66, "revoked Sub-CA 1", R.REVOKED, oracle=None)
def _() -> Case:
    return answered(GOOD, GOOD, REVOKED)


@bad("ocsp-older-than-a-week", 67, "OCSP response older than 7 days", R.OCSP_STALE, oracle=None)
def _() -> Case:
    return answered(GOOD, GOOD, GOOD, now=NOW + 8 * DAY, lifetime=30 * DAY)


@bad("ocsp-next-update-passed", 68, "OCSP nextUpdate passed", R.OCSP_STALE, oracle=None)
def _() -> Case:
    return answered(GOOD, GOOD, GOOD, now=NOW + 2 * DAY, lifetime=DAY)


@bad("ocsp-of-another-certificate", 69, "OCSP response for another serial", R.OCSP_MISMATCH, oracle=None)
def _() -> Case:
    pki, case = shared_pki(), answered(GOOD, GOOD, GOOD)
    other = pki.ocsp_response(pki.leaf(ROLE.SECC_LEAF).certificate, ROLE.CPO_SUB2)
    return replace(case, revocation={**(case.revocation or {}), case.chain[0]: other})


@bad("ocsp-by-a-stranger", 70, "OCSP signed by an unauthorised certificate", R.OCSP_SIGNER, oracle=None)
def _() -> Case:
    pki, case = shared_pki(), answered(GOOD, GOOD, GOOD)
    stranger = pki.ocsp_response(case.chain[0], ROLE.MO_SUB2)
    return replace(case, revocation={**(case.revocation or {}), case.chain[0]: stranger})


@bad("ocsp-unknown", 71, "OCSP status unknown", R.OCSP_UNKNOWN, oracle=None)
def _() -> Case:
    return answered(UNKNOWN_STATUS, GOOD, GOOD)


@bad("ocsp-missing", 72, "required OCSP response missing", R.OCSP_MISSING, oracle=None)
def _() -> Case:
    return answered(GOOD, None, GOOD)


# --- bounds --------------------------------------------------------------------------------------------------------


@bad("cross-certificate-loop", 75, "loop of cross certificates", R.INCOMPLETE_PATH, R.PATH_LENGTH, oracle="rejects")
def _() -> Case:
    pki = shared_pki()
    first = authority(ROLE.CPO_SUB2, pki[ROLE.MO_SUB2], name="Loop A")
    second = authority(ROLE.CPO_SUB2, first, name="Loop B")
    back, _key = forge(PROFILES_ISO2[ROLE.CPO_SUB2], "Loop A", second, key=first.signer)
    leaf, _key = forge(PROFILES_ISO2[ROLE.SECC_LEAF], NAMES[ROLE.SECC_LEAF], second)
    return Case(chain=(leaf, second.der, back))


@bad("1000-certificates", 76, "1000 certificates in the bundle", R.TOO_MANY_CERTIFICATES, oracle=None)  # no bound there
def _() -> Case:
    leaf, *subs = shared_pki().leaf(ROLE.SECC_LEAF).chain
    return Case(chain=(leaf, *(subs * 500)))


@bad("too-many-octets", 76, "more octets than a chain needs", R.TOO_MANY_OCTETS, oracle=None)  # no bound there
def _() -> Case:
    leaf, *subs = shared_pki().leaf(ROLE.SECC_LEAF).chain
    return Case(chain=(leaf, *subs, bytes(20_000)))


@bad("nothing", 76, "no certificate", R.NO_CERTIFICATE, oracle=None)
def _() -> Case:
    return Case(chain=())
