"""Picture health as JSON: of one camera, of the fleet, and what can be changed."""

from datetime import datetime, time
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from typing_extensions import TypedDict

from fleet.model import Device
from fleet.shapes import Time, iso, pattern_schema
from picture_health.camera_health import (
    CameraHealth,
    CameraSettings,
    KeptPicture,
    OpenFault,
    State,
    Suspicion,
    finding_kind,
)
from picture_health.camera_settings import LONGEST, MOST_HOURS, SHORTEST
from picture_health.expected_hours import ExpectedHours
from video.schedule import DAYS
from web.http import remedies
from web.http.payloads import Query, Strict
from web.http.shapes.schedules import Day
from web.http.shapes.stills import moment

MINUTE = r"^([01]\d|2[0-3]):[0-5]\d$"
HIGHEST_ID = 2**63 - 1


def _some(days: Any) -> Any:
    if days == []:
        raise ValueError("must have at least one day, such as monday")
    return days


def _minute(text: str) -> str:
    try:
        if len(text) != 5 or text[2] != ":":
            raise ValueError(text)
        time.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a time of day such as 06:00") from None
    return text


Minute = Annotated[str, AfterValidator(_minute), pattern_schema(MINUTE)]


class HealthHours(Strict):
    """Hours in which no picture is judged: on days of the week, by the clock of this server. An end
    that is not later than the start is on the next day."""

    days: Annotated[list[Day], BeforeValidator(_some), Field(min_length=1, max_length=7)]
    starts: Minute
    ends: Minute


class HealthChange(Strict):
    """The settings that change; others keep their value. `interval`: seconds between two samples,
    null for that of all cameras. `repeats`: the camera repeats its last picture between events, so
    it is never called frozen."""

    mode: Literal["auto", "on", "off"] = "auto"
    sensitivity: Literal["low", "normal", "high"] = "normal"
    interval: int | None = Field(None, ge=SHORTEST, le=LONGEST)
    repeats: bool = False
    expected_hours: list[HealthHours] = Field([], max_length=MOST_HOURS)

    def changes(self) -> dict[str, Any]:
        """The settings of the body, as the package has them."""
        changes = {name: getattr(self, name) for name in self.model_fields_set}
        if "expected_hours" in changes:
            changes["expected_hours"] = tuple(map(_hours, self.expected_hours))
        return changes


def _hours(line: HealthHours) -> ExpectedHours:
    days = sorted({DAYS.index(day) for day in line.days})
    return ExpectedHours(tuple(days), *map(time.fromisoformat, (line.starts, line.ends)))


class NewReference(Strict):
    """What becomes a reference: a still, or without one a picture taken now."""

    still: int | None = Field(None, ge=1, le=HIGHEST_ID)


class NewExpected(Strict):
    """What is expected: a picture that is kept, or without one the newest."""

    picture: int | None = Field(None, ge=1, le=HIGHEST_ID)


class NewestSampleQuery(Query):
    """Which sample a page means, so that a browser shows no earlier one; it has no other effect."""

    sampled_at: str = ""


class HealthQuery(Query):
    """Which cameras: those in this state."""

    state: State | None = None


class HealthFault(TypedDict):
    """A fault that was found. `text` says what was found, `remedy` what to do. `picture`: the URL
    of the picture that raised it, null where it is not kept. `unknown_since`: since when no picture
    can confirm it."""

    fault: str
    title: str
    text: str
    remedy: str
    since: Time
    unknown_since: Time | None
    picture: str | None


class SuspectedFault(TypedDict):
    """A fault that `count` samples in a row have shown, of the `needed` ones."""

    fault: str
    title: str
    count: int
    needed: int


class HealthPicture(TypedDict):
    """A picture that is kept. `kind`: reference, expected or evidence. `by`: who set it."""

    id: int
    kind: str
    at: Time
    by: str
    width: int
    height: int
    url: str


class HealthHoursJson(TypedDict):
    days: list[str]
    starts: str
    ends: str


class HealthSettingsJson(TypedDict):
    """The settings of a camera. `interval`: null for that of all cameras."""

    mode: str
    sensitivity: str
    interval: int | None
    repeats: bool
    expected_hours: list[HealthHoursJson]


