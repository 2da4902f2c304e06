"""The matrix of bad chains, second part: keys, encodings, identities, revocation and bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chain_tools import (
    DAY,
    ELLIPTIC,
    ISO2,
    NAMES,
    Case,
    R,
    World,
    algorithm,
    authority,
    bad,
    common_names,
    flip_signature,
    good,
    key_of,
    leaf_case,
    raw_certificate,
    subject_of,
)
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from pki_factory import (
    NOW,
    ROLE,
    Tweak,
    forge,
    tbs_of,
    with_extension,
)
from plugpass.pki import assemble, crl, der, ocsp, oids
from plugpass.pki.keys import Curve, LocalSigner, generate, public_key_info
from plugpass.pki.profiles import SUB_CA_ROLES

UNREADABLE = "the library does not load such a certificate"
UNBOUNDED = "it has no such bound"
NO_OCSP = "it takes no OCSP responses"

# --- keys and algorithms -------------------------------------------------------------------------------------------


@bad("p384-key", 42, "P-384 key", R.KEY_CURVE, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, key_of(ec.generate_private_key(ec.SECP384R1()).public_key()))


@bad("p521-key", 42, "P-521 key in -2", R.KEY_CURVE, oracle="accepts", worlds=(ISO2,))
def _(w: World) -> Case:
    return leaf_case(w, key_of(generate(Curve.P521).public_key))


@bad("rsa-key", 44, "RSA key", R.KEY_TYPE, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, key_of(rsa.generate_private_key(65537, 2048).public_key()))


@bad("ed25519-key", 47, "Ed25519 key", R.KEY_TYPE, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, key_of(ed25519.Ed25519PrivateKey.generate().public_key()))


@dataclass(frozen=True, slots=True)
class OtherHash:
    """An ECDSA signer that hashes with something else."""

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


def hashed_with(w: World, oid: str, digest: hashes.HashAlgorithm) -> Case:
    pki = w.pki
    issuer, key = pki[ROLE.CPO_SUB2], w.key()
    tbs = replace(
        tbs_of(w.profiles[ROLE.SECC_LEAF], NAMES[ROLE.SECC_LEAF], key, issuer), algorithm=algorithm(oid)
    ).encode()
    encoded = assemble.signed(tbs, algorithm(oid), OtherHash(issuer.signer, digest).sign(tbs))
    return w.case(chain=(encoded, pki[ROLE.CPO_SUB2].der, pki[ROLE.CPO_SUB1].der))


@bad("sha384", 45, "ecdsa-with-SHA384", R.SIGNATURE_ALGORITHM, R.SIGNATURE, oracle="accepts", worlds=ELLIPTIC)
def _(w: World) -> Case:
    return hashed_with(w, oids.ECDSA_WITH_SHA384, hashes.SHA384())


@bad("sha1", 45, "ecdsa-with-SHA1", R.SIGNATURE_ALGORITHM, R.SIGNATURE, oracle="accepts", worlds=ELLIPTIC)
def _(w: World) -> Case:
    return hashed_with(w, oids.ECDSA_WITH_SHA1, hashes.SHA1())


@bad("sha512-on-p256", 45, "ecdsa-with-SHA512 in -2", R.SIGNATURE_ALGORITHM, oracle="accepts", worlds=(ISO2,))
def _(w: World) -> Case:
    return hashed_with(w, oids.ECDSA_WITH_SHA512, hashes.SHA512())


def info_with(parameters: bytes, point: bytes) -> Tweak:
    info = der.sequence(der.sequence(der.oid(oids.EC_PUBLIC_KEY), parameters), der.bit_string(point))
    return lambda tbs: replace(tbs, key=info)


@bad("explicit-parameters", 49, "explicit EC parameters", R.KEY_EXPLICIT_PARAMETERS, oracle=None, why=UNREADABLE)
def _(w: World) -> Case:
    return leaf_case(w, info_with(der.sequence(der.integer(1)), b"\x04" + bytes(64)))


CURVES = {Curve.P256: (oids.SECP256R1, 32), Curve.P521: (oids.SECP521R1, 66)}


@bad(
    "point-off-curve",
    50,
    "EC point not on the curve",
    R.KEY_INVALID,
    oracle=None,
    why=UNREADABLE,
    worlds=ELLIPTIC,
)
def _(w: World) -> Case:
    curve, size = CURVES[w.curve]
    return leaf_case(w, info_with(der.oid(curve), b"\x04" + b"\x01" * (2 * size)))


@bad("leaf-has-ca-key", 0, "leaf with the key of its own Sub-CA", R.KEY_REUSED, oracle="accepts")
def _(w: World) -> Case:
    key = public_key_info(w.pki[ROLE.CPO_SUB2].signer.public_key)
    return leaf_case(w, lambda tbs: replace(tbs, key=key))


# --- encoding ------------------------------------------------------------------------------------------------------


@bad("oversize", 51, "certificate above 800 or 1600 octets", R.SIZE, oracle="accepts")
def _(w: World) -> Case:
    url = "http://ocsp.test/" + "x" * (w.profiles[ROLE.SECC_LEAF].max_size - 500)
    return leaf_case(w, with_extension(assemble.authority_information_access(ocsp=url)))


@bad("trailing-octets", 53, "trailing octets after the DER", R.ENCODING, oracle=None, why=UNREADABLE)
def _(w: World) -> Case:
    leaf, *subs = w.pki.leaf(ROLE.SECC_LEAF).chain
    return w.case(chain=(leaf + b"\x00", *subs))


@bad("ber", 53, "BER length encoding", R.ENCODING, oracle=None, why=UNREADABLE)
def _(w: World) -> Case:
    leaf, *subs = w.pki.leaf(ROLE.SECC_LEAF).chain
    return w.case(chain=(b"\x30\x83\x00" + leaf[2:], *subs))


@bad("sub2-rubbish", 53, "a Sub-CA is no certificate", R.ENCODING, oracle=None, why=UNREADABLE)
def _(w: World) -> Case:
    leaf, _sub2, sub1 = w.pki.leaf(ROLE.SECC_LEAF).chain
    return w.case(chain=(leaf, b"\x30\x00", sub1))


@bad("inner-outer-algorithm", 54, "inner and outer algorithm differ", R.SIGNATURE_ALGORITHM_MISMATCH, oracle="rejects")
def _(w: World) -> Case:
    return leaf_case(w, lambda tbs: replace(tbs, algorithm=algorithm(oids.ECDSA_WITH_SHA384)))


@bad("serial-zero", 73, "serial number zero", R.SERIAL, oracle=None, why=UNREADABLE)
def _(w: World) -> Case:
    return leaf_case(w, lambda tbs: replace(tbs, serial=0))


@bad("serial-negative", 73, "serial number negative", R.SERIAL, oracle=None, why=UNREADABLE)
def _(w: World) -> Case:
    return leaf_case(w, lambda tbs: replace(tbs, serial=-5))


@bad("serial-too-long", 73, "serial number of 21 octets", R.SERIAL, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, lambda tbs: replace(tbs, serial=1 << 160))


@bad("version-1", 74, "version 1 certificate", R.VERSION, R.BC_MISSING, R.KU_MISSING, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, lambda tbs: replace(tbs, version=1, extensions=()))


@bad("validity-reversed", 0, "notAfter before notBefore", R.VALIDITY_ORDER, R.EXPIRED, oracle="rejects")
def _(w: World) -> Case:
    return leaf_case(w, lambda tbs: replace(tbs, not_before=NOW - DAY, not_after=NOW - 2 * DAY))


# --- identity ------------------------------------------------------------------------------------------------------


@bad("emaid-check-digit", 55, "contract CN with a wrong check character", R.CN_SYNTAX, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, common_names("DEPLUC123456780", domain="MO"), ROLE.CONTRACT)


@bad("emaid-16-characters", 56, "contract CN of 16 characters", R.CN_SYNTAX, oracle="accepts", worlds=(ISO2,))
def _(w: World) -> Case:
    return leaf_case(w, common_names("DEPLUC12345678QX", domain="MO"), ROLE.CONTRACT)


@bad("emaid-of-another", 57, "contract CN is not the EMAID of the message", R.IDENTITY, oracle="accepts")
def _(w: World) -> Case:
    return good(w, ROLE.CONTRACT, expected_cn="DE-PLU-C99999999")


@bad("no-pcid", 58, "provisioning CN not a PCID", R.CN_SYNTAX, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, common_names("VEHICLE-1", domain="OEM"), ROLE.OEM_PROVISIONING)


@bad("no-evseid", 59, "SECC CN neither EVSEID nor SECCID", R.CN_SYNTAX, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, common_names("charger.example.org", domain=w.secc_domain))


@bad("two-cns", 60, "two CN attributes", R.CN_AMBIGUOUS, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, common_names("DE*PLU*E1", "DE*PLU*E2", domain=w.secc_domain))


@bad("no-cn", 60, "no CN attribute", R.CN_MISSING, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, common_names(domain=w.secc_domain))


@bad("empty-subject", 61, "empty subject", R.SUBJECT_EMPTY, R.DC_MISSING, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, subject_of())


@bad("nul-in-cn", 62, "NUL in the CN", R.CN_CHARACTERS, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, common_names("DE*PLU*E1\x00.evil", domain=w.secc_domain))


@bad("long-cn", 62, "CN of 65 characters", R.CN_CHARACTERS, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, common_names("C" * 65, domain="CPS"), ROLE.CPS_LEAF)


@bad("aki-of-another-key", 64, "AKI points to another key", R.AKI_MISMATCH, oracle="rejects")
def _(w: World) -> Case:
    return leaf_case(w, with_extension(assemble.authority_key_identifier(b"\x01" * 20)))


# --- revocation (the oracle is not asked: it has no OCSP) ------------------------------------------------------------


def answered(
    w: World, *statuses: ocsp.CertStatus | None, at: datetime = NOW, now: datetime = NOW, lifetime: timedelta = 7 * DAY
) -> Case:
    """A good SECC chain with one OCSP response per certificate, leaf first; None for no response."""
    pki = w.pki
    chain = pki.leaf(ROLE.SECC_LEAF).chain
    issuers = (*SUB_CA_ROLES[ROLE.SECC_LEAF], ROLE.V2G_ROOT)
    responses = {
        encoded: pki.ocsp_response(encoded, issuer, status, at=at, lifetime=lifetime)
        for encoded, issuer, status in zip(chain, issuers, statuses, strict=True)
        if status
    }
    return w.case(chain=chain, at=now, revocation=responses)


GOOD, REVOKED, UNKNOWN_STATUS = ocsp.CertStatus


@bad("leaf-revoked", 65, "revoked leaf", R.REVOKED, oracle=None, why=NO_OCSP)
def _(w: World) -> Case:
    return answered(w, REVOKED, GOOD, GOOD)


@bad("sub2-revoked", 66, "revoked Sub-CA 2", R.REVOKED, oracle=None, why=NO_OCSP)
def _(w: World) -> Case:
    return answered(w, GOOD, REVOKED, GOOD)


@bad("sub1-revoked", 66, "revoked Sub-CA 1", R.REVOKED, oracle=None, why=NO_OCSP)
def _(w: World) -> Case:
    return answered(w, GOOD, GOOD, REVOKED)


@bad("ocsp-older-than-a-week", 67, "OCSP response older than 7 days", R.OCSP_STALE, oracle=None, why=NO_OCSP)
def _(w: World) -> Case:
    return answered(w, GOOD, GOOD, GOOD, now=NOW + 8 * DAY, lifetime=30 * DAY)


@bad("ocsp-next-update-passed", 68, "OCSP nextUpdate passed", R.OCSP_STALE, oracle=None, why=NO_OCSP)
def _(w: World) -> Case:
    return answered(w, GOOD, GOOD, GOOD, now=NOW + 2 * DAY, lifetime=DAY)


@bad("ocsp-of-another-certificate", 69, "OCSP response for another serial", R.OCSP_MISMATCH, oracle=None, why=NO_OCSP)
def _(w: World) -> Case:
    pki, case = w.pki, answered(w, GOOD, GOOD, GOOD)
    other = pki.ocsp_response(pki.leaf(ROLE.SECC_LEAF).certificate, ROLE.CPO_SUB2)
    return replace(case, revocation={**(case.revocation or {}), case.chain[0]: other})


@bad("ocsp-by-a-stranger", 70, "OCSP signed by an unauthorised certificate", R.OCSP_SIGNER, oracle=None, why=NO_OCSP)
def _(w: World) -> Case:
    pki, case = w.pki, answered(w, GOOD, GOOD, GOOD)
    stranger = pki.ocsp_response(case.chain[0], ROLE.MO_SUB2)
    return replace(case, revocation={**(case.revocation or {}), case.chain[0]: stranger})


@bad("ocsp-unknown", 71, "OCSP status unknown", R.OCSP_UNKNOWN, oracle=None, why=NO_OCSP)
def _(w: World) -> Case:
    return answered(w, UNKNOWN_STATUS, GOOD, GOOD)


@bad("ocsp-missing", 72, "required OCSP response missing", R.OCSP_MISSING, oracle=None, why=NO_OCSP)
def _(w: World) -> Case:
    return answered(w, GOOD, None, GOOD)


# --- revocation lists ----------------------------------------------------------------------------------------------


def listed(w: World, **lists: bytes) -> Case:
    """A good SECC chain with the lists of its CAs; a list given by the CA's name replaces that CA's."""
    pki = w.pki
    issuers = {role.name: role for role in (*SUB_CA_ROLES[ROLE.SECC_LEAF], ROLE.V2G_ROOT)}
    own = {name: pki.crl(role) for name, role in issuers.items()}
    return good(w, crls=tuple((own | lists).values()))


NO_CRL = "it takes no revocation lists in this set-up"


@bad("leaf-on-crl", 65, "leaf on its issuer's revocation list", R.REVOKED, oracle=None, why=NO_CRL)
def _(w: World) -> Case:
    leaf = w.pki.leaf(ROLE.SECC_LEAF)
    case = listed(w, CPO_SUB2=w.pki.crl(ROLE.CPO_SUB2, leaf.certificate))
    return replace(case, chain=leaf.chain)


@bad("sub2-on-crl", 66, "Sub-CA 2 on its issuer's revocation list", R.REVOKED, oracle=None, why=NO_CRL)
def _(w: World) -> Case:
    return listed(w, CPO_SUB1=w.pki.crl(ROLE.CPO_SUB1, w.pki[ROLE.CPO_SUB2].certificate))


@bad("revoked-on-crl-good-by-ocsp", 65, "OCSP says good, the list says revoked", R.REVOKED, oracle=None, why=NO_CRL)
def _(w: World) -> Case:
    case = answered(w, GOOD, GOOD, GOOD)
    return replace(case, crls=(w.pki.crl(ROLE.CPO_SUB1, w.pki[ROLE.CPO_SUB2].certificate),))


@bad("crl-stale", 68, "revocation list past its nextUpdate", R.CRL_STALE, oracle=None, why=NO_CRL)
def _(w: World) -> Case:
    return listed(w, CPO_SUB2=w.pki.crl(ROLE.CPO_SUB2, at=NOW - 9 * DAY))


@bad("crl-from-the-future", 68, "revocation list of tomorrow", R.CRL_STALE, oracle=None, why=NO_CRL)
def _(w: World) -> Case:
    return listed(w, CPO_SUB2=w.pki.crl(ROLE.CPO_SUB2, at=NOW + DAY))


@bad("crl-signature", 70, "revocation list with a flipped bit", R.CRL_SIGNATURE, oracle=None, why=NO_CRL)
def _(w: World) -> Case:
    return listed(w, CPO_SUB2=flip_signature(w.pki.crl(ROLE.CPO_SUB2)))


@bad("crl-of-another-key", 70, "revocation list by another key of that name", R.CRL_ISSUER, oracle=None, why=NO_CRL)
def _(w: World) -> Case:
    sub2 = w.pki[ROLE.CPO_SUB2]
    stranger, key = forge(w.profiles[ROLE.CPO_SUB2], "Test CPO-SUB2", w.pki[ROLE.CPO_SUB1], key=w.key())
    assert sub2.certificate.subject == raw_certificate(stranger).subject
    forged = crl.build_crl((), stranger, key, number=9, this_update=NOW, next_update=NOW + DAY)
    return listed(w, CPO_SUB2=forged)


@bad("crl-missing", 72, "no list of one of the CAs", R.OCSP_MISSING, oracle=None, why=NO_CRL)
def _(w: World) -> Case:
    return good(w, crls=(w.pki.crl(ROLE.CPO_SUB2), w.pki.crl(ROLE.V2G_ROOT)))


@bad("crl-rubbish", 70, "a list that is none", R.CRL_MALFORMED, oracle=None, why=NO_CRL)
def _(w: World) -> Case:
    return good(w, crls=(b"rubbish",))


# --- bounds --------------------------------------------------------------------------------------------------------


@bad("cross-certificate-loop", 75, "loop of cross certificates", R.INCOMPLETE_PATH, R.PATH_LENGTH, oracle="rejects")
def _(w: World) -> Case:
    pki = w.pki
    first = authority(w, ROLE.CPO_SUB2, pki[ROLE.MO_SUB2], name="Loop A")
    second = authority(w, ROLE.CPO_SUB2, first, name="Loop B")
    back, _key = forge(w.profiles[ROLE.CPO_SUB2], "Loop A", second, key=first.signer)
    leaf, _key = forge(w.profiles[ROLE.SECC_LEAF], NAMES[ROLE.SECC_LEAF], second)
    return w.case(chain=(leaf, second.der, back))


@bad("1000-certificates", 76, "1000 certificates in the bundle", R.TOO_MANY_CERTIFICATES, oracle=None, why=UNBOUNDED)
def _(w: World) -> Case:
    leaf, *subs = w.pki.leaf(ROLE.SECC_LEAF).chain
    return w.case(chain=(leaf, *(subs * 500)))


@bad("too-many-octets", 76, "more octets than a chain needs", R.TOO_MANY_OCTETS, oracle=None, why=UNBOUNDED)
def _(w: World) -> Case:
    leaf, *subs = w.pki.leaf(ROLE.SECC_LEAF).chain
    return w.case(chain=(leaf, *subs, bytes(20_000)))


@bad("nothing", 76, "no certificate", R.NO_CERTIFICATE, oracle=None, why="it cannot be asked about nothing")
def _(w: World) -> Case:
    return w.case(chain=())
