"""The matrix of bad chains, third part: what only ISO 15118-20 knows, the vehicle certificate above all."""

from __future__ import annotations

from dataclasses import replace

from bad_contents import OtherHash
from chain_tools import (
    ISO20,
    ISO20_BOTH,
    ISO20_ED448,
    NAMES,
    Case,
    R,
    World,
    algorithm,
    authority,
    bad,
    common_names,
    good,
    key_of,
    leaf_case,
    subject_of,
    usage,
)
from cryptography.hazmat.primitives import hashes

from pki_factory import OCSP_URL, ROLE, Tweak, forge, mint_pki, tbs_of, with_extension, without_extension
from plugpass.pki import assemble, der, oids
from plugpass.pki.certificate import Extension
from plugpass.pki.keys import Curve, generate
from plugpass.pki.profiles import PROFILES_ISO2, KeyUsage, Switches, profiles_iso20
from plugpass.pki.trust import TrustAnchors

EVCCID = NAMES[ROLE.VEHICLE_LEAF]

# --- algorithms ----------------------------------------------------------------------------------------------------


@bad(
    "p256-chain",
    43,
    "a -2 chain in -20",
    R.KEY_CURVE,
    R.SIGNATURE_ALGORITHM,
    R.DC_WRONG,
    oracle="accepts",
    worlds=(ISO20,),
)
def _(w: World) -> Case:
    old = mint_pki(profiles=PROFILES_ISO2)
    return w.case(old.leaf(ROLE.SECC_LEAF).chain, anchors=old.anchors)


@bad("p256-leaf", 43, "P-256 leaf below -20 CAs", R.KEY_CURVE, oracle="accepts", worlds=ISO20_BOTH)
def _(w: World) -> Case:
    return leaf_case(w, key_of(generate(Curve.P256).public_key))


@bad(
    "sha256-on-p521", 46, "SHA-256 signature with a P-521 key", R.SIGNATURE_ALGORITHM, oracle="accepts", worlds=(ISO20,)
)
def _(w: World) -> Case:
    return p521_with_sha256(w)


def p521_with_sha256(w: World) -> Case:
    pki, named = w.pki, algorithm(oids.ECDSA_WITH_SHA256)
    issuer = pki[ROLE.CPO_SUB2]
    tbs = replace(tbs_of(w.profiles[ROLE.SECC_LEAF], NAMES[ROLE.SECC_LEAF], w.key(), issuer), algorithm=named).encode()
    encoded = assemble.signed(tbs, named, OtherHash(issuer.signer, hashes.SHA256()).sign(tbs))
    return w.case((encoded, issuer.der, pki[ROLE.CPO_SUB1].der))


@bad(
    "sha256-on-p521-tolerated",
    46,
    "the same where P-256 is tolerated (S14)",
    R.SIGNATURE_ALGORITHM,
    oracle="accepts",
    worlds=(ISO20,),
)
def _(w: World) -> Case:
    return replace(p521_with_sha256(w), profiles=profiles_iso20(Switches(tolerate_p256_in_iso20=True)))


@bad(
    "ed448-switched-off",
    48,
    "Ed448 chain while Ed448 is switched off",
    R.KEY_CURVE,
    R.SIGNATURE_ALGORITHM,
    oracle="accepts",
    worlds=(ISO20_ED448,),
)
def _(w: World) -> Case:
    return replace(good(w), profiles=profiles_iso20(Switches(iso20_curves=frozenset({Curve.P521}))))


# --- the station and the contract ----------------------------------------------------------------------------------


@bad("secc-dc-cpo", 36, "SECC leaf with DC=CPO where CSO is required", R.DC_WRONG, oracle="accepts", worlds=ISO20_BOTH)
def _(w: World) -> Case:
    return leaf_case(w, common_names("DE*PLU*E1", domain="CPO"))


@bad("emaid-too-long", 56, "contract CN with an instance of 30", R.CN_SYNTAX, oracle="accepts", worlds=ISO20_BOTH)
def _(w: World) -> Case:
    return leaf_case(w, common_names("DEPLU" + "C" * 30, domain="MO"), ROLE.CONTRACT)


# --- the vehicle ---------------------------------------------------------------------------------------------------


def vehicle(w: World, tweak: Tweak) -> Case:
    return leaf_case(w, tweak, ROLE.VEHICLE_LEAF)


def purposes(*wanted: str, critical: bool = True) -> Tweak:
    return with_extension(assemble.extended_key_usage(wanted, critical=critical))


def vehicle_subject(name: str = EVCCID, domain: str | None = "EV", *more: tuple[str, str]) -> Tweak:
    pairs = [(oids.COMMON_NAME, name), (oids.ORGANIZATION, "O"), *more]
    return subject_of(*pairs, *([(oids.DOMAIN_COMPONENT, domain)] if domain else []))


@bad("vehicle-without-eku", 32, "vehicle leaf without EKU", R.EKU_REQUIRED, oracle="accepts", worlds=ISO20_BOTH)
def _(w: World) -> Case:
    return vehicle(w, without_extension(oids.EXTENDED_KEY_USAGE))


@bad(
    "vehicle-eku-not-critical",
    32,
    "vehicle leaf with clientAuth not critical",
    R.EKU_NOT_CRITICAL,
    oracle="accepts",
    worlds=ISO20_BOTH,
)
def _(w: World) -> Case:
    return vehicle(w, purposes(oids.CLIENT_AUTH, critical=False))