class HealthRow(TypedDict):
    """The state of a camera: off, unknown, healthy, suspected, expected or faulty, with the
    `reason` for off, unknown and expected. `sampled_at`: when a picture was last judged."""

    camera: int
    camera_name: str
    state: State
    reason: str
    sampled_at: Time | None
    faults: list[HealthFault]


class HealthJson(HealthRow):
    """The picture health of a camera. `newest`: the URL of the newest sample, null where it is not
    kept."""

    suspected: list[SuspectedFault]
    references: list[HealthPicture]
    expected_pictures: list[HealthPicture]
    newest: str | None
    settings: HealthSettingsJson


class HealthList(TypedDict):
    """`states`: how many cameras are in each state."""

    cameras: list[HealthRow]
    count: int
    states: dict[str, int]


class HealthDone(TypedDict):
    success: bool
    health: HealthJson


def picture_url(camera: int, picture: int) -> str:
    return f"/api/cameras/{camera}/picture-health/pictures/{picture}"


def newest_url(health: CameraHealth) -> str:
    """Where the newest sample is: a URL for each, so that no browser shows an old one."""
    at = moment(health.sampled_at).replace("+", "%2B") if health.sampled_at else ""
    return f"/api/cameras/{health.device}/picture-health/pictures/newest?sampled_at={at}"


def health_row(device: Device, name: str, health: CameraHealth) -> HealthRow:
    return {
        "camera": device.id,
        "camera_name": name,
        "state": health.state,
        "reason": health.reason,
        "sampled_at": iso(health.sampled_at),
        "faults": [_fault(device, health, fault) for fault in health.faults],
    }


def health_json(device: Device, name: str, health: CameraHealth, has_newest: bool) -> HealthJson:
    return {
        **health_row(device, name, health),
        "suspected": [_suspected(suspicion) for suspicion in health.suspected],
        "references": [_picture(picture) for picture in health.references],
        "expected_pictures": [_picture(picture) for picture in health.expected_pictures],
        "newest": newest_url(health) if has_newest else None,
        "settings": settings_json(health.settings),
    }


def _fault(device: Device, health: CameraHealth, fault: OpenFault) -> HealthFault:
    kind = finding_kind(fault.fault)
    known = next((each for each in device.findings if each.kind == kind), None)
    url = picture_url(device.id, fault.picture_id) if fault.picture_id is not None else None
    return {
        "fault": fault.fault,
        "title": remedies.title(kind),
        "text": known.text if known else "",
        "remedy": remedies.what_to_do(kind),
        "since": moment(fault.since),
        "unknown_since": iso(unconfirmed_since(health)),
        "picture": url,
    }


def unconfirmed_since(health: CameraHealth) -> datetime | None:
    """Since when no picture can confirm a finding: the last one that was judged; None while one
    can."""
    return health.sampled_at if health.state == "unknown" else None


def _suspected(suspicion: Suspicion) -> SuspectedFault:
    return {
        "fault": suspicion.fault,
        "title": remedies.title(finding_kind(suspicion.fault)),
        "count": suspicion.count,
        "needed": suspicion.needed,
    }


def _picture(picture: KeptPicture) -> HealthPicture:
    return {
        "id": picture.id,
        "kind": picture.kind,
        "at": moment(picture.at),
        "by": picture.by,
        "width": picture.width,
        "height": picture.height,
        "url": picture_url(picture.device, picture.id),
    }


def settings_json(settings: CameraSettings) -> HealthSettingsJson:
    return {
        "mode": settings.mode,
        "sensitivity": settings.sensitivity,
        "interval": settings.interval,
        "repeats": settings.repeats,
        "expected_hours": [_hours_json(hours) for hours in settings.expected_hours],
    }


def _hours_json(hours: ExpectedHours) -> HealthHoursJson:
    return {
        "days": [DAYS[day] for day in hours.days],
        "starts": f"{hours.starts:%H:%M}",
        "ends": f"{hours.ends:%H:%M}",
    }


def health_done(health: HealthJson) -> HealthDone:
    return {"success": True, "health": health}
