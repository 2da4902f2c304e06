"""Certificate chains and contract data of ISO 15118-20; certificates are DER."""

from __future__ import annotations

from typing import Annotated

from plugpass.exi.datatypes import ID
from plugpass.exi.schema import Attribute, Choice, Element, Sequence, complex_type, global_element
from plugpass.iso15118.messages.cm20.simple_types import (
    COMMON_MESSAGES,
    CertificateType,
    DHPublicKeyType,
    ECDHCurve,
    SECP521EncryptedPrivateKeyType,
    TPMEncryptedPrivateKeyType,
    X448EncryptedPrivateKeyType,
)
from plugpass.iso15118.messages.common20 import IdentifierType


@complex_type(COMMON_MESSAGES)
class EMAIDList:
    """1 to 8 contracts by their EMAIDs, the most wanted first."""

    emaid: Annotated[tuple[IdentifierType, ...], Element("EMAID", max_occurs=8)]


@complex_type(COMMON_MESSAGES)
class SubCertificates:
    """1 to 3 sub-CA certificates, the issuer of the leaf first."""

    certificate: Annotated[tuple[CertificateType, ...], Element("Certificate", max_occurs=3)]


@complex_type(COMMON_MESSAGES)
class CertificateChain:
    """A leaf certificate and its sub-CAs, without the root."""

    certificate: Annotated[CertificateType, Element("Certificate")]
    sub_certificates: Annotated[SubCertificates | None, Element("SubCertificates")] = None


@complex_type(COMMON_MESSAGES)
class SignedCertificateChain:
    """A chain that a signature refers to by `id`; in this standard the OEM provisioning certificate's."""

    id: Annotated[ID, Attribute("Id")]
    certificate: Annotated[CertificateType, Element("Certificate")]
    sub_certificates: Annotated[SubCertificates | None, Element("SubCertificates")] = None


@complex_type(COMMON_MESSAGES)
class ContractCertificateChain:
    """The contract certificate and its sub-CAs, without the root."""

    certificate: Annotated[CertificateType, Element("Certificate")]
    sub_certificates: Annotated[SubCertificates, Element("SubCertificates")]


@global_element(
    COMMON_MESSAGES,
    content=Sequence(
        "contract_certificate_chain",
        "ecdh_curve",
        "dh_public_key",
        Choice("secp521_encrypted_private_key", "x448_encrypted_private_key", "tpm_encrypted_private_key"),
    ),
)
class SignedInstallationData:
    """The contract certificate, and its private key sealed for the vehicle: one ciphertext, by curve or for a TPM.

    `dh_public_key` is the sender's ephemeral public key.
    """

    id: Annotated[ID, Attribute("Id")]
    contract_certificate_chain: Annotated[ContractCertificateChain, Element("ContractCertificateChain")]
    ecdh_curve: Annotated[ECDHCurve, Element("ECDHCurve")]
    dh_public_key: Annotated[DHPublicKeyType, Element("DHPublicKey")]
    secp521_encrypted_private_key: Annotated[
        SECP521EncryptedPrivateKeyType | None, Element("SECP521_EncryptedPrivateKey")
    ] = None
    x448_encrypted_private_key: Annotated[X448EncryptedPrivateKeyType | None, Element("X448_EncryptedPrivateKey")] = (
        None
    )
    tpm_encrypted_private_key: Annotated[TPMEncryptedPrivateKeyType | None, Element("TPM_EncryptedPrivateKey")] = None
