"""The matrix of bad chains: every case is one broken rule, with the reasons the verdict must name.

`oracle` says what pyOpenSSL's X509Store makes of the same input: "rejects" where it sees the defect too, "accepts"
where only a V2G validator can know better, None where it cannot be asked (the reason is the comment beside it).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chain_tools import (
    DAY,
    NAMES,
    Case,
    R,
    World,
    authority,
    bad,
    common_names,
    flip_signature,
    good,
    leaf_case,
    not_critical,
    raw_certificate,
    root_like,
    sub_ca_case,
    usage,
)

from pki_factory import (
    NOW,
    ROLE,
    Minted,
    forge,
    tbs_of,
    with_extension,
    without_extension,
)
from plugpass.pki import assemble, der, oids
from plugpass.pki.certificate import Extension
from plugpass.pki.profiles import KeyUsage
from plugpass.pki.trust import TrustAnchors

# --- validity ------------------------------------------------------------------------------------------------------


@bad("leaf-expired", 1, "leaf expired", R.EXPIRED, oracle="rejects")
def _(w: World) -> Case:
    return good(w, at=NOW + 61 * DAY)


@bad("leaf-not-yet-valid", 2, "leaf not yet valid", R.NOT_YET_VALID, oracle="rejects")
def _(w: World) -> Case:
    return leaf_case(w, lambda tbs: replace(tbs, not_before=NOW + timedelta(minutes=6)))


@bad("sub2-expired", 3, "Sub-CA 2 expired, leaf valid", R.EXPIRED, oracle="rejects")
def _(w: World) -> Case:
    return sub_ca_case(w, tweak2=lambda tbs: replace(tbs, not_after=NOW - DAY, not_before=NOW - 2 * DAY))


@bad("sub1-expired", 4, "Sub-CA 1 expired", R.EXPIRED, oracle="rejects")
def _(w: World) -> Case:
    return sub_ca_case(w, tweak1=lambda tbs: replace(tbs, not_after=NOW - DAY, not_before=NOW - 2 * DAY))


@bad("root-expired", 5, "root expired", R.EXPIRED, oracle="rejects")
def _(w: World) -> Case:
    pki = w.pki
    old = root_like(w, pki[ROLE.V2G_ROOT], lambda tbs: replace(tbs, not_after=NOW - DAY, not_before=NOW - 2 * DAY))
    return good(w, anchors=TrustAnchors.of(v2g=[old]))


# --- signatures and anchors ----------------------------------------------------------------------------------------


@bad("leaf-signature", 6, "leaf signature bit flipped", R.SIGNATURE, oracle="rejects")
def _(w: World) -> Case:
    leaf, *subs = w.pki.leaf(ROLE.SECC_LEAF).chain
    return w.case(chain=(flip_signature(leaf), *subs))


@bad("sub2-signature", 7, "Sub-CA signature bit flipped", R.SIGNATURE, oracle="rejects")
def _(w: World) -> Case:
    leaf, sub2, sub1 = w.pki.leaf(ROLE.SECC_LEAF).chain
    return w.case(chain=(leaf, flip_signature(sub2), sub1))


@bad("unknown-root", 8, "unknown root with the right names", R.SIGNATURE, R.AKI_MISMATCH, oracle="rejects")
def _(w: World) -> Case:
    other = root_like(w, w.pki[ROLE.V2G_ROOT], key=w.key())
    return good(w, anchors=TrustAnchors.of(v2g=[other]))


@bad("no-anchor-at-all", 8, "nothing is trusted", R.INCOMPLETE_PATH, oracle="rejects")
def _(w: World) -> Case:
    return good(w, anchors=TrustAnchors())


@bad("untrusted-root-sent-along", 8, "the peer sends its own root", R.UNKNOWN_ROOT, oracle="rejects")
def _(w: World) -> Case:
    chain = (*w.pki.leaf(ROLE.SECC_LEAF).chain, w.pki[ROLE.V2G_ROOT].der)
    return w.case(chain=chain, anchors=TrustAnchors())


@bad("self-signed-leaf", 9, "self-signed leaf", R.UNKNOWN_ROOT, oracle="rejects")
def _(w: World) -> Case:
    key = w.key()
    tbs = tbs_of(w.profiles[ROLE.SECC_LEAF], NAMES[ROLE.SECC_LEAF], key, w.pki[ROLE.CPO_SUB2])
    return w.case(chain=(assemble.sign(replace(tbs, issuer=tbs.subject), key),))


@bad(
    "forged-root-sent-along",
    10,
    "trusted DN, other key",
    R.SIGNATURE,
    R.AKI_MISMATCH,
    oracle="rejects",
)
def _(w: World) -> Case:
    pki, key = w.pki, w.key()
    forged = Minted(certificate=raw_certificate(root_like(w, pki[ROLE.V2G_ROOT], key=key)), signer=key)
    sub1 = authority(w, ROLE.CPO_SUB1, forged, name="Forged Sub1")
    sub2 = authority(w, ROLE.CPO_SUB2, sub1, name="Forged Sub2")
    leaf, _key = forge(w.profiles[ROLE.SECC_LEAF], NAMES[ROLE.SECC_LEAF], sub2)
    return w.case(chain=(leaf, sub2.der, sub1.der))


# --- shape of the path ---------------------------------------------------------------------------------------------


@bad("root-issues-leaf", 11, "leaf issued by the root itself", R.ROOT_ISSUES_LEAF, oracle="accepts")
def _(w: World) -> Case:
    leaf, _key = forge(w.profiles[ROLE.SECC_LEAF], NAMES[ROLE.SECC_LEAF], w.pki[ROLE.V2G_ROOT])
    return w.case(chain=(leaf,))


@bad("three-sub-cas", 12, "three Sub-CAs", R.TOO_DEEP, oracle="accepts")
def _(w: World) -> Case:
    issuer, subs = w.pki[ROLE.V2G_ROOT], []
    for name, length in (("A", 2), ("B", 1), ("C", 0)):
        issuer = authority(
            w, ROLE.CPO_SUB1, issuer, with_extension(assemble.basic_constraints(ca=True, path_length=length)), name=name
        )
        subs.insert(0, issuer.der)
    leaf, _key = forge(w.profiles[ROLE.SECC_LEAF], NAMES[ROLE.SECC_LEAF], issuer)
    return w.case(chain=(leaf, *subs))


@bad(
    "pathlen-0-issues-a-ca",
    13,
    "Sub-CA with pathlen 0 issues a CA",
    R.PATH_LENGTH,
    R.TOO_DEEP,
    oracle="rejects",
)
def _(w: World) -> Case:
    pki = w.pki
    third = authority(w, ROLE.CPO_SUB2, pki[ROLE.CPO_SUB2], name="Third")
    leaf, _key = forge(w.profiles[ROLE.SECC_LEAF], NAMES[ROLE.SECC_LEAF], third)
    return w.case(chain=(leaf, third.der, pki[ROLE.CPO_SUB2].der, pki[ROLE.CPO_SUB1].der))


@bad("sub1-pathlen-0", 14, "Sub-CA 1 with pathlen 0 above Sub-CA 2", R.PATH_LENGTH, oracle="rejects")
def _(w: World) -> Case:
    return sub_ca_case(w, tweak1=with_extension(assemble.basic_constraints(ca=True, path_length=0)))


@bad("sub2-missing", 15, "Sub-CA missing from the bundle", R.INCOMPLETE_PATH, oracle="rejects")
def _(w: World) -> Case:
    leaf, _sub2, sub1 = w.pki.leaf(ROLE.SECC_LEAF).chain
    return w.case(chain=(leaf, sub1))


@bad("sub1-missing", 15, "Sub-CA 1 missing from the bundle", R.INCOMPLETE_PATH, oracle="rejects")
def _(w: World) -> Case:
    return w.case(chain=w.pki.leaf(ROLE.SECC_LEAF).chain[:2])


@bad("foreign-sub-cas", 16, "Sub-CAs of another hierarchy in the bundle", R.INCOMPLETE_PATH, oracle="rejects")
def _(w: World) -> Case:
    pki = w.pki
    return w.case(chain=(pki.leaf(ROLE.SECC_LEAF).der, pki[ROLE.MO_SUB2].der, pki[ROLE.MO_SUB1].der))


@bad(
    "leaf-as-ca",
    17,
    "leaf used as a CA",
    R.BC_NOT_A_CA,
    R.KU_REQUIRED,
    R.TOO_DEEP,
    R.PATH_LENGTH,
    oracle="rejects",
    iso20_too=(R.EXTENSION_FORBIDDEN,),
)
def _(w: World) -> Case:
    middle = w.pki.leaf(ROLE.SECC_LEAF)
    leaf, _key = forge(w.profiles[ROLE.SECC_LEAF], "DE*PLU*E2", middle)
    return w.case(chain=(leaf, *middle.chain))


# --- basic constraints and key usage -------------------------------------------------------------------------------


@bad("sub2-without-bc", 18, "Sub-CA without BasicConstraints", R.BC_MISSING, oracle="rejects")
def _(w: World) -> Case:
    return sub_ca_case(w, tweak2=without_extension(oids.BASIC_CONSTRAINTS))


@bad("sub2-bc-not-critical", 19, "Sub-CA BasicConstraints not critical", R.BC_NOT_CRITICAL, oracle="accepts")
def _(w: World) -> Case:
    return sub_ca_case(w, tweak2=not_critical(oids.BASIC_CONSTRAINTS))


@bad("leaf-is-ca", 20, "leaf with cA TRUE", R.BC_LEAF_IS_CA, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, with_extension(assemble.basic_constraints(ca=True)))


@bad("leaf-without-bc", 21, "leaf without BasicConstraints", R.BC_MISSING, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, without_extension(oids.BASIC_CONSTRAINTS))


@bad("leaf-without-ku", 22, "leaf without KeyUsage", R.KU_MISSING, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, without_extension(oids.KEY_USAGE))


@bad("leaf-ku-not-critical", 23, "leaf KeyUsage not critical", R.KU_NOT_CRITICAL, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, not_critical(oids.KEY_USAGE))


@bad("sub2-without-keycertsign", 24, "Sub-CA KeyUsage without keyCertSign", R.KU_REQUIRED, oracle="rejects")
def _(w: World) -> Case:
    return sub_ca_case(w, tweak2=usage(KeyUsage.CRL_SIGN))


@bad("sub2-without-ku", 24, "Sub-CA without KeyUsage", R.KU_MISSING, oracle="accepts")
def _(w: World) -> Case:
    return sub_ca_case(w, tweak2=without_extension(oids.KEY_USAGE))


@bad("secc-keycertsign", 25, "SECC leaf with keyCertSign", R.KU_FORBIDDEN, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, usage(KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_CERT_SIGN))


@bad("provisioning-without-agreement", 26, "provisioning leaf without keyAgreement", R.KU_REQUIRED, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, usage(KeyUsage.DIGITAL_SIGNATURE), ROLE.OEM_PROVISIONING)


@bad("contract-without-signature", 27, "contract leaf without digitalSignature", R.KU_REQUIRED, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, usage(KeyUsage.KEY_AGREEMENT), ROLE.CONTRACT)


@bad("cps-agreement-only", 28, "CPS leaf with keyAgreement only", R.KU_REQUIRED, R.KU_FORBIDDEN, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, usage(KeyUsage.KEY_AGREEMENT), ROLE.CPS_LEAF)


@bad("leaf-pathlen", 0, "leaf with pathLenConstraint and cA FALSE", R.BC_PATH_LENGTH_ON_LEAF, oracle="accepts")
def _(w: World) -> Case:
    value = der.sequence(der.integer(0))
    return leaf_case(w, with_extension(Extension(oids.BASIC_CONSTRAINTS, True, value)))


@bad("leaf-bc-explicit-default", 0, "BasicConstraints writes out cA FALSE", R.BC_EXPLICIT_DEFAULT, oracle="accepts")
def _(w: World) -> Case:
    value = der.sequence(der.boolean(False))
    return leaf_case(w, with_extension(Extension(oids.BASIC_CONSTRAINTS, True, value)))


# --- other extensions ----------------------------------------------------------------------------------------------

UNKNOWN = Extension("1.3.6.1.4.1.55555.1", True, der.null())


@bad("leaf-unknown-critical", 29, "unknown critical extension in the leaf", R.EXTENSION_CRITICAL, oracle="rejects")
def _(w: World) -> Case:
    return leaf_case(w, with_extension(UNKNOWN))


@bad("sub2-unknown-critical", 30, "unknown critical extension in a Sub-CA", R.EXTENSION_CRITICAL, oracle="rejects")
def _(w: World) -> Case:
    return sub_ca_case(w, tweak2=with_extension(UNKNOWN))


@bad("sub2-eku", 31, "EKU on a Sub-CA", R.EXTENSION_FORBIDDEN, oracle="accepts")
def _(w: World) -> Case:
    return sub_ca_case(w, tweak2=with_extension(assemble.extended_key_usage([oids.SERVER_AUTH])))


@bad("contract-eku", 31, "EKU on a contract leaf", R.EXTENSION_FORBIDDEN, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, with_extension(assemble.extended_key_usage([oids.CLIENT_AUTH])), ROLE.CONTRACT)


@bad("secc-client-auth", 0, "SECC leaf with clientAuth", R.EKU_FORBIDDEN, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, with_extension(assemble.extended_key_usage([oids.CLIENT_AUTH])))


@bad(
    "name-constraints-critical",
    0,
    "critical NameConstraints on a Sub-CA",
    R.EXTENSION_CRITICAL,
    oracle="accepts",
    why="it evaluates them; the profiles do not use them",
)
def _(w: World) -> Case:
    permitted = der.sequence(der.sequence(der.element(der.context(2, constructed=False), b"test")))
    value = der.sequence(der.element(der.context(0), permitted[2:]))
    return sub_ca_case(w, tweak2=with_extension(Extension(oids.NAME_CONSTRAINTS, True, value)))


@bad("extension-twice", 0, "an extension occurs twice", R.EXTENSION_DUPLICATE, oracle="rejects")
def _(w: World) -> Case:
    return leaf_case(w, lambda tbs: replace(tbs, extensions=(*tbs.extensions, tbs.extensions[1])))


@bad("key-usage-malformed", 0, "KeyUsage is no BIT STRING", R.EXTENSION_MALFORMED, oracle="rejects")
def _(w: World) -> Case:
    return leaf_case(w, with_extension(Extension(oids.KEY_USAGE, True, der.null())))


# --- subject -------------------------------------------------------------------------------------------------------


@bad("secc-dc-mo", 33, "SECC leaf with DC=MO", R.DC_WRONG, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, common_names("DE*PLU*E1", domain="MO"))


@bad("secc-without-dc", 34, "SECC leaf without DC", R.DC_MISSING, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, common_names("DE*PLU*E1", domain=None))


@bad("contract-without-dc", 34, "contract leaf without DC", R.DC_MISSING, oracle="accepts")
def _(w: World) -> Case:
    return leaf_case(w, common_names("DEPLUC12345678Q", domain=None), ROLE.CONTRACT)


@bad(
    "contract-as-cps",
    35,
    "contract leaf presented as CPS leaf",
    R.DC_WRONG,
    R.KU_FORBIDDEN,
    R.WRONG_ROOT_TYPE,
    oracle="accepts",
)
def _(w: World) -> Case:
    return replace(good(w, ROLE.CONTRACT), role=ROLE.CPS_LEAF)


@bad(
    "secc-as-contract",
    35,
    "SECC leaf presented as contract",
    R.DC_WRONG,
    R.CN_SYNTAX,
    oracle="accepts",
    iso20_too=(R.EXTENSION_FORBIDDEN,),
)
def _(w: World) -> Case:
    return replace(good(w, ROLE.SECC_LEAF), role=ROLE.CONTRACT)


@bad("contract-under-oem", 39, "contract leaf under an OEM root", R.WRONG_ROOT_TYPE, oracle="accepts")
def _(w: World) -> Case:
    return w.case(
        chain=w.pki.leaf(ROLE.CONTRACT, issuer_role=ROLE.OEM_SUB2).chain,
        role=ROLE.CONTRACT,
    )


@bad("secc-under-mo", 40, "SECC leaf under an MO root", R.WRONG_ROOT_TYPE, oracle="accepts")
def _(w: World) -> Case:
    return w.case(chain=w.pki.leaf(ROLE.SECC_LEAF, issuer_role=ROLE.MO_SUB2).chain)


@bad("cps-under-mo", 41, "CPS leaf under an MO root", R.WRONG_ROOT_TYPE, oracle="accepts")
def _(w: World) -> Case:
    return w.case(chain=w.pki.leaf(ROLE.CPS_LEAF, issuer_role=ROLE.MO_SUB2).chain, role=ROLE.CPS_LEAF)
