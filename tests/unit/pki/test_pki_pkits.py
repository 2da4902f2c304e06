"""The cases of the NIST test suite PKITS (section 4) that a V2G validator has an opinion on, rebuilt as V2G chains.

Names and expectations are the suite's; the certificates are ours. Where we differ from the suite the case says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from chain_tools import (
    DAY,
    ISO2,
    NAMES,
    Case,
    authority,
    flip_signature,
    judge,
    leaf_case,
    not_critical,
    oracle_accepts,
    raw_certificate,
    sub_ca_case,
    usage,
)
from cryptography import x509
from OpenSSL import crypto

from pki_factory import NOW, ROLE, Minted, Tweak, forge, with_extension, without_extension
from plugpass.pki import assemble, der, oids
from plugpass.pki.certificate import Extension
from plugpass.pki.crl import RevokedCertificate
from plugpass.pki.keys import algorithm_identifier, generate
from plugpass.pki.policy import FIELD
from plugpass.pki.profiles import SUB_CA_ROLES, KeyUsage

PKI = ISO2.pki
SECC = ISO2.profiles[ROLE.SECC_LEAF]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pkits:
    """One case of the suite."""

    title: str
    valid: bool  #: what the suite expects
    make: Callable[[], Case]
    differs: str = ""  #: why we do not
    oracle: bool = True  #: whether OpenSSL can be asked


SUITE: dict[str, Pkits] = {}


def pkits(
    number: str, title: str, *, valid: bool, differs: str = "", oracle: bool = True
) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    def enter(make: Callable[[], Case]) -> Callable[[], Case]:
        assert number not in SUITE
        SUITE[number] = Pkits(title=title, valid=valid, make=make, differs=differs, oracle=oracle)
        return make

    return enter


def dated(**times: datetime) -> Tweak:
    return lambda tbs: replace(tbs, **times)


# --- 4.1 signature verification ------------------------------------------------------------------------------------


@pkits("4.1.1", "Valid Signatures", valid=True)
def _() -> Case:
    return sub_ca_case(ISO2)


@pkits("4.1.2", "Invalid CA Signature", valid=False)
def _() -> Case:
    leaf, sub2, sub1 = sub_ca_case(ISO2).chain
    return ISO2.case((leaf, flip_signature(sub2), sub1))


@pkits("4.1.3", "Invalid EE Signature", valid=False)
def _() -> Case:
    leaf, *subs = sub_ca_case(ISO2).chain
    return ISO2.case((flip_signature(leaf), *subs))


# --- 4.2 validity periods ------------------------------------------------------------------------------------------


@pkits("4.2.1", "Invalid CA notBefore Date", valid=False)
def _() -> Case:
    return sub_ca_case(ISO2, tweak2=dated(not_before=NOW + DAY))


@pkits("4.2.2", "Invalid EE notBefore Date", valid=False)
def _() -> Case:
    return leaf_case(ISO2, dated(not_before=NOW + DAY))


@pkits("4.2.3", "Valid pre2000 UTC notBefore Date", valid=True)
def _() -> Case:
    return leaf_case(ISO2, dated(not_before=datetime(1950, 1, 1, tzinfo=UTC)))


@pkits("4.2.5", "Invalid CA notAfter Date", valid=False)
def _() -> Case:
    return sub_ca_case(ISO2, tweak1=dated(not_before=NOW - 9 * DAY, not_after=NOW - DAY))


@pkits("4.2.6", "Invalid EE notAfter Date", valid=False)
def _() -> Case:
    return leaf_case(ISO2, dated(not_before=NOW - 9 * DAY, not_after=NOW - DAY))


@pkits("4.2.7", "Invalid pre2000 UTC EE notAfter Date", valid=False)
def _() -> Case:
    early = datetime(1997, 1, 1, tzinfo=UTC)
    return leaf_case(ISO2, dated(not_before=early, not_after=early + DAY))


@pkits("4.2.8", "Valid GeneralizedTime notAfter Date", valid=True)
def _() -> Case:
    return leaf_case(ISO2, dated(not_after=datetime(2050, 1, 1, tzinfo=UTC)))


# --- 4.3 name chaining ---------------------------------------------------------------------------------------------


def issued_as(*pairs: tuple[str, int, str]) -> Case:
    """A good leaf whose issuer field spells the name of its Sub-CA like this: (OID, string type, text)."""
    encoded = der.sequence(
        *(der.set_of(der.sequence(der.oid(kind), der.element(tag, text.encode()))) for kind, tag, text in pairs)
    )
    return leaf_case(ISO2, lambda tbs: replace(tbs, issuer=encoded))


CN, ORG, C, DC = oids.COMMON_NAME, oids.ORGANIZATION, oids.COUNTRY, oids.DOMAIN_COMPONENT
UTF8, PRINTABLE, IA5 = der.UTF8_STRING, der.PRINTABLE_STRING, der.IA5_STRING
NAME = ((CN, UTF8, "Test CPO-SUB2"), (ORG, UTF8, "Plugpass Test"), (C, PRINTABLE, "DE"), (DC, IA5, "V2G"))


@pkits("4.3.1", "Invalid Name Chaining EE", valid=False)
def _() -> Case:
    return issued_as((CN, UTF8, "Test CPO-SUB3"), *NAME[1:])


@pkits("4.3.2", "Invalid Name Chaining Order", valid=False)
def _() -> Case:
    return issued_as(NAME[1], NAME[0], *NAME[2:])


@pkits("4.3.3", "Valid Name Chaining Whitespace", valid=True)
def _() -> Case:
    return issued_as(NAME[0], (ORG, UTF8, "  Plugpass   Test "), *NAME[2:])


@pkits("4.3.5", "Valid Name Chaining Capitalization", valid=True)
def _() -> Case:
    return issued_as((CN, UTF8, "TEST cpo-sub2"), *NAME[1:])


@pkits("4.3.10", "Valid Rollover from PrintableString to UTF8String", valid=True)
def _() -> Case:
    return issued_as((CN, PRINTABLE, "Test CPO-SUB2"), (ORG, PRINTABLE, "Plugpass Test"), *NAME[2:])


@pkits("4.3.11", "Valid UTF8String Case Insensitive Match", valid=True)
def _() -> Case:
    return issued_as(NAME[0], (ORG, UTF8, "plugPASS tEST"), *NAME[2:])


# --- 4.4 basic revocation ------------------------------------------------------------------------------------------


def with_lists(case: Case, *lists: bytes, without: tuple[str, ...] = ()) -> Case:
    """The case, with the lists of all CAs of the shared hierarchy except some, and with more."""
    issuers = (*SUB_CA_ROLES[ROLE.SECC_LEAF], ROLE.V2G_ROOT)
    own = [PKI.crl(role) for role in issuers if role.name not in without]
    return replace(case, crls=(*own, *lists))


def own_list(
    *revoked: RevokedCertificate,
    next_update: datetime = NOW + DAY,
    extensions: tuple[Extension, ...] = (),
    entry_extensions: tuple[Extension, ...] = (),
    issuer: Minted = PKI[ROLE.CPO_SUB2],
    name: bytes | None = None,
) -> bytes:
    """A list of the leaf's CA, octet by octet."""
    algorithm = algorithm_identifier(issuer.signer.public_key)
    more = (assemble.extensions(entry_extensions),) if entry_extensions else ()
    entries = (der.sequence(der.integer(one.serial), der.time(one.revoked_at), *more) for one in revoked)
    body = der.sequence(
        der.integer(1),
        algorithm,
        name or issuer.certificate.subject.public_bytes(),
        der.time(NOW - DAY),
        der.time(next_update),
        der.sequence(*entries) if revoked else b"",
        der.explicit(0, assemble.extensions((Extension(oids.CRL_NUMBER, False, der.integer(1)), *extensions))),
    )
    return assemble.signed(body, algorithm, issuer.signer.sign(body))


