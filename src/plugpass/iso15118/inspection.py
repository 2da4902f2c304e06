"""What a CertificateInstallationRes says and whether it holds: the report behind `plugpass inspect`.

Nothing stops at the first fault: everything is looked at and reported, so that whoever debugs a provisioning chain
sees all of it at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from plugpass.ids import EMAID, InvalidIdentifier
from plugpass.iso15118.contract import chain_certificates, read_installation_response
from plugpass.iso15118.messages import iso2, xmldsig
from plugpass.iso15118.signature import (
    EmaidForm,
    ReferenceVerdict,
    SignatureInvalid,
    SignedInfoGrammar,
    check_references,
    check_signature_value,
    installation_fragments,
    verify_installation,
)
from plugpass.pki.certificate import Certificate, parse, public_key
from plugpass.pki.der import MalformedDer
from plugpass.pki.keys import InvalidPublicKey, PublicKey, verify
from plugpass.pki.path import FIELD, Policy, Verdict, validate
from plugpass.pki.profiles import CertificateRole
from plugpass.pki.trust import TrustAnchors


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """One of the two certificate chains of the message."""

    role: CertificateRole
    certificates: tuple[Certificate, ...]  #: leaf first; empty where one of them is unreadable
    verdict: Verdict | None  #: None where no trust anchors were given
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureReport:
    """The signature over the four signed elements."""

    references: tuple[ReferenceVerdict, ...]
    grammar: SignedInfoGrammar | None  #: the one in which the signature value verifies, None where it does not
    emaid_form: EmaidForm | None  #: how the eMAID was digested, None where it is not proven
    findings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether all digests match and the value verifies with the key of the CPS leaf in the message."""
        return not self.findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The report on one installation response. `findings` are reasons to refuse it, `remarks` are worth knowing."""

    size: int  #: octets of EXI
    session_id: bytes
    response_code: str
    emaid: str  #: as the message spells it
    cps: ChainReport
    contract: ChainReport
    signature: SignatureReport
    valid_from: datetime | None  #: when the last certificate of both chains began to be valid
    valid_to: datetime | None  #: when the first of them expires
    at: datetime | None  #: the time the chains were judged at
    findings: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no finding; without trust anchors that says nothing about trust."""
        return not self.findings


def inspect_installation(
    exi: bytes, *, anchors: TrustAnchors | None = None, at: datetime | None = None, policy: Policy = FIELD
) -> Inspection:
    """The report on a CertificateInstallationRes of ISO 15118-2 (EXI).

    `at` defaults to the first moment at which every certificate in it is valid. Without `anchors` the links inside the
    chains are checked, and not who stands above them. Raises ExiDecodeError or NotAnInstallation where the octets
    are no such message.
    """
    message, response = read_installation_response(exi)
    cps_chain = chain_certificates(response.sa_provisioning_certificate_chain)
    contract_chain = chain_certificates(response.contract_signature_cert_chain)
    everything = _readable((*cps_chain, *contract_chain))
    valid_from = max((certificate.not_before for certificate in everything), default=None)
    valid_to = min((certificate.not_after for certificate in everything), default=None)
    moment = at or valid_from
    cps = _chain(CertificateRole.CPS_LEAF, cps_chain, anchors, moment, policy)
    contract = _chain(CertificateRole.CONTRACT, contract_chain, anchors, moment, policy)
    signature = _signature(response, message.header.signature, cps.certificates)
    findings = (*_content(response, contract), *signature.findings, *cps.findings, *contract.findings)
    return Inspection(
        size=len(exi),
        session_id=message.header.session_id,
        response_code=response.response_code.value,
        emaid=response.emaid.value,
        cps=cps,
        contract=contract,
        signature=signature,
        valid_from=valid_from,
        valid_to=valid_to,
        at=moment,
        findings=findings,
        remarks=(*_signature_remarks(signature, message.header.signature, response), *_chain_remarks(cps, contract)),
    )


def _readable(chain: Sequence[bytes]) -> tuple[Certificate, ...]:
    certificates = []
    for encoded in chain:
        try:
            certificates.append(parse(encoded))
        except MalformedDer:
            continue  # the chain's own report names it
    return tuple(certificates)


# --- chains ---------------------------------------------------------------------------------------------------------


