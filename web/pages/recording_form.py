"""The recording settings in the edit form of a device."""

from collections.abc import Mapping
from typing import Any

from fleet.model import Device
from fleet.recording import MAX_RETENTION
from video.recorded import HIGH, LOW
from web.http.live_views import is_watchable
from web.pages.schedules import QUALITY_TITLES

FIELD = "retention_days"
"""The form field by which it is known that the form has these settings."""
LONGEST_NUMBER = 9


def recording_form(device: Device) -> Mapping[str, Any] | None:
    """What the form shows; None for a device that cannot be recorded and has no settings."""
    if not (device.recording or is_watchable(device)):
        return None
    chosen = device.recording.get("record_quality") or HIGH
    return {
        "auto_record": bool(device.recording.get("auto_record")),
        "record_quality": chosen,
        "retention_days": device.recording.get("retention_days") or "",
        "qualities": {key: QUALITY_TITLES[key] for key in (HIGH, LOW, chosen)},
        "most_days": MAX_RETENTION,
    }


def recording_of_form(form: Mapping[str, str], device: Device) -> dict[str, Any]:
    """The settings as the form sends them. What nobody set and the form leaves as it is stays not
    set, so that saving the form as it was changes nothing."""
    days = form[FIELD].strip()
    is_number = days.isascii() and days.isdecimal() and len(days) <= LONGEST_NUMBER
    given: dict[str, Any] = {
        "auto_record": form.get("auto_record") == "yes",
        "record_quality": form.get("record_quality") or HIGH,
        "retention_days": int(days) if is_number else days or None,
    }
    unset = {"auto_record": False, "record_quality": HIGH}
    return {
        name: value
        for name, value in given.items()
        if value is not None and (name in device.recording or value != unset.get(name))
    }
