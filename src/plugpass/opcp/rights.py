"""Who may do what in the pools: the rights matrix of OPCP 1.0 and the ownership rules.

A right says which kind of party may use a function at all; ownership says on whose objects: a vehicle maker's by the
first 3 characters of the PCID (WMI), a mobility operator's by the first 5 of the EMAID.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from plugpass.ids import EMAID, PCID
from plugpass.opcp.errors import forbidden


class Party(StrEnum):
    """Kinds of parties that hold an account."""

    OEM = "oem"
    CPO = "cpo"
    MO = "mo"  #: a mobility operator with its own PKI
    MO_V2G = "mo-v2g"  #: a mobility operator that uses the pool operator's CA
    CPS = "cps"
    ADMIN = "admin"


class Right(StrEnum):
    """Functions of the pools."""

    ROOTS_READ = "read root certificates"
    ROOTS_WRITE = "add and delete root certificates"
    PROVISIONING_WRITE = "publish and delete provisioning certificates"
    PROVISIONING_READ = "read provisioning certificates"
    SIGNERS_READ = "list the CPS signers"
    SIGN = "have contract data signed"
    CONTRACT_BY_REQUEST = "fetch signed contract data for a vehicle's request"
    CONTRACT_WRITE = "store signed contract data"
    CONTRACT_DELETE = "delete signed contract data"
    CONTRACT_LOOKUP = "look a contract up by its EMAID"
    CONTRACT_BY_PCID = "list contracts of a vehicle and choose its default"


_EVERYBODY: Final = frozenset({Party.OEM, Party.CPO, Party.MO, Party.MO_V2G, Party.CPS})
_OPERATORS: Final = frozenset({Party.MO, Party.MO_V2G})

RIGHTS: Final[Mapping[Right, frozenset[Party]]] = MappingProxyType(
    {
        Right.ROOTS_READ: _EVERYBODY | {Party.ADMIN},
        Right.ROOTS_WRITE: frozenset({Party.ADMIN}),
        Right.PROVISIONING_WRITE: frozenset({Party.OEM}),
        Right.PROVISIONING_READ: frozenset({Party.OEM, Party.CPS}) | _OPERATORS,
        Right.SIGNERS_READ: _EVERYBODY,
        Right.SIGN: frozenset({Party.MO}),
        Right.CONTRACT_BY_REQUEST: frozenset({Party.OEM, Party.CPO}),
        Right.CONTRACT_WRITE: frozenset({Party.CPS}),
        Right.CONTRACT_DELETE: _OPERATORS,
        Right.CONTRACT_LOOKUP: _OPERATORS,
        Right.CONTRACT_BY_PCID: frozenset({Party.OEM}),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A client of the pools, what it is and what it owns."""

    client_id: str
    parties: frozenset[Party]
    wmis: frozenset[str] = frozenset()  #: vehicle maker: world manufacturer identifiers, upper case
    providers: frozenset[str] = frozenset()  #: mobility operator: country and provider, such as "DEPLU"


def require(account: Account, right: Right) -> None:
    """Raise 403 unless one of the account's parties has the right."""
    if not account.parties & RIGHTS[right]:
        raise forbidden(f"This account is not allowed to {right}.")


def require_vehicle(account: Account, pcid: PCID) -> None:
    """Raise 403 where the account is a vehicle maker's and the vehicle is another maker's."""
    if Party.OEM in account.parties and pcid.wmi not in account.wmis:
        raise forbidden(f"The WMI {pcid.wmi} of the PCID does not belong to this account.")


def require_contract(account: Account, emaid: EMAID) -> None:
    """Raise 403 where the account is a mobility operator's and the contract is another operator's."""
    if account.parties & _OPERATORS and emaid.provider_prefix not in account.providers:
        raise forbidden(f"The provider {emaid.provider_prefix} of the EMAID does not belong to this account.")