def _chain(
    role: CertificateRole, chain: Sequence[bytes], anchors: TrustAnchors | None, at: datetime | None, policy: Policy
) -> ChainReport:
    try:
        certificates = tuple(map(parse, chain))
    except MalformedDer as error:
        finding = f"{role} chain: a certificate is unreadable: {error}"
        return ChainReport(role=role, certificates=(), verdict=None, findings=(finding,))
    verdict = None
    findings = [*_links(certificates), *(_dates(certificates, at) if at else ())]
    if anchors is not None and at is not None:
        verdict = validate(chain, role=role, anchors=anchors, at=at, policy=policy)
        findings = [str(finding) for finding in verdict.findings]
    return ChainReport(
        role=role,
        certificates=certificates,
        verdict=verdict,
        findings=tuple(f"{role} chain: {finding}" for finding in findings),
    )


def _links(certificates: Sequence[Certificate]) -> list[str]:
    return [
        f"{child.subject} is not signed by {issuer.subject}, which follows it"
        for child, issuer in pairwise(certificates)
        if not _signed_by(child, issuer)
    ]


def _signed_by(child: Certificate, issuer: Certificate) -> bool:
    key = _key(issuer)
    return key is not None and verify(key, child.signature, child.tbs, algorithm=child.signature_algorithm)


def _dates(certificates: Sequence[Certificate], at: datetime) -> list[str]:
    return [
        f"{one.subject} is valid from {one.not_before:%Y-%m-%d} to {one.not_after:%Y-%m-%d}, not on {at:%Y-%m-%d}"
        for one in certificates
        if not one.not_before <= at <= one.not_after
    ]


def _key(certificate: Certificate) -> PublicKey | None:
    try:
        return public_key(certificate.key.encoded)
    except InvalidPublicKey:
        return None


# --- signature ------------------------------------------------------------------------------------------------------


def _signature(
    response: iso2.CertificateInstallationRes, signature: xmldsig.Signature | None, cps_chain: Sequence[Certificate]
) -> SignatureReport:
    key = _key(cps_chain[0]) if cps_chain else None
    if signature is None or key is None:
        finding = "the message is not signed" if signature is None else "the CPS leaf has no usable key"
        return SignatureReport(references=(), grammar=None, emaid_form=None, findings=(finding,))
    findings: list[str] = []
    references: tuple[ReferenceVerdict, ...] = ()
    grammar, form = None, None
    try:
        references = check_references(signature.signed_info, installation_fragments(response))
        grammar = check_signature_value(signature, key, accept_message_grammar=True)
        form = verify_installation(response, signature, key, accept_message_grammar=True).emaid_form
    except SignatureInvalid as error:
        findings.append(str(error))
    return SignatureReport(references=references, grammar=grammar, emaid_form=form, findings=tuple(findings))


# --- content and remarks --------------------------------------------------------------------------------------------


def _content(response: iso2.CertificateInstallationRes, contract: ChainReport) -> list[str]:
    findings = []
    if not response.response_code.value.startswith("OK"):
        findings.append(f"the response code is {response.response_code}")
    if contract.certificates and not _same(response.emaid.value, contract.certificates[0].common_name):
        name = contract.certificates[0].common_name
        findings.append(f"the eMAID is {response.emaid.value!a}, the contract certificate is of {name!a}")
    sizes = (
        ("the sealed private key", len(response.contract_signature_encrypted_private_key.value), 48),
        ("the DH public key", len(response.dh_public_key.value), 65),
    )
    findings += [f"{what} has {size} octets instead of {wanted}" for what, size, wanted in sizes if size != wanted]
    return findings


def _same(emaid: str, common_name: str) -> bool:
    try:
        return EMAID.parse(emaid) == EMAID.parse(common_name)
    except InvalidIdentifier:
        return False


def _signature_remarks(
    report: SignatureReport, signature: xmldsig.Signature | None, response: iso2.CertificateInstallationRes
) -> list[str]:
    remarks = []
    if len(response.emaid.value.replace("-", "")) == 14:
        remarks.append("the eMAID has no check digit")
    if report.grammar is SignedInfoGrammar.MESSAGE:
        remarks.append("SignedInfo was signed in the message grammar; the standard's is the xmldsig grammar")
    if report.emaid_form is EmaidForm.TYPED:
        remarks.append("the eMAID was digested in the typed form; EXI 8.5.3 asks for the element fragment form")
    if signature is not None:
        found = [reference.uri for reference in signature.signed_info.reference]
        wanted = [f"#{verdict.element_id}" for verdict in report.references]
        if found != wanted and sorted(map(str, found)) == sorted(wanted):
            remarks.append("the References are in another order than the standard's")
    return remarks


def _chain_remarks(*chains: ChainReport) -> list[str]:
    remarks = [
        f"{chain.role} chain: tolerated: {finding}"
        for chain in chains
        for finding in (() if chain.verdict is None else chain.verdict.tolerated)
    ]
    if all(chain.verdict is None for chain in chains):
        remarks.append("no trust anchors were given: who stands above the chains was not checked")
    return remarks
