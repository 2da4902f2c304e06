"""XML Signature (namespace `http://www.w3.org/2000/09/xmldsig#`), as ISO 15118 carries it.

ISO 15118 uses `Signature` down to `DigestValue`, and `X509IssuerSerial`; the rest is here because every element name
of a schema counts in its EXI event codes, and because a peer may send `KeyInfo`. Wildcard content (`xs:any`) is
refused in both directions.
"""

from __future__ import annotations

from typing import Annotated

from plugpass.exi.datatypes import ID, AnyURI, Base64, BigInteger, PlainString
from plugpass.exi.schema import (
    ANY,
    Attribute,
    Choice,
    Element,
    Maybe,
    Namespace,
    Ref,
    Repeat,
    Schema,
    Sequence,
    Text,
    complex_type,
    global_element,
)

XMLDSIG = Namespace(uri="http://www.w3.org/2000/09/xmldsig#")

OptionalId = Annotated[ID | None, Attribute("Id")]

# --- what ISO 15118 signs with --------------------------------------------------------------------------------------


@global_element(XMLDSIG, mixed=True, content=Repeat(ANY))
class CanonicalizationMethod:
    """How the signed information is made into octets; in ISO 15118 always EXI."""

    algorithm: Annotated[AnyURI, Attribute("Algorithm")]


@global_element(XMLDSIG, mixed=True, content=Sequence(Maybe("hmac_output_length"), Repeat(ANY)))
class SignatureMethod:
    """The signature algorithm."""

    algorithm: Annotated[AnyURI, Attribute("Algorithm")]
    hmac_output_length: Annotated[BigInteger | None, Element("HMACOutputLength")] = None


@global_element(XMLDSIG, mixed=True, content=Repeat(Choice("xpath", ANY)))
class Transform:
    """One step from the referenced element to the digested octets."""

    algorithm: Annotated[AnyURI, Attribute("Algorithm")]
    xpath: Annotated[tuple[PlainString, ...], Element("XPath")] = ()


@global_element(XMLDSIG)
class Transforms:
    """The steps from the referenced element to the digested octets."""

    transform: Annotated[tuple[Transform, ...], Ref()]


@global_element(XMLDSIG, mixed=True, content=Repeat(ANY))
class DigestMethod:
    """The digest algorithm."""

    algorithm: Annotated[AnyURI, Attribute("Algorithm")]


@global_element(XMLDSIG)
class Reference:
    """What is signed (`uri`: "#" and the Id of the element) and its digest."""

    transforms: Annotated[Transforms | None, Ref()] = None
    digest_method: Annotated[DigestMethod, Ref()]
    digest_value: Annotated[Base64, Element("DigestValue", is_global=True)]
    id: OptionalId = None
    uri: Annotated[AnyURI | None, Attribute("URI")] = None
    type: Annotated[AnyURI | None, Attribute("Type")] = None


@global_element(XMLDSIG)
class SignedInfo:
    """What the signature value is computed over."""

    canonicalization_method: Annotated[CanonicalizationMethod, Ref()]
    signature_method: Annotated[SignatureMethod, Ref()]
    reference: Annotated[tuple[Reference, ...], Ref()]
    id: OptionalId = None


@global_element(XMLDSIG)
class SignatureValue:
    """The signature: in ISO 15118 the raw concatenation of r and s, never DER."""

    value: Annotated[Base64, Text()]
    id: OptionalId = None


# --- key information ------------------------------------------------------------------------------------------------


@global_element(XMLDSIG)
class KeyName:
    """A name by which the recipient knows the key."""

    value: Annotated[PlainString, Text()]


@global_element(XMLDSIG)
class MgmtData:
    """In-band key distribution data; deprecated by the recommendation itself."""

    value: Annotated[PlainString, Text()]


@global_element(
    XMLDSIG,
    content=Sequence(Maybe(Sequence("p", "q")), Maybe("g"), "y", Maybe("j"), Maybe(Sequence("seed", "pgen_counter"))),
)
class DSAKeyValue:
    """A DSA public key, integers as big-endian octets."""

    p: Annotated[Base64 | None, Element("P")] = None
    q: Annotated[Base64 | None, Element("Q")] = None
    g: Annotated[Base64 | None, Element("G")] = None
    y: Annotated[Base64, Element("Y")]
    j: Annotated[Base64 | None, Element("J")] = None
    seed: Annotated[Base64 | None, Element("Seed")] = None
    pgen_counter: Annotated[Base64 | None, Element("PgenCounter")] = None


@global_element(XMLDSIG)
class RSAKeyValue:
    """An RSA public key, integers as big-endian octets."""

    modulus: Annotated[Base64, Element("Modulus")]
    exponent: Annotated[Base64, Element("Exponent")]


