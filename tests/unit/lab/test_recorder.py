"""Wire events become steps; the scenario can wait for one; expected refusals pass."""

from __future__ import annotations

import asyncio

import pytest

from plugpass.errors import Unavailable
from plugpass.lab.recorder import Recorder
from plugpass.lab.report import GROUPS, Report, Step
from plugpass.ports.trace import WireEvent


def event(message: str = "BootNotification", *, ok: bool = True, actor: str = "station") -> WireEvent:
    return WireEvent(actor=actor, peer="csms", protocol="OCPP", message=message, size=100, ms=1.25, ok=ok, detail="why")


def test_events_are_numbered_within_their_group() -> None:
    seen: list[Step] = []
    recorder = Recorder(Report(on_step=seen.append))
    recorder.record(event())
    recorder.group = 4
    recorder.record(event())
    recorder.record(event("Heartbeat"))
    assert [step.id for step in seen] == ["1.01", "4.01", "4.02"]
    assert seen[2].title == "OCPP: Heartbeat"


def test_a_refusal_fails_the_report_unless_the_scene_expects_it() -> None:
    report = Report()
    recorder = Recorder(report)
    with recorder.scene(refusals_expected=True):
        recorder.record(event(ok=False))
    assert not report.failed
    assert report.steps[0].detail == "refused, as it must: why"
    recorder.record(event(ok=False))
    assert [step.id for step in report.failed] == ["1.02"]


def test_a_report_is_only_good_when_every_group_ran() -> None:
    report = Report()
    recorder = Recorder(report)
    for group in GROUPS:
        assert not report.ok
        recorder.group = group
        recorder.record(event())
    assert report.ok
    assert report.to_dict(seconds=1.5)["steps"][0]["ms"] == 1.25


async def test_the_scenario_waits_for_an_event_of_its_scene() -> None:
    recorder = Recorder(Report())
    recorder.record(event("CertificateSigned", actor="csms"))
    with recorder.scene():
        waiting = asyncio.create_task(recorder.seen("csms", "CertificateSigned", within=5))
        await asyncio.sleep(0)
        recorder.record(event("CertificateSigned", actor="station"))
        recorder.record(event("CertificateSigned", actor="csms", ok=False))
        await asyncio.sleep(0)
        assert not waiting.done()
        recorder.record(event("CertificateSigned", actor="csms"))
        assert (await waiting).ok


async def test_what_does_not_come_is_named() -> None:
    with pytest.raises(Unavailable, match="csms did not complete CertificateSigned"):
        await Recorder(Report()).seen("csms", "CertificateSigned", within=0)


def test_after_the_end_nothing_is_added() -> None:
    report = Report()
    recorder = Recorder(report)
    recorder.close()
    recorder.record(event())
    assert report.steps == []
