"""The three certificate pools of a Plug & Charge ecosystem, in one server: roots (RCP), provisioning certificates
(PCP) and signed contract data (CCP)."""

from plugpass.roles.pools.service import Pools

__all__ = ["Pools"]
