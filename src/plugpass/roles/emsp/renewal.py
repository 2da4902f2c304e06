"""Contracts as things that expire: inventory and renewal for the lifecycle monitor."""

from __future__ import annotations

from typing import Final

from plugpass.ids import EMAID
from plugpass.ports.charging import ExpiringItem
from plugpass.ports.contracts import ContractRecord, ContractState
from plugpass.roles.emsp.service import Emsp

_PREFIX: Final = "contract:"


class ContractRenewal:
    """`Inventory` and `Renewer` of an operator's contracts."""

    def __init__(self, emsp: Emsp) -> None:
        self._emsp = emsp

    async def items(self) -> tuple[ExpiringItem, ...]:
        """The newest certificate of every contract in force."""
        records = await self._emsp.contracts()
        return tuple(item for record in records if (item := _item(record)) is not None)

    async def renew(self, item: ExpiringItem) -> None:
        """A new certificate for the same EMAID, in the contract pool when this returns."""
        await self._emsp.renew(EMAID.parse(item.item_id.removeprefix(_PREFIX)))


def _item(record: ContractRecord) -> ExpiringItem | None:
    if record.state is not ContractState.ACTIVE or record.not_before is None or record.not_after is None:
        return None
    return ExpiringItem(
        item_id=f"{_PREFIX}{record.emaid}",
        kind="contract",
        subject=str(record.emaid),
        serial=record.serial,
        not_before=record.not_before,
        not_after=record.not_after,
        labels={"pcid": record.pcid.value},
    )