def secc() -> Minted:
    return PKI.leaf(ROLE.SECC_LEAF)


def about(minted: Minted) -> RevokedCertificate:
    return RevokedCertificate(serial=minted.certificate.serial_number, revoked_at=NOW - DAY)


UNKNOWN_CRITICAL = Extension("1.3.6.1.4.1.55555.1", True, der.null())


@pkits("4.4.1", "Missing CRL", valid=False, oracle=False)
def _() -> Case:
    return with_lists(ISO2.case(secc().chain), without=("CPO_SUB2",))


@pkits("4.4.2", "Invalid Revoked CA", valid=False, oracle=False)
def _() -> Case:
    return with_lists(
        ISO2.case(secc().chain), PKI.crl(ROLE.CPO_SUB1, PKI[ROLE.CPO_SUB2].certificate), without=("CPO_SUB1",)
    )


@pkits("4.4.3", "Invalid Revoked EE", valid=False, oracle=False)
def _() -> Case:
    leaf = secc()
    return with_lists(ISO2.case(leaf.chain), own_list(about(leaf)), without=("CPO_SUB2",))


@pkits("4.4.4", "Invalid Bad CRL Signature", valid=False, oracle=False)
def _() -> Case:
    return with_lists(ISO2.case(secc().chain), flip_signature(own_list()), without=("CPO_SUB2",))


