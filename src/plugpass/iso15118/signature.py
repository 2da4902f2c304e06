"""XML signatures of ISO 15118-2 (clause 7.9.2.4.2): references over EXI fragments, signed with ECDSA on P-256.

Two levels: `sign_iso2` and `verify_iso2` know references and octets; `sign_body`, `verify_body`, `sign_installation`
and `verify_installation` know which elements of which message are signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from plugpass.errors import LocalError, PeerError
from plugpass.exi import encode, encode_typed_fragment
from plugpass.iso15118.messages import iso2, xmldsig
from plugpass.pki.keys import Curve, PublicKey, Signer, curve_of, der_from_raw, raw_from_der, verify

CANONICAL_EXI = "http://www.w3.org/TR/canonical-exi/"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"

SIGNATURE_SIZE = 64
"""Octets of a SignatureValue on P-256: r || s, never DER."""

SignedBody = (
    iso2.AuthorizationReq | iso2.MeteringReceiptReq | iso2.CertificateInstallationReq | iso2.CertificateUpdateReq
)
"""The requests whose body element is signed as a whole."""

Installation = iso2.CertificateInstallationRes | iso2.CertificateUpdateRes
"""The responses that carry a contract: four of their elements are signed [V2G2-771]."""


class SignatureInvalid(PeerError):
    """A signature does not verify; the text names the element or the rule that failed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, wire=iso2.ResponseCode.FAILED_SIGNATURE_ERROR)


class SignedInfoGrammar(StrEnum):
    """The grammar whose EXI octets of SignedInfo were signed.

    The standard's is XMLDSIG. Some implementations sign with the grammar of the message that carries the signature.
    """

    XMLDSIG = "xmldsig"
    MESSAGE = "iso2"


class EmaidForm(StrEnum):
    """Which fragment encoding of the eMAID element was digested.

    The element name is declared with two types, so EXI 8.5.3 gives it the schema-informed element fragment grammar;
    libcbv2g takes the ordinary grammar of the typed element instead.
    """

    ELEMENT_FRAGMENT = "element-fragment"
    TYPED = "typed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceVerdict:
    """One element and its Reference: `problem` is empty where the digest matches."""

    element_id: str
    form: int | None = None  #: index of the accepted encoding that matched
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSignature:
    """How a signature verified."""

    grammar: SignedInfoGrammar
    forms: Mapping[str, int]  #: by element id: index of the accepted encoding that matched


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedInstallation:
    """How the signature of an installation response verified."""

    grammar: SignedInfoGrammar
    emaid_form: EmaidForm


# --- references and octets ------------------------------------------------------------------------------------------


def sign_iso2(references: Sequence[tuple[str, bytes]], signer: Signer) -> xmldsig.Signature:
    """Sign elements given as (Id, EXI fragment), in this order.

    Raises LocalError where the key is not on P-256.
    """
    require_p256(signer.public_key)
    signed_info = xmldsig.SignedInfo(
        canonicalization_method=xmldsig.CanonicalizationMethod(algorithm=CANONICAL_EXI),
        signature_method=xmldsig.SignatureMethod(algorithm=ECDSA_SHA256),
        reference=tuple(_reference(element_id, fragment) for element_id, fragment in references),
    )
    value = raw_from_der(signer.sign(_octets(signed_info, SignedInfoGrammar.XMLDSIG)))
    return xmldsig.Signature(signed_info=signed_info, signature_value=xmldsig.SignatureValue(value=value))


def verify_iso2(
    signature: xmldsig.Signature,
    fragments: Mapping[str, Sequence[bytes]],
    public_key: PublicKey,
    *,
    accept_message_grammar: bool = False,
) -> VerifiedSignature:
    """Verify `signature` over exactly the elements in `fragments`: by Id, the encodings accepted for it.

    `accept_message_grammar` is the compatibility switch for peers that sign SignedInfo in the message grammar; the
    result reports which one it was. Raises SignatureInvalid, naming the first thing that is wrong.
    """
    _check_algorithms(signature.signed_info)
    verdicts = check_references(signature.signed_info, fragments)
    for verdict in verdicts:
        if verdict.problem:
            raise SignatureInvalid(f"signature refused: {verdict.problem}")
    grammar = check_signature_value(signature, public_key, accept_message_grammar=accept_message_grammar)
    return VerifiedSignature(grammar=grammar, forms={v.element_id: v.form for v in verdicts if v.form is not None})