@global_element(XMLDSIG, mixed=True, content=Choice("dsa_key_value", "rsa_key_value", ANY))
class KeyValue:
    """A public key: exactly one of the two."""

    dsa_key_value: Annotated[DSAKeyValue | None, Ref()] = None
    rsa_key_value: Annotated[RSAKeyValue | None, Ref()] = None


@global_element(XMLDSIG)
class RetrievalMethod:
    """Where to fetch key information."""

    transforms: Annotated[Transforms | None, Ref()] = None
    uri: Annotated[AnyURI | None, Attribute("URI")] = None
    type: Annotated[AnyURI | None, Attribute("Type")] = None


@complex_type(XMLDSIG)
class X509IssuerSerial:
    """A certificate by its issuer's distinguished name and its serial number (any size, even negative)."""

    x509_issuer_name: Annotated[PlainString, Element("X509IssuerName")]
    x509_serial_number: Annotated[BigInteger, Element("X509SerialNumber")]


@global_element(
    XMLDSIG,
    content=Repeat(
        Choice("x509_issuer_serial", "x509_ski", "x509_subject_name", "x509_certificate", "x509_crl", ANY), at_least=1
    ),
)
class X509Data:
    """Certificates, or what identifies them. The order between different kinds is not kept."""

    x509_issuer_serial: Annotated[tuple[X509IssuerSerial, ...], Element("X509IssuerSerial")] = ()
    x509_ski: Annotated[tuple[Base64, ...], Element("X509SKI")] = ()
    x509_subject_name: Annotated[tuple[PlainString, ...], Element("X509SubjectName")] = ()
    x509_certificate: Annotated[tuple[Base64, ...], Element("X509Certificate")] = ()
    x509_crl: Annotated[tuple[Base64, ...], Element("X509CRL")] = ()


@global_element(
    XMLDSIG,
    content=Choice(
        Sequence("pgp_key_id", Maybe("pgp_key_packet"), Repeat(ANY)),
        Sequence("pgp_key_packet", Repeat(ANY)),
    ),
)
class PGPData:
    """A PGP key by its id, its packet, or both."""

    pgp_key_id: Annotated[Base64 | None, Element("PGPKeyID")] = None
    pgp_key_packet: Annotated[Base64 | None, Element("PGPKeyPacket")] = None


@global_element(XMLDSIG, content=Repeat(Sequence("spki_sexp", Maybe(ANY)), at_least=1))
class SPKIData:
    """SPKI S-expressions."""

    spki_sexp: Annotated[tuple[Base64, ...], Element("SPKISexp")]


@global_element(
    XMLDSIG,
    mixed=True,
    content=Repeat(
        Choice("key_name", "key_value", "retrieval_method", "x509_data", "pgp_data", "spki_data", "mgmt_data", ANY),
        at_least=1,
    ),
)
class KeyInfo:
    """The key that verifies the signature. The order between different kinds is not kept."""

    key_name: Annotated[tuple[KeyName, ...], Ref()] = ()
    key_value: Annotated[tuple[KeyValue, ...], Ref()] = ()
    retrieval_method: Annotated[tuple[RetrievalMethod, ...], Ref()] = ()
    x509_data: Annotated[tuple[X509Data, ...], Ref()] = ()
    pgp_data: Annotated[tuple[PGPData, ...], Ref()] = ()
    spki_data: Annotated[tuple[SPKIData, ...], Ref()] = ()
    mgmt_data: Annotated[tuple[MgmtData, ...], Ref()] = ()
    id: OptionalId = None


# --- objects --------------------------------------------------------------------------------------------------------


@global_element(XMLDSIG, mixed=True, content=Repeat(ANY))
class Object:
    """Carried data. Its content is a wildcard, so only an empty one can be read or written."""

    id: OptionalId = None
    mime_type: Annotated[PlainString | None, Attribute("MimeType")] = None
    encoding: Annotated[AnyURI | None, Attribute("Encoding")] = None


@global_element(XMLDSIG)
class Manifest:
    """A list of references that the application checks itself."""

    reference: Annotated[tuple[Reference, ...], Ref()]
    id: OptionalId = None


@global_element(XMLDSIG, mixed=True, content=Repeat(ANY, at_least=1))
class SignatureProperty:
    """A statement about the signature. Its content is a wildcard, which plugpass refuses."""

    target: Annotated[AnyURI, Attribute("Target")]
    id: OptionalId = None


@global_element(XMLDSIG)
class SignatureProperties:
    """Statements about the signature."""

    signature_property: Annotated[tuple[SignatureProperty, ...], Ref()]
    id: OptionalId = None


@global_element(XMLDSIG)
class Signature:
    """A detached signature over elements of the same message."""

    signed_info: Annotated[SignedInfo, Ref()]
    signature_value: Annotated[SignatureValue, Ref()]
    key_info: Annotated[KeyInfo | None, Ref()] = None
    object: Annotated[tuple[Object, ...], Ref()] = ()
    id: OptionalId = None


SCHEMA = Schema(name="xmldsig", namespaces=(XMLDSIG,))
