"""The live view of a lab run: a line a step as it happens, group by group, and a closing summary."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.table import Table
from rich.text import Text

from plugpass.lab.report import GROUPS, Report, Step

COLOURS = {
    "v2g-ca": "magenta",
    "oem": "yellow",
    "pools": "blue",
    "emsp": "green",
    "cps": "cyan",
    "csms": "bright_blue",
    "station": "bright_yellow",
    "vehicle": "bright_green",
    "lab": "white",
}


class LabView:
    """Prints steps with actor, message, size, time and a tick or a cross."""

    def __init__(self, *, enabled: bool = True, console: Console | None = None) -> None:
        self._enabled = enabled
        self._console = console or Console(highlight=False)
        self._group = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open between steps."""

    def step(self, step: Step) -> None:
        """Show one step."""
        if not self._enabled:
            return
        if step.group != self._group:
            self._group = step.group
            self._console.print(f"\n[bold]{step.group}. {GROUPS[step.group]}[/bold]")
        self._console.print(_line(step), soft_wrap=True)

    def summary(self, report: Report, seconds: float, stay: bool) -> None:
        """Show how many steps of each group passed, and what failed."""
        if not self._enabled:
            return
        table = Table(title=f"{'resumed' if report.resumed else 'new'} lab, {seconds:.1f} s", title_justify="left")
        table.add_column("group")
        table.add_column("steps", justify="right")
        table.add_column("octets", justify="right")
        table.add_column("ms", justify="right")
        table.add_column("")
        for number, title in GROUPS.items():
            steps = [step for step in report.steps if step.group == number]
            passed = bool(steps) and all(step.ok for step in steps)
            table.add_row(
                f"{number}. {title}",
                str(len(steps)),
                f"{sum(step.size for step in steps):,}",
                f"{sum(step.ms for step in steps):,.0f}",
                Text("✓", "green") if passed else Text("✗", "bold red"),
            )
        self._console.print()
        self._console.print(table)
        for step in report.failed:
            self._console.print(f"[bold red]✗ {step.id} {step.actor}: {step.title}[/bold red] {step.detail}")
        if report.ok:
            self._console.print("[green]The chain is complete: plug in, and the car charges.[/green]")
        if stay:
            self._console.print("The lab stays up; Ctrl-C ends it.")


def _line(step: Step) -> Text:
    mark = Text(" ✓ ", "green") if step.ok else Text(" ✗ ", "bold red")
    size = f"{step.size:>7,} B" if step.size else " " * 9
    time = f"{step.ms:>8.1f} ms" if step.ms else " " * 11
    return Text.assemble(
        mark,
        (f"{step.id:<5} ", "dim"),
        (f"{step.actor:<8} ", COLOURS.get(step.actor, "white")),
        f"{step.title:<46} ",
        (f"{size} {time}  ", "dim"),
        (step.detail, "" if step.ok else "red"),
    )