def check_references(
    signed_info: xmldsig.SignedInfo, fragments: Mapping[str, Sequence[bytes]]
) -> tuple[ReferenceVerdict, ...]:
    """A verdict on every element that has to be signed, then on every Reference to something else.

    References are matched by URI: a real operator's response lists them in another order than the standard's.
    """
    by_uri: dict[str | None, list[xmldsig.Reference]] = {}
    for reference in signed_info.reference:
        by_uri.setdefault(reference.uri, []).append(reference)
    verdicts = [_check_element(element_id, encodings, by_uri) for element_id, encodings in fragments.items()]
    strangers = by_uri.keys() - {f"#{element_id}" for element_id in fragments}
    # A reference that we cannot resolve is a digest nobody checked: XML Signature validation fails with it.
    verdicts += [
        ReferenceVerdict(element_id=uri or "", problem=f"a Reference points to {uri!r}, which is no signed element")
        for uri in sorted(strangers, key=str)
    ]
    return tuple(verdicts)


def check_signature_value(
    signature: xmldsig.Signature, public_key: PublicKey, *, accept_message_grammar: bool = False
) -> SignedInfoGrammar:
    """The grammar in which SignatureValue verifies over SignedInfo. Raises SignatureInvalid where there is none."""
    if curve_of(public_key) is not Curve.P256:
        raise SignatureInvalid("signature refused: the signer's certificate has no P-256 key")
    value = signature.signature_value.value
    if len(value) != SIGNATURE_SIZE:
        raise SignatureInvalid(f"signature refused: SignatureValue has {len(value)} octets, not the 64 of r || s")
    grammars = tuple(SignedInfoGrammar) if accept_message_grammar else (SignedInfoGrammar.XMLDSIG,)
    for grammar in grammars:
        if verify(public_key, der_from_raw(value), _octets(signature.signed_info, grammar)):
            return grammar
    raise SignatureInvalid("signature refused: SignatureValue does not verify over SignedInfo with the signer's key")


def require_p256(public_key: PublicKey) -> None:
    """Raise LocalError unless the key is on P-256, the only curve of ISO 15118-2 [V2G2-006]."""
    if curve_of(public_key) is not Curve.P256:
        raise LocalError("ISO 15118-2 needs a P-256 key here: use a credential of the ISO 15118-2 profile")


def _reference(element_id: str, fragment: bytes) -> xmldsig.Reference:
    return xmldsig.Reference(
        uri=f"#{element_id}",
        # Optional in the schema, but peers refuse a Reference without it.
        transforms=xmldsig.Transforms(transform=(xmldsig.Transform(algorithm=CANONICAL_EXI),)),
        digest_method=xmldsig.DigestMethod(algorithm=SHA256),
        digest_value=hashlib.sha256(fragment).digest(),
    )


def _octets(signed_info: xmldsig.SignedInfo, grammar: SignedInfoGrammar) -> bytes:
    return encode(grammar.value, signed_info, fragment=True)


def _check_algorithms(signed_info: xmldsig.SignedInfo) -> None:
    method = signed_info.signature_method
    for what, got, wanted in (
        ("CanonicalizationMethod", signed_info.canonicalization_method.algorithm, CANONICAL_EXI),
        ("SignatureMethod", method.algorithm, ECDSA_SHA256),
    ):
        if got != wanted:
            raise SignatureInvalid(f"signature refused: {what} is {got!r}, ISO 15118-2 requires {wanted!r}")
    if method.hmac_output_length is not None:
        raise SignatureInvalid("signature refused: SignatureMethod carries an HMACOutputLength")


def _check_element(
    element_id: str, encodings: Sequence[bytes], by_uri: Mapping[str | None, Sequence[xmldsig.Reference]]
) -> ReferenceVerdict:
    references = by_uri.get(f"#{element_id}", ())
    if len(references) != 1:
        return ReferenceVerdict(
            element_id=element_id, problem=f"element {element_id!r} has {len(references)} References instead of one"
        )
    reference = references[0]
    problem = _algorithm_problem(reference)
    if problem:
        return ReferenceVerdict(element_id=element_id, problem=f"element {element_id!r}: {problem}")
    for form, encoding in enumerate(encodings):
        if hashlib.sha256(encoding).digest() == reference.digest_value:
            return ReferenceVerdict(element_id=element_id, form=form)
    return ReferenceVerdict(element_id=element_id, problem=f"element {element_id!r} does not match its digest")


