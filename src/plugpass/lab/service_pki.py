"""Certificates for the lab's own HTTPS and WSS: server certificates of the services, client certificates of stations.

This is no V2G hierarchy: it stands for the web PKI and the CSMS root of an operator.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from plugpass.pki.keys import LocalSigner, generate
from plugpass.ports.keys import Credential, KeyStore

LIFE = timedelta(days=3650)
ORGANIZATION = "plugpass lab"


class ServicePki:
    """One root, stored in a KeyStore, that certifies the lab's services and stations."""

    def __init__(self, keys: KeyStore, *, now: datetime, random: Callable[[int], bytes]) -> None:
        self._keys = keys
        self._now = now
        self._random = random

    async def root(self) -> Credential:
        """The root; made on first use."""
        return await self._get_or_make("service:root", self._make_root)

    async def server(self, name: str) -> Credential:
        """A server certificate for localhost, 127.0.0.1 and ::1."""
        hosts = x509.SubjectAlternativeName(
            [
                x509.DNSName("localhost"),
                x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                x509.IPAddress(ipaddress.ip_address("::1")),
            ]
        )
        root = await self.root()
        return await self._get_or_make(
            f"service:{name}", lambda: self._issue(root, name, ORGANIZATION, ExtendedKeyUsageOID.SERVER_AUTH, hosts)
        )

    async def station(self, identity: str, operator: str) -> Credential:
        """A charging station's client certificate: CN = its OCPP identity (A00.FR.405), O = the CSO (A00.FR.404)."""
        root = await self.root()
        return await self._get_or_make(
            f"station:{identity}", lambda: self._issue(root, identity, operator, ExtendedKeyUsageOID.CLIENT_AUTH, None)
        )

    async def _get_or_make(self, name: str, make: Callable[[], Credential]) -> Credential:
        found = await self._keys.get(name)
        if found is None:
            found = make()
            await self._keys.put(name, found)
        return found

    def _make_root(self) -> Credential:
        signer = generate()
        subject = _name("plugpass lab service root", ORGANIZATION)
        certificate = (
            self._builder(subject, subject, signer)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(ca=True), critical=True)
            .sign(signer.private_key, hashes.SHA256())
        )
        return Credential(chain=(certificate.public_bytes(serialization.Encoding.DER),), signer=signer)

    def _issue(
        self,
        root: Credential,
        common_name: str,
        organization: str,
        usage: x509.ObjectIdentifier,
        hosts: x509.SubjectAlternativeName | None,
    ) -> Credential:
        signer = generate()
        issuer = x509.load_der_x509_certificate(root.chain[0])
        assert isinstance(root.signer, LocalSigner), "the lab's root lives in its own key store"
        builder = (
            self._builder(_name(common_name, organization), issuer.subject, signer)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                    issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
                ),
                critical=False,
            )
        )
        if hosts is not None:
            builder = builder.add_extension(hosts, critical=False)
        certificate = builder.sign(root.signer.private_key, hashes.SHA256())
        return Credential(chain=(certificate.public_bytes(serialization.Encoding.DER),), signer=signer)

    def _builder(self, subject: x509.Name, issuer: x509.Name, signer: LocalSigner) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(signer.public_key)
            .serial_number(int.from_bytes(self._random(16), "big") >> 1)
            .not_valid_before(self._now - timedelta(minutes=5))
            .not_valid_after(self._now + LIFE)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(signer.public_key), critical=False)
        )


def _name(common_name: str, organization: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
