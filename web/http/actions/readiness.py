"""What keeps this server from working."""

from fleet.build import TICK
from web.http.monitor import Monitor

LONGEST_SILENCE = 150.0
"""Seconds."""


def troubles(here: Monitor, disk: str) -> list[str]:
    """The problems that keep this server from working now, as sentences.

    `disk` is what its probe says: `last` for strangers, whose requests write nothing.
    """
    tracker, journal_writer = here.tracker, here.journal_writer
    carried = "" if journal_writer.is_alive() else "Events are not carried to the journal any more."
    found = [
        tracker.trouble or disk,
        journal_writer.trouble or carried,
        here.audit.trouble,
        _stuck(here),
    ]
    return [one for one in found if one]


def _stuck(here: Monitor) -> str:
    """The tick did not come for two and a half minutes, by the monotonic clock."""
    if not here.scheduler.is_running():
        return "The scheduler does not run."
    if here.scheduler.silence(TICK) > LONGEST_SILENCE:
        return "The scheduler does not tick."
    return ""