def _algorithm_problem(reference: xmldsig.Reference) -> str:
    steps = () if reference.transforms is None else reference.transforms.transform
    if [step.algorithm for step in steps] != [CANONICAL_EXI] or steps[0].xpath:
        return f"its Transforms are not exactly one {CANONICAL_EXI}"
    if reference.digest_method.algorithm != SHA256:
        return f"its DigestMethod is {reference.digest_method.algorithm!r}, ISO 15118-2 requires {SHA256!r}"
    return ""


# --- messages -------------------------------------------------------------------------------------------------------


def sign_body(element: SignedBody, signer: Signer) -> xmldsig.Signature:
    """The header signature of a request whose body element is signed. Raises LocalError where it has no Id."""
    if element.id is None:
        raise LocalError(f"{type(element).__name__} cannot be signed without an Id: give it one, such as 'id1'")
    return sign_iso2([(element.id, encode("iso2", element, fragment=True))], signer)


def verify_body(
    element: SignedBody,
    signature: xmldsig.Signature | None,
    public_key: PublicKey,
    *,
    accept_message_grammar: bool = False,
) -> VerifiedSignature:
    """Verify the header signature of such a request; no signature at all is refused as a wrong one is."""
    if signature is None:
        raise SignatureInvalid(f"{type(element).__name__} is not signed")
    if element.id is None:
        raise SignatureInvalid(f"{type(element).__name__} has no Id that a signature could refer to")
    fragments = {element.id: [encode("iso2", element, fragment=True)]}
    return verify_iso2(signature, fragments, public_key, accept_message_grammar=accept_message_grammar)


def sign_installation(response: Installation, signer: Signer) -> xmldsig.Signature:
    """The header signature of an installation response, by the CPS leaf [V2G2-771]."""
    return sign_iso2([(element_id, forms[0]) for element_id, forms in _installation_fragments(response)], signer)


def verify_installation(
    response: Installation,
    signature: xmldsig.Signature | None,
    cps_public_key: PublicKey,
    *,
    accept_message_grammar: bool = False,
) -> VerifiedInstallation:
    """Verify the four signed elements with the key of the CPS leaf, whose chain the caller has validated."""
    if signature is None:
        raise SignatureInvalid(f"{type(response).__name__} is not signed")
    fragments = installation_fragments(response)
    verified = verify_iso2(signature, fragments, cps_public_key, accept_message_grammar=accept_message_grammar)
    return VerifiedInstallation(
        grammar=verified.grammar, emaid_form=tuple(EmaidForm)[verified.forms[response.emaid.id]]
    )


def installation_fragments(response: Installation) -> dict[str, tuple[bytes, ...]]:
    """The encodings accepted for each signed element of an installation response, by Id.

    Raises SignatureInvalid where an Id is missing or used twice.
    """
    pairs = _installation_fragments(response)
    fragments = dict(pairs)
    if len(fragments) != len(pairs):
        raise SignatureInvalid(f"{type(response).__name__} uses an Id twice, so its References are ambiguous")
    return fragments


def _installation_fragments(response: Installation) -> list[tuple[str, tuple[bytes, ...]]]:
    chain = response.contract_signature_cert_chain
    if chain.id is None:
        raise SignatureInvalid("ContractSignatureCertChain has no Id that a signature could refer to")
    key, dh, emaid = response.contract_signature_encrypted_private_key, response.dh_public_key, response.emaid
    # The order of the standard [V2G2-771]; a verifier does not rely on it.
    return [
        (chain.id, (encode("iso2", chain, fragment=True),)),
        (key.id, (encode("iso2", key, fragment=True),)),
        (dh.id, (encode("iso2", dh, fragment=True),)),
        (emaid.id, (encode("iso2", emaid, fragment=True), encode_typed_fragment("iso2", emaid))),
    ]
