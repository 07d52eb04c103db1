"""Ask a few devices by a source that asks many together (`Source.sweep`)."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime

from discovery.outcomes import name_of, outcome, result_of
from discovery.probe_results import ANSWERED, FAILED, MISSED, NOT_ASKED, ProbeResult
from discovery.probe_tasks import GRACE
from discovery.source_tasks import SourceTasks
from fleet.model import CannotAsk, Miss, Report, Sighting, Target
from sources.source import Source

log = logging.getLogger(__name__)


async def sweep_devices(
    source: Source,
    targets: Mapping[int, Target],
    clock: Callable[[], datetime],
    tasks: SourceTasks,
) -> tuple[list[ProbeResult], list[Report]]:
    """Sweep these devices under a deadline, whatever the source does: the answer for each id, and
    the reports for the tracker."""
    try:
        tasks.check(source)
        task = asyncio.create_task(outcome(lambda: _sweep_some(source, targets, clock)))
        await tasks.wait(source, task, _deadline(source, targets) + GRACE)
        answers, reports = result_of(task.result())
        return answers, reports
    except CannotAsk as error:
        return [ProbeResult(id, source.name, NOT_ASKED, error.reason) for id in targets], []
    except Exception as error:
        log.exception("%s: internal error while checking devices", source.title)
        reason = f"internal error ({name_of(error)}); see the log"
        return [ProbeResult(id, source.name, FAILED, reason) for id in targets], []


def _deadline(source: Source, targets: Mapping[int, Target]) -> float:
    return source.timeout + source.each * len(targets)


async def _sweep_some(
    source: Source, targets: Mapping[int, Target], clock: Callable[[], datetime]
) -> tuple[list[ProbeResult], list[Report]]:
    """Sweep these devices: the answer for each id, and the reports for the tracker.

    It runs beside a sweep of all. Whether a part of the source is down is judged by asking all of
    its devices: what keeps these few from being asked is only said in their answers. Raises
    whatever else the source raises.
    """
    assert source.sweep is not None
    started, reports, reason = clock(), list[Report](), f"no result from {source.title}"
    try:
        async with asyncio.timeout(_deadline(source, targets)):
            async with aclosing(source.sweep(list(targets.values()), 0.0)) as every:  # type: ignore[type-var]
                async for report in every:
                    if isinstance(report, Sighting | Miss):
                        reports.append(replace(report, asked=started))
                    elif getattr(report, "failed", None):
                        reason = " ".join(report.failed.values())  # type: ignore[union-attr]
    except CannotAsk as error:
        reason = error.reason
    except TimeoutError:
        reason = f"{source.title} did not finish in time"
    return results_of(source.name, targets, reports, reason), reports


def results_of(
    source: str, targets: Mapping[int, Target], reports: Sequence[Report], reason: str
) -> list[ProbeResult]:
    """One answer for each device. `reason` is for those of which no report says anything."""
    by_key: dict[str, Sighting | Miss] = {}
    for report in reports:
        if isinstance(report, Sighting):
            by_key.update(dict.fromkeys(report.identities, report))
        elif isinstance(report, Miss):
            by_key.setdefault(report.identity, report)
    return [_answer(source, id, by_key.get(target.key), reason) for id, target in targets.items()]


def _answer(source: str, id: int, report: Sighting | Miss | None, reason: str) -> ProbeResult:
    if report is None:
        return ProbeResult(id, source, NOT_ASKED, reason)
    if isinstance(report, Miss):
        return ProbeResult(id, source, MISSED, report.reason, (report,))
    return ProbeResult(id, source, ANSWERED, "", (report,))
