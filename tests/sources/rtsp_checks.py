"""Checks of pretend RTSP cameras, as the Prober makes them, and what came of each."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fleet.model import Finding, Learned, NoAnswer, Report, Sighting, Target
from simulators.rtsp import RtspDevice
from sources import net, rtsp
from sources.source import SessionRefused

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
PORT = 18_554
USERNAME, PASSWORD = "admin", "s3cret-pass"
SECONDS = 2.0


@dataclass(frozen=True)
class Result:
    """`reason`: why it did not answer, or has no session left; empty if it answered."""

    reports: Sequence[Report] = ()
    reason: str = ""
    is_refused: bool = False

    @property
    def sighting(self) -> Sighting:
        (sighting,) = (report for report in self.reports if isinstance(report, Sighting))
        return sighting

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.sighting.facts

    @property
    def learned(self) -> Learned:
        assert self.sighting.learned is not None
        return self.sighting.learned

    @property
    def findings(self) -> dict[str, str]:
        """The texts of what is wrong, by kind."""
        return {
            report.kind: report.text
            for report in self.reports
            if isinstance(report, Finding) and not report.cleared
        }

    @property
    def cleared(self) -> set[str]:
        return {
            report.kind for report in self.reports if isinstance(report, Finding) and report.cleared
        }


def target_of(host: str, port: int, path: str = "/stream1", **changes: Any) -> Target:
    """A target with the login of the tests."""
    given = {"username": USERNAME, "secret": PASSWORD, **changes}
    return Target("here", f"rtsp:{host}:{port}{path}", host, port, path, **given)


def check(target: Target, seconds: float = SECONDS) -> Result:
    """Check the target once, within so many seconds."""
    return asyncio.run(checked(target, seconds))


async def checked(target: Target, seconds: float = SECONDS) -> Result:
    probe = rtsp.source(lambda: NOW).probe
    assert probe is not None
    try:
        async with asyncio.timeout(seconds):
            return Result(await probe(target))
    except SessionRefused as error:
        return Result(error.reports, error.reason, is_refused=True)
    except NoAnswer as error:
        return Result(reason=str(error))
    except TimeoutError:
        return Result(reason="time-out")
    except OSError as error:
        if net.cannot_ask(error):
            raise
        return Result(reason=net.reason_of(error))


def check_device(device: RtspDevice, **changes: Any) -> Result:
    """Check a pretend device, at its first stream."""
    path = changes.pop("path", next(iter(device.streams)))
    return check(target_of(device.address, device.port or PORT, path, **changes))
