"""Services and their parameters, and the modes of authorization of ISO 15118-20."""

from __future__ import annotations

from typing import Annotated

from plugpass.exi.datatypes import ID, Bool, Byte, Int, Short
from plugpass.exi.schema import Attribute, Choice, Element, complex_type
from plugpass.iso15118.messages.cm20.certificates import ContractCertificateChain
from plugpass.iso15118.messages.cm20.simple_types import COMMON_MESSAGES, GenChallengeType, ServiceIDType
from plugpass.iso15118.messages.common20 import NameType, RationalNumber

# --- services -------------------------------------------------------------------------------------------------------


@complex_type(COMMON_MESSAGES)
class ServiceIDList:
    """1 to 16 services by id."""

    service_id: Annotated[tuple[ServiceIDType, ...], Element("ServiceID", max_occurs=16)]


@complex_type(COMMON_MESSAGES)
class Service:
    """An offered service."""

    service_id: Annotated[ServiceIDType, Element("ServiceID")]
    free_service: Annotated[Bool, Element("FreeService")]


@complex_type(COMMON_MESSAGES)
class ServiceList:
    """1 to 8 offered services."""

    service: Annotated[tuple[Service, ...], Element("Service", max_occurs=8)]


@complex_type(COMMON_MESSAGES)
class SelectedService:
    """A service the EV takes, with one of its parameter sets."""

    service_id: Annotated[ServiceIDType, Element("ServiceID")]
    parameter_set_id: Annotated[ServiceIDType, Element("ParameterSetID")]


@complex_type(COMMON_MESSAGES)
class SelectedServiceList:
    """1 to 16 services the EV takes."""

    selected_service: Annotated[tuple[SelectedService, ...], Element("SelectedService", max_occurs=16)]


@complex_type(
    COMMON_MESSAGES,
    content=Choice("bool_value", "byte_value", "short_value", "int_value", "rational_number", "finite_string"),
)
class Parameter:
    """A named service parameter with exactly one value."""

    name: Annotated[NameType, Attribute("Name")]
    bool_value: Annotated[Bool | None, Element("boolValue")] = None
    byte_value: Annotated[Byte | None, Element("byteValue")] = None
    short_value: Annotated[Short | None, Element("shortValue")] = None
    int_value: Annotated[Int | None, Element("intValue")] = None
    rational_number: Annotated[RationalNumber | None, Element("rationalNumber")] = None
    finite_string: Annotated[NameType | None, Element("finiteString")] = None


@complex_type(COMMON_MESSAGES)
class ParameterSet:
    """1 to 32 parameters that are chosen together."""

    parameter_set_id: Annotated[ServiceIDType, Element("ParameterSetID")]
    parameter: Annotated[tuple[Parameter, ...], Element("Parameter", max_occurs=32)]


@complex_type(COMMON_MESSAGES)
class ServiceParameterList:
    """1 to 32 parameter sets."""

    parameter_set: Annotated[tuple[ParameterSet, ...], Element("ParameterSet", max_occurs=32)]


# --- authorization --------------------------------------------------------------------------------------------------


@complex_type(COMMON_MESSAGES)
class SupportedProvidersList:
    """1 to 128 mobility operators whose contracts are accepted."""

    provider_id: Annotated[tuple[NameType, ...], Element("ProviderID", max_occurs=128)]


@complex_type(COMMON_MESSAGES)
class EIM_ASResAuthorizationMode:
    """Authorization by means outside ISO 15118 is on offer."""


@complex_type(COMMON_MESSAGES)
class PnC_ASResAuthorizationMode:
    """Authorization by contract is on offer: the challenge to sign, 16 octets."""

    gen_challenge: Annotated[GenChallengeType, Element("GenChallenge")]
    supported_providers: Annotated[SupportedProvidersList | None, Element("SupportedProviders")] = None


@complex_type(COMMON_MESSAGES)
class EIM_AReqAuthorizationMode:
    """Authorization by means outside ISO 15118."""


@complex_type(COMMON_MESSAGES)
class PnC_AReqAuthorizationMode:
    """Authorization by contract: the challenge and the chain, signed as the element with `id` (`[V2G20-1063]`)."""

    id: Annotated[ID, Attribute("Id")]
    gen_challenge: Annotated[GenChallengeType, Element("GenChallenge")]
    contract_certificate_chain: Annotated[ContractCertificateChain, Element("ContractCertificateChain")]