@bad(
    "vehicle-server-only", 32, "vehicle leaf with serverAuth only", R.EKU_REQUIRED, oracle="accepts", worlds=ISO20_BOTH
)
def _(w: World) -> Case:
    return vehicle(w, purposes(oids.SERVER_AUTH))


@bad("vehicle-ocsp-signing", 32, "vehicle leaf with OCSPSigning", R.EKU_FORBIDDEN, oracle="accepts", worlds=ISO20_BOTH)
def _(w: World) -> Case:
    return vehicle(w, purposes(oids.CLIENT_AUTH, oids.OCSP_SIGNING))


@bad("vehicle-dc", 37, "vehicle leaf whose DC does not end in EV", R.DC_WRONG, oracle="accepts", worlds=ISO20_BOTH)
def _(w: World) -> Case:
    return vehicle(w, vehicle_subject(domain="EVSE"))


@bad("vehicle-without-dc", 37, "vehicle leaf without DC", R.DC_MISSING, oracle="accepts", worlds=ISO20_BOTH)
def _(w: World) -> Case:
    return vehicle(w, vehicle_subject(domain=None))


@bad("vehicle-two-dcs", 38, "vehicle leaf with two DCs", R.SUBJECT_ATTRIBUTE, oracle="accepts", worlds=ISO20_BOTH)
def _(w: World) -> Case:
    return vehicle(w, vehicle_subject(EVCCID, "EV", (oids.DOMAIN_COMPONENT, "OEMEV")))


@bad("vehicle-country", 38, "vehicle leaf with a country", R.SUBJECT_ATTRIBUTE, oracle="accepts", worlds=ISO20_BOTH)
def _(w: World) -> Case:
    return vehicle(w, vehicle_subject(EVCCID, "EV", (oids.COUNTRY, "DE")))


@bad("vehicle-no-evccid", 59, "vehicle CN not an EVCCID", R.CN_SYNTAX, oracle="accepts", worlds=ISO20_BOTH)
def _(w: World) -> Case:
    return vehicle(w, vehicle_subject("WPLUG000000000017A"))


@bad("vehicle-agreement", 25, "vehicle leaf with keyAgreement", R.KU_FORBIDDEN, oracle="accepts", worlds=ISO20_BOTH)
def _(w: World) -> Case:
    return vehicle(w, usage(KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT))


@bad(
    "vehicle-no-aia", 72, "vehicle leaf without OCSP address", R.EXTENSION_MISSING, oracle="accepts", worlds=ISO20_BOTH
)
def _(w: World) -> Case:
    return vehicle(w, without_extension(oids.AUTHORITY_INFORMATION_ACCESS))


def responders(*urls: str) -> Tweak:
    pairs = (der.sequence(der.oid(oids.ACCESS_OCSP), assemble.uri_name(url)) for url in urls)
    return with_extension(Extension(oids.AUTHORITY_INFORMATION_ACCESS, False, der.sequence(*pairs)))


@bad(
    "vehicle-two-urls",
    72,
    "vehicle leaf with two responders",
    R.EXTENSION_OCSP_URL,
    oracle="accepts",
    worlds=ISO20_BOTH,
)
def _(w: World) -> Case:
    return vehicle(w, responders(OCSP_URL, "http://other.test/"))


@bad(
    "vehicle-ldap-url",
    72,
    "vehicle leaf with an ldap responder",
    R.EXTENSION_OCSP_URL,
    oracle="accepts",
    worlds=ISO20_BOTH,
)
def _(w: World) -> Case:
    return vehicle(w, responders("ldap://ocsp.test/"))


@bad("vehicle-under-mo", 39, "vehicle leaf under an MO root", R.WRONG_ROOT_TYPE, oracle="accepts", worlds=ISO20_BOTH)
def _(w: World) -> Case:
    root = w.pki[ROLE.OEM_ROOT]
    return leaf_case(w, lambda tbs: tbs, ROLE.VEHICLE_LEAF, anchors=TrustAnchors.of(mo=[root.der]))


@bad(
    "provisioning-as-vehicle",
    35,
    "provisioning leaf presented as vehicle leaf",
    R.CN_SYNTAX,
    R.DC_WRONG,
    R.EKU_REQUIRED,
    R.KU_FORBIDDEN,
    R.SUBJECT_ATTRIBUTE,
    oracle="accepts",
    worlds=ISO20_BOTH,
)
def _(w: World) -> Case:
    return replace(good(w, ROLE.OEM_PROVISIONING), role=ROLE.VEHICLE_LEAF)


@bad("vehicle-sub-ca-eku", 31, "vehicle Sub-CA with EKU", R.EXTENSION_FORBIDDEN, oracle="accepts", worlds=ISO20_BOTH)
def _(w: World) -> Case:
    return below_vehicle_ca(w, with_extension(assemble.extended_key_usage([oids.CLIENT_AUTH])))


@bad(
    "vehicle-sub-ca-dc",
    37,
    "vehicle Sub-CA whose DC does not end in EV",
    R.DC_WRONG,
    oracle="accepts",
    worlds=ISO20_BOTH,
)
def _(w: World) -> Case:
    return below_vehicle_ca(w, common_names("Forged vehicle Sub2", domain="OEM"))


def below_vehicle_ca(w: World, tweak: Tweak) -> Case:
    sub1 = w.pki[ROLE.VEHICLE_SUB1]
    sub2 = authority(w, ROLE.VEHICLE_SUB2, sub1, tweak, name="Forged vehicle Sub2")
    leaf, _key = forge(w.profiles[ROLE.VEHICLE_LEAF], EVCCID, sub2)
    return w.case((leaf, sub2.der, sub1.der), role=ROLE.VEHICLE_LEAF)