@pkits("4.4.5", "Invalid Bad CRL Issuer Name", valid=False, oracle=False)
def _() -> Case:
    name = PKI[ROLE.MO_SUB2].certificate.subject.public_bytes()
    return with_lists(ISO2.case(secc().chain), own_list(name=name), without=("CPO_SUB2",))


@pkits("4.4.6", "Invalid Wrong CRL", valid=False, oracle=False)
def _() -> Case:
    return with_lists(ISO2.case(secc().chain), PKI.crl(ROLE.MO_SUB2), without=("CPO_SUB2",))


@pkits("4.4.7", "Valid Two CRLs", valid=True, oracle=False)
def _() -> Case:
    return with_lists(ISO2.case(secc().chain), PKI.crl(ROLE.MO_SUB2))


@pkits("4.4.8", "Invalid Unknown CRL Entry Extension", valid=False, oracle=False)
def _() -> Case:
    other = own_list(about(secc()), entry_extensions=(UNKNOWN_CRITICAL,))
    return with_lists(ISO2.case(secc().chain), other, without=("CPO_SUB2",))


@pkits("4.4.9", "Invalid Unknown CRL Extension", valid=False, oracle=False)
def _() -> Case:
    return with_lists(ISO2.case(secc().chain), own_list(extensions=(UNKNOWN_CRITICAL,)), without=("CPO_SUB2",))


@pkits("4.4.11", "Invalid Old CRL nextUpdate", valid=False, oracle=False)
def _() -> Case:
    return with_lists(ISO2.case(secc().chain), own_list(next_update=NOW - DAY), without=("CPO_SUB2",))


@pkits("4.4.12", "Invalid pre2000 CRL nextUpdate", valid=False, oracle=False)
def _() -> Case:
    early = datetime(1999, 1, 1, tzinfo=UTC)
    return with_lists(ISO2.case(secc().chain), own_list(next_update=early), without=("CPO_SUB2",))


@pkits("4.4.13", "Valid GeneralizedTime CRL nextUpdate", valid=True, oracle=False)
def _() -> Case:
    late = datetime(2050, 1, 1, tzinfo=UTC)
    return with_lists(ISO2.case(secc().chain), own_list(next_update=late), without=("CPO_SUB2",))


@pkits(
    "4.4.14",
    "Valid Negative Serial Number",
    valid=True,
    differs="RFC 5280 §4.1.2.2 has since demanded positive serial numbers",
    oracle=False,
)
def _() -> Case:
    return with_lists(leaf_case(ISO2, lambda tbs: replace(tbs, serial=-1)))


@pkits("4.4.16", "Valid Long Serial Number", valid=True, oracle=False)
def _() -> Case:
    return with_lists(leaf_case(ISO2, lambda tbs: replace(tbs, serial=(1 << 159) - 1)))


@pkits("4.4.18", "Invalid Long Serial Number", valid=False, oracle=False)
def _() -> Case:
    serial = (1 << 159) - 1
    case = leaf_case(ISO2, lambda tbs: replace(tbs, serial=serial))
    listed = own_list(RevokedCertificate(serial=serial, revoked_at=NOW - DAY))
    return with_lists(case, listed, without=("CPO_SUB2",))


@pkits(
    "4.4.19",
    "Valid Separate Certificate and CRL Keys",
    valid=True,
    differs="a list must be signed with the key that signed the certificate; V2G CAs have one",
    oracle=False,
)
def _() -> Case:
    other = authority(ISO2, ROLE.CPO_SUB2, PKI[ROLE.CPO_SUB1], name="Test CPO-SUB2")
    return with_lists(ISO2.case(secc().chain), own_list(issuer=other), without=("CPO_SUB2",))


