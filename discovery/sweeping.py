"""Asking a few devices by a source that asks many together (`Source.sweep`)."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime

from discovery.probing import ANSWERED, MISSED, NOT_ASKED, Answer
from fleet.model import CannotAsk, Miss, Report, Sighting, SourceDown, Target
from sources.source import Source


async def sweep_some(
    source: Source, targets: Mapping[int, Target], clock: Callable[[], datetime]
) -> tuple[list[Answer], list[Report]]:
    """What the source says of these devices, by id, and the reports for the tracker.

    It runs beside a sweep of all. Whether a part of the source is down is judged by asking all of
    its devices: what keeps these few from being asked is only said in their answers.
    """
    assert source.sweep is not None
    started, reports, reason = clock(), list[Report](), f"{source.title} did not say anything"
    try:
        async with asyncio.timeout(source.timeout + source.each * len(targets)):
            async with aclosing(source.sweep(list(targets.values()), 0.0)) as every:  # type: ignore[type-var]
                async for report in every:
                    if isinstance(report, Sighting | Miss):
                        reports.append(replace(report, asked=started))
                    elif getattr(report, "failed", None):
                        reason = " ".join(report.failed.values())  # type: ignore[union-attr]
    except CannotAsk as error:
        reason = error.reason
        reports.append(SourceDown(error.scope, started, error.reason))
    except TimeoutError:
        reason = f"{source.title} did not end in time"
    return [_answer(source, id, one, reports, reason) for id, one in targets.items()], reports


def _answer(source: Source, id: int, target: Target, reports: list[Report], reason: str) -> Answer:
    for report in reports:
        if isinstance(report, Sighting) and target.key in report.identities:
            return Answer(id, source.name, ANSWERED, "", (report,))
        if isinstance(report, Miss) and report.identity == target.key:
            return Answer(id, source.name, MISSED, report.reason, (report,))
    return Answer(id, source.name, NOT_ASKED, reason)
