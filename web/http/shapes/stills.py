"""Stills as JSON: one, the list of a camera, and the hours of a day."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from fleet.shapes import Time
from stills.film import FilmState, frame_rate
from stills.hours import Hour
from stills.model import Still
from web.http.payloads import Query, Strict

MOST_LISTED = 1000


class StillQuery(Query):
    """Which stills of a camera, newest first: those of a day of this server's zone, or the newest
    ones."""

    day: date | None = None
    limit: int = Field(100, ge=1, le=MOST_LISTED)


class PictureQuery(Query):
    """How large the picture is."""

    size: Literal["full", "thumbnail"] = Field(
        "full", description="`thumbnail` is 320 pixels wide at the most."
    )


class NewestQuery(PictureQuery):
    """How large the picture is, and whether a new one is taken."""

    take: Literal["0", "1"] = Field("0", description="1: take a still first.")


class ArchiveQuery(Query):
    """Which stills of a camera, of days of this server's zone."""

    day: date = Field(description="The first day.")
    until: date | None = Field(None, description="The last day, included; by default the first.")


class HourArchiveQuery(Query):
    """Which hour of a day of this server's zone."""

    day: date
    hour: int = Field(ge=0, le=24, description="The number of the hour in that day, from 0.")


class FilmQuery(Query):
    """Which day of this server's zone."""

    day: date


class FilmFileQuery(FilmQuery):
    """Which day, and which of its films, so that a browser keeps no other one."""

    version: str = ""


class FilmBody(Strict):
    """Of which day of this server's zone a time-lapse is made."""

    day: date = Field(strict=False)


class FilmJson(TypedDict):
    """The time-lapse of a day. `state`: none, making, ready or failed. `stills`: how many stills of
    the day there are now, `newer` of them taken after those of the film. `done`: pictures that
    went through so far. `frames`: those in the film; `left_out` could not be decoded. `seconds` and
    `size` (bytes): of the film at `url`. `problem` and `hint`: why there is none."""

    camera: int
    day: str
    state: str
    stills: int
    newer: int
    done: int
    frames: int
    left_out: int
    seconds: float
    size: int
    url: str | None
    problem: str
    hint: str


class StillIntervalChange(Strict):
    """How often stills of a camera are taken automatically."""

    interval: int | None = Field(
        description="Seconds, 60 to 604800; 0: never; null: as often as for all cameras."
    )


class StillIntervalJson(TypedDict):
    """How often stills of a camera are taken automatically. `interval`: seconds between two, 0 for
    never; `own`: those of this camera, null where it has the `default`. `next_at`: when the next
    one is due, null if none is."""

    camera: int
    interval: int
    own: int | None
    default: int
    next_at: Time | None


class StillIntervalSaved(StillIntervalJson):
    success: bool


class StillJson(TypedDict):
    """A still. `taken_at`: when it was captured, by the clock of this server, which was known to
    be right if `clock_known`. `way`: pi, usb, snapshot or stream. `reason`: hour, asked or
    finding. `size` in bytes."""

    id: int
    camera: int
    camera_name: str
    taken_at: Time
    clock_known: bool
    way: str
    reason: str
    width: int
    height: int
    size: int
    name: str
    notes: list[str]
    url: str
    thumbnail: str


class StillHourJson(TypedDict):
    """An hour of a day. `state`: taken, missed with its `reason`, due, future, or none where no
    still was due. `stills`: the numbers of all that were taken in it."""

    at: Time
    name: str
    state: str
    stills: list[int]
    reason: str


class StillList(TypedDict):
    """`hours`: of the day, where one was asked for."""

    stills: list[StillJson]
    count: int
    hours: NotRequired[list[StillHourJson]]


class StillTaken(TypedDict):
    success: bool
    still: StillJson


def moment(at: datetime) -> str:
    """Stills a second apart are usual, and nothing else tells them apart for a person."""
    return at.isoformat(timespec="milliseconds")


def still_url(camera: int, still: int) -> str:
    return f"/api/cameras/{camera}/stills/{still}"


def still_json(still: Still, camera: int, camera_name: str) -> StillJson:
    """A still of the camera with this number and name."""
    url = still_url(camera, still.id)
    return {
        "id": still.id,
        "camera": camera,
        "camera_name": camera_name,
        "taken_at": moment(still.taken_at),
        "clock_known": still.clock_known,
        "way": still.way,
        "reason": still.why,
        "width": still.width,
        "height": still.height,
        "size": still.size,
        "name": still.name,
        "notes": list(still.notes),
        "url": url,
        "thumbnail": f"{url}?size=thumbnail",
    }


def still_hour_json(hour: Hour) -> StillHourJson:
    return {
        "at": moment(hour.starts_at),
        "name": hour.starts_at.astimezone().strftime("%H:%M"),
        "state": hour.state,
        "stills": [still.id for still in hour.stills],
        "reason": hour.reason,
    }


def film_json(state: FilmState, camera: int, day: date) -> FilmJson:
    """The time-lapse of a day of the camera with this number."""
    film = state.film
    tag = f"&version={film.digest}" if film else ""
    return {
        "camera": camera,
        "day": day.isoformat(),
        "state": state.state,
        "stills": state.total,
        "newer": state.newer,
        "done": state.done,
        "frames": film.frames if film else 0,
        "left_out": film.total - film.frames if film else 0,
        "seconds": film.frames / frame_rate(film.total) if film else 0.0,
        "size": film.size if film else 0,
        "url": f"/api/cameras/{camera}/stills/film.mp4?day={day}{tag}" if film else None,
        "problem": state.problem,
        "hint": state.hint,
    }


def still_list(rows: list[StillJson], hours: Sequence[StillHourJson] | None) -> StillList:
    answer: StillList = {"stills": rows, "count": len(rows)}
    if hours is not None:
        answer["hours"] = list(hours)
    return answer


def still_interval_saved(interval: StillIntervalJson) -> StillIntervalSaved:
    return {"success": True, **interval}


def still_taken(still: StillJson) -> StillTaken:
    return {"success": True, "still": still}
