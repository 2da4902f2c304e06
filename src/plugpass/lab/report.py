"""What a lab run did: steps in eight groups, each with its actor, size, time and verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

GROUPS: dict[int, str] = {
    1: "Public key infrastructure",
    2: "OEM publishes the vehicle",
    3: "Contract, sealed and signed",
    4: "Station boots and enrols",
    5: "First plug-in: installation and charging",
    6: "Second plug-in: stored contract",
    7: "Renewal",
    8: "Refusals",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. `size` is octets on the wire (0 where nothing went over one), `ms` its duration in milliseconds."""

    id: str  #: "<group>.<number>", unique in a run
    group: int  #: a key of GROUPS
    actor: str
    title: str
    ok: bool
    ms: float
    size: int = 0
    detail: str = ""


@dataclass(slots=True)
class Report:
    """The steps of a run so far. `on_step` is called with every new step: the live view listens there."""

    on_step: Callable[[Step], None] = lambda step: None
    steps: list[Step] = field(default_factory=list)
    resumed: bool = False  #: the directory held the state of an earlier run

    def add(self, *, group: int, actor: str, title: str, ok: bool, ms: float, size: int = 0, detail: str = "") -> Step:
        """Append a step; its id is its number within the group."""
        number = 1 + sum(step.group == group for step in self.steps)
        step = Step(
            id=f"{group}.{number:02}",
            group=group,
            actor=actor,
            title=title,
            ok=ok,
            ms=round(ms, 3),
            size=size,
            detail=detail,
        )
        self.steps.append(step)
        self.on_step(step)
        return step

    @property
    def failed(self) -> list[Step]:
        """The steps that went wrong."""
        return [step for step in self.steps if not step.ok]

    @property
    def ok(self) -> bool:
        """True when every group ran and no step failed."""
        return not self.failed and {step.group for step in self.steps} == set(GROUPS)

    def to_dict(self, *, seconds: float) -> dict[str, Any]:
        """The machine-readable report of `plugpass lab --json`."""
        return {
            "ok": self.ok,
            "resumed": self.resumed,
            "seconds": round(seconds, 3),
            "groups": {str(number): title for number, title in GROUPS.items()},
            "steps": [asdict(step) for step in self.steps],
        }
