"""The reasons why this server is not ready."""

from fleet.build import TICK
from video.build import VideoPackage
from web.http.monitor import Monitor

LONGEST_SILENCE = 150.0
"""Seconds."""


def not_ready_reasons(monitor: Monitor, disk: str) -> list[str]:
    """The problems that keep this server from working now, as sentences.

    `disk` is the result of the disk check: `last` for strangers, whose requests write nothing.
    """
    tracker, journal_writer = monitor.tracker, monitor.journal_writer
    carried = (
        ""
        if journal_writer.is_alive()
        else "Events are no longer written to the journal. Restart Camera Monitor."
    )
    reasons = [
        tracker.trouble or disk,
        journal_writer.trouble or carried,
        monitor.audit.trouble,
        _scheduler_trouble(monitor),
        monitor.packages.find(VideoPackage).keeping.trouble(),
    ]
    return [reason for reason in reasons if reason]


def _scheduler_trouble(monitor: Monitor) -> str:
    """A sentence when the tick is late by the monotonic clock; else empty."""
    if not monitor.scheduler.is_running():
        return "The scheduler is not running. Restart Camera Monitor."
    if monitor.scheduler.silence(TICK) > LONGEST_SILENCE:
        return "The scheduler is stuck. Restart Camera Monitor."
    return ""
