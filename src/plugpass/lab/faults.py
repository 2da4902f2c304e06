"""How the faults of a lab are made: each breaks one thing on purpose, and the chain has to notice."""

from __future__ import annotations

import dataclasses

from plugpass.exi import encode
from plugpass.iso15118.contract import read_installation_response
from plugpass.iso15118.messages import iso2
from plugpass.ports.charging import ContractProvider


class TamperedContracts:
    """A ContractProvider that flips one bit of every sealed contract key it delivers; the CPS signature stays."""

    def __init__(self, contracts: ContractProvider) -> None:
        self._contracts = contracts

    async def deliver(self, installation_request: bytes, namespace: str) -> bytes:
        """The response, with one bit of the sealed key changed."""
        exi = await self._contracts.deliver(installation_request, namespace)
        message, response = read_installation_response(exi)
        sealed = response.contract_signature_encrypted_private_key
        if not sealed.value:
            return exi
        flipped = sealed.value[:-1] + bytes([sealed.value[-1] ^ 1])
        tampered = dataclasses.replace(
            response, contract_signature_encrypted_private_key=dataclasses.replace(sealed, value=flipped)
        )
        return encode("iso2", dataclasses.replace(message, body=iso2.Body(tampered)))
