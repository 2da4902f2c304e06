"""One run of the lab, from an empty or resumed directory to the report."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import structlog

from plugpass.errors import PlugpassError
from plugpass.lab.directory import LabDirectory
from plugpass.lab.recorder import Recorder
from plugpass.lab.report import GROUPS, Report, Step
from plugpass.lab.scenario import Scenario, StepFailed
from plugpass.lab.settings import Fault, LabSettings
from plugpass.lab.topology import Ground, Lab

log = structlog.get_logger(__name__)


async def run_lab(
    settings: LabSettings,
    *,
    on_step: Callable[[Step], None] = lambda step: None,
    on_done: Callable[[Report, float, bool], None] = lambda report, seconds, stay: None,
    stay: bool = False,
    fault: Fault | None = None,
    passphrase_file: Path | None = None,
) -> Report:
    """Run all groups and give the report; with `stay`, keep the parties running until the task is cancelled.

    Raises ConfigurationError where the lab cannot start at all. A step that fails ends the run; it is in the report.
    """
    directory = LabDirectory(settings.dir)
    with directory.locked():
        directory.keep_cast(settings.cast)
        report = Report(on_step=on_step, resumed=directory.resumed)
        recorder = Recorder(report)
        async with Ground(settings, directory, recorder, passphrase_file) as ground:
            started = ground.clock.monotonic()
            scenario = Scenario(Lab(ground, fault), report, recorder)
            await _play(scenario, recorder)
            recorder.close()
            directory.save(clock_offset=ground.clock.offset)
            on_done(report, ground.clock.monotonic() - started, stay)
            if stay:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
    return report


async def _play(scenario: Scenario, recorder: Recorder) -> None:
    for number, group in zip(GROUPS, scenario.groups, strict=True):
        recorder.group = number
        try:
            await group()
        except StepFailed:
            return
        except PlugpassError as error:
            if not recorder.report.steps and number == min(GROUPS):
                raise
            _fail(recorder, number, str(error))
            return
        except Exception as error:
            # Whatever it is, the report says so: a machine that reads it must not find nothing.
            log.exception("lab.failed", group=number)
            _fail(recorder, number, f"{type(error).__name__}: {error}")
            return


def _fail(recorder: Recorder, group: int, detail: str) -> None:
    recorder.report.add(group=group, actor="lab", title=GROUPS[group], ok=False, ms=0.0, detail=detail)