# --- 4.5 and 4.6 self-issued certificates and basic constraints ----------------------------------------------------


ROLLED = Minted(certificate=PKI[ROLE.CPO_SUB2].certificate, signer=generate())  #: for its key


def rolled_over(*, broken: bool = False) -> Case:
    """A Sub-CA with pathlen 0 that certifies its own new key, and a leaf below the new key."""
    old = authority(ISO2, ROLE.CPO_SUB2, PKI[ROLE.V2G_ROOT], name="Rolling CA")
    new = authority(ISO2, ROLE.CPO_SUB2, old, name="Stranger CA" if broken else "Rolling CA", key=ROLLED.signer)
    leaf, _key = forge(SECC, NAMES[ROLE.SECC_LEAF], new)
    return ISO2.case((leaf, new.der, old.der))


@pkits("4.5.1", "Valid Basic Self-Issued Old With New", valid=True)
def _() -> Case:
    return rolled_over()


@pkits("4.5.2", "Invalid Basic Self-Issued Old With New", valid=False, oracle=False)
def _() -> Case:
    case = rolled_over()
    leaf, new, _old = map(raw_certificate, case.chain)
    issuer = Minted(certificate=new, signer=ROLLED.signer)
    revoked = RevokedCertificate(serial=leaf.serial_number, revoked_at=NOW - DAY)
    return replace(case, crls=(own_list(revoked, issuer=issuer),))


@pkits("4.6.1", "Invalid Missing basicConstraints", valid=False)
def _() -> Case:
    return sub_ca_case(ISO2, tweak2=without_extension(oids.BASIC_CONSTRAINTS))


@pkits("4.6.2", "Invalid cA False", valid=False)
def _() -> Case:
    return sub_ca_case(ISO2, tweak2=with_extension(assemble.basic_constraints(ca=False)))


@pkits("4.6.3", "Invalid cA False, not critical", valid=False)
def _() -> Case:
    constraints = replace(assemble.basic_constraints(ca=False), critical=False)
    return sub_ca_case(ISO2, tweak2=with_extension(constraints))


@pkits(
    "4.6.4",
    "Valid basicConstraints Not Critical",
    valid=True,
    differs="the V2G profiles demand criticality; the policy `field` tolerates it",
)
def _() -> Case:
    return sub_ca_case(ISO2, tweak2=not_critical(oids.BASIC_CONSTRAINTS))


@pkits("4.6.5", "Invalid pathLenConstraint", valid=False)
def _() -> Case:
    return sub_ca_case(ISO2, tweak1=with_extension(assemble.basic_constraints(ca=True, path_length=0)))


@pkits("4.6.7", "Valid pathLenConstraint", valid=True)
def _() -> Case:
    return sub_ca_case(ISO2, tweak1=with_extension(assemble.basic_constraints(ca=True, path_length=1)))


@pkits("4.6.15", "Valid Self-Issued pathLenConstraint", valid=True)
def _() -> Case:
    return rolled_over()


@pkits("4.6.16", "Invalid Self-Issued pathLenConstraint", valid=False)
def _() -> Case:
    return rolled_over(broken=True)


# --- 4.7 key usage -------------------------------------------------------------------------------------------------


@pkits("4.7.1", "Invalid keyUsage Critical keyCertSign False", valid=False)
def _() -> Case:
    return sub_ca_case(ISO2, tweak2=usage(KeyUsage.CRL_SIGN))


@pkits("4.7.2", "Invalid keyUsage Not Critical keyCertSign False", valid=False)
def _() -> Case:
    wanted = replace(assemble.key_usage([KeyUsage.CRL_SIGN]), critical=False)
    return sub_ca_case(ISO2, tweak2=with_extension(wanted))


@pkits(
    "4.7.3",
    "Valid keyUsage Not Critical",
    valid=True,
    differs="the V2G profiles demand criticality; the policy `field` tolerates it",
)
def _() -> Case:
    return sub_ca_case(ISO2, tweak2=not_critical(oids.KEY_USAGE))


@pkits("4.7.4", "Invalid keyUsage Critical cRLSign False", valid=False, oracle=False)
def _() -> Case:
    sub2 = authority(ISO2, ROLE.CPO_SUB2, PKI[ROLE.CPO_SUB1], usage(KeyUsage.KEY_CERT_SIGN), name="No lists")
    leaf, _key = forge(SECC, NAMES[ROLE.SECC_LEAF], sub2)
    case = ISO2.case((leaf, sub2.der, PKI[ROLE.CPO_SUB1].der))
    return with_lists(case, own_list(issuer=sub2))


# --- 4.14 to 4.16 partial lists, delta lists, private extensions ---------------------------------------------------

#: Lists of which we take none: a complete list is the only word on a certificate that it does not mention.
COMPLETE_ONLY = "only complete lists are taken, so the status stays unknown"


@pkits("4.14.1", "Valid distributionPoint", valid=True, differs=COMPLETE_ONLY, oracle=False)
def _() -> Case:
    point = der.explicit(0, der.element(der.context(0), assemble.uri_name("http://crl.test/")))
    scope = Extension(oids.ISSUING_DISTRIBUTION_POINT, True, der.sequence(point))
    return with_lists(ISO2.case(secc().chain), own_list(extensions=(scope,)), without=("CPO_SUB2",))


@pkits("4.14.11", "Invalid onlyContainsUserCerts", valid=False, oracle=False)
def _() -> Case:
    content = der.sequence(der.element(der.context(2, constructed=False), b"\xff"))
    scope = Extension(oids.ISSUING_DISTRIBUTION_POINT, True, content)
    return with_lists(ISO2.case(secc().chain), own_list(extensions=(scope,)), without=("CPO_SUB2",))


@pkits("4.14.22", "Valid IDP with indirectCRL", valid=True, differs=COMPLETE_ONLY, oracle=False)
def _() -> Case:
    content = der.sequence(der.element(der.context(4, constructed=False), b"\xff"))
    scope = Extension(oids.ISSUING_DISTRIBUTION_POINT, True, content)
    return with_lists(ISO2.case(secc().chain), own_list(extensions=(scope,)), without=("CPO_SUB2",))


@pkits("4.15.1", "Invalid delta-CRL Indicator, No Base", valid=False, oracle=False)
def _() -> Case:
    delta = Extension(oids.DELTA_CRL_INDICATOR, True, der.integer(1))
    return with_lists(ISO2.case(secc().chain), own_list(extensions=(delta,)), without=("CPO_SUB2",))


@pkits("4.16.1", "Valid Unknown Not Critical Certificate Extension", valid=True)
def _() -> Case:
    return leaf_case(ISO2, with_extension(replace(UNKNOWN_CRITICAL, critical=False)))


@pkits("4.16.2", "Invalid Unknown Critical Certificate Extension", valid=False)
def _() -> Case:
    return leaf_case(ISO2, with_extension(UNKNOWN_CRITICAL))


# --- the suite ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", SUITE)
def test_pkits(number: str) -> None:
    case = SUITE[number]
    verdict = judge(case.make())
    assert verdict.ok == (case.valid is not bool(case.differs)), verdict.summary
    if case.oracle:
        assert oracle_accepts(case.make()) == case.valid


@pytest.mark.parametrize("number", ["4.6.4", "4.7.3"])
def test_where_we_are_stricter_the_field_policy_agrees_with_the_suite(number: str) -> None:
    assert judge(replace(SUITE[number].make(), policy=FIELD)).ok


def test_openssl_reads_our_lists_and_agrees_about_the_revoked_leaf() -> None:
    leaf = secc()
    for lists, accepted in ((PKI.crl(ROLE.CPO_SUB2), True), (PKI.crl(ROLE.CPO_SUB2, leaf.certificate), False)):
        store = crypto.X509Store()
        store.add_cert(crypto.X509.from_cryptography(PKI[ROLE.V2G_ROOT].certificate))
        store.add_crl(load(lists))
        store.set_flags(crypto.X509StoreFlags.CRL_CHECK)
        store.set_time(NOW)
        chain = [crypto.X509.from_cryptography(above) for above in leaf.sub_cas]
        context = crypto.X509StoreContext(store, crypto.X509.from_cryptography(leaf.certificate), chain)
        if accepted:
            context.verify_certificate()
        else:
            with pytest.raises(crypto.X509StoreContextError, match="revoked"):
                context.verify_certificate()


def load(encoded: bytes) -> x509.CertificateRevocationList:
    return x509.load_der_x509_crl(encoded)
